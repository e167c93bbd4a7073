//! A subscription's place in a page's log, and what it meets there.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use tokio::time::Instant;
use uuid::Uuid;

use super::error::{Failure, Result};
use super::event::{PageEvent, Standing};
use super::item::Items;
use super::query::{admitted, app};
use super::scalar::Cursor;
use crate::app::App;
use crate::budget::Budget;
use crate::domain;
use crate::domain::audience::Audience;
use crate::domain::cursor::{Resume, StreamId};
use crate::domain::event::EventKind;
use crate::domain::filter::EventFilter;
use crate::domain::role::Sight;
use crate::error::Error;
use crate::live::{Follow, Step};
use crate::queries::{self, View};
use crate::seeded::{Bug, seeded};
use crate::store::log::Entry;

/// How long a subscription waits before it reads the log again when the database was away.
const RETRY: Duration = Duration::from_millis(500);

/// A subscription of one page.
pub(super) struct Watch {
    pub(super) app: Arc<App>,
    pub(super) sight: Sight,
    pub(super) page: Uuid,
    pub(super) filter: Arc<EventFilter>,
    pub(super) follow: Follow,
    /// What the items may use that it meets.
    pub(super) items: Items,
    /// What comes first.
    pending: Option<Box<Met>>,
    /// Where the page stands now is to be told, for what came before cannot be.
    must_reset: bool,
    /// Nothing comes any more.
    is_over: bool,
    /// When something was last met.
    heard: Instant,
}

/// What a subscription meets.
#[derive(Clone, Debug)]
pub(super) enum Met {
    /// An event that fits the wishes, with its number.
    Event(u64, Arc<Entry>),
    /// Nothing, for a while, up to this number.
    Quiet(u64),
    /// The page as it stands, first of all.
    Snapshot(Standing),
    /// The page as it stands, for the log could not go on from where the subscription was.
    Reset(Standing),
    /// The page cannot be seen any more.
    Gone,
}

impl Met {
    /// The budget of the view that it brings along; a fresh one where it brings none.
    pub(super) fn budget(&self, app: &App) -> Budget {
        match self {
            Met::Snapshot(standing) | Met::Reset(standing) => standing.view.budget().clone(),
            Met::Event(..) | Met::Quiet(_) | Met::Gone => Budget::new(app.settings.execution),
        }
    }
}

/// What there is to meet without waiting.
pub(super) enum There {
    Met(Met),
    /// Nothing yet.
    Nothing,
    /// Nothing any more.
    End,
}

impl Watch {
    /// Begins to watch the page with a slug.
    pub(super) async fn begin(ctx: &Context<'_>, slug: &str) -> Result<Watch> {
        let found = {
            let view = View::now(app(ctx)?, admitted(ctx)?.sight());
            queries::page::by_slug(&view, slug).await?
        };
        Watch::of(ctx, found.ok_or_else(not_found)?.id).await
    }

    /// Begins to watch a page.
    pub(super) async fn of(ctx: &Context<'_>, page: Uuid) -> Result<Watch> {
        let filter = Arc::default();
        let mut watch = Watch::new(app(ctx)?, admitted(ctx)?.sight(), page, filter).await?;
        if let Ok(items) = ctx.data::<Items>() {
            watch.items = items.clone();
        }
        Ok(watch)
    }

    /// Takes a place at the ring, before anything is read of the log. No view may be held meanwhile: it holds a
    /// connection, and many who each wait for a second one would wait for one another.
    pub(super) async fn new(
        app: &Arc<App>,
        sight: Sight,
        page: Uuid,
        filter: Arc<EventFilter>,
    ) -> crate::error::Result<Watch> {
        let audience = sight.audience_of(page);
        let follow = app.live.follow(StreamId { page, audience }, 0).await?;
        Ok(Watch {
            app: Arc::clone(app),
            sight,
            page,
            filter,
            follow,
            items: Items::new(app.settings.execution),
            pending: None,
            must_reset: false,
            is_over: false,
            heard: Instant::now(),
        })
    }

    /// As whom it follows the page.
    pub(super) fn audience(&self) -> Audience {
        self.sight.audience_of(self.page)
    }

    /// Another, at the same place.
    pub(super) fn fork(&self) -> Watch {
        Watch {
            app: Arc::clone(&self.app),
            sight: self.sight.clone(),
            page: self.page,
            filter: Arc::clone(&self.filter),
            follow: self.follow.clone(),
            items: Items::new(self.app.settings.execution),
            pending: None,
            must_reset: false,
            is_over: false,
            heard: Instant::now(),
        }
    }

    /// Decides where to go on from, and what comes first.
    pub(super) async fn resume(&mut self, after: Option<&Cursor>) -> Result<()> {
        if let Some(cursor) = after
            && let Resume::After(number) = self.place_after(cursor).await?
        {
            self.follow.seek(number);
            return Ok(());
        }
        let standing = self.stand(self.view()).await?;
        self.pending = Some(Box::new(match after {
            Some(_) => Met::Reset(standing),
            None => Met::Snapshot(standing),
        }));
        Ok(())
    }

    /// Whether and where the log can be gone on from after a cursor.
    pub(super) async fn place_after(&self, cursor: &Cursor) -> crate::error::Result<Resume> {
        let cursor = domain::cursor::Cursor::decode(&cursor.0)?;
        let reach = self.follow.reach(cursor.number).await?;
        let (stream, epoch) = (self.follow.stream(), self.app.store.epoch());
        let resume = domain::cursor::resume(&cursor, stream, epoch, reach.floor, reach.head)?;
        Ok(match resume {
            Resume::After(number) if seeded(Bug::ResumeInclusive) => Resume::After(number.saturating_sub(1)),
            Resume::Reset if seeded(Bug::LostSkipped) => Resume::After(reach.floor),
            resume => resume,
        })
    }

    /// The next event that fits the wishes, a heartbeat when none comes for a while, a reset when some were lost. It can
    /// be dropped at any time and called again.
    pub(super) async fn next(&mut self) -> Option<Met> {
        let patience = Duration::from_millis(self.app.settings.heartbeat_millis);
        loop {
            if let Some(due) = self.due().await {
                return due;
            }
            let quiet = self.heard + patience;
            let step = tokio::select! {
                // First, or a stream of events that nobody wishes for would keep it from being heard.
                biased;
                () = tokio::time::sleep_until(quiet) => {
                    self.heard = Instant::now();
                    return Some(Met::Quiet(self.follow.position()));
                }
                step = self.follow.next() => step,
            };
            match step {
                Ok(step) => {
                    if let Some(met) = self.meet(step) {
                        return Some(met);
                    }
                }
                Err(error) => self.wait_for_database(error).await,
            }
        }
    }

    /// The same as far as it is there already. It can be dropped at any time and called again.
    pub(super) async fn ready(&mut self) -> There {
        loop {
            match self.due().await {
                Some(Some(met)) => return There::Met(met),
                Some(None) => return There::End,
                None => {}
            }
            match self.follow.ready().await {
                Ok(Some(step)) => {
                    if let Some(met) = self.meet(step) {
                        return There::Met(met);
                    }
                }
                Ok(None) => return There::Nothing,
                Err(error) => self.wait_for_database(error).await,
            }
        }
    }

    /// What comes before anything else of the log, or that nothing comes any more.
    async fn due(&mut self) -> Option<Option<Met>> {
        if let Some(first) = self.pending.take() {
            self.heard = Instant::now();
            return Some(Some(*first));
        }
        if self.must_reset {
            let met = self.reset().await;
            self.must_reset = false;
            self.heard = Instant::now();
            return Some(Some(met));
        }
        self.is_over.then_some(None)
    }

    /// What a step comes to; none where nobody wishes to hear of it, or something else comes first.
    fn meet(&mut self, step: Step) -> Option<Met> {
        let Step::Entry(number, entry) = step else {
            self.must_reset = true;
            return None;
        };
        let payload = entry.seen_by(self.audience());
        if !self.sight.reaches(&payload.page) {
            // Hidden then, and maybe to be seen again by now.
            self.must_reset = true;
            return None;
        }
        self.is_over = entry.kind == EventKind::PageArchived;
        let is_wished = self.filter.matches(entry.kind, payload) || self.is_over;
        is_wished.then(|| {
            self.heard = Instant::now();
            Met::Event(number, entry)
        })
    }

    /// The page as it is now, within the budget of the next item.
    pub(super) fn view(&self) -> View {
        View::now_within(&self.app, self.sight.clone(), self.items.budget())
    }

    /// What is met, as the API shows it within a budget. What brings a view along has the budget of that.
    pub(super) fn show(&self, met: Met, budget: Budget) -> Result<PageEvent> {
        Ok(match met {
            Met::Event(number, entry) => {
                let view = View::past(&self.app, self.sight.clone(), entry.place(), budget);
                let cursor = queries::log::at_number(&view, self.page, number).encode();
                PageEvent::of(view, &entry, Cursor(cursor))
            }
            Met::Quiet(number) => {
                let view = View::now_within(&self.app, self.sight.clone(), budget);
                let here = queries::log::at_number(&view, self.page, number);
                PageEvent::heartbeat(Standing {
                    cursor: Cursor(here.encode()),
                    page: self.page,
                    view,
                })
            }
            Met::Snapshot(standing) => PageEvent::snapshot(standing),
            Met::Reset(standing) => PageEvent::reset(standing),
            Met::Gone => return Err(not_found()),
        })
    }

    /// Whether what comes first was not told yet.
    pub(super) fn take_pending(&mut self) -> bool {
        self.pending.take().is_some()
    }

    /// Some of what comes next is not there any more: that is the first thing to be met.
    pub(super) fn reset_first(&mut self) {
        self.must_reset = true;
    }

    /// Goes on from where the page stands now, where it can be seen; else this ends.
    async fn reset(&mut self) -> Met {
        match self.present().await {
            Some((_, standing)) => Met::Reset(standing),
            None => {
                self.is_over = true;
                Met::Gone
            }
        }
    }

    /// The page as it stands, from where this subscription goes on; `None` where it is gone.
    pub(super) async fn present(&mut self) -> Option<(Arc<domain::page::Page>, Standing)> {
        loop {
            match self.standing_page().await {
                Ok(found) => return found,
                Err(error) => self.wait_for_database(error).await,
            }
        }
    }

    /// The same, if the database answers.
    pub(super) async fn standing_page(&mut self) -> crate::error::Result<Option<(Arc<domain::page::Page>, Standing)>> {
        let view = self.view();
        match queries::page::by_id(&view, self.page).await? {
            Some(page) => Ok(Some((page, self.stand(view).await?))),
            None => Ok(None),
        }
    }

    /// Goes on from where the log stands in a view.
    pub(super) async fn stand(&mut self, view: View) -> crate::error::Result<Standing> {
        let position = queries::log::position(&view, self.page).await?;
        self.follow.seek(position.number);
        Ok(Standing {
            cursor: Cursor(position.encode()),
            page: self.page,
            view,
        })
    }

    /// A live subscription outlives a database that is away for a while.
    pub(super) async fn wait_for_database(&self, error: Error) {
        tracing::warn!(error = &error as &dyn std::error::Error, page = %self.page, "a subscription waits for the log");
        tokio::time::sleep(RETRY).await;
    }
}

pub(super) fn not_found() -> Failure {
    Failure::new("PAGE_NOT_FOUND", "There is no such page.")
}
