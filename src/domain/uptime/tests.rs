//! Tests of uptime: days of odd lengths, and sums that must agree.

use proptest::prelude::*;

use super::*;
use ComponentStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a test writes instants in RFC 3339")
}

fn always_up(since: &str, until: &str) -> History<'static> {
    History {
        since: at(since),
        from: Operational,
        changes: &[],
        until: at(until),
    }
}

/// The hours of each of the last `days` days up to `until`.
fn hours(zone: Tz, until: &str, days: u16) -> Vec<(String, f64)> {
    uptime(always_up("2000-01-01T00:00:00Z", until), zone, days)
        .days
        .iter()
        .map(|day| (day.date.to_string(), day.times.observed() as f64 / HOUR as f64))
        .collect()
}

#[test]
fn a_day_is_cut_into_its_statuses() {
    let changes = [
        StatusChange {
            at: at("2024-03-04T06:00:00Z"),
            to: MajorOutage,
        },
        StatusChange {
            at: at("2024-03-04T12:00:00Z"),
            to: PartialOutage,
        },
        StatusChange {
            at: at("2024-03-04T18:00:00Z"),
            to: DegradedPerformance,
        },
        StatusChange {
            at: at("2024-03-05T06:00:00Z"),
            to: UnderMaintenance,
        },
    ];
    let history = History {
        changes: &changes,
        ..always_up("2024-03-03T12:00:00Z", "2024-03-05T12:00:00Z")
    };

    let found = uptime(history, Tz::UTC, 4);

    let days: Vec<_> = found
        .days
        .iter()
        .map(|day| (day.date.to_string(), day.times.percentage(0.3)))
        .collect();
    assert_eq!(
        days,
        [
            ("2024-03-02".to_owned(), None),
            ("2024-03-03".to_owned(), Some(100.0)),
            ("2024-03-04".to_owned(), Some(100.0 - 100.0 * (6.0 + 0.3 * 6.0) / 24.0)),
            ("2024-03-05".to_owned(), Some(100.0)),
        ]
    );
    assert_eq!(found.days[1].times.observed(), 12 * HOUR);
    assert_eq!(found.days[3].times.observed(), 12 * HOUR);
    assert_eq!(found.days[3].ends_at, history.until);
    assert_eq!(
        found.times().percentage(PARTIAL_OUTAGE_WEIGHT),
        Some(100.0 - 100.0 * (6.0 + 0.3 * 6.0) / 48.0)
    );
    assert_eq!(found.times().in_status(DegradedPerformance), 12 * HOUR);
}

#[test]
fn days_of_a_zone_have_23_24_or_25_hours() {
    let of = |zone, until| hours(zone, until, 3)[1].1;
    assert_eq!(of(Tz::Europe__Berlin, "2024-04-01T12:00:00Z"), 23.0);
    assert_eq!(of(Tz::Europe__Berlin, "2024-04-02T12:00:00Z"), 24.0);
    assert_eq!(of(Tz::Europe__Berlin, "2024-10-28T12:00:00Z"), 25.0);
    assert_eq!(of(Tz::Australia__Lord_Howe, "2024-10-07T02:00:00Z"), 23.5);
}

#[test]
fn a_day_without_a_midnight_starts_when_its_clocks_do() {
    let brazil = uptime(
        always_up("2018-01-01T00:00:00Z", "2018-11-04T12:00:00Z"),
        Tz::America__Sao_Paulo,
        1,
    );
    assert_eq!(brazil.days[0].starts_at, at("2018-11-04T03:00:00Z"));
    assert_eq!(
        hours(Tz::America__Sao_Paulo, "2018-11-05T12:00:00Z", 3)[1],
        ("2018-11-04".to_owned(), 23.0)
    );
    assert_eq!(
        hours(Tz::Africa__Cairo, "2024-04-27T12:00:00Z", 3)[1],
        ("2024-04-26".to_owned(), 23.0)
    );
    // Set forward at 23:30, over midnight: the first instant of the day is 00:30.
    assert_eq!(
        first_instant("1919-03-31".parse().expect("a date"), Tz::America__Toronto),
        at("1919-03-31T04:30:00Z")
    );
}

#[test]
fn a_day_with_two_midnights_starts_at_the_first() {
    // Havana sets its clocks back from 01:00 to 00:00.
    assert_eq!(
        hours(Tz::America__Havana, "2024-11-04T12:00:00Z", 3)[1],
        ("2024-11-03".to_owned(), 25.0)
    );
}

#[test]
fn a_date_that_never_was_is_no_day() {
    let dates = hours(Tz::Pacific__Apia, "2012-01-01T00:00:00Z", 4);
    let expected = [
        ("2011-12-28", 24.0),
        ("2011-12-29", 24.0),
        ("2011-12-31", 24.0),
        ("2012-01-01", 14.0),
    ];
    assert_eq!(dates, expected.map(|(date, hours)| (date.to_owned(), hours)));
}

#[test]
fn the_first_instant_of_a_day_already_shows_that_day() {
    let found = hours(Tz::UTC, "2024-03-05T00:00:00Z", 2);
    assert_eq!(found, [("2024-03-04".to_owned(), 24.0), ("2024-03-05".to_owned(), 0.0)]);
}

#[test]
fn what_was_never_observed_has_no_percentage() {
    let born_later = always_up("2024-03-09T00:00:00Z", "2024-03-05T12:00:00Z");
    let found = uptime(born_later, Tz::UTC, 90);
    assert_eq!((found.days.len(), found.times().observed()), (90, 0));
    assert_eq!(found.times().percentage(0.3), None);
}

#[test]
fn changes_outside_the_time_observed_add_nothing() {
    let changes = [
        StatusChange {
            at: at("2024-03-04T02:00:00Z"),
            to: MajorOutage,
        },
        StatusChange {
            at: at("2024-03-04T03:00:00Z"),
            to: PartialOutage,
        },
        StatusChange {
            at: at("2024-03-05T18:00:00Z"),
            to: MajorOutage,
        },
        StatusChange {
            at: at("2024-03-05T20:00:00Z"),
            to: Operational,
        },
    ];
    let history = History {
        changes: &changes,
        ..always_up("2024-03-04T06:00:00Z", "2024-03-05T12:00:00Z")
    };

    let times = uptime(history, Tz::UTC, 5).times();

    assert_eq!(
        (times.observed(), times.in_status(PartialOutage)),
        (30 * HOUR, 30 * HOUR)
    );
}

#[test]
fn the_ends_of_time_do_not_panic() {
    for until in [Timestamp::EARLIEST, Timestamp::LATEST] {
        for zone in [
            Tz::UTC,
            Tz::Pacific__Kiritimati,
            Tz::Pacific__Pago_Pago,
            Tz::Asia__Manila,
        ] {
            let history = History {
                since: Timestamp::EARLIEST,
                from: MajorOutage,
                changes: &[],
                until,
            };
            assert!(!uptime(history, zone, MAX_DAYS).days.is_empty());
        }
    }
    assert_eq!(hours(Tz::UTC, "2024-03-05T00:00:00Z", 0), []);
}

#[test]
fn no_day_of_any_zone_overlaps_another_or_leaves_a_gap() {
    for zone in chrono_tz::TZ_VARIANTS {
        for until in ["2024-12-31T23:59:59Z", "2012-02-01T00:00:01Z", "1920-01-01T00:00:01Z"] {
            let days = calendar(at(until), zone, MAX_DAYS);
            assert_eq!(days.len(), usize::from(MAX_DAYS), "{zone}");
            assert!(days.iter().all(|day| day.starts_at < day.ends_at), "{zone}");
            assert!(
                days.windows(2).all(|pair| pair[0].ends_at == pair[1].starts_at),
                "{zone}"
            );
        }
    }
}

#[test]
fn a_group_is_the_mean_of_the_children_that_were_observed() {
    assert_eq!(group_mean(&[Some(100.0), None, Some(50.0)]), Some(75.0));
    assert_eq!(group_mean(&[None, None]), None);
    assert_eq!(group_mean(&[]), None);
}

/// Gaps in milliseconds and statuses, from which a history is made.
type Steps = Vec<(i64, ComponentStatus)>;

fn steps() -> impl Strategy<Value = Steps> {
    prop::collection::vec((0..3 * DAY, prop::sample::select(ComponentStatus::ALL)), 0..40)
}

fn changes(since: Timestamp, steps: &[(i64, ComponentStatus)]) -> Vec<StatusChange> {
    let mut now = since;
    let change = |&(gap, to): &(i64, ComponentStatus)| {
        now = now.plus_millis(gap);
        StatusChange { at: now, to }
    };
    steps.iter().map(change).collect()
}

proptest! {
    #[test]
    fn every_millisecond_observed_is_counted_once(
        steps in steps(),
        zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        since in 946_684_800_000_i64..1_767_225_600_000,
        rest in 0..3 * DAY,
        count in 1_u16..60,
        weight in 0.0..=1.0,
    ) {
        let since = Timestamp::from_millis(since);
        let changes = changes(since, &steps);
        let until = changes.last().map_or(since, |last| last.at).plus_millis(rest);
        let found = uptime(History { since, from: Operational, changes: &changes, until }, zone, count);

        for day in &found.days {
            let observed = day.ends_at.millis_since(day.starts_at.max(since)).max(0);
            prop_assert_eq!(day.times.observed(), observed);
            prop_assert!(day.times.percentage(weight).is_none_or(|share| (0.0..=100.0).contains(&share)));
        }
        let window = until.millis_since(found.days[0].starts_at.max(since)).max(0);
        prop_assert_eq!(found.times().observed(), window);
        prop_assert_eq!(found.times().percentage(weight).is_some(), window > 0);
    }

    #[test]
    fn saying_a_status_again_changes_nothing(steps in steps(), at in 0_usize..40, part in 0.0..1.0) {
        prop_assume!(at < steps.len());
        let since = Timestamp::from_millis(1_700_000_000_000);
        let (gap, _) = steps[at];
        let before = at.checked_sub(1).map_or(Operational, |before| steps[before].1);
        let early = (gap as f64 * part) as i64;
        let mut split = steps.clone();
        split.splice(at..=at, [(early, before), (gap - early, steps[at].1)]);

        let of = |steps: &Steps| {
            let changes = changes(since, steps);
            let until = changes.last().map_or(since, |last| last.at).plus_millis(HOUR);
            uptime(History { since, from: Operational, changes: &changes, until }, Tz::Europe__Berlin, 30)
        };
        prop_assert_eq!(of(&split), of(&steps));
    }
}
