//! What tests start from: a page and what stands on it, the same every time.

use uuid::Uuid;

use super::audience::Audience;
use super::component::{Component, ComponentGroup, ComponentStatus};
use super::event::{PAYLOAD_VERSION, Payload, Subject};
use super::impact::Condition;
use super::incident::{Incident, IncidentStatus, Opening};
use super::maintenance::{Maintenance, MaintenanceStatus, Scheduling};
use super::page::{Page, Visibility};
use super::time::Timestamp;
use super::timeline::{Change, Post};

/// The id of a thing of this number.
pub(crate) const fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// So many minutes after the beginning: 2021-08-04T14:27:35.123Z.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_628_087_255_123).plus_millis(minutes * 60_000)
}

/// The time at which most tests act: all that a sample went through lies before it.
pub(crate) fn now() -> Timestamp {
    minute(60)
}

pub(crate) fn page() -> Page {
    Page {
        id: id(1),
        slug: "healthwise".to_owned(),
        name: "Healthise".to_owned(),
        description: None,
        url: Some("https://healthwise.example".to_owned()),
        time_zone: "America/Boise".to_owned(),
        visibility: Visibility::Public,
        external_ref: None,
        version: 1,
        created_at: minute(0),
        updated_at: minute(0),
    }
}

pub(crate) fn group(number: u128) -> ComponentGroup {
    ComponentGroup {
        id: id(number),
        page: id(1),
        name: format!("Group {number}"),
        description: None,
        position: 0,
        external_ref: None,
        version: 1,
        created_at: minute(0),
        updated_at: minute(0),
    }
}

pub(crate) fn component(number: u128, group: Option<Uuid>) -> Component {
    Component {
        id: id(number),
        page: id(1),
        group,
        name: format!("Component {number}"),
        description: Some("It can fail by itself.".to_owned()),
        position: 0,
        status: ComponentStatus::Operational,
        external_ref: None,
        version: 1,
        created_at: minute(0),
        updated_at: minute(0),
    }
}

/// A new entry that names no component; its number becomes its id.
pub(crate) fn post<S>(number: u128, status: S, display_at: Timestamp) -> Post<S> {
    Post {
        id: id(number),
        status,
        body: format!("Text {number}"),
        display_at,
        changes: Vec::new(),
        external_ref: None,
        audience: Audience::Public,
    }
}

/// A change from operational.
pub(crate) const fn change(component: u128, to: ComponentStatus) -> Change {
    Change {
        component: id(component),
        from: ComponentStatus::Operational,
        to,
    }
}

pub(crate) fn opening(first: Post<IncidentStatus>) -> Opening {
    Opening {
        id: id(2),
        page: id(1),
        title: "Search is slow".to_owned(),
        impact_override: None,
        started_at: minute(0),
        external_ref: None,
        metadata: None,
        audience: Audience::Public,
        first,
    }
}

/// An incident that came to this status by the shortest way: opened at minute 0 as update 100, resolved at minute 1 as
/// update 101, its postmortem published at minute 2 as update 102.
pub(crate) fn incident(status: IncidentStatus) -> Incident {
    let first = if status.is_open() {
        status
    } else {
        IncidentStatus::Investigating
    };
    let mut incident = Incident::open(opening(post(100, first, minute(0))), minute(0)).expect("it may open");
    if !status.is_open() {
        let resolved = post(101, IncidentStatus::Resolved, minute(1));
        incident.post(resolved, minute(1)).expect("it may be resolved");
    }
    if status == IncidentStatus::Postmortem {
        let drafted = incident.draft_postmortem("What we learnt".to_owned(), minute(2));
        drafted.expect("a resolved incident may have a draft");
        let published = incident.publish_postmortem(id(102), minute(2), minute(2));
        published.expect("a draft may be published");
    }
    incident
}

/// A maintenance from minute 30 to minute 90 on components 31 and 32, automatic; announced at minute 0 as update 100
/// and moved to this status at minute 1 as update 101.
pub(crate) fn maintenance(status: MaintenanceStatus) -> Maintenance {
    let scheduling = Scheduling {
        id: id(3),
        page: id(1),
        title: "New disks".to_owned(),
        scheduled_for: minute(30),
        scheduled_until: minute(90),
        automatic: true,
        components: vec![id(31), id(32)],
        external_ref: None,
        first: post(100, MaintenanceStatus::Scheduled, minute(0)),
    };
    let mut maintenance = Maintenance::schedule(scheduling, minute(0)).expect("its window is one");
    if status != MaintenanceStatus::Scheduled {
        let moved = post(101, status, minute(1));
        maintenance
            .post(moved, minute(1))
            .expect("every status follows scheduled");
    }
    maintenance
}

/// An event's payload about a thing, which affects nothing.
pub(crate) fn payload(subject: Subject) -> Payload {
    Payload {
        v: PAYLOAD_VERSION,
        page: page(),
        condition: Condition::AllOperational,
        subject,
        components: Vec::new(),
        update: None,
        status_move: None,
    }
}
