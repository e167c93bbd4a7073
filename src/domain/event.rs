//! Events: the entries of a page's log, each carrying the state it left behind.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::audience::Audience;
use super::code::coded_enum;
use super::component::{Component, ComponentGroup, ComponentStatus};
use super::impact::Condition;
use super::incident::Incident;
use super::maintenance::Maintenance;
use super::page::{Page, Visibility};

/// The version of the payload's form. A reader refuses one it does not know rather than guess.
pub const PAYLOAD_VERSION: u32 = 1;

coded_enum! {
    /// What happened.
    pub enum EventKind {
        PageCreated = "page_created",
        PageAmended = "page_amended",
        PageArchived = "page_archived",
        ComponentGroupCreated = "component_group_created",
        ComponentGroupAmended = "component_group_amended",
        ComponentGroupRemoved = "component_group_removed",
        ComponentCreated = "component_created",
        ComponentAmended = "component_amended",
        ComponentStatusChanged = "component_status_changed",
        ComponentArchived = "component_archived",
        IncidentOpened = "incident_opened",
        IncidentUpdatePosted = "incident_update_posted",
        IncidentUpdateEdited = "incident_update_edited",
        IncidentResolved = "incident_resolved",
        IncidentReopened = "incident_reopened",
        IncidentAmended = "incident_amended",
        IncidentBackfilled = "incident_backfilled",
        IncidentPublished = "incident_published",
        PostmortemDrafted = "postmortem_drafted",
        PostmortemPublished = "postmortem_published",
        PostmortemWithdrawn = "postmortem_withdrawn",
        MaintenanceScheduled = "maintenance_scheduled",
        MaintenanceAmended = "maintenance_amended",
        MaintenanceStarted = "maintenance_started",
        MaintenanceUpdatePosted = "maintenance_update_posted",
        MaintenanceCompleted = "maintenance_completed",
        MaintenanceCancelled = "maintenance_cancelled",
        MaintenanceBackfilled = "maintenance_backfilled",
    }
}

impl EventKind {
    /// Who hears of it. A draft is the staff's alone.
    pub const fn audience(self) -> Audience {
        match self {
            EventKind::PostmortemDrafted => Audience::Staff,
            _ => Audience::Public,
        }
    }

    /// Whether it takes its subject off the page.
    pub const fn removes(self) -> bool {
        matches!(
            self,
            EventKind::PageArchived | EventKind::ComponentGroupRemoved | EventKind::ComponentArchived
        )
    }
}

coded_enum! {
    /// The kinds of things an event is about.
    pub enum SubjectKind {
        Page = "page",
        ComponentGroup = "component_group",
        Component = "component",
        Incident = "incident",
        Maintenance = "maintenance",
    }
}

/// The thing an event is about, as it stood after the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The page itself, which every payload carries.
    Page,
    ComponentGroup(ComponentGroup),
    Component(Component),
    Incident(Incident),
    Maintenance(Maintenance),
}

impl Subject {
    /// What kind of thing it is.
    pub const fn kind(&self) -> SubjectKind {
        match self {
            Subject::Page => SubjectKind::Page,
            Subject::ComponentGroup(_) => SubjectKind::ComponentGroup,
            Subject::Component(_) => SubjectKind::Component,
            Subject::Incident(_) => SubjectKind::Incident,
            Subject::Maintenance(_) => SubjectKind::Maintenance,
        }
    }

    /// Its id; the page's own for the page.
    pub const fn id(&self, page: Uuid) -> Uuid {
        match self {
            Subject::Page => page,
            Subject::ComponentGroup(group) => group.id,
            Subject::Component(component) => component.id,
            Subject::Incident(incident) => incident.id,
            Subject::Maintenance(maintenance) => maintenance.id,
        }
    }
}

/// A status a component left, and what moved it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusMove {
    pub from: ComponentStatus,
    pub to: ComponentStatus,
    /// The incident or maintenance whose update moved it.
    pub cause: Option<Uuid>,
}

/// What a command tells the log; the page's own state is added when the event gets its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    pub subject: Subject,
    /// The components the subject affects, as they stood after the change.
    pub components: Vec<Component>,
    /// The update that was posted or edited.
    pub update: Option<Uuid>,
    pub status_move: Option<StatusMove>,
    /// The last the public hears of a page that is taken from its sight.
    pub is_farewell: bool,
}

impl Event {
    /// Who hears of it on a page of this visibility: what happens on a private page is the staff's alone, but for the
    /// change that made it private, which ends what the public followed.
    pub fn audience(&self, visibility: Visibility) -> Audience {
        match visibility {
            Visibility::Private if !self.is_farewell => Audience::Staff,
            _ if self.is_among_staff() => Audience::Staff,
            _ => self.kind.audience(),
        }
    }

    /// Whether it is about something that only the staff sees.
    fn is_among_staff(&self) -> bool {
        let Subject::Incident(incident) = &self.subject else {
            return false;
        };
        let said = incident.updates.iter().find(|update| Some(update.id) == self.update);
        incident.audience == Audience::Staff || said.is_some_and(|update| update.audience == Audience::Staff)
    }

    /// An event about a thing that affects no components.
    pub const fn of(kind: EventKind, subject: Subject) -> Event {
        Event {
            kind,
            subject,
            components: Vec::new(),
            update: None,
            status_move: None,
            is_farewell: false,
        }
    }
}

/// What an event carries: everything a subscriber may ask of it, with no further read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    pub v: u32,
    pub page: Page,
    pub condition: Condition,
    pub subject: Subject,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_move: Option<StatusMove>,
}

impl Payload {
    /// The payload as an audience may see it.
    pub fn seen_by(mut self, audience: Audience) -> Payload {
        if let Subject::Incident(incident) = self.subject {
            self.subject = Subject::Incident(incident.seen_by(audience));
        }
        self
    }
}

#[cfg(test)]
mod tests;
