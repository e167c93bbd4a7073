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
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::time::Instant;
use uuid::Uuid;

pub use follower::Follower;
use memo::Memo;
use plan::{After, Key, Plan};
pub(super) use renderer::Feed;
use renderer::{Asked, Renderer};

use super::Schema;
use super::error::Failure;
use super::execution::{over_budget, refusal, request_data};
use super::item::{Items, bounded};
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

/// How many selections of one page are shared at a time: 256. The front ends of a page ask for a handful, and each selection
/// is executed for every event of the page. Addresses follow 128 at most each, so that one alone cannot take all of these.
const MOST_OF_PAGE: usize = 256;

/// For how long something that was read for one subscriber serves others who ask for the same. A storm of clients that
/// come back then costs one read in this time.
const SHARED_FOR: Duration = Duration::from_millis(100);

/// For how long a heartbeat serves others who follow the same selection, while nothing happens on the page: 5 s. Its time
/// is at most that old.
const QUIET_SHARED_FOR: Duration = Duration::from_secs(5);

/// What the API answers, in the form in which it is sent. Clones share it.
pub trait Rendered: Clone + Send + Sync + 'static {
    /// The form of an answer.
    fn of(response: Response) -> impl Future<Output = Self> + Send;
    /// What ends a subscription: the errors of an answer.
    fn ended(response: Response) -> Self;
    /// What there is where a resolver panicked.
    fn panicked() -> Self;
    /// Whether asking again would bring the same.
    fn is_lasting(&self) -> bool;
    /// Bytes it takes.
    fn size(&self) -> usize;
}

/// A subscription that has started.
pub enum Started<R> {
    /// It is executed for one subscriber. Each answer comes with the work that it took.
    Alone(BoxStream<'static, (Response, u64)>),
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
    /// What was shown lately when nothing had happened up to a number of the log.
    quiet: Mutex<Option<(Instant, u64, R)>>,
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
            Ok(Some(follower)) => Started::Shared(follower),
            Err(failure) => {
                let refused = refusal(failure);
                Started::Alone(stream::once(async { (refused, 1) }).boxed())
            }
            // Also where something is wrong with it: then that is what its execution says.
            Ok(None) => {
                let items = Items::new(self.app.settings.execution);
                let request = request.data(items.clone());
                Started::Alone(bounded(items, self.schema.execute_stream(request).boxed()))
            }
        }
    }

    /// Another follower of the selection that a request asks for; none where it is better executed by itself.
    ///
    /// # Errors
    /// `TOO_MANY_SELECTIONS`.
    async fn share(&self, request: &mut Request) -> super::error::Result<Option<Follower<R>>> {
        let Some(caller) = request_data::<Caller>(request).cloned() else {
            return Ok(None);
        };
        let Some(Plan { key, after }) = Plan::of(request, caller.sight()) else {
            return Ok(None);
        };
        let after = match (request_data::<ResumeAfter>(request), after) {
            (Some(ResumeAfter(cursor)), _) => Some(cursor.clone()),
            (None, After::Cursor(cursor)) => Some(Cursor(cursor)),
            (None, After::Nothing) => None,
        };
        let selection = match self.known(&key) {
            Some(known) => known,
            None => match self.execute(key, request, caller).await? {
                Some(begun) => begun,
                None => return Ok(None),
            },
        };
        Ok(Follower::begin(selection, after.as_ref()).await)
    }

    fn known(&self, key: &Key) -> Option<Arc<Selection<R>>> {
        let known = lock(&self.known).get(key).and_then(Weak::upgrade);
        known.filter(|selection| !selection.is_broken.load(Ordering::Relaxed))
    }

    /// Begins a selection; none where it cannot be executed, or there are too many of all pages.
    ///
    /// # Errors
    /// `TOO_MANY_SELECTIONS` where there are too many of its page.
    async fn execute(
        &self,
        key: Key,
        request: &mut Request,
        caller: Caller,
    ) -> super::error::Result<Option<Arc<Selection<R>>>> {
        let _alone = self.beginning.lock().await;
        if let Some(same) = self.known(&key) {
            return Ok(Some(same));
        }
        {
            let mut known = lock(&self.known);
            known.retain(|_, selection| selection.strong_count() > 0);
            if known.len() >= MOST_SHARED {
                return Ok(None);
            }
        }
        // Of who asks first only what all have in common who share it.
        let sight = caller.sight();
        let caller = Caller::reader(sight.clone(), caller.request_id);
        let Some(request) = plan::copy(request) else {
            return Ok(None);
        };
        let Some((renderer, asked)) = Renderer::begin(&self.schema, super::admit(request, caller)).await else {
            return Ok(None);
        };
        let Asked { slug, page, filter } = asked;
        let of_page = |selection: &Arc<Selection<R>>| selection.page == page;
        if lock(&self.known)
            .values()
            .filter_map(Weak::upgrade)
            .filter(of_page)
            .count()
            >= MOST_OF_PAGE
        {
            let message = format!("This page is followed with {MOST_OF_PAGE} different selections already.");
            return Err(Failure::new("TOO_MANY_SELECTIONS", message));
        }
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
            quiet: Mutex::default(),
            checked: tokio::sync::Mutex::default(),
            is_broken: AtomicBool::new(false),
        });
        lock(&self.known).insert(key, Arc::downgrade(&selection));
        Ok(Some(selection))
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
            // Paid for by the subscriber that it was made for.
            let free = Item {
                work: 0,
                ..shown.clone()
            };
            *snapshot = Some((at, number, free));
            tokio::spawn(let_go(Arc::downgrade(self), at));
        }
        Ok(Some(shown))
    }

    /// What is met, rendered: once for each event, whoever meets it. It can be dropped at any time.
    async fn show(&self, watch: &Watch, met: Met) -> Item<R> {
        let reach = follower::reach(&met);
        let cursor = watch.cursor(&met);
        let (rendering, work) = match self.remembered(&met) {
            Some(rendered) => (rendered, 0),
            None => {
                let mut renderer = self.renderer.lock().await;
                // Somebody else may have rendered it meanwhile.
                match self.remembered(&met) {
                    Some(rendered) => (rendered, 0),
                    None => self.render(&mut renderer, watch, met).await,
                }
            }
        };
        Item {
            rendering,
            cursor,
            reach,
            work,
        }
    }

    /// What was rendered lately for the same.
    fn remembered(&self, met: &Met) -> Option<R> {
        match met {
            Met::Event(number, _) => lock(&self.memo).get(*number, Instant::now()),
            Met::Quiet(number) => {
                let quiet = lock(&self.quiet);
                let (at, at_number, rendered) = quiet.as_ref()?;
                (at_number == number && at.elapsed() < QUIET_SHARED_FOR).then(|| rendered.clone())
            }
            Met::Snapshot(_) | Met::Reset(_) | Met::Gone => None,
        }
    }

    /// Renders what is met within a budget, remembers it, and tells the work that it took.
    async fn render(&self, renderer: &mut Renderer, watch: &Watch, met: Met) -> (R, u64) {
        let budget = met.budget(&self.app);
        let (event, quiet) = match &met {
            Met::Event(number, _) => (Some(*number), None),
            Met::Quiet(number) => (None, Some(*number)),
            Met::Snapshot(_) | Met::Reset(_) | Met::Gone => (None, None),
        };
        let rendered = match budget.run(renderer.render(watch.show(met, budget.clone()))).await {
            Ok(Some(response)) => R::of(response).await,
            Ok(None) => {
                self.is_broken.store(true, Ordering::Relaxed);
                R::panicked()
            }
            // It ends for all its followers. The next subscriber with the same selection starts a new one.
            Err(exceeded) => {
                self.is_broken.store(true, Ordering::Relaxed);
                R::ended(over_budget(exceeded, None))
            }
        };
        if let Some(number) = event {
            lock(&self.memo).keep(number, &rendered, Instant::now());
        }
        if let Some(number) = quiet.filter(|_| rendered.is_lasting()) {
            *lock(&self.quiet) = Some((Instant::now(), number, rendered.clone()));
        }
        (rendered, budget.work())
    }
}
