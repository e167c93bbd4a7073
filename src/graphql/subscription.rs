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
use crate::domain::audience::Audience;
use crate::domain::cursor::Resume;
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
        page: String,
        after: Option<Cursor>,
        filter: Option<PageEventFilter>,
    ) -> Result<impl Stream<Item = Result<PageEvent>> + use<>> {
        let (mut watch, view) = Watch::begin(ctx, &page).await?;
        watch.filter = filter.unwrap_or_default().into();
        watch.resume(view, after).await?;
        Ok(unfold(watch, |mut watch| async move {
            watch.next_event().await.map(|event| (event, watch))
        }))
    }

    /// The page as it stands, and again after every change; what came in between may be folded together. `page` is its
    /// slug. It ends when the page is taken off.
    async fn page_changed(&self, ctx: &Context<'_>, page: String) -> Result<impl Stream<Item = Result<Page>> + use<>> {
        let (mut watch, view) = Watch::begin(ctx, &page).await?;
        watch.resume(view, None).await?;
        Ok(unfold(watch, |mut watch| async move {
            watch.next_page().await.map(|page| (page, watch))
        }))
    }

    /// The incident as it stands, and again after every change; what came in between may be folded together.
    async fn incident_changed(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> Result<impl Stream<Item = Result<Incident>> + use<>> {
        let uuid = id::of(Kind::Incident, &id);
        let view = View::now(app(ctx)?, caller(ctx)?.audience());
        let found = queries::incident::by_ids(&view, &[uuid]).await?.pop();
        let Some(incident) = found else {
            return Err(Failure::new("INCIDENT_NOT_FOUND", "There is no such incident."));
        };
        let mut watch = Watch::of(ctx, &view, incident.page).await?;
        let first = Incident::new(incident, view.clone());
        watch.filter.incidents.insert(uuid);
        watch.resume(view, None).await?;
        watch.pending = None;
        let state = (watch, Some(first));
        Ok(unfold(state, move |(mut watch, first)| async move {
            if let Some(first) = first {
                return Some((Ok(first), (watch, None)));
            }
            let incident = watch.next_incident(uuid).await?;
            Some((incident, (watch, None)))
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
    async fn begin(ctx: &Context<'_>, slug: &str) -> Result<(Watch, View)> {
        let view = View::now(app(ctx)?, caller(ctx)?.audience());
        let found = queries::page::by_slug(&view, slug).await?;
        let Some(page) = found else {
            return Err(not_found());
        };
        Ok((Watch::of(ctx, &view, page.id).await?, view))
    }

    /// Takes a place at the ring, before anything is read of the log.
    async fn of(ctx: &Context<'_>, view: &View, page: Uuid) -> Result<Watch> {
        let app = Arc::clone(app(ctx)?);
        let stream = queries::log::stream(view, page);
        let follow = app.live.follow(stream, 0).await?;
        let audience = view.audience();
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
    async fn resume(&mut self, view: View, after: Option<Cursor>) -> Result<()> {
        let resume = match &after {
            Some(cursor) => queries::log::resume(&view, self.page, &cursor.0).await?,
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
                    if self.ends_with(&entry) {
                        self.is_over = true;
                    }
                    if !may_see(self.audience, &payload.page) {
                        return Some(Err(not_found()));
                    }
                    if self.filter.matches(entry.kind, payload) || self.is_over {
                        return Some(Ok(self.event(number, &entry)));
                    }
                }
                Ok(Step::Lost) => return Some(Ok(PageEvent::reset(self.restart().await))),
                Err(error) => self.wait_for_database(error).await,
            }
        }
        None
    }

    /// The page after the next change, and after all that have come with it.
    async fn next_page(&mut self) -> Option<Result<Page>> {
        if self.pending.take().is_some() {
            return self.standing_page().await.map(Ok);
        }
        while !self.is_over {
            match self.follow.next().await {
                Ok(step) => {
                    self.skip_to_newest(step).await;
                    if self.is_over {
                        return None;
                    }
                    return self.standing_page().await.map(Ok);
                }
                Err(error) => self.wait_for_database(error).await,
            }
        }
        None
    }

    /// The incident after its next change, and after all that have come with it.
    async fn next_incident(&mut self, id: Uuid) -> Option<Result<Incident>> {
        let mut newest: Option<Arc<Entry>> = None;
        while !self.is_over {
            let step = match &newest {
                Some(_) => match self.follow.ready().await {
                    Ok(Some(step)) => step,
                    Ok(None) => break,
                    Err(_) => break,
                },
                None => match self.follow.next().await {
                    Ok(step) => step,
                    Err(error) => {
                        self.wait_for_database(error).await;
                        continue;
                    }
                },
            };
            match step {
                Step::Entry(_, entry) => {
                    if self.ends_with(&entry) {
                        self.is_over = true;
                        break;
                    }
                    if matches!(&entry.payload.subject, Subject::Incident(incident) if incident.id == id) {
                        newest = Some(entry);
                    }
                }
                Step::Lost => {
                    let view = View::now(&self.app, self.audience);
                    let found = queries::incident::by_ids(&view, &[id]).await.ok()?.pop()?;
                    return Some(Ok(Incident::new(found, view)));
                }
            }
        }
        let entry = newest?;
        let payload = entry.seen_by(self.audience);
        let Subject::Incident(incident) = &payload.subject else {
            return None;
        };
        let view = View::past(&self.app, self.audience, entry.place());
        Some(Ok(Incident::carrying(incident.clone(), view, &payload.components)))
    }

    async fn skip_to_newest(&mut self, first: Step) {
        let mut next = Some(first);
        while let Some(step) = next {
            if let Step::Entry(_, entry) = &step {
                self.is_over |= self.ends_with(entry);
            }
            next = self.follow.ready().await.unwrap_or(None);
        }
    }

    fn ends_with(&self, entry: &Entry) -> bool {
        entry.kind == EventKind::PageArchived || !may_see(self.audience, &entry.payload.page)
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

    /// Goes on from where the log stands in a fresh view.
    async fn restart(&mut self) -> Standing {
        loop {
            let view = View::now(&self.app, self.audience);
            match self.stand(view).await {
                Ok(standing) => return standing,
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

    async fn standing_page(&self) -> Option<Page> {
        loop {
            let view = View::now(&self.app, self.audience);
            match queries::page::by_id(&view, self.page).await {
                Ok(found) => return found.map(|page| Page::new(page, view)),
                Err(error) => self.wait_for_database(error).await,
            }
        }
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
