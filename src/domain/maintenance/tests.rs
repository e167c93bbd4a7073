//! Tests of a maintenance's lifecycle: every status against every status, its window, its components, its automation.

use super::super::sample::{id, maintenance, minute, now, post};
use super::*;
use ComponentStatus::{MajorOutage, Operational, UnderMaintenance};
use MaintenanceStatus::{Cancelled, Completed, InProgress, Scheduled, Verifying};

/// What says no to an act, after which the maintenance must be as it was.
fn refused<T: std::fmt::Debug>(
    before: &Maintenance,
    act: impl FnOnce(&mut Maintenance) -> Result<T, Refused>,
) -> (Vec<String>, Refusal) {
    let mut after = before.clone();
    let Refused { field, why } = act(&mut after).expect_err("it is refused");
    assert_eq!(&after, before, "what is refused changes nothing");
    (field, why)
}

fn posted(before: &Maintenance, post: Post<MaintenanceStatus>) -> Maintenance {
    let mut after = before.clone();
    after.post(post, now()).expect("a maintenance takes this update");
    after
}

fn scheduling(from: Timestamp, until: Timestamp) -> Scheduling {
    Scheduling {
        id: id(3),
        page: id(1),
        title: "New disks".to_owned(),
        scheduled_for: from,
        scheduled_until: until,
        automatic: false,
        components: Vec::new(),
        external_ref: None,
        first: post(100, Scheduled, minute(0)),
    }
}

#[test]
fn a_maintenance_goes_forward_may_skip_the_middle_and_is_cancelled_only_before_it_begins() {
    for &from in MaintenanceStatus::ALL {
        for &to in MaintenanceStatus::ALL {
            let may = match from {
                Scheduled => true,
                InProgress => [InProgress, Verifying, Completed].contains(&to),
                Verifying => [Verifying, Completed].contains(&to),
                Completed | Cancelled => false,
            };
            let before = maintenance(from);
            let update = post(9, to, minute(10));

            if may {
                let after = posted(&before, update);
                assert_eq!(
                    (after.status, after.version),
                    (to, before.version + 1),
                    "{from} to {to}"
                );
                continue;
            }
            let (field, why) = refused(&before, |it| it.post(update, now()));
            assert_eq!(field, ["status"]);
            let allowed = from.allowed();
            assert_eq!(why, IllegalMaintenanceTransition { from, to, allowed }.into());
        }
    }
}

#[test]
fn a_status_is_scheduled_active_or_final() {
    for &status in MaintenanceStatus::ALL {
        let kinds = (status == Scheduled, status.is_active(), status.is_final());
        let expected = match status {
            Scheduled => (true, false, false),
            InProgress | Verifying => (false, true, false),
            Completed | Cancelled => (false, false, true),
        };
        assert_eq!(kinds, expected, "{status}");
    }
}

#[test]
fn the_work_begins_with_the_first_active_update_and_ends_with_the_completing_one() {
    for begin in [InProgress, Verifying] {
        let begun = posted(&maintenance(Scheduled), post(1, begin, minute(10)));
        let goes_on = posted(&begun, post(2, Verifying, minute(20)));
        let over = posted(&goes_on, post(3, Completed, minute(30)));

        assert_eq!((begun.started_at, begun.completed_at), (Some(minute(10)), None));
        assert_eq!(
            (over.started_at, over.completed_at),
            (Some(minute(10)), Some(minute(30)))
        );
    }
    let skipped = posted(&maintenance(Scheduled), post(1, Completed, minute(10)));
    let cancelled = posted(&maintenance(Scheduled), post(1, Cancelled, minute(10)));
    assert_eq!((skipped.started_at, skipped.completed_at), (None, Some(minute(10))));
    assert_eq!((cancelled.started_at, cancelled.completed_at), (None, None));
    assert_eq!(skipped.announced_at, minute(0));
}

#[test]
fn a_maintenance_must_end_after_it_starts() {
    let start = minute(30);
    for end in [start, start.plus_millis(-1)] {
        let refused = Maintenance::schedule(scheduling(start, end), now()).expect_err("this is no window");
        assert_eq!(refused, Refusal::InvalidWindow.at(["scheduledUntil"]));
    }
    assert!(Maintenance::schedule(scheduling(start, start.plus_millis(1)), now()).is_ok());

    let before = maintenance(Scheduled);
    let amendment = |scheduled_for, scheduled_until| Amendment {
        title: Some("Another".to_owned()),
        scheduled_for,
        scheduled_until,
        ..Amendment::default()
    };
    for (from, until) in [
        (Some(minute(90)), None),
        (None, Some(minute(30))),
        (Some(minute(50)), Some(minute(40))),
    ] {
        let (field, why) = refused(&before, |it| it.amend(amendment(from, until), now()));
        assert_eq!(
            (field.join("."), why),
            ("scheduledUntil".to_owned(), Refusal::InvalidWindow)
        );
    }
    let mut moved = before.clone();
    let later = amendment(Some(minute(100)), Some(minute(110)));
    assert_eq!(moved.amend(later, now()), Ok(true));
    assert_eq!((moved.scheduled_for, moved.scheduled_until), (minute(100), minute(110)));
}

#[test]
fn an_announcement_lies_five_minutes_ahead_at_most_and_updates_not_before_it() {
    let mut ahead = scheduling(minute(90), minute(100));
    ahead.first.display_at = minute(65);
    assert!(Maintenance::schedule(ahead.clone(), now()).is_ok());
    ahead.first.display_at = minute(65).plus_millis(1);
    let late = Maintenance::schedule(ahead, now()).expect_err("it is ahead");
    assert_eq!(late, Refusal::TimeInFuture.at(["displayAt"]));

    let before = maintenance(Scheduled);
    let (_, early) = refused(&before, |it| {
        it.post(post(1, InProgress, minute(0).plus_millis(-1)), now())
    });
    let (_, late) = refused(&before, |it| {
        it.post(post(1, InProgress, minute(65).plus_millis(1)), now())
    });
    assert_eq!(early, Refusal::UpdateBeforeStart { start: minute(0) });
    assert_eq!(late, Refusal::TimeInFuture);
    posted(&before, post(1, InProgress, minute(65)));
}

#[test]
fn an_amendment_raises_the_version_when_it_changes_something_and_is_refused_after_the_end() {
    for &status in MaintenanceStatus::ALL {
        let before = maintenance(status);
        let same = Amendment {
            title: Some(before.title.clone()),
            scheduled_for: Some(before.scheduled_for),
            scheduled_until: Some(before.scheduled_until),
            automatic: Some(before.automatic),
            components: Some(before.components.clone()),
        };
        let other = Amendment {
            automatic: Some(false),
            components: Some(vec![id(33)]),
            ..Amendment::default()
        };
        if status.is_final() {
            for amendment in [Amendment::default(), same, other] {
                let (_, why) = refused(&before, |it| it.amend(amendment, now()));
                assert_eq!(why.code(), "ILLEGAL_TRANSITION", "{status}");
            }
            continue;
        }
        for nothing in [Amendment::default(), same] {
            let mut after = before.clone();
            assert_eq!(after.amend(nothing, now()), Ok(false));
            assert_eq!(after, before);
        }
        let mut after = before.clone();
        assert_eq!(after.amend(other, now()), Ok(true));
        assert_eq!((after.version, after.updated_at), (before.version + 1, now()));
        assert_eq!((after.automatic, after.components), (false, vec![id(33)]));
        assert_eq!(after.title, before.title);
    }
}

#[test]
fn the_work_takes_what_is_operational_and_its_end_gives_back_what_is_under_maintenance() {
    for &from in MaintenanceStatus::ALL {
        for &to in MaintenanceStatus::ALL {
            for &stands in ComponentStatus::ALL {
                let current = |component| (component == id(31)).then_some(stands);

                let changes = maintenance(from).moving_changes(to, current);

                let begins = !from.is_active() && to.is_active();
                let ends = from.is_active() && to == Completed;
                let expected = match stands {
                    Operational if begins => Some(UnderMaintenance),
                    UnderMaintenance if ends => Some(Operational),
                    _ => None,
                };
                let change = |to| Change {
                    component: id(31),
                    from: stands,
                    to,
                };
                let expected: Vec<_> = expected.map(change).into_iter().collect();
                assert_eq!(changes, expected, "{from} to {to} with {stands}");
            }
        }
    }
}

#[test]
fn an_outage_is_left_alone_and_every_other_component_moves() {
    let current = |component| Some(if component == id(31) { MajorOutage } else { Operational });

    let begun = maintenance(Scheduled).moving_changes(InProgress, current);

    let expected = Change {
        component: id(32),
        from: Operational,
        to: UnderMaintenance,
    };
    assert_eq!(begun, [expected]);
}

#[test]
fn automation_moves_at_the_exact_instants() {
    let (start, end) = (minute(30), minute(90));
    let (early, running) = (start.plus_millis(-1), end.plus_millis(-1));
    let overrun = minute(1000);

    for &status in MaintenanceStatus::ALL {
        let due = |at| maintenance(status).due(at);
        let found = [early, start, running, end, overrun].map(due);
        let expected = match status {
            Scheduled => [
                None,
                Some(InProgress),
                Some(InProgress),
                Some(Completed),
                Some(Completed),
            ],
            InProgress | Verifying => [None, None, None, Some(Completed), Some(Completed)],
            Completed | Cancelled => [None; 5],
        };
        assert_eq!(found, expected, "{status}");

        let mut by_hand = maintenance(status);
        by_hand.automatic = false;
        for at in [early, start, running, end, overrun] {
            assert_eq!(by_hand.due(at), None, "{status}");
        }
    }
}

#[test]
fn a_maintenance_that_is_not_automatic_may_overrun() {
    let mut before = maintenance(InProgress);
    before.automatic = false;

    let mut after = before.clone();
    after
        .post(post(9, InProgress, minute(200)), minute(200))
        .expect("a window may overrun");

    assert_eq!((after.status, after.due(minute(200))), (InProgress, None));
}

#[test]
fn components_that_join_or_leave_the_work_are_put_under_maintenance_or_back() {
    let known = [(id(31), UnderMaintenance), (id(32), Operational), (id(33), MajorOutage)];
    let current = |wanted| known.iter().find(|(one, _)| *one == wanted).map(|(_, status)| *status);

    for &status in MaintenanceStatus::ALL {
        let mut amended = maintenance(status);
        amended.components = vec![id(32), id(33)];

        let changes = amended.amending_changes(&[id(31), id(33)], current);

        let joins = Change {
            component: id(32),
            from: Operational,
            to: UnderMaintenance,
        };
        let leaves = Change {
            component: id(31),
            from: UnderMaintenance,
            to: Operational,
        };
        let expected = if status.is_active() {
            vec![joins, leaves]
        } else {
            Vec::new()
        };
        assert_eq!(changes, expected, "{status}");
    }
}
