//! Events as subscribers and pollers see them: one type for each kind, each saying what stood at that event.
//! Long because every kind of event is declared in one list, which is the public contract.

use std::sync::Arc;

use async_graphql::{Interface, Object};
use uuid::Uuid;

use super::component::{Component, ComponentGroup};
use super::enums::ComponentStatus;
use super::error::{Failure, Result};
use super::incident::{Incident, IncidentUpdate};
use super::maintenance::{Maintenance, MaintenanceUpdate};
use super::page::Page;
use super::scalar::{Cursor, DateTime};
use crate::domain::event::{EventKind, Payload, Subject};
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::queries::{self, View};
use crate::store::log::Entry;

/// One event as an audience sees it.
#[derive(Clone, Debug)]
struct Seen {
    cursor: Cursor,
    at: Timestamp,
    payload: Arc<Payload>,
    /// What stood just after it.
    view: View,
}

impl Seen {
    fn page(&self) -> Page {
        Page::carried(self.payload.page.clone(), self.view.clone(), self.payload.condition)
    }

    fn incident(&self) -> Result<Incident> {
        match &self.payload.subject {
            Subject::Incident(incident) => Ok(Incident::carrying(
                incident.clone(),
                self.view.clone(),
                &self.payload.components,
            )),
            _ => Err(mismatch().into()),
        }
    }

    fn incident_update(&self) -> Result<IncidentUpdate> {
        let incident = self.incident()?;
        let update = self.payload.update.and_then(|id| incident.update(id));
        update.ok_or_else(|| mismatch().into())
    }

    fn maintenance(&self) -> Result<Maintenance> {
        match &self.payload.subject {
            Subject::Maintenance(maintenance) => Ok(Maintenance::carrying(
                maintenance.clone(),
                self.view.clone(),
                &self.payload.components,
            )),
            _ => Err(mismatch().into()),
        }
    }

    fn maintenance_update(&self) -> Result<MaintenanceUpdate> {
        let maintenance = self.maintenance()?;
        let update = self.payload.update.and_then(|id| maintenance.update(id));
        update.ok_or_else(|| mismatch().into())
    }

    fn component(&self) -> Result<Component> {
        match &self.payload.subject {
            Subject::Component(component) => Ok(Component {
                state: Arc::new(component.clone()),
                view: self.view.clone(),
            }),
            _ => Err(mismatch().into()),
        }
    }

    fn group(&self) -> Result<ComponentGroup> {
        match &self.payload.subject {
            Subject::ComponentGroup(group) => Ok(ComponentGroup {
                state: Arc::new(group.clone()),
                view: self.view.clone(),
            }),
            _ => Err(mismatch().into()),
        }
    }
}

fn mismatch() -> Error {
    Error::Corrupt("an event that is not about what its kind says".to_owned())
}

/// Declares the types of events: each has the fields of the interface and those named behind its name.
macro_rules! events {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $reader:ident),* $(,)? })+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug)]
            pub struct $name(Seen);

            $(#[$meta])*
            #[Object]
            impl $name {
                /// Where the log stands after this event: resume with the last one you handled.
                async fn cursor(&self) -> Cursor {
                    self.0.cursor.clone()
                }

                /// When it happened.
                async fn at(&self) -> DateTime {
                    self.0.at.into()
                }

                /// The page as it stood after this event.
                async fn page(&self) -> Page {
                    self.0.page()
                }

                $(
                    $(#[$field_meta])*
                    async fn $field(&self) -> Result<$type> {
                        self.0.$reader()
                    }
                )*
            }
        )+

        /// Something that happened on a page. `cursor` says where the log stands after it: resume with the cursor of the
        /// last event you handled. What an event shows is what stood at that event, also when it is replayed later.
        #[derive(Interface, Clone, Debug)]
        #[graphql(
            field(name = "cursor", ty = "Cursor", desc = "Where the log stands after this event."),
            field(name = "at", ty = "DateTime", desc = "When it happened."),
            field(name = "page", ty = "Page", desc = "The page as it stood after this event.")
        )]
        pub enum PageEvent {
            /// The page as it stands.
            PageSnapshot(PageSnapshot),
            /// The log cannot go on from the cursor given.
            PageReset(PageReset),
            /// Nothing happened.
            Heartbeat(Heartbeat),
            /// A component took another status.
            ComponentStatusChanged(ComponentStatusChanged),
            $(
                $(#[$meta])*
                $name($name),
            )+
        }

        impl PageEvent {
            fn from_seen(kind: EventKind, seen: Seen) -> PageEvent {
                match kind {
                    EventKind::ComponentStatusChanged => {
                        PageEvent::ComponentStatusChanged(ComponentStatusChanged(seen))
                    }
                    $(EventKind::$name => PageEvent::$name($name(seen)),)+
                }
            }
        }
    };
}

events! {
    /// The page was made.
    PageCreated {}
    /// The page itself was changed: its name, its slug, who may see it.
    PageAmended {}
    /// The page was taken off. Nothing follows.
    PageArchived {}
    /// A component group was made.
    ComponentGroupCreated {
        /// The group.
        group: ComponentGroup = group,
    }
    /// A component group was changed.
    ComponentGroupAmended {
        /// The group as it stood after the change.
        group: ComponentGroup = group,
    }
    /// A component group was taken off; its components stand by themselves.
    ComponentGroupRemoved {
        /// The group as it stood before.
        group: ComponentGroup = group,
    }
    /// A component was made.
    ComponentCreated {
        /// The component.
        component: Component = component,
    }
    /// A component was changed, or put elsewhere.
    ComponentAmended {
        /// The component as it stood after the change.
        component: Component = component,
    }
    /// A component was taken off.
    ComponentArchived {
        /// The component as it stood before.
        component: Component = component,
    }
    /// An incident was opened.
    IncidentOpened {
        /// The incident as it stood after this event.
        incident: Incident = incident,
        /// What was said.
        update: IncidentUpdate = incident_update,
    }
    /// Something was said of an incident.
    IncidentUpdatePosted {
        /// The incident as it stood after this event.
        incident: Incident = incident,
        /// What was said.
        update: IncidentUpdate = incident_update,
    }
    /// What had been said of an incident was corrected.
    IncidentUpdateEdited {
        /// The incident as it stood after this event.
        incident: Incident = incident,
        /// What is said now; its revisions tell what was said before.
        update: IncidentUpdate = incident_update,
    }
    /// An incident was resolved.
    IncidentResolved {
        /// The incident as it stood after this event.
        incident: Incident = incident,
        /// What was said.
        update: IncidentUpdate = incident_update,
    }
    /// A resolved incident was opened again.
    IncidentReopened {
        /// The incident as it stood after this event.
        incident: Incident = incident,
        /// Why.
        update: IncidentUpdate = incident_update,
    }
    /// An incident itself was changed: its title, its impact, its start.
    IncidentAmended {
        /// The incident as it stood after this event.
        incident: Incident = incident,
    }
    /// An incident was entered after it was over, or imported. Do not notify anybody.
    IncidentBackfilled {
        /// The incident as it stood after this event.
        incident: Incident = incident,
    }
    /// An incident that only the staff saw was shown to the public, which hears of it for the first time.
    IncidentPublished {
        /// The incident as it stood after this event.
        incident: Incident = incident,
    }
    /// A postmortem was drafted. The staff alone hears of it.
    PostmortemDrafted {
        /// The incident as it stood after this event.
        incident: Incident = incident,
    }
    /// A postmortem was published, or a published one revised.
    PostmortemPublished {
        /// The incident as it stood after this event.
        incident: Incident = incident,
        /// The postmortem as an entry of the timeline.
        update: IncidentUpdate = incident_update,
    }
    /// A postmortem was taken back.
    PostmortemWithdrawn {
        /// The incident as it stood after this event.
        incident: Incident = incident,
    }
    /// A maintenance was announced.
    MaintenanceScheduled {
        /// The maintenance as it stood after this event.
        maintenance: Maintenance = maintenance,
        /// What was said.
        update: MaintenanceUpdate = maintenance_update,
    }
    /// A maintenance itself was changed: its window, its title, its components.
    MaintenanceAmended {
        /// The maintenance as it stood after this event.
        maintenance: Maintenance = maintenance,
    }
    /// The work of a maintenance began.
    MaintenanceStarted {
        /// The maintenance as it stood after this event.
        maintenance: Maintenance = maintenance,
        /// What was said.
        update: MaintenanceUpdate = maintenance_update,
    }
    /// Something was said of a maintenance.
    MaintenanceUpdatePosted {
        /// The maintenance as it stood after this event.
        maintenance: Maintenance = maintenance,
        /// What was said.
        update: MaintenanceUpdate = maintenance_update,
    }
    /// A maintenance was completed.
    MaintenanceCompleted {
        /// The maintenance as it stood after this event.
        maintenance: Maintenance = maintenance,
        /// What was said.
        update: MaintenanceUpdate = maintenance_update,
    }
    /// A maintenance was cancelled.
    MaintenanceCancelled {
        /// The maintenance as it stood after this event.
        maintenance: Maintenance = maintenance,
        /// What was said.
        update: MaintenanceUpdate = maintenance_update,
    }
    /// A maintenance was imported. Do not notify anybody.
    MaintenanceBackfilled {
        /// The maintenance as it stood after this event.
        maintenance: Maintenance = maintenance,
    }
}

/// A component took another status, by itself or by an update, whose event stands just before this one.
#[derive(Clone, Debug)]
pub struct ComponentStatusChanged(Seen);

/// A component took another status, by itself or by an update, whose event stands just before this one.
#[Object]
impl ComponentStatusChanged {
    /// Where the log stands after this event: resume with the last one you handled.
    async fn cursor(&self) -> Cursor {
        self.0.cursor.clone()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }

    /// The page as it stood after this event.
    async fn page(&self) -> Page {
        self.0.page()
    }

    /// The component as it stood after this event.
    async fn component(&self) -> Result<Component> {
        self.0.component()
    }

    /// The status it left.
    async fn from(&self) -> Result<ComponentStatus> {
        let moved = self.0.payload.status_move.ok_or_else(mismatch)?;
        Ok(moved.from.into())
    }

    /// The status it took.
    async fn to(&self) -> Result<ComponentStatus> {
        let moved = self.0.payload.status_move.ok_or_else(mismatch)?;
        Ok(moved.to.into())
    }
}

/// Where the log stands, and the page there: read when it is asked for, so that a heartbeat costs no read.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) cursor: Cursor,
    pub(super) page: Uuid,
    pub(super) view: View,
}

impl Standing {
    async fn page(&self) -> Result<Page> {
        let page = queries::page::by_id(&self.view, self.page).await?;
        let page = page.ok_or_else(|| Failure::new("PAGE_NOT_FOUND", "There is no such page."))?;
        Ok(Page::new(page, self.view.clone()))
    }
}

/// Declares the items that are no events of the log, but say where it stands.
macro_rules! standings {
    ($($(#[$meta:meta])* $name:ident)+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug)]
            pub struct $name(Standing);

            $(#[$meta])*
            #[Object]
            impl $name {
                /// Where the log stands: what comes next comes after this.
                async fn cursor(&self) -> Cursor {
                    self.0.cursor.clone()
                }

                /// The time of this answer.
                async fn at(&self) -> DateTime {
                    self.0.view.instant().into()
                }

                /// The page as it stands.
                async fn page(&self) -> Result<Page> {
                    self.0.page().await
                }
            }
        )+
    };
}

standings! {
    /// The page as it stands: the first item of a subscription without a cursor. What comes next comes strictly after.
    PageSnapshot
    /// The log cannot go on from the cursor given: it is too old, of another epoch (the database was restored), or ahead
    /// of the log. Throw away what you know, and go on from this page.
    PageReset
    /// Nothing happened that you wish to hear of. It says where the log stands, so that a quiet subscription advances
    /// too.
    Heartbeat
}

impl PageEvent {
    /// An entry of the log, as the audience of `past` sees it: the view of what stood just after the entry.
    pub(super) fn of(past: View, entry: &Entry, cursor: Cursor) -> PageEvent {
        past.carry(&entry.payload.page);
        let seen = Seen {
            cursor,
            at: entry.at,
            payload: Arc::clone(entry.seen_by(past.audience_of(entry.page))),
            view: past,
        };
        PageEvent::from_seen(entry.kind, seen)
    }

    /// The page as it stands, first of all.
    pub(super) fn snapshot(standing: Standing) -> PageEvent {
        PageEvent::PageSnapshot(PageSnapshot(standing))
    }

    /// The page as it stands, after a cursor that the log cannot go on from.
    pub(super) fn reset(standing: Standing) -> PageEvent {
        PageEvent::PageReset(PageReset(standing))
    }

    /// Where the log stands, when nothing happened.
    pub(super) fn heartbeat(standing: Standing) -> PageEvent {
        PageEvent::Heartbeat(Heartbeat(standing))
    }
}
