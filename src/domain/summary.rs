//! The sentence that sums an incident up, and how durations are said.

use chrono::Datelike;
use chrono_tz::Tz;

use super::impact::Impact;
use super::time::Timestamp;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What the sentence is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The name of the page.
    pub page: &'a str,
    pub impact: Impact,
    pub started_at: Timestamp,
    /// When it was last resolved; `None` while it is open. A postmortem does not count (DOMAIN.md, 6).
    pub resolved_at: Option<Timestamp>,
    /// Names of the affected components, in the order the page shows them.
    pub affected: &'a [&'a str],
}

/// A language the sentence can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Locale {
    #[default]
    English,
}

impl Locale {
    /// The locale of a BCP 47 language tag, or `None` where we do not write that language.
    pub fn from_tag(tag: &str) -> Option<Locale> {
        ["en", "en-US", "en-GB"]
            .iter()
            .any(|known| tag.eq_ignore_ascii_case(known))
            .then_some(Locale::English)
    }

    const fn words(self) -> &'static Words {
        match self {
            Locale::English => &ENGLISH,
        }
    }
}

/// Every word of the sentence in one language.
struct Words {
    months: [&'static str; 12],
    /// "an incident", with what the impact adds to it.
    incident: fn(Impact) -> &'static str,
    experienced: &'static str,
    on: &'static str,
    has_been_experiencing: &'static str,
    since: &'static str,
    affecting: &'static str,
    and: &'static str,
    more_component: &'static str,
    more_components: &'static str,
    lasting: &'static str,
    resolved: &'static str,
    ongoing: &'static str,
    under_a_minute: &'static str,
}

const ENGLISH: Words = Words {
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    // The pages we start from print impact none as "a notice incident"; nobody says that, so it is plainly an incident
    // here (DOMAIN.md, 6).
    incident: |impact| match impact {
        Impact::None => "an incident",
        Impact::Maintenance => "a maintenance incident",
        Impact::Minor => "a minor incident",
        Impact::Major => "a major incident",
        Impact::Critical => "a critical incident",
    },
    experienced: "experienced",
    on: "on",
    has_been_experiencing: "has been experiencing",
    since: "since",
    affecting: "affecting",
    and: "and",
    more_component: "more component",
    more_components: "more components",
    lasting: "lasting",
    resolved: "The incident has been resolved; the full update timeline is below.",
    ongoing: "The incident is ongoing; the update timeline so far is below.",
    under_a_minute: "less than a minute",
};

/// The sentence of DOMAIN.md 6, with the date as it was in `zone`.
///
/// An open incident is said to be ongoing, and for how long is left to the reader's clock: the text would be wrong a
/// minute later. A duration that is not positive (an incident entered afterwards) is left out.
pub fn sentence(facts: Facts<'_>, zone: Tz, locale: Locale) -> String {
    let words = locale.words();
    let (verb, preposition) = match facts.resolved_at {
        Some(_) => (words.experienced, words.on),
        None => (words.has_been_experiencing, words.since),
    };
    let incident = (words.incident)(facts.impact);
    let date = date_words(facts.started_at, zone, words);

    let mut text = format!("{} {verb} {incident} {preposition} {date}", facts.page);
    if let Some(affected) = affected_words(facts.affected, words) {
        text += &format!(" {} {affected}", words.affecting);
    }
    let lasted = facts
        .resolved_at
        .map(|resolved_at| resolved_at.millis_since(facts.started_at));
    if let Some(duration) = lasted.and_then(duration_words) {
        text += &format!(", {} {duration}", words.lasting);
    }
    text += ". ";
    text += if facts.resolved_at.is_some() {
        words.resolved
    } else {
        words.ongoing
    };
    text
}

/// A duration in whole minutes, rounded down: `39m`, `2h 39m`, `1d 2h 5m`, with every unit below the first one said,
/// also a zero (`2h 0m`). `None` where it is not positive; "less than a minute" where it is shorter than that, because
/// `0m` reads as if nothing had happened.
pub fn duration_words(millis: i64) -> Option<String> {
    let (days, hours, minutes) = (millis / DAY, millis % DAY / HOUR, millis % HOUR / MINUTE);
    match (days, hours, minutes) {
        _ if millis <= 0 => None,
        (0, 0, 0) => Some(ENGLISH.under_a_minute.to_owned()),
        (0, 0, _) => Some(format!("{minutes}m")),
        (0, _, _) => Some(format!("{hours}h {minutes}m")),
        _ => Some(format!("{days}d {hours}h {minutes}m")),
    }
}

/// A duration in ISO 8601, exact to the millisecond: `PT2H39M34.877S`, `P1DT2H`. `None` where it is not positive.
///
/// A day is always 24 hours here: what is measured is time that went by, not dates of a calendar.
pub fn duration_iso(millis: i64) -> Option<String> {
    if millis <= 0 {
        return None;
    }
    let part = |count: i64, unit: &str| {
        if count > 0 {
            format!("{count}{unit}")
        } else {
            String::new()
        }
    };
    let seconds = match (millis % MINUTE / SECOND, millis % SECOND) {
        (whole, 0) => part(whole, "S"),
        (whole, thousandths) => format!("{whole}.{thousandths:03}S"),
    };
    let day = part(millis / DAY, "D");
    let time = part(millis % DAY / HOUR, "H") + &part(millis % HOUR / MINUTE, "M") + &seconds;
    Some(if time.is_empty() {
        format!("P{day}")
    } else {
        format!("P{day}T{time}")
    })
}

/// `August 4, 2021`.
fn date_words(at: Timestamp, zone: Tz, words: &Words) -> String {
    let date = at.to_utc().with_timezone(&zone).date_naive();
    let month = words.months[date.month0() as usize];
    format!("{month} {}, {}", date.day(), date.year())
}

/// `A`; `A and B`; `A and B and 4 more components`. The pages we start from say "1 more" whatever the number is, a
/// defect that is not copied (DOMAIN.md, 6).
fn affected_words(affected: &[&str], words: &Words) -> Option<String> {
    let and = words.and;
    match affected {
        [] => None,
        [only] => Some((*only).to_owned()),
        [first, second] => Some(format!("{first} {and} {second}")),
        [first, second, _] => Some(format!("{first} {and} {second} {and} 1 {}", words.more_component)),
        [first, second, more @ ..] => Some(format!(
            "{first} {and} {second} {and} {} {}",
            more.len(),
            words.more_components
        )),
    }
}

#[cfg(test)]
mod tests;
