//! Pages.

use std::sync::Arc;

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{ID, Object, SimpleObject};
use uuid::Uuid;

use super::charged::Charged;
use super::component::{self, Component, ComponentGroup};
use super::connection::{self, Arguments, Counted, Counting, LogCursor, page_size};
use super::enums::{Impact, PageVisibility};
use super::error::{Failure, Result};
use super::event::{PageEvent, Standing};
use super::id::{self, Kind};
use super::incident::{Incident, IncidentFilter};
use super::maintenance::{Maintenance, MaintenanceFilter};
use super::scalar::{Cursor, DateTime, Url};
use crate::domain;
use crate::domain::cursor::Resume;
use crate::domain::impact::Condition;
use crate::domain::maintenance::MaintenanceStatus;
use crate::queries::{self, View};

/// The page that something stands on.
///
/// # Errors
/// `PAGE_NOT_FOUND` where it was taken off meanwhile: the first answer to an idempotent call may be given again then.
pub(super) async fn state(view: &View, id: Uuid) -> Result<Arc<domain::page::Page>> {
    view.page(id)
        .await?
        .ok_or_else(|| Failure::new("PAGE_NOT_FOUND", "There is no such page."))
}

/// One service's status page.
#[derive(Clone, Debug)]
pub struct Page {
    state: Arc<domain::page::Page>,
    view: View,
    /// What it said of its components, where an event brought that along.
    condition: Option<Condition>,
}

impl Page {
    pub(super) fn new(state: Arc<domain::page::Page>, view: View) -> Page {
        Page {
            state,
            view,
            condition: None,
        }
    }

    /// The log from where it stands, for who cannot go on from where they were.
    async fn reset(&self) -> Result<Connection<LogCursor, PageEvent>> {
        let cursor = queries::log::position(&self.view, self.state.id).await?.encode();
        let reset = PageEvent::reset(Standing {
            cursor: Cursor(cursor.clone()),
            page: self.state.id,
            view: self.view.clone(),
        });
        let mut connection = Connection::new(false, false);
        connection
            .edges
            .push(Edge::<_, _, EmptyFields>::new(LogCursor(cursor), reset));
        Ok(connection)
    }

    /// The page as an event carries it.
    pub(super) fn carried(state: domain::page::Page, view: View, condition: Condition) -> Page {
        Page {
            state: Arc::new(state),
            view,
            condition: Some(condition),
        }
    }
}

/// One service's status page.
#[Object]
impl Page {
    /// Its global id.
    pub(super) async fn id(&self) -> ID {
        id::encode(Kind::Page, self.state.id)
    }

    /// Its name in addresses.
    async fn slug(&self) -> &str {
        &self.state.slug
    }

    /// The service's name.
    async fn name(&self) -> Result<&str> {
        Ok(self.view.show(self.state.name.as_str())?)
    }

    /// What the service does, for people; null where nobody said.
    async fn description(&self) -> Result<Option<&str>> {
        Ok(self
            .state
            .description
            .as_deref()
            .map(|text| self.view.show(text))
            .transpose()?)
    }

    /// The service's own address; null where nobody said.
    async fn url(&self) -> Option<Url> {
        self.state.url.clone().map(Url)
    }

    /// The IANA name of the zone that cuts the page's days.
    async fn time_zone(&self) -> &str {
        &self.state.time_zone
    }

    /// Who may see it.
    async fn visibility(&self) -> PageVisibility {
        self.state.visibility.into()
    }

    /// What the page says of all its components together.
    async fn status(&self) -> Result<PageStatus> {
        let condition = match self.condition {
            Some(condition) => condition,
            None => self.view.parts(self.state.id).await?.condition(),
        };
        Ok(PageStatus {
            indicator: condition.indicator().into(),
            description: condition.words(),
        })
    }

    /// Its component groups, in the order they are shown.
    async fn component_groups(&self) -> Result<Charged<Vec<ComponentGroup>>> {
        let parts = self.view.parts(self.state.id).await?;
        let group = |state: &Arc<_>| ComponentGroup {
            state: Arc::clone(state),
            view: self.view.clone(),
        };
        Ok(Charged::list(&self.view, parts.groups.iter().map(group).collect()))
    }

    /// Its components, in the order they are shown, those of a group together.
    async fn components(&self) -> Result<Charged<Vec<Component>>> {
        let parts = self.view.parts(self.state.id).await?;
        let components = component::list(&self.view, parts.components.iter());
        Ok(Charged::list(&self.view, components))
    }

    /// The incidents that go on, newest first.
    async fn active_incidents(&self) -> Result<Charged<Vec<Incident>>> {
        let active = queries::incident::active(&self.view, self.state.id).await?;
        let incident = |incident| Incident::new(incident, self.view.clone());
        Ok(Charged::list(&self.view, active.into_iter().map(incident).collect()))
    }

    /// The maintenances whose work goes on.
    async fn active_maintenances(&self) -> Result<Charged<Vec<Maintenance>>> {
        let active = queries::maintenance::active(&self.view, self.state.id).await?;
        let maintenance = |maintenance| Maintenance::new(maintenance, self.view.clone());
        Ok(Charged::list(&self.view, active.into_iter().map(maintenance).collect()))
    }

    /// Its incidents, newest first.
    async fn incidents(
        &self,
        #[graphql(desc = "How many items from the beginning, 1 to 100. Give this or `last`.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only incidents that fit; all unless given.")] filter: Option<IncidentFilter>,
    ) -> Result<Counting<Incident>> {
        let window = Arguments {
            first,
            after,
            last,
            before,
        }
        .window()?;
        let filter: queries::incident::Filter = filter.unwrap_or_default().into();
        let slice = queries::incident::list(&self.view, self.state.id, &filter, window).await?;
        let counted = Counted::Incidents(self.state.id, Box::new(filter));
        let node = |incident| Incident::new(incident, self.view.clone());
        Ok(connection::build(
            &self.view,
            slice,
            counted,
            |incident: &Arc<_>| queries::incident::key(incident),
            node,
        ))
    }

    /// Its maintenances, the latest window first.
    async fn maintenances(
        &self,
        #[graphql(desc = "How many items from the beginning, 1 to 100. Give this or `last`.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only maintenances that fit; all unless given.")] filter: Option<MaintenanceFilter>,
    ) -> Result<Counting<Maintenance>> {
        let window = Arguments {
            first,
            after,
            last,
            before,
        }
        .window()?;
        let filter: queries::maintenance::Filter = filter.unwrap_or_default().into();
        let slice = queries::maintenance::list(&self.view, self.state.id, &filter, window).await?;
        let counted = Counted::Maintenances(self.state.id, filter);
        let node = |maintenance| Maintenance::new(maintenance, self.view.clone());
        Ok(connection::build(
            &self.view,
            slice,
            counted,
            |maintenance: &Arc<_>| queries::maintenance::key(maintenance),
            node,
        ))
    }

    /// The page's log, by polling: the events after a cursor, oldest first, from the oldest that is kept unless `after`
    /// is given. A cursor the log cannot go on from gives one `PageReset`. Where nothing is new there is no `endCursor`:
    /// keep the one you had. `first` is from 1 to 100.
    async fn events(
        &self,
        #[graphql(desc = "How many events, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor of the last event you handled; from the oldest that is kept unless given.")] after: Option<Cursor>,
    ) -> Result<Charged<Connection<LogCursor, PageEvent>>> {
        let limit = page_size(first, "first")?;
        let reach = queries::log::reach(&self.view, self.state.id).await?;
        let resume = match after {
            Some(after) => queries::log::resume(&self.view, self.state.id, &after.0, reach)?,
            None => Resume::After(reach.floor),
        };
        let of_one = |reset| Charged::new(self.view.budget(), 1, reset);
        let Resume::After(number) = resume else {
            return self.reset().await.map(of_one);
        };
        let (mut entries, mut more) = queries::log::after(&self.view, self.state.id, number, reach.head, limit).await?;
        // The page was hidden then: what the reader knows of it is of no use, as for one who follows it.
        let audience = self.view.audience_of(self.state.id);
        if let Some(hidden) = entries
            .iter()
            .position(|entry| !self.view.sight().reaches(&entry.payload.page))
        {
            if hidden == 0 {
                return self.reset().await.map(of_one);
            }
            entries.truncate(hidden);
            more = true;
        }
        let mut connection = Connection::new(number > reach.floor, more);
        connection.edges.extend(entries.into_iter().filter_map(|entry| {
            let number = entry.number(audience)?;
            let cursor = queries::log::at_number(&self.view, self.state.id, number).encode();
            let node = PageEvent::of(self.view.back_at(entry.place()), &entry, Cursor(cursor.clone()));
            Some(Edge::<_, _, EmptyFields>::new(LogCursor(cursor), node))
        }));
        Ok(Charged::new(self.view.budget(), connection.edges.len(), connection))
    }

    /// Where the page's log stood for this answer: subscribe after it, and nothing is missed.
    async fn cursor(&self) -> Result<Cursor> {
        let position = queries::log::position(&self.view, self.state.id).await?;
        Ok(Cursor(position.encode()))
    }

    /// What the system it was imported from calls it; null where it was made here.
    async fn external_ref(&self) -> Option<&str> {
        self.state.external_ref.as_deref()
    }

    /// Raised by every change of the page itself; hand it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.state.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.state.created_at.into()
    }

    /// When the page itself was last changed.
    async fn updated_at(&self) -> DateTime {
        self.state.updated_at.into()
    }

    /// The maintenances that are announced and have not begun, the next one first.
    async fn upcoming_maintenances(&self) -> Result<Charged<Vec<Maintenance>>> {
        let filter = queries::maintenance::Filter {
            statuses: Some(vec![MaintenanceStatus::Scheduled]),
        };
        let window = Arguments {
            first: None,
            after: None,
            last: Some(connection::MOST as i32),
            before: None,
        }
        .window()?;
        let slice = queries::maintenance::list(&self.view, self.state.id, &filter, window).await?;
        let maintenance = |maintenance| Maintenance::new(maintenance, self.view.clone());
        let upcoming = slice.items.into_iter().rev().map(maintenance);
        Ok(Charged::list(&self.view, upcoming.collect()))
    }
}

/// What a page says of all its components together.
#[derive(SimpleObject, Debug)]
pub struct PageStatus {
    /// How bad it is.
    indicator: Impact,
    /// The same in words, such as `All Systems Operational`.
    description: &'static str,
}
