//! Selections: what many subscribers of one page ask for alike, executed once for all of them (DESIGN.md, 4).
//!
//! A `Selection` is one running execution that is fed one item at a time (`renderer`), and remembers what came of the
//! newest (`memo`). Each subscriber has a `Follower`: its own place in the log, which shows what it meets through the
//! selection. Which subscriptions ask alike, and what is a subscriber's own in a request, is decided by `plan`.

mod follower;
mod memo;
mod plan;
mod renderer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_graphql::{Request, Response};
use futures_util::stream::BoxStream;
use tokio::time::Instant;
use uuid::Uuid;

pub use follower::Follower;
use memo::Memo;
use plan::{After, Key, Plan};
pub(super) use renderer::Feed;
use renderer::{Asked, Renderer};

use super::Schema;
use super::execution::request_data;
use super::scalar::Cursor;
use super::subscription::ResumeAfter;
use super::watch::{Met, Watch};
use crate::access::Caller;
use crate::app::App;
use crate::domain::filter::EventFilter;
use crate::domain::role::Sight;
use crate::error::Result;
use crate::item::Item;
use crate::queries::{self, View};

/// How many selections are shared at a time; what comes on top is executed for each subscriber by itself. Front ends of
/// one operator ask for a handful.
const MOST_SHARED: usize = 512;

/// For how long something that was read for one subscriber serves others who ask for the same. A storm of clients that
/// come back then costs one read in this time.
const SHARED_FOR: Duration = Duration::from_millis(100);

/// What the API answers, in the form in which it is sent. Clones share it.
pub trait Rendered: Clone + Send + Sync + 'static {
    /// The form of an answer.
    fn of(response: Response) -> Self;
    /// What there is where a resolver panicked.
    fn panicked() -> Self;
    /// Whether asking again would bring the same.
    fn is_lasting(&self) -> bool;
    /// Bytes it takes.
    fn size(&self) -> usize;
}

/// A subscription that has started.
pub enum Started<R> {
    /// It is executed for one subscriber.
    Alone(BoxStream<'static, Response>),
    /// Each item is executed once for all who ask for the same.
    Shared(Follower<R>),
}

/// All selections of a server.
pub struct Selections<R> {
    app: Arc<App>,
    schema: Schema,
    known: Mutex<HashMap<Key, Weak<Selection<R>>>>,
    /// One selection is begun at a time: those who ask for the same at the same moment share it.
    beginning: tokio::sync::Mutex<()>,
    last: AtomicU64,
    /// Bytes that all memos take.
    remembered: Arc<AtomicUsize>,
}

/// What some subscribers of a page ask for.
#[derive(Debug)]
struct Selection<R> {
    id: u64,
    app: Arc<App>,
    sight: Sight,
    slug: String,
    page: Uuid,
    filter: Arc<EventFilter>,
    renderer: tokio::sync::Mutex<Renderer>,
    memo: Mutex<Memo<R>>,
    /// The page as it stood lately, for who begins without a place in the log.
    snapshot: tokio::sync::Mutex<Option<(Instant, u64, Item<R>)>>,
    /// When the slug was last found to name the page, and how far the log went before that look.
    checked: tokio::sync::Mutex<Option<(Instant, u64)>>,
    /// A resolver panicked: nobody else is to meet that.
    is_broken: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R: Rendered> Selections<R> {
    /// Over the schema of a running server.
    pub fn new(app: Arc<App>, schema: Schema) -> Selections<R> {
        Selections {
            app,
            schema,
            known: Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
            last: AtomicU64::new(0),
            remembered: Arc::default(),
        }
    }

    /// Starts a subscription that has been let in; `resume` is where it goes on if the client says so beside the request.
    pub async fn subscribe(&self, mut request: Request, resume: Option<String>) -> Started<R> {
        if let Some(cursor) = resume {
            request = request.data(ResumeAfter(Cursor(cursor)));
        }
        match self.share(&mut request).await {
            Some(follower) => Started::Shared(follower),
            // Also where something is wrong with it: then that is what its execution says.
            None => Started::Alone(self.schema.execute_stream(request)),
        }
    }

    async fn share(&self, request: &mut Request) -> Option<Follower<R>> {
        let caller = request_data::<Caller>(request)?.clone();
        let Plan { key, after } = Plan::of(request, caller.sight())?;
        let after = match (request_data::<ResumeAfter>(request), after) {
            (Some(ResumeAfter(cursor)), _) => Some(cursor.clone()),
            (None, After::Cursor(cursor)) => Some(Cursor(cursor)),
            (None, After::Nothing) => None,
        };
        let selection = match self.known(&key) {
            Some(known) => known,
            None => self.execute(key, request, caller).await?,
        };
        Follower::begin(selection, after.as_ref()).await
    }

    fn known(&self, key: &Key) -> Option<Arc<Selection<R>>> {
        let known = lock(&self.known).get(key).and_then(Weak::upgrade);
        known.filter(|selection| !selection.is_broken.load(Ordering::Relaxed))
    }

    /// Begins a selection; none where it cannot be executed, or there are too many.
    async fn execute(&self, key: Key, request: &mut Request, caller: Caller) -> Option<Arc<Selection<R>>> {
        let _alone = self.beginning.lock().await;
        if let Some(same) = self.known(&key) {
            return Some(same);
        }
        {
            let mut known = lock(&self.known);
            known.retain(|_, selection| selection.strong_count() > 0);
            if known.len() >= MOST_SHARED {
                return None;
            }
        }
        // Of who asks first only what all have in common who share it.
        let sight = caller.sight();
        let caller = Caller::reader(sight.clone(), caller.request_id);
        let request = plan::copy(request)?;
        let (renderer, asked) = Renderer::begin(&self.schema, super::admit(request, caller)).await?;
        let Asked { slug, page, filter } = asked;
        let selection = Arc::new(Selection {
            id: self.last.fetch_add(1, Ordering::Relaxed),
            app: Arc::clone(&self.app),
            sight,
            slug,
            page,
            filter,
            renderer: tokio::sync::Mutex::new(renderer),
            memo: Mutex::new(Memo::new(Arc::clone(&self.remembered))),
            snapshot: tokio::sync::Mutex::default(),
            checked: tokio::sync::Mutex::default(),
            is_broken: AtomicBool::new(false),
        });
        lock(&self.known).insert(key, Arc::downgrade(&selection));
        Some(selection)
    }
}

/// Lets go of a snapshot that serves nobody any more: it may be megabytes, and the selection lives for as long as somebody
/// follows it.
async fn let_go<R: Rendered>(selection: Weak<Selection<R>>, taken: Instant) {
    tokio::time::sleep_until(taken + SHARED_FOR).await;
    if let Some(selection) = selection.upgrade() {
        selection.snapshot.lock().await.take_if(|(at, _, _)| *at == taken);
    }
}

impl<R: Rendered> Selection<R> {
    /// Whether the slug still names the page, for somebody who has come to a number.
    ///
    /// What was found lately serves while all that may have hidden the page since has a higher number: who follows on
    /// from below it meets it in the log.
    async fn is_current(&self, number: u64) -> Result<bool> {
        let mut checked = self.checked.lock().await;
        if checked.is_some_and(|(at, head)| at.elapsed() < SHARED_FOR && number <= head) {
            return Ok(true);
        }
        let view = View::now(&self.app, self.sight.clone());
        let found = queries::page::by_slug(&view, &self.slug).await?;
        let is_current = found.is_some_and(|page| page.id == self.page);
        if is_current {
            let head = queries::log::reach(&view, self.page).await?.head;
            *checked = Some((Instant::now(), head));
        }
        Ok(is_current)
    }

    /// The page as it stands, and up to which number of the log that is; none where it is not there.
    async fn snapshot(self: &Arc<Self>, watch: &mut Watch) -> Result<Option<Item<R>>> {
        let mut snapshot = self.snapshot.lock().await;
        if let Some((at, number, shown)) = snapshot.as_ref()
            && at.elapsed() < SHARED_FOR
        {
            watch.follow.seek(*number);
            return Ok(Some(shown.clone()));
        }
        let at = Instant::now();
        let Some((_, standing)) = watch.standing_page().await? else {
            return Ok(None);
        };
        let number = watch.follow.position();
        let shown = self.show(watch, Met::Snapshot(standing)).await;
        if shown.rendering.is_lasting() {
            *snapshot = Some((at, number, shown.clone()));
            tokio::spawn(let_go(Arc::downgrade(self), at));
        }
        Ok(Some(shown))
    }

    /// What is met, rendered: once for each event, whoever meets it. It can be dropped at any time.
    async fn show(&self, watch: &Watch, met: Met) -> Item<R> {
        let reach = follower::reach(&met);
        let number = match &met {
            Met::Event(number, _) => Some(*number),
            _ => None,
        };
        let cursor = watch.cursor(&met);
        let remembered = || number.and_then(|number| lock(&self.memo).get(number, Instant::now()));
        let rendered = match remembered() {
            Some(rendered) => rendered,
            None => {
                let mut renderer = self.renderer.lock().await;
                // Somebody else may have rendered it meanwhile.
                match remembered() {
                    Some(rendered) => rendered,
                    None => {
                        let rendered = match renderer.render(watch.show(met)).await {
                            Some(response) => R::of(response),
                            None => {
                                self.is_broken.store(true, Ordering::Relaxed);
                                R::panicked()
                            }
                        };
                        if let Some(number) = number {
                            lock(&self.memo).keep(number, &rendered, Instant::now());
                        }
                        rendered
                    }
                }
            }
        };
        Item {
            rendering: rendered,
            cursor,
            reach,
        }
    }
}
