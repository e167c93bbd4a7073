//! Tests of wish lists: each wish by itself, and all together.

use super::super::component::ComponentStatus;
use super::super::event::StatusMove;
use super::super::incident::IncidentStatus;
use super::super::maintenance::MaintenanceStatus;
use super::super::sample::{component, group, id, incident, maintenance, payload};
use super::*;

const GROUP: u128 = 20;
const GROUPED: u128 = 31;
const ALONE: u128 = 32;
const INCIDENT: u128 = 2;

/// A payload of every kind of subject: the page, the group, its component, one of no group, an incident and a
/// maintenance that affect the group's component.
fn payloads() -> [Payload; 6] {
    let grouped = component(GROUPED, Some(id(GROUP)));
    let affecting = |subject| Payload {
        components: vec![grouped.clone()],
        ..payload(subject)
    };
    [
        payload(Subject::Page),
        payload(Subject::ComponentGroup(group(GROUP))),
        payload(Subject::Component(grouped.clone())),
        payload(Subject::Component(component(ALONE, None))),
        affecting(Subject::Incident(incident(IncidentStatus::Investigating))),
        affecting(Subject::Maintenance(maintenance(MaintenanceStatus::Scheduled))),
    ]
}

fn heard(filter: &EventFilter) -> [bool; 6] {
    payloads().map(|payload| filter.matches(EventKind::IncidentOpened, &payload))
}

fn things(components: &[u128], groups: &[u128], incidents: &[u128]) -> EventFilter {
    let ids = |numbers: &[u128]| numbers.iter().copied().map(id).collect();
    EventFilter {
        components: ids(components),
        groups: ids(groups),
        incidents: ids(incidents),
        ..EventFilter::default()
    }
}

#[test]
fn who_wishes_for_nothing_in_particular_hears_of_everything() {
    for &kind in EventKind::ALL {
        for payload in payloads() {
            assert!(EventFilter::default().matches(kind, &payload), "{kind}");
        }
    }
}

#[test]
fn only_the_kinds_wished_for_are_heard_of() {
    for &wished in EventKind::ALL {
        let filter = EventFilter {
            kinds: Some(HashSet::from([wished])),
            ..EventFilter::default()
        };
        for &kind in EventKind::ALL {
            assert_eq!(filter.matches(kind, &payload(Subject::Page)), kind == wished);
        }
    }
    let none = EventFilter {
        kinds: Some(HashSet::new()),
        ..EventFilter::default()
    };
    assert_eq!(heard(&none), [false; 6]);
}

#[test]
fn a_thing_wished_for_is_heard_of_and_so_is_what_affects_it() {
    let (yes, no) = (true, false);
    for (filter, expected) in [
        (things(&[GROUPED], &[], &[]), [no, no, yes, no, yes, yes]),
        (things(&[ALONE], &[], &[]), [no, no, no, yes, no, no]),
        (things(&[], &[GROUP], &[]), [no, yes, yes, no, yes, yes]),
        (things(&[], &[], &[INCIDENT]), [no, no, no, no, yes, no]),
        (things(&[ALONE], &[], &[INCIDENT]), [no, no, no, yes, yes, no]),
        (things(&[77], &[78], &[79]), [no; 6]),
    ] {
        assert_eq!(heard(&filter), expected, "{filter:?}");
    }
}

#[test]
fn a_component_is_heard_of_by_who_follows_the_incident_that_moved_it() {
    let moved_by = |cause| Payload {
        status_move: Some(StatusMove {
            from: ComponentStatus::Operational,
            to: ComponentStatus::MajorOutage,
            cause,
        }),
        ..payload(Subject::Component(component(ALONE, None)))
    };
    let filter = things(&[], &[], &[INCIDENT]);
    let matches = |cause| filter.matches(EventKind::ComponentStatusChanged, &moved_by(cause));

    assert!(matches(Some(id(INCIDENT))));
    assert!(!matches(Some(id(3))));
    assert!(!matches(None));
}

#[test]
fn incidents_below_the_minimum_are_passed_over_and_nothing_else_is() {
    for &minimum in Impact::ALL {
        let filter = EventFilter {
            minimum_impact: Some(minimum),
            ..EventFilter::default()
        };
        for &impact in Impact::ALL {
            let mut incident = incident(IncidentStatus::Investigating);
            incident.impact_override = Some(impact);
            let payload = payload(Subject::Incident(incident));
            assert_eq!(filter.matches(EventKind::IncidentOpened, &payload), impact >= minimum);
        }
        let heard = heard(&filter);
        let expected = [true, true, true, true, minimum == Impact::None, true];
        assert_eq!(heard, expected, "an incident without components has no impact");
    }
}

#[test]
fn an_event_must_fit_every_wish() {
    let all = EventFilter {
        kinds: Some(HashSet::from([EventKind::IncidentOpened])),
        minimum_impact: Some(Impact::None),
        ..things(&[GROUPED], &[], &[])
    };
    let payload = &payloads()[4];
    let kind = EventKind::IncidentOpened;
    assert!(all.matches(kind, payload));

    let (mut other_kind, mut other_thing, mut too_small) = (all.clone(), all.clone(), all);
    other_kind.kinds = Some(HashSet::from([EventKind::IncidentResolved]));
    other_thing.components = HashSet::from([id(ALONE)]);
    too_small.minimum_impact = Some(Impact::Minor);

    for filter in [other_kind, other_thing, too_small] {
        assert!(!filter.matches(kind, payload), "{filter:?}");
    }
}
