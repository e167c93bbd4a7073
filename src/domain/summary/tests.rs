//! Tests of the sentence: our own vectors, and those measured on real pages where they are at hand.

use std::path::Path;

use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a test writes instants in RFC 3339")
}

fn english(facts: Facts<'_>) -> String {
    sentence(facts, Tz::UTC, Locale::English)
}

const AFFECTED: [&str; 6] = [
    "Coach",
    "Custom Content Manager (CCM)",
    "EMR Module",
    "Knowledgebase",
    "Media Service API",
    "Communicate",
];

/// The incident of DOMAIN.md 1, with the seconds its page does not show.
fn healthise(affected: &[&'static str]) -> String {
    english(Facts {
        page: "Healthise",
        impact: Impact::Major,
        started_at: at("2021-08-04T14:27:35.123Z"),
        resolved_at: Some(at("2021-08-04T17:07:10Z")),
        affected,
    })
}

#[test]
fn the_incident_we_start_from_comes_out_to_the_letter() {
    assert_eq!(
        healthise(&AFFECTED[..3]),
        "Healthise experienced a major incident on August 4, 2021 affecting Coach and Custom Content Manager (CCM) and \
         1 more component, lasting 2h 39m. The incident has been resolved; the full update timeline is below."
    );
}

#[test]
fn two_components_are_named_and_the_rest_counted() {
    let clause = |count: usize| {
        let text = healthise(&AFFECTED[..count]);
        let (_, after) = text.split_once("2021").expect("the sentence names the year");
        after
            .split_once(',')
            .map(|(clause, _)| clause.to_owned())
            .expect("the duration follows")
    };

    assert_eq!(clause(0), "");
    assert_eq!(clause(1), " affecting Coach");
    assert_eq!(clause(2), " affecting Coach and Custom Content Manager (CCM)");
    assert_eq!(
        clause(3),
        " affecting Coach and Custom Content Manager (CCM) and 1 more component"
    );
    assert_eq!(
        clause(4),
        " affecting Coach and Custom Content Manager (CCM) and 2 more components"
    );
    assert_eq!(
        clause(6),
        " affecting Coach and Custom Content Manager (CCM) and 4 more components"
    );
}

#[test]
fn every_impact_has_its_article() {
    let start = |impact| {
        let started_at = at("2022-08-04T10:22:00Z");
        let text = english(Facts {
            page: "Porter",
            impact,
            started_at,
            resolved_at: Some(started_at),
            affected: &[],
        });
        text.split_once(" on ")
            .map(|(start, _)| start.to_owned())
            .expect("the date follows")
    };

    assert_eq!(start(Impact::None), "Porter experienced an incident");
    assert_eq!(start(Impact::Maintenance), "Porter experienced a maintenance incident");
    assert_eq!(start(Impact::Minor), "Porter experienced a minor incident");
    assert_eq!(start(Impact::Major), "Porter experienced a major incident");
    assert_eq!(start(Impact::Critical), "Porter experienced a critical incident");
}

#[test]
fn an_incident_resolved_before_it_began_has_no_duration() {
    let text = english(Facts {
        page: "Porter",
        impact: Impact::None,
        started_at: at("2022-08-04T10:22:00Z"),
        resolved_at: Some(at("2022-08-03T10:38:00Z")),
        affected: &[],
    });
    assert_eq!(
        text,
        "Porter experienced an incident on August 4, 2022. The incident has been resolved; the full update timeline is \
         below."
    );
}

#[test]
fn an_open_incident_is_said_to_be_ongoing_without_a_duration() {
    let text = english(Facts {
        page: "Courier",
        impact: Impact::Minor,
        started_at: at("2024-02-19T17:12:00Z"),
        resolved_at: None,
        affected: &["API", "Console"],
    });
    assert_eq!(
        text,
        "Courier has been experiencing a minor incident since February 19, 2024 affecting API and Console. The incident \
         is ongoing; the update timeline so far is below."
    );
}

#[test]
fn the_date_is_the_one_of_the_zone_asked_for() {
    let date = |text: &str, zone| date_words(at(text), zone, &ENGLISH);

    assert_eq!(date("2022-08-31T23:30:00Z", Tz::UTC), "August 31, 2022");
    assert_eq!(date("2022-08-31T23:30:00Z", Tz::Asia__Tokyo), "September 1, 2022");
    assert_eq!(date("2023-01-01T04:59:59Z", Tz::America__New_York), "December 31, 2022");
    for (month0, name) in ENGLISH.months.iter().enumerate() {
        assert_eq!(
            date(&format!("2021-{:02}-04T00:00:00Z", month0 + 1), Tz::UTC),
            format!("{name} 4, 2021")
        );
    }
}

#[test]
fn durations_are_said_in_whole_minutes() {
    for (millis, words) in [
        (i64::MIN, None),
        (-1, None),
        (0, None),
        (1, Some("less than a minute")),
        (MINUTE - 1, Some("less than a minute")),
        (MINUTE, Some("1m")),
        (40 * MINUTE - 1, Some("39m")),
        (HOUR, Some("1h 0m")),
        (2 * HOUR + 39 * MINUTE + 34_877, Some("2h 39m")),
        (13 * HOUR + 6 * MINUTE, Some("13h 6m")),
        (DAY - 1, Some("23h 59m")),
        (DAY, Some("1d 0h 0m")),
        (DAY + 2 * HOUR + 5 * MINUTE, Some("1d 2h 5m")),
        (45 * DAY, Some("45d 0h 0m")),
    ] {
        assert_eq!(duration_words(millis).as_deref(), words, "{millis}");
    }
}

#[test]
fn durations_are_written_in_iso_8601_to_the_millisecond() {
    for (millis, text) in [
        (-1, None),
        (0, None),
        (1, Some("PT0.001S")),
        (1_500, Some("PT1.500S")),
        (MINUTE, Some("PT1M")),
        (2 * HOUR + 39 * MINUTE + 34_877, Some("PT2H39M34.877S")),
        (HOUR + 7_000, Some("PT1H7S")),
        (DAY, Some("P1D")),
        (DAY + 2 * HOUR, Some("P1DT2H")),
        (400 * DAY + 5, Some("P400DT0.005S")),
    ] {
        assert_eq!(duration_iso(millis).as_deref(), text, "{millis}");
    }
}

#[test]
fn a_locale_we_do_not_write_is_unknown() {
    for tag in ["en", "en-US", "en-GB", "EN-us"] {
        assert_eq!(Locale::from_tag(tag), Some(Locale::English), "{tag}");
    }
    for tag in ["", "de", "en-", "eng", "e", "en_US", "*"] {
        assert_eq!(Locale::from_tag(tag), None, "{tag}");
    }
}

proptest! {
    #[test]
    fn the_iso_text_adds_up_to_the_duration(millis in 1_i64..1_000 * DAY) {
        let text = duration_iso(millis).expect("the duration is positive");
        let (day, time) = text[1..].split_once('T').unwrap_or((&text[1..], ""));
        let mut total = 0.0;
        let mut number = String::new();
        for c in day.chars().chain(time.chars()) {
            let unit = match c {
                'D' => DAY,
                'H' => HOUR,
                'M' => MINUTE,
                'S' => SECOND,
                _ => { number.push(c); continue }
            };
            total += std::mem::take(&mut number).parse::<f64>().expect("a number stands before a unit") * unit as f64;
        }
        prop_assert_eq!(total.round() as i64, millis);
    }
}

/// A sample's instants with the seconds its page hides: any that agree with the minutes shown and the duration said.
fn instants(sample: &Value, headline: NaiveDate) -> (Timestamp, Timestamp) {
    let minute = |field: &str| sample[field].as_str().map(|text| at(&text.replace('Z', ":00Z")));
    let shown = minute("first_update").expect("a sample has a first update");
    if shown.to_utc().date_naive() != headline {
        // Entered afterwards: the page shows no instant of its start or end, only the date of the headline.
        let started = Timestamp::from(headline.and_hms_opt(12, 0, 0).expect("noon exists").and_utc());
        return (started, started);
    }
    let resolved = minute("resolved").expect("a sample that was shown live was resolved");
    let said = sample["duration"].as_str().expect("a sample has a duration");
    [(10, 35), (35, 10)]
        .map(|(first, last)| (shown.plus_millis(first * SECOND), resolved.plus_millis(last * SECOND)))
        .into_iter()
        .find(|(started, resolved)| {
            duration_words(resolved.millis_since(*started))
                .as_deref()
                .unwrap_or("—")
                == said
        })
        .expect("the hidden seconds explain a minute at most")
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "whoever runs it should know that it found nothing to check"
)]
fn real_sentences_come_out_as_printed_but_for_their_defects() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/summary-vectors.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no real sentences at hand");
        return;
    };
    let vectors: Value = serde_json::from_str(&text).expect("the samples are JSON");
    let samples = vectors["samples"].as_array().expect("the samples are a list");

    let mut checked = 0;
    for (sample, printed) in samples
        .iter()
        .filter_map(|sample| Some((sample, sample["printed"].as_str()?)))
    {
        let (page, rest) = printed.split_once(" experienced a ").expect("a page is named");
        let (severity, rest) = rest.split_once(" incident on ").expect("a severity is named");
        let (clauses, _) = rest.split_once(", lasting ").expect("a duration is named");
        let (date, list) = clauses.split_once(" affecting ").unwrap_or((clauses, ""));
        let named = list.replace(" 1 more component", " (one more)");
        let listed: Vec<&str> = match sample["components_listed"].as_array() {
            Some(listed) => listed.iter().filter_map(Value::as_str).collect(),
            None => named.split(" and ").filter(|name| !name.is_empty()).collect(),
        };
        let headline = NaiveDate::parse_from_str(date, "%B %d, %Y").expect("the headline has a date");
        let (started_at, resolved_at) = instants(sample, headline);

        let impact = Impact::from_word(severity).unwrap_or(Impact::None);
        let ours = english(Facts {
            page,
            impact,
            started_at,
            resolved_at: Some(resolved_at),
            affected: &listed,
        });

        let mut expected = printed
            .replace(", lasting —", "")
            .replace("a notice incident", "an incident");
        if sample["defect"].is_string() {
            let more = format!("{} more components", listed.len() - 2);
            expected = expected.replace("1 more component", &more);
        }
        assert_eq!(ours, expected);
        checked += 1;
    }
    assert!(checked >= 14, "only {checked} samples were checked");
}
