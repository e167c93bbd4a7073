//! Tests of timelines against naive answers.

use proptest::prelude::*;

use super::super::sample::{change, id, minute, now, post};
use super::*;
use ComponentStatus::{MajorOutage, Operational, PartialOutage};

/// A timeline of updates at these minutes, posted in this order.
fn timeline(posts: impl IntoIterator<Item = (i64, Vec<Change>)>) -> Vec<Update<()>> {
    let mut updates = Vec::new();
    for (index, (at, changes)) in posts.into_iter().enumerate() {
        let post = Post {
            changes,
            ..post(index as u128, (), minute(at))
        };
        append(&mut updates, post, now()).expect("there is room");
    }
    updates
}

fn timelines() -> impl Strategy<Value = Vec<Update<()>>> {
    let status = prop::sample::select(ComponentStatus::ALL);
    let changes = prop::collection::btree_map(31..35_u128, status, 0..4)
        .prop_map(|named| named.into_iter().map(|(number, to)| change(number, to)).collect());
    prop::collection::vec((0..12_i64, changes), 0..10).prop_map(timeline)
}

/// How a component stood after the first so many updates.
fn stood(updates: &[Update<()>], component: Uuid) -> Option<ComponentStatus> {
    let changes = updates.iter().flat_map(|update| &update.changes);
    changes
        .filter(|change| change.component == component)
        .map(|change| change.to)
        .next_back()
}

#[test]
fn entries_are_numbered_as_posted_and_ordered_by_the_time_shown_then_by_number() {
    let updates = timeline([5, 1, 5, 3, 1].map(|at| (at, vec![])));

    let order: Vec<_> = updates
        .iter()
        .map(|update| (update.display_at, update.number))
        .collect();

    let expected = [(1, 2), (1, 5), (3, 4), (5, 1), (5, 3)].map(|(at, number)| (minute(at), number));
    assert_eq!(order, expected);
}

#[test]
fn an_edit_of_an_unknown_entry_changes_nothing() {
    let mut updates = timeline([(1, vec![])]);
    let before = updates.clone();

    let body = Some("Another".to_owned());
    let changed = edit(&mut updates, id(77), Edit { body, display_at: None }, now());

    assert!(!changed);
    assert_eq!(updates, before);
}

#[test]
fn a_time_shown_lies_between_the_start_and_five_minutes_from_now() {
    let (start, now) = (minute(0), minute(60));
    let check = |at: Timestamp| check_display_at(at, start, now).map_err(|refused| refused.why);

    assert_eq!(check(start.plus_millis(-1)), Err(Refusal::UpdateBeforeStart { start }));
    assert_eq!(check(start), Ok(()));
    assert_eq!(check(minute(65)), Ok(()));
    assert_eq!(check(minute(65).plus_millis(1)), Err(Refusal::TimeInFuture));
    assert_eq!(check_not_ahead(Timestamp::EARLIEST, now), Ok(()));
    assert_eq!(check_not_ahead(Timestamp::LATEST, now), Err(Refusal::TimeInFuture));
}

#[test]
fn the_peak_counts_components_from_the_update_that_first_names_them() {
    let alone = timeline([(0, vec![change(31, MajorOutage)])]);
    let joined = timeline([
        (0, vec![change(31, MajorOutage), change(32, Operational)]),
        (1, vec![change(31, Operational)]),
    ]);
    let joined_later = timeline([(0, vec![change(31, MajorOutage)]), (1, vec![change(32, Operational)])]);

    assert_eq!(peak(&alone), Impact::Critical);
    assert_eq!(peak(&joined), Impact::Major);
    assert_eq!(peak(&joined_later), Impact::Critical);
    assert_eq!(peak::<()>(&[]), Impact::None);
}

#[test]
fn an_affected_component_has_its_times_without_gaps() {
    let updates = timeline([
        (0, vec![change(31, PartialOutage)]),
        (2, vec![change(32, Operational)]),
        (3, vec![change(31, PartialOutage)]),
        (5, vec![change(31, MajorOutage)]),
        (9, vec![change(31, Operational)]),
    ]);

    let found = affected(&updates);

    let interval = |status, from, until: Option<i64>| Interval {
        status,
        from: minute(from),
        until: until.map(minute),
    };
    let expected = [
        Affected {
            component: id(31),
            status: Operational,
            worst: MajorOutage,
            intervals: vec![
                interval(PartialOutage, 0, Some(5)),
                interval(MajorOutage, 5, Some(9)),
                interval(Operational, 9, None),
            ],
        },
        Affected {
            component: id(32),
            status: Operational,
            worst: Operational,
            intervals: vec![interval(Operational, 2, None)],
        },
    ];
    assert_eq!(found, expected);
}

proptest! {
    #[test]
    fn the_peak_is_the_worst_of_all_blends(updates in timelines()) {
        let components = [31, 32, 33, 34].map(id);
        let after = |count: usize| {
            let statuses: Vec<_> = components.iter().filter_map(|one| stood(&updates[..count], *one)).collect();
            blend(&statuses)
        };

        let expected = (0..=updates.len()).map(after).max();

        prop_assert_eq!(Some(peak(&updates)), expected);
    }

    #[test]
    fn what_became_of_components_agrees_with_every_moment_of_the_timeline(updates in timelines()) {
        let found = affected(&updates);

        let named = [31, 32, 33, 34].map(id).into_iter().filter(|one| stood(&updates, *one).is_some()).count();
        prop_assert_eq!(found.len(), named);
        for one in found {
            let mut statuses = one.intervals.iter().map(|interval| interval.status);
            prop_assert_eq!(statuses.clone().max(), Some(one.worst));
            prop_assert_eq!(statuses.next_back(), Some(one.status));
            prop_assert_eq!(stood(&updates, one.component), Some(one.status));
            for pair in one.intervals.windows(2) {
                prop_assert_eq!(pair[0].until, Some(pair[1].from));
                prop_assert!(pair[0].status != pair[1].status);
            }
            prop_assert_eq!(one.intervals.last().and_then(|last| last.until), None);
            for at in (0..12).map(minute) {
                let by_then = updates.partition_point(|update| update.display_at <= at);
                let during = |interval: &&Interval| interval.from <= at && interval.until.is_none_or(|until| at < until);
                let interval = one.intervals.iter().find(during).map(|interval| interval.status);
                prop_assert_eq!(interval, stood(&updates[..by_then], one.component));
            }
        }
    }
}
