//! Enums as the API names them; each mirrors one of the domain.

use async_graphql::Enum;

use crate::domain;

/// How a component does.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::component::ComponentStatus")]
pub enum ComponentStatus {
    /// All is well.
    Operational,
    /// Planned work goes on.
    UnderMaintenance,
    /// Slower or worse than it should be.
    DegradedPerformance,
    /// Some of it, or for some people, does not work.
    PartialOutage,
    /// It does not work.
    MajorOutage,
}

/// Where an incident stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::incident::IncidentStatus")]
pub enum IncidentStatus {
    /// Something is wrong; the cause is being looked for.
    Investigating,
    /// The cause is known.
    Identified,
    /// A fix is in place and being watched.
    Monitoring,
    /// It is over.
    Resolved,
    /// It is over, and what was learnt is published.
    Postmortem,
}

/// Where a maintenance stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::maintenance::MaintenanceStatus")]
pub enum MaintenanceStatus {
    /// Announced.
    Scheduled,
    /// The work goes on.
    InProgress,
    /// The work is done and being checked.
    Verifying,
    /// It is over.
    Completed,
    /// It will not take place.
    Cancelled,
}

/// How bad it is, from nothing to everything.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::impact::Impact")]
pub enum Impact {
    /// Nobody notices.
    None,
    /// Planned work.
    Maintenance,
    /// Some components are degraded or partly out.
    Minor,
    /// A component is out, or all are partly out.
    Major,
    /// Everything affected is out.
    Critical,
}

/// Who may see a page.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::page::Visibility")]
pub enum PageVisibility {
    /// Everybody.
    Public,
    /// Holders of a token; for everybody else it does not exist.
    Private,
}

/// What happened, as an event's kind.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::event::EventKind")]
pub enum PageEventKind {
    /// A page was made.
    PageCreated,
    /// The page itself was changed.
    PageAmended,
    /// The page was taken off.
    PageArchived,
    /// A component group was made.
    ComponentGroupCreated,
    /// A component group was changed.
    ComponentGroupAmended,
    /// A component group was taken off.
    ComponentGroupRemoved,
    /// A component was made.
    ComponentCreated,
    /// A component was changed, or put elsewhere.
    ComponentAmended,
    /// A component took another status.
    ComponentStatusChanged,
    /// A component was taken off.
    ComponentArchived,
    /// An incident was opened.
    IncidentOpened,
    /// Something was said of an incident.
    IncidentUpdatePosted,
    /// What had been said of an incident was corrected.
    IncidentUpdateEdited,
    /// An incident was resolved.
    IncidentResolved,
    /// A resolved incident was opened again.
    IncidentReopened,
    /// An incident itself was changed.
    IncidentAmended,
    /// An incident was entered after it was over, or imported.
    IncidentBackfilled,
    /// An incident that only the staff saw was shown to the public.
    IncidentPublished,
    /// A postmortem was drafted. The staff alone hears of it.
    PostmortemDrafted,
    /// A postmortem was published, or a published one revised.
    PostmortemPublished,
    /// A postmortem was taken back.
    PostmortemWithdrawn,
    /// A maintenance was announced.
    MaintenanceScheduled,
    /// A maintenance itself was changed.
    MaintenanceAmended,
    /// The work of a maintenance began.
    MaintenanceStarted,
    /// Something was said of a maintenance.
    MaintenanceUpdatePosted,
    /// A maintenance was completed.
    MaintenanceCompleted,
    /// A maintenance was cancelled.
    MaintenanceCancelled,
    /// A maintenance was imported.
    MaintenanceBackfilled,
}

/// Who sees something.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::audience::Audience")]
pub enum Audience {
    /// Everybody who sees the page.
    Public,
    /// Those alone who have a token for the page.
    Staff,
}

/// In which order a timeline is listed.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateOrder {
    /// As it happened.
    #[default]
    OldestFirst,
    /// The latest on top.
    NewestFirst,
}

/// What a length counts.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::text::LengthUnit")]
pub enum LengthUnit {
    /// Unicode characters after normalisation (NFC).
    Characters,
    /// Bytes in UTF-8.
    Bytes,
}
