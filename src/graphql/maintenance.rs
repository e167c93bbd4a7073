//! Maintenances and their timelines.

use std::sync::Arc;

use async_graphql::{ID, InputObject, Object};
use uuid::Uuid;

use super::charged::Charged;
use super::component::{self, Component};
use super::connection::{Arguments, Counting};
use super::enums::{MaintenanceStatus, UpdateOrder};
use super::error::Result;
use super::id::{self, Kind};
use super::page::{self, Page};
use super::scalar::DateTime;
use super::timeline::{self, timeline_update};
use crate::domain;
use crate::error::Error;
use crate::queries::View;

/// Planned work.
#[derive(Clone, Debug)]
pub struct Maintenance {
    state: Arc<domain::maintenance::Maintenance>,
    view: View,
    /// The components it is going to affect, where an event or a command brought them along.
    carried: Option<Arc<[domain::component::Component]>>,
}

impl Maintenance {
    pub(super) fn new(state: impl Into<Arc<domain::maintenance::Maintenance>>, view: View) -> Maintenance {
        Maintenance {
            state: state.into(),
            view,
            carried: None,
        }
    }

    pub(super) fn carrying(
        state: domain::maintenance::Maintenance,
        view: View,
        components: &[domain::component::Component],
    ) -> Maintenance {
        Maintenance {
            state: Arc::new(state),
            view,
            carried: Some(components.into()),
        }
    }

    /// The update of its timeline with an id.
    pub(super) fn update(&self, id: Uuid) -> Option<MaintenanceUpdate> {
        let index = self.state.updates.iter().position(|update| update.id == id)?;
        Some(MaintenanceUpdate {
            maintenance: self.clone(),
            index,
        })
    }
}

/// Planned work.
#[Object]
impl Maintenance {
    /// Its global id.
    pub(super) async fn id(&self) -> ID {
        id::encode(Kind::Maintenance, self.state.id)
    }

    /// The page it stands on.
    async fn page(&self) -> Result<Page> {
        let page = page::state(&self.view, self.state.page).await?;
        Ok(Page::new(page, self.view.clone()))
    }

    /// What people call it.
    async fn title(&self) -> Result<&str> {
        Ok(self.view.show(self.state.title.as_str())?)
    }

    /// Where it stands.
    async fn status(&self) -> MaintenanceStatus {
        self.state.status.into()
    }

    /// When the work is to begin.
    async fn scheduled_for(&self) -> DateTime {
        self.state.scheduled_for.into()
    }

    /// When the work is to end; it may take longer.
    async fn scheduled_until(&self) -> DateTime {
        self.state.scheduled_until.into()
    }

    /// When it was announced.
    async fn announced_at(&self) -> DateTime {
        self.state.announced_at.into()
    }

    /// When the work began; null before.
    async fn started_at(&self) -> Option<DateTime> {
        self.state.started_at.map(Into::into)
    }

    /// When it was over; null before, and where it was cancelled.
    async fn completed_at(&self) -> Option<DateTime> {
        self.state.completed_at.map(Into::into)
    }

    /// Whether it starts and completes by itself at the times set.
    async fn automatic(&self) -> bool {
        self.state.automatic
    }

    /// The components it is going to affect, in the order the page shows them.
    async fn components(&self) -> Result<Charged<Vec<Component>>> {
        let ids = &self.state.components;
        let components = component::in_order(&self.view, self.carried.as_deref(), self.state.page, ids).await?;
        Ok(Charged::list(&self.view, components))
    }

    /// What was said of it, oldest first unless asked otherwise.
    async fn updates(
        &self,
        #[graphql(desc = "How many items from the beginning, 1 to 100. Give this or `last`.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
        #[graphql(default, desc = "What comes first.")] order: UpdateOrder,
    ) -> Result<Counting<MaintenanceUpdate>> {
        let arguments = Arguments {
            first,
            after,
            last,
            before,
        };
        timeline::connection(&self.view, &self.state.updates, arguments, order, |index| {
            let maintenance = self.clone();
            MaintenanceUpdate { maintenance, index }
        })
    }

    /// What was said last.
    async fn latest_update(&self) -> Result<MaintenanceUpdate> {
        let index = self.state.updates.len().checked_sub(1);
        let index = index.ok_or_else(|| Error::Corrupt("a maintenance without an update".to_owned()))?;
        Ok(MaintenanceUpdate {
            maintenance: self.clone(),
            index,
        })
    }

    /// Where an update may move it.
    async fn allowed_transitions(&self) -> Vec<MaintenanceStatus> {
        self.state.status.allowed().into_iter().map(Into::into).collect()
    }

    /// What the system it was imported from calls it; null where nobody said.
    async fn external_ref(&self) -> Option<&str> {
        self.state.external_ref.as_deref()
    }

    /// Raised by every change; hand it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.state.version
    }

    /// When it was entered.
    async fn created_at(&self) -> DateTime {
        self.state.created_at.into()
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        self.state.updated_at.into()
    }
}

timeline_update! {
    /// One entry of a maintenance's timeline.
    MaintenanceUpdate of maintenance: Maintenance = domain::maintenance::MaintenanceUpdate, MaintenanceStatus,
    Kind::MaintenanceUpdate,
    /// The maintenance it is about.
}

/// Which maintenances are asked for.
#[derive(InputObject, Debug, Default)]
pub struct MaintenanceFilter {
    /// Maintenances in one of these statuses.
    statuses: Option<Vec<MaintenanceStatus>>,
}

impl From<MaintenanceFilter> for crate::queries::maintenance::Filter {
    fn from(filter: MaintenanceFilter) -> crate::queries::maintenance::Filter {
        let statuses = filter.statuses.map(|all| all.into_iter().map(Into::into).collect());
        crate::queries::maintenance::Filter { statuses }
    }
}
