//! Tests of editing: what it keeps, and which instants move with an update.

use super::*;
use crate::domain::refusal::Thing;
use crate::domain::timeline::Revision;

fn body(text: &str) -> Edit {
    Edit {
        body: Some(text.to_owned()),
        display_at: None,
    }
}

fn time(at: Timestamp) -> Edit {
    Edit {
        body: None,
        display_at: Some(at),
    }
}

fn edited(before: &Incident, update: u128, edit: Edit) -> Incident {
    let mut after = before.clone();
    assert_eq!(after.edit(id(update), edit, now()), Ok(true));
    after
}

#[test]
fn an_edit_keeps_what_was_there_before() {
    let before = incident(Resolved);

    let mut after = before.clone();
    assert_eq!(after.edit(id(101), body("All is well"), minute(70)), Ok(true));
    assert_eq!(after.edit(id(101), time(minute(5)), minute(71)), Ok(true));

    let update = after.updates.last().expect("it was resolved");
    assert_eq!((update.body.as_str(), update.display_at), ("All is well", minute(5)));
    assert_eq!((update.created_at, update.edited_at), (minute(1), Some(minute(71))));
    let expected = [("Text 101", minute(70)), ("All is well", minute(71))].map(|(body, replaced_at)| Revision {
        body: body.to_owned(),
        display_at: minute(1),
        replaced_at,
    });
    assert_eq!(update.revisions, expected);
    assert_eq!((after.version, after.updated_at), (before.version + 2, minute(71)));
}

#[test]
fn an_edit_that_changes_nothing_leaves_no_trace() {
    let before = incident(Resolved);
    let same = Edit {
        body: Some("Text 101".to_owned()),
        display_at: Some(minute(1)),
    };

    for nothing in [Edit::default(), same] {
        let mut after = before.clone();
        assert_eq!(after.edit(id(101), nothing, now()), Ok(false));
        assert_eq!(after, before);
    }
}

#[test]
fn an_edit_is_refused_where_there_is_nothing_to_edit_or_the_time_is_none() {
    let before = incident(PostmortemStatus);

    let unknown = refused(&before, |it| it.edit(id(7), body("x"), now()));
    let postmortem = refused(&before, |it| it.edit(id(102), body("x"), now()));
    let early = refused(&before, |it| it.edit(id(101), time(minute(0).plus_millis(-1)), now()));
    let late = refused(&before, |it| it.edit(id(101), time(minute(65).plus_millis(1)), now()));

    assert_eq!(unknown.1, Refusal::NotFound(Thing::IncidentUpdate));
    assert_eq!(postmortem.1, Refusal::UpdateIsPostmortem);
    codes("displayAt", &early, "UPDATE_BEFORE_START");
    codes("displayAt", &late, "TIME_IN_FUTURE");
}

#[test]
fn monitoring_and_resolution_move_with_the_update_that_set_them() {
    let monitored = posted(&incident(Investigating), post(1, Monitoring, minute(10)));
    let again = posted(&monitored, post(2, Monitoring, minute(20)));
    let resolved = posted(&again, post(3, Resolved, minute(30)));
    let instants = |update, at| {
        let after = edited(&resolved, update, time(at));
        (after.monitoring_at, after.resolved_at)
    };

    assert_eq!(instants(1, minute(15)), (Some(minute(15)), Some(minute(30))));
    assert_eq!(instants(2, minute(15)), (Some(minute(10)), Some(minute(30))));
    assert_eq!(instants(3, minute(15)), (Some(minute(10)), Some(minute(15))));
    assert_eq!(instants(100, minute(15)), (Some(minute(10)), Some(minute(30))));
}

#[test]
fn an_update_that_shows_the_same_time_moves_nothing_of_another() {
    let monitored = posted(&incident(Investigating), post(1, Monitoring, minute(10)));
    let again = posted(&monitored, post(2, Monitoring, minute(10)));
    let resolved = posted(&again, post(3, Resolved, minute(30)));
    let open = reopened(&resolved, post(4, Monitoring, minute(10)));
    let over = posted(&open, post(5, Resolved, minute(30)));

    let second = edited(&again, 2, time(minute(20)));
    let before_the_reopening = edited(&edited(&over, 1, time(minute(20))), 3, time(minute(40)));
    let after_it = edited(&edited(&over, 4, time(minute(20))), 5, time(minute(40)));

    assert_eq!(second.monitoring_at, Some(minute(10)));
    assert_eq!(
        (before_the_reopening.monitoring_at, before_the_reopening.resolved_at),
        (Some(minute(10)), Some(minute(30)))
    );
    assert_eq!(
        (after_it.monitoring_at, after_it.resolved_at),
        (Some(minute(20)), Some(minute(40)))
    );
}

#[test]
fn a_resolution_that_was_entered_beside_the_timeline_stays() {
    let mut backfilled = incident(Resolved);
    backfilled.resolved_at = Some(minute(-3));

    let after = edited(&backfilled, 101, time(minute(20)));

    assert_eq!(after.resolved_at, Some(minute(-3)));
}

#[test]
fn a_timeline_that_was_entered_afterwards_is_kept_as_it_was() {
    let day = 24 * 60;
    let mut first = post(1, Investigating, minute(-7 * day));
    first.changes = vec![change(31, MajorOutage)];
    let mut entered = opening(first);
    entered.started_at = minute(-7 * day);

    let mut entered = Incident::open(entered, now()).expect("it may lie in the past");
    for (number, status, at) in [
        (2, Identified, -7 * day + 1),
        (3, Monitoring, -7 * day + 2),
        (4, Resolved, -6 * day),
    ] {
        entered = posted(&entered, post(number, status, minute(at)));
    }

    assert_eq!(entered.started_at, minute(-7 * day));
    assert_eq!(entered.monitoring_at, Some(minute(-7 * day + 2)));
    assert_eq!(entered.resolved_at, Some(minute(-6 * day)));
    assert_eq!((entered.created_at, entered.updated_at), (now(), now()));
    assert_eq!(entered.peak_impact, Impact::Critical);
    let numbers: Vec<i32> = entered.updates.iter().map(|update| update.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn a_time_that_is_edited_puts_the_update_in_its_new_place() {
    let before = posted(&incident(Investigating), post(1, Identified, minute(10)));
    let before = posted(&before, post(2, Monitoring, minute(20)));

    let after = edited(&before, 2, time(minute(5)));

    let order: Vec<i32> = after.updates.iter().map(|update| update.number).collect();
    assert_eq!(order, [1, 3, 2]);
    assert_eq!(after.status, Monitoring);
}
