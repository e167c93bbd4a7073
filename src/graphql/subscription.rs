//! Subscription: everything that can be followed.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Subscription};
use futures_util::Stream;
use futures_util::stream::unfold;
use uuid::Uuid;

use super::enums::{Impact, PageEventKind};
use super::error::{Failure, Result};
use super::event::{PageEvent, Standing};
use super::id::{self, Kind};
use super::incident::Incident;
use super::page::Page;
use super::query::{app, caller};
use super::scalar::Cursor;
use crate::access::may_see;
use crate::app::App;
use crate::domain;
use crate::domain::audience::Audience;
use crate::domain::cursor::{Resume, StreamId};
use crate::domain::event::{EventKind, Subject};
use crate::domain::filter::EventFilter;
use crate::error::Error;
use crate::live::{Follow, Step};
use crate::queries::{self, View};
use crate::store::log::Entry;

/// How long a subscription waits before it reads the log again when the database was away.
const RETRY: Duration = Duration::from_millis(500);

/// Everything that can be followed. Deliveries come in order, each once.
#[derive(Debug, Default)]
pub struct Subscription;

/// Everything that can be followed. Deliveries come in order, each once.
#[Subscription]
impl Subscription {
    /// Everything that happens on a page: in order, each once, without gaps, for as long as `after` is the cursor of the
    /// last event you handled. Without `after` the first item is a `PageSnapshot`, and the rest comes strictly after it.
    /// Where the log cannot go on from `after`, the first item is a `PageReset`. `page` is its slug. It ends when the
    /// page is taken off.
    async fn page_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The page's slug.")] page: String,
        #[graphql(desc = "The cursor of the last event you handled; from now on unless given.")] after: Option<Cursor>,
        #[graphql(desc = "Only events that fit; all unless given.")] filter: Option<PageEventFilter>,
    ) -> Result<impl Stream<Item = Result<PageEvent>> + use<>> {
        let mut watch = Watch::begin(ctx, &page).await?;
        watch.filter = filter.unwrap_or_default().into();
        watch.resume(after).await?;
        Ok(unfold(watch, |mut watch| async move {
            watch.next_event().await.map(|event| (event, watch))
        }))
    }

    /// The page as it stands, and again after every change; what came in between may be folded together. `page` is its
    /// slug. It ends when the page is taken off.
    async fn page_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The page's slug.")] page: String,
    ) -> Result<impl Stream<Item = Result<Page>> + use<>> {
        let mut watch = Watch::begin(ctx, &page).await?;
        watch.resume(None).await?;
        Ok(unfold(watch, |mut watch| async move {
            watch.next_page().await.map(|page| (page, watch))
        }))
    }

    /// The incident as it stands, and again after every change; what came in between may be folded together.
    async fn incident_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The incident's id. `INCIDENT_NOT_FOUND`.")] id: ID,
    ) -> Result<impl Stream<Item = Result<Incident>> + use<>> {
        let uuid = id::of(Kind::Incident, &id);
        let not_found = || Failure::new("INCIDENT_NOT_FOUND", "There is no such incident.");
        let found = {
            let view = View::now(app(ctx)?, caller(ctx)?.audience());
            queries::incident::by_ids(&view, &[uuid]).await?.pop()
        };
        let mut watch = Watch::of(ctx, found.ok_or_else(not_found)?.page).await?;
        let first = watch.standing_incident(uuid).await?.ok_or_else(not_found)?;
        Ok(unfold((watch, Some(first)), move |(mut watch, first)| async move {
            let incident = match first {
                Some(first) => first,
                None => watch.next_incident(uuid).await?,
            };
            Some((Ok(incident), (watch, None)))
        }))
    }
}

/// Which events are wished for. Every field that is given must fit; one that is left out wishes for nothing.
#[derive(InputObject, Debug, Default)]
pub struct PageEventFilter {
    /// Events about these components, or about what affects them. `components`, `groups` and `incidents` widen one
    /// another.
    components: Option<Vec<ID>>,
    /// Events about these groups, their components, or what affects those.
    groups: Option<Vec<ID>>,
    /// Events about these incidents.
    incidents: Option<Vec<ID>>,
    /// Incidents below this are passed over; what is no incident passes.
    minimum_impact: Option<Impact>,
    /// Events of these kinds.
    kinds: Option<Vec<PageEventKind>>,
}

impl From<PageEventFilter> for EventFilter {
    fn from(filter: PageEventFilter) -> EventFilter {
        let ids =
            |kind: Kind, ids: Option<Vec<ID>>| ids.unwrap_or_default().iter().map(|one| id::of(kind, one)).collect();
        EventFilter {
            kinds: filter
                .kinds
                .map(|kinds| kinds.into_iter().map(EventKind::from).collect()),
            components: ids(Kind::Component, filter.components),
            groups: ids(Kind::ComponentGroup, filter.groups),
            incidents: ids(Kind::Incident, filter.incidents),
            minimum_impact: filter.minimum_impact.map(Into::into),
        }
    }
}

/// A subscription of one page.
struct Watch {
    app: Arc<App>,
    audience: Audience,
    page: Uuid,
    filter: EventFilter,
    follow: Follow,
    /// What comes first.
    pending: Option<PageEvent>,
    /// Nothing comes any more.
    is_over: bool,
}

impl Watch {
    async fn begin(ctx: &Context<'_>, slug: &str) -> Result<Watch> {
        let found = {
            let view = View::now(app(ctx)?, caller(ctx)?.audience());
            queries::page::by_slug(&view, slug).await?
        };
        Watch::of(ctx, found.ok_or_else(not_found)?.id).await
    }

    /// Takes a place at the ring, before anything is read of the log. No view may be held meanwhile: it holds a
    /// connection, and many who each wait for a second one would wait for one another.
    async fn of(ctx: &Context<'_>, page: Uuid) -> Result<Watch> {
        let app = Arc::clone(app(ctx)?);
        let audience = caller(ctx)?.audience();
        let follow = app.live.follow(StreamId { page, audience }, 0).await?;
        Ok(Watch {
            app,
            audience,
            page,
            filter: EventFilter::default(),
            follow,
            pending: None,
            is_over: false,
        })
    }

    /// Decides where to go on from, and what comes first.
    async fn resume(&mut self, after: Option<Cursor>) -> Result<()> {
        let view = View::now(&self.app, self.audience);
        let resume = match &after {
            Some(cursor) => {
                let reach = queries::log::reach(&view, self.page).await?;
                queries::log::resume(&view, self.page, &cursor.0, reach)?
            }
            None => Resume::Reset,
        };
        if let Resume::After(number) = resume {
            self.follow.seek(number);
            return Ok(());
        }
        let standing = self.stand(view).await?;
        let first = match after {
            Some(_) => PageEvent::reset(standing),
            None => PageEvent::snapshot(standing),
        };
        self.pending = Some(first);
        Ok(())
    }

    /// The next event that fits the wishes, a heartbeat when none comes for a while, a reset when some were lost.
    async fn next_event(&mut self) -> Option<Result<PageEvent>> {
        if let Some(first) = self.pending.take() {
            return Some(Ok(first));
        }
        let quiet = tokio::time::sleep(Duration::from_millis(self.app.settings.heartbeat_millis));
        tokio::pin!(quiet);
        while !self.is_over {
            let step = tokio::select! {
                // First, or a stream of events that nobody wishes for would keep it from being heard.
                biased;
                () = &mut quiet => return Some(Ok(self.heartbeat())),
                step = self.follow.next() => step,
            };
            match step {
                Ok(Step::Entry(number, entry)) => {
                    let payload = entry.seen_by(self.audience);
                    if !may_see(self.audience, &payload.page) {
                        // Hidden then, and maybe to be seen again by now.
                        return Some(self.reset().await);
                    }
                    self.is_over = entry.kind == EventKind::PageArchived;
                    if self.filter.matches(entry.kind, payload) || self.is_over {
                        return Some(Ok(self.event(number, &entry)));
                    }
                }
                Ok(Step::Lost) => return Some(self.reset().await),
                Err(error) => self.wait_for_database(error).await,
            }
        }
        None
    }

    /// The page after the next change, and after all that have come with it.
    async fn next_page(&mut self) -> Option<Result<Page>> {
        if self.pending.take().is_none() {
            while let Err(error) = self.follow.next().await {
                self.wait_for_database(error).await;
            }
        }
        let (page, standing) = self.present().await?;
        Some(Ok(Page::new(page, standing.view)))
    }

    /// The incident after its next change, and after all that have come with it.
    async fn next_incident(&mut self, id: Uuid) -> Option<Incident> {
        let mut newest: Option<Arc<Entry>> = None;
        loop {
            let step = match &newest {
                Some(_) => self.follow.ready().await,
                None => self.follow.next().await.map(Some),
            };
            match step {
                Ok(Some(Step::Entry(_, entry))) => {
                    if entry.kind == EventKind::PageArchived || !may_see(self.audience, &entry.payload.page) {
                        return self.present_incident(id).await;
                    }
                    if matches!(&entry.payload.subject, Subject::Incident(incident) if incident.id == id) {
                        newest = Some(entry);
                    }
                }
                Ok(Some(Step::Lost)) => return self.present_incident(id).await,
                Ok(None) => break,
                Err(_) if newest.is_some() => break,
                Err(error) => self.wait_for_database(error).await,
            }
        }
        let entry = newest?;
        let payload = entry.seen_by(self.audience);
        let Subject::Incident(incident) = &payload.subject else {
            return None;
        };
        let view = View::past(&self.app, self.audience, entry.place());
        view.carry(&payload.page);
        Some(Incident::carrying(incident.clone(), view, &payload.components))
    }

    /// The incident as it stands, from where this subscription goes on; `None` where it is gone.
    async fn standing_incident(&mut self, id: Uuid) -> crate::error::Result<Option<Incident>> {
        let view = View::now(&self.app, self.audience);
        let found = queries::incident::by_ids(&view, &[id]).await?.pop();
        self.stand(view.clone()).await?;
        Ok(found.map(|incident| Incident::new(incident, view)))
    }

    /// The same for a subscription that runs.
    async fn present_incident(&mut self, id: Uuid) -> Option<Incident> {
        loop {
            match self.standing_incident(id).await {
                Ok(found) => return found,
                Err(error) => self.wait_for_database(error).await,
            }
        }
    }

    fn event(&self, number: u64, entry: &Entry) -> PageEvent {
        let view = View::past(&self.app, self.audience, entry.place());
        let cursor = queries::log::at_number(&view, self.page, number).encode();
        PageEvent::of(view, entry, Cursor(cursor))
    }

    /// Says how far this subscription has come.
    fn heartbeat(&self) -> PageEvent {
        let view = View::now(&self.app, self.audience);
        let here = queries::log::at_number(&view, self.page, self.follow.position());
        PageEvent::heartbeat(Standing {
            cursor: Cursor(here.encode()),
            page: self.page,
            view,
        })
    }

    /// Goes on from where the page stands now, where it can be seen; else this ends.
    async fn reset(&mut self) -> Result<PageEvent> {
        let present = self.present().await;
        self.is_over = present.is_none();
        let (_, standing) = present.ok_or_else(not_found)?;
        Ok(PageEvent::reset(standing))
    }

    /// The page as it stands, from where this subscription goes on; `None` where it is gone.
    async fn present(&mut self) -> Option<(Arc<domain::page::Page>, Standing)> {
        loop {
            let view = View::now(&self.app, self.audience);
            let read = async {
                match queries::page::by_id(&view, self.page).await? {
                    Some(page) => Ok(Some((page, self.stand(view.clone()).await?))),
                    None => Ok(None),
                }
            };
            match read.await {
                Ok(found) => return found,
                Err(error) => self.wait_for_database(error).await,
            }
        }
    }

    /// Goes on from where the log stands in a view.
    async fn stand(&mut self, view: View) -> crate::error::Result<Standing> {
        let position = queries::log::position(&view, self.page).await?;
        self.follow.seek(position.number);
        Ok(Standing {
            cursor: Cursor(position.encode()),
            page: self.page,
            view,
        })
    }

    /// A live subscription outlives a database that is away for a while.
    async fn wait_for_database(&self, error: Error) {
        tracing::warn!(error = &error as &dyn std::error::Error, page = %self.page, "a subscription waits for the log");
        tokio::time::sleep(RETRY).await;
    }
}

fn not_found() -> Failure {
    Failure::new("PAGE_NOT_FOUND", "There is no such page.")
}
