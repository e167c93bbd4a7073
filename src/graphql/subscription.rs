//! Subscription: everything that can be followed.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Subscription};
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use uuid::Uuid;

use super::enums::{Impact, PageEventKind};
use super::error::{Failure, Result};
use super::event::PageEvent;
use super::id::{self, Kind};
use super::incident::Incident;
use super::page::Page;
use super::query::{admitted, app};
use super::scalar::Cursor;
use super::selection::Feed;
use super::watch::Watch;
use crate::domain::event::{EventKind, Subject};
use crate::domain::filter::EventFilter;
use crate::live::Step;
use crate::queries::{self, View};
use crate::store::log::Entry;

/// Where a subscription goes on whose client says so beside the request (`Last-Event-ID`); it comes before `after`.
pub(super) struct ResumeAfter(pub(super) Cursor);

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
        let filter: EventFilter = filter.unwrap_or_default().into();
        let mut watch = Watch::begin(ctx, &page).await?;
        watch.filter = Arc::new(filter);
        if let Ok(feed) = ctx.data::<Feed>() {
            return Ok(feed.open(page, watch)?.boxed());
        }
        let after = match ctx.data::<ResumeAfter>() {
            Ok(ResumeAfter(cursor)) => Some(cursor),
            Err(_) => after.as_ref(),
        };
        watch.resume(after).await?;
        let events = unfold(watch, |mut watch| async move {
            let met = watch.next().await?;
            watch.items.start();
            Some((watch.show(met, watch.items.budget()), watch))
        });
        Ok(events.boxed())
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
            let page = watch.next_page().await?;
            watch.items.start();
            Some((Ok(page), watch))
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
            let view = View::now(app(ctx)?, admitted(ctx)?.sight());
            queries::incident::by_ids(&view, &[uuid]).await?.pop()
        };
        let mut watch = Watch::of(ctx, found.ok_or_else(not_found)?.page).await?;
        let first = watch.standing_incident(uuid).await?.ok_or_else(not_found)?;
        Ok(unfold((watch, Some(first)), move |(mut watch, first)| async move {
            let incident = match first {
                Some(first) => first,
                None => watch.next_incident(uuid).await?,
            };
            watch.items.start();
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

impl Watch {
    /// The page after the next change, and after all that have come with it.
    async fn next_page(&mut self) -> Option<Page> {
        if !self.take_pending() {
            while let Err(error) = self.follow.next().await {
                self.wait_for_database(error).await;
            }
        }
        let (page, standing) = self.present().await?;
        Some(Page::new(page, standing.view))
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
                    if entry.kind == EventKind::PageArchived || !self.sight.reaches(&entry.payload.page) {
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
        let payload = entry.seen_by(self.audience());
        let Subject::Incident(incident) = &payload.subject else {
            return None;
        };
        let view = View::past(&self.app, self.sight.clone(), entry.place(), self.items.budget());
        view.carry(&payload.page);
        Some(Incident::carrying(incident.clone(), view, &payload.components))
    }

    /// The incident as it stands, from where this subscription goes on; `None` where it is gone.
    async fn standing_incident(&mut self, id: Uuid) -> crate::error::Result<Option<Incident>> {
        let view = self.view();
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
}
