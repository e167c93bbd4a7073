//! Tests of an incident's lifecycle: every status against every status, and the instants it keeps.

mod edit;
mod postmortem;
mod property;

use super::super::refusal::Refusal;
use super::super::sample::{change, id, incident, minute, now, opening, post};
use super::super::timeline::{AHEAD_MILLIS, MAX_UPDATES};
use super::*;
use ComponentStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};
use IncidentStatus::{Identified, Investigating, Monitoring, Postmortem as PostmortemStatus, Resolved};

/// What says no to an act, after which the incident must be as it was.
fn refused<T: std::fmt::Debug>(
    before: &Incident,
    act: impl FnOnce(&mut Incident) -> Result<T, Refused>,
) -> (Vec<String>, Refusal) {
    let mut after = before.clone();
    let Refused { field, why } = act(&mut after).expect_err("it is refused");
    assert_eq!(&after, before, "what is refused changes nothing");
    (field, why)
}

fn codes(field: &str, refused: &(Vec<String>, Refusal), code: &str) {
    assert_eq!((refused.0.join("."), refused.1.code()), (field.to_owned(), code));
}

fn posted(before: &Incident, post: Post<IncidentStatus>) -> Incident {
    let mut after = before.clone();
    after.post(post, now()).expect("an incident takes this update");
    after
}

fn reopened(before: &Incident, post: Post<IncidentStatus>) -> Incident {
    let mut after = before.clone();
    after.reopen(post, now()).expect("a resolved incident can be reopened");
    after
}

#[test]
fn an_incident_opens_in_every_status_but_postmortem() {
    for &status in IncidentStatus::ALL {
        let opened = Incident::open(opening(post(100, status, minute(3))), minute(5));

        if status == PostmortemStatus {
            let refused = opened.expect_err("a postmortem begins nothing");
            assert_eq!(refused.field, ["status"]);
            assert_eq!(refused.why.code(), "ILLEGAL_TRANSITION");
            continue;
        }
        let opened = opened.expect("it opens");
        assert_eq!(opened.status, status);
        assert_eq!(opened.version, 1);
        assert_eq!(opened.monitoring_at, (status == Monitoring).then_some(minute(3)));
        assert_eq!(opened.resolved_at, (status == Resolved).then_some(minute(3)));
        assert_eq!((opened.created_at, opened.updated_at), (minute(5), minute(5)));
        assert_eq!(opened.updates.len(), 1);
    }
}

#[test]
fn an_open_incident_goes_anywhere_but_to_a_postmortem_and_others_nowhere_by_an_update() {
    for &from in IncidentStatus::ALL {
        for &to in IncidentStatus::ALL {
            let before = incident(from);
            let update = post(9, to, minute(10));

            if from.is_open() && to != PostmortemStatus {
                let after = posted(&before, update);
                assert_eq!(after.status, to, "{from} to {to}");
                assert_eq!(after.version, before.version + 1);
                assert_eq!(after.updates.last().map(|update| update.id), Some(id(9)));
                continue;
            }
            let (field, why) = refused(&before, |incident| incident.post(update, now()));
            assert_eq!(field, ["status"]);
            // A refusal never recommends what it refuses: a postmortem is published, not posted.
            let mut allowed = from.allowed();
            allowed.retain(|status| *status != to);
            assert_eq!(why, IllegalTransition { from, to, allowed }.into());
        }
    }
}

#[test]
fn only_a_resolved_incident_is_reopened_and_only_to_an_open_status() {
    for &from in IncidentStatus::ALL {
        for &to in IncidentStatus::ALL {
            let before = incident(from);
            let reason = post(9, to, minute(10));

            if from == Resolved && to.is_open() {
                let after = reopened(&before, reason);
                assert_eq!((after.status, after.version), (to, before.version + 1));
                continue;
            }
            let (_, why) = refused(&before, |incident| incident.reopen(reason, now()));
            assert_eq!(why.code(), "ILLEGAL_TRANSITION", "{from} to {to}");
        }
    }
}

#[test]
fn a_move_is_made_when_it_is_listed_and_refused_with_the_list_when_not() {
    for &from in IncidentStatus::ALL {
        for &to in IncidentStatus::ALL {
            let listed = match (from, to) {
                (Investigating | Identified | Monitoring, to) => to != PostmortemStatus,
                (Resolved | PostmortemStatus, to) => to == PostmortemStatus,
            };

            assert_eq!(from.allowed().contains(&to), listed, "{from} to {to}");
            let allowed = from.allowed();
            let refusal = IllegalTransition { from, to, allowed };
            assert_eq!(from.transition(to), if listed { Ok(to) } else { Err(refusal) });
        }
    }
}

#[test]
fn monitoring_begins_with_its_first_entry() {
    let before = incident(Investigating);

    let first = posted(&before, post(1, Monitoring, minute(10)));
    let back = posted(&first, post(2, Identified, minute(20)));
    let again = posted(&back, post(3, Monitoring, minute(30)));
    let earlier = posted(&again, post(4, Monitoring, minute(5)));

    assert_eq!(first.monitoring_at, Some(minute(10)));
    assert_eq!(back.monitoring_at, Some(minute(10)));
    assert_eq!(again.monitoring_at, Some(minute(10)));
    assert_eq!(earlier.monitoring_at, Some(minute(10)));
}

#[test]
fn an_incident_is_over_at_its_last_resolution_and_a_reopening_clears_both_instants() {
    let monitored = posted(&incident(Investigating), post(1, Monitoring, minute(10)));
    let resolved = posted(&monitored, post(2, Resolved, minute(20)));

    for open in [Investigating, Identified] {
        let after = reopened(&resolved, post(3, open, minute(30)));
        assert_eq!((after.monitoring_at, after.resolved_at), (None, None), "{open}");
    }
    let after = reopened(&resolved, post(3, Monitoring, minute(30)));
    let twice = posted(&after, post(4, Resolved, minute(40)));

    assert_eq!(resolved.resolved_at, Some(minute(20)));
    assert_eq!((after.monitoring_at, after.resolved_at), (Some(minute(30)), None));
    assert_eq!(
        (twice.monitoring_at, twice.resolved_at),
        (Some(minute(30)), Some(minute(40)))
    );
}

#[test]
fn no_time_lies_before_the_start() {
    let just_before = minute(0).plus_millis(-1);
    let start = minute(0);
    let first = Incident::open(opening(post(100, Investigating, just_before)), now());
    let first = first.expect_err("it is dated before the start");
    assert_eq!(
        (first.field, first.why),
        (vec!["displayAt".to_owned()], Refusal::UpdateBeforeStart { start })
    );

    let open = incident(Investigating);
    let update = refused(&open, |it| it.post(post(1, Identified, just_before), now()));
    codes("displayAt", &update, "UPDATE_BEFORE_START");

    let over = incident(Resolved);
    let reason = refused(&over, |it| it.reopen(post(1, Identified, just_before), now()));
    codes("displayAt", &reason, "UPDATE_BEFORE_START");

    let amendment = |started_at| Amendment {
        started_at: Some(started_at),
        ..Amendment::default()
    };
    let later = refused(&open, |it| it.amend(amendment(minute(0).plus_millis(1)), now()));
    codes("startedAt", &later, "UPDATE_BEFORE_START");

    assert_eq!(posted(&open, post(1, Identified, minute(0))).updates.len(), 2);
    let mut amended = open.clone();
    assert_eq!(amended.amend(amendment(just_before), now()), Ok(true));
    assert_eq!(amended.started_at, just_before);
}

#[test]
fn a_time_lies_five_minutes_ahead_at_most() {
    let ahead = now().plus_millis(AHEAD_MILLIS);
    let too_far = ahead.plus_millis(1);
    let open = incident(Investigating);
    let over = incident(Resolved);
    assert_eq!(ahead, minute(65));

    let mut starting = opening(post(100, Investigating, too_far));
    let first = Incident::open(starting.clone(), now()).map_err(|refused| (refused.field, refused.why));
    codes("displayAt", &first.expect_err("it is ahead"), "TIME_IN_FUTURE");
    starting.started_at = too_far;
    let start = Incident::open(starting.clone(), now()).map_err(|refused| (refused.field, refused.why));
    codes("startedAt", &start.expect_err("it is ahead"), "TIME_IN_FUTURE");
    let update = refused(&open, |it| it.post(post(1, Identified, too_far), now()));
    codes("displayAt", &update, "TIME_IN_FUTURE");
    let reason = refused(&over, |it| it.reopen(post(1, Identified, too_far), now()));
    codes("displayAt", &reason, "TIME_IN_FUTURE");
    let amendment = Amendment {
        started_at: Some(too_far),
        ..Amendment::default()
    };
    let amended = refused(&open, |it| it.amend(amendment, now()));
    codes("startedAt", &amended, "TIME_IN_FUTURE");

    (starting.started_at, starting.first.display_at) = (ahead, ahead);
    assert!(Incident::open(starting, now()).is_ok());
    posted(&open, post(1, Identified, ahead));
    reopened(&over, post(1, Identified, ahead));
}

#[test]
fn a_full_timeline_takes_nothing_more() {
    let mut full = incident(Investigating);
    for number in 1..MAX_UPDATES - 1 {
        full.post(post(number as u128, Identified, minute(1)), now())
            .expect("there is room");
    }
    let open = full.clone();
    full.post(post(1000, Resolved, minute(2)), now())
        .expect("there is room for one");
    full.draft_postmortem("What we learnt".to_owned(), now())
        .expect("a resolved incident may have a draft");
    let full_and_open = posted(&open, post(1000, Identified, minute(2)));
    assert_eq!((full.updates.len(), full_and_open.updates.len()), (500, 500));

    let update = refused(&full_and_open, |it| it.post(post(1001, Resolved, minute(3)), now()));
    let reason = refused(&full, |it| it.reopen(post(1001, Identified, minute(3)), now()));
    let publication = refused(&full, |it| it.publish_postmortem(id(1001), minute(3), now()));

    for refused in [update, reason, publication] {
        assert_eq!(refused.1, Refusal::TooManyUpdates { max: MAX_UPDATES });
    }
}

#[test]
fn a_change_raises_the_version_and_one_that_changes_nothing_does_not() {
    let before = incident(Investigating);
    let same = Amendment {
        title: Some(before.title.clone()),
        impact_override: Some(None),
        started_at: Some(before.started_at),
        external_ref: Some(None),
        metadata: Some(None),
    };
    let other = Amendment {
        title: Some("Search is down".to_owned()),
        impact_override: Some(Some(Impact::Critical)),
        started_at: Some(minute(-5)),
        external_ref: Some(Some("alert-7".to_owned())),
        metadata: Some(Some(serde_json::json!({ "team": "search" }))),
    };

    for nothing in [Amendment::default(), same] {
        let mut after = before.clone();
        assert_eq!(after.amend(nothing, now()), Ok(false));
        assert_eq!(after, before);
    }
    let mut after = before.clone();
    assert_eq!(after.amend(other.clone(), now()), Ok(true));
    assert_eq!((after.version, after.updated_at), (before.version + 1, now()));
    assert_eq!(after.title, "Search is down");
    assert_eq!((after.impact(), after.peak_impact), (Impact::Critical, Impact::None));
    assert_eq!(after.external_ref.as_deref(), Some("alert-7"));
    assert_eq!(after.amend(other, now()), Ok(false));
}

#[test]
fn resolving_returns_what_is_not_named_to_operational() {
    let mut hurt = post(1, Identified, minute(10));
    hurt.changes = vec![
        change(31, MajorOutage),
        change(32, PartialOutage),
        change(33, Operational),
    ];
    let before = posted(&incident(Investigating), hurt);
    let current = |component| match component {
        _ if component == id(31) => Some(MajorOutage),
        _ if component == id(32) => Some(UnderMaintenance),
        _ if component == id(34) => Some(Operational),
        _ => None,
    };

    let changes = before.resolving_changes(&[(id(32), DegradedPerformance), (id(34), PartialOutage)], current);

    let expected = [
        (32, UnderMaintenance, DegradedPerformance),
        (34, Operational, PartialOutage),
        (31, MajorOutage, Operational),
    ];
    let expected = expected.map(|(component, from, to)| Change {
        component: id(component),
        from,
        to,
    });
    assert_eq!(changes, expected, "component 33 is gone, and stays out of it");
}

#[test]
fn the_impact_is_the_peak_unless_people_say_otherwise() {
    let mut hurt = post(1, Identified, minute(10));
    hurt.changes = vec![change(31, MajorOutage), change(32, Operational)];
    let mut better = post(2, Resolved, minute(20));
    better.changes = vec![change(31, Operational)];

    let mut after = posted(&posted(&incident(Investigating), hurt), better);
    assert_eq!((after.impact(), after.peak_impact), (Impact::Major, Impact::Major));

    let minor = Amendment {
        impact_override: Some(Some(Impact::Minor)),
        ..Amendment::default()
    };
    after.amend(minor, now()).expect("an impact can be set");
    assert_eq!((after.impact(), after.peak_impact), (Impact::Minor, Impact::Major));
    let computed = Amendment {
        impact_override: Some(None),
        ..Amendment::default()
    };
    after.amend(computed, now()).expect("an impact can be left to the rule");
    assert_eq!(after.impact(), Impact::Major);
}
