//! How long a component was up: per calendar day of the page's time zone, and over a window of days.

use chrono::{NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;

use super::component::ComponentStatus;
use super::time::Timestamp;

/// What a partial outage counts for, where a whole one counts 1 (DOMAIN.md, 7).
pub const PARTIAL_OUTAGE_WEIGHT: f64 = 0.3;
/// How many days a page shows unless asked otherwise (DOMAIN.md, 7).
pub const DEFAULT_DAYS: u16 = 90;
/// The most days one may ask for: a year, so that an answer stays small.
pub const MAX_DAYS: u16 = 366;

/// A component went to another status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusChange {
    pub at: Timestamp,
    pub to: ComponentStatus,
}

/// What is known of one component.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// When the component came into being: nothing is known of the time before.
    pub since: Timestamp,
    /// Its status before the first of `changes`.
    pub from: ComponentStatus,
    /// What happened to it, oldest first.
    pub changes: &'a [StatusChange],
    /// Up to when it is looked at: now.
    pub until: Timestamp,
}

/// Milliseconds spent in each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusTimes([i64; ComponentStatus::ALL.len()]);

impl StatusTimes {
    /// Milliseconds spent in one status.
    pub const fn in_status(&self, status: ComponentStatus) -> i64 {
        self.0[status as usize]
    }

    /// Milliseconds in which the status was known.
    pub fn observed(&self) -> i64 {
        self.0.iter().sum()
    }

    /// Uptime from 0 to 100, or `None` where nothing was observed. Degraded performance and maintenance count as up, a
    /// partial outage by `weight` (a share from 0 to 1, held within), a major one in full (DOMAIN.md, 7).
    pub fn percentage(&self, weight: f64) -> Option<f64> {
        let observed = self.observed();
        let major = self.in_status(ComponentStatus::MajorOutage) as f64;
        let partial = self.in_status(ComponentStatus::PartialOutage) as f64;
        let down = (major + weight.clamp(0.0, 1.0) * partial) / observed as f64;
        (observed > 0).then(|| (100.0 - 100.0 * down).clamp(0.0, 100.0))
    }

    fn add(&mut self, status: ComponentStatus, millis: i64) {
        self.0[status as usize] += millis;
    }
}

/// One calendar day of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub date: NaiveDate,
    pub starts_at: Timestamp,
    /// The start of the next day, or the end of the window where that comes first.
    pub ends_at: Timestamp,
    /// How the observed part of the day was spent.
    pub times: StatusTimes,
}

/// A window of days, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uptime {
    pub days: Vec<Day>,
}

impl Uptime {
    /// How the observed part of the whole window was spent. Its percentage is the one over the window: a day that was
    /// observed for an hour weighs an hour, which a mean of the days would not do.
    pub fn times(&self) -> StatusTimes {
        let mut total = StatusTimes::default();
        for day in &self.days {
            for &status in ComponentStatus::ALL {
                total.add(status, day.times.in_status(status));
            }
        }
        total
    }
}

/// The last `days` calendar days of a component in `zone`; the newest is the one that `until` lies in, cut off there.
///
/// A day has 23, 24 or 25 hours, and starts at its first instant where clocks skip midnight. A date that a zone never
/// had (Samoa crossed the date line over 30 December 2011) is no day.
pub fn uptime(history: History<'_>, zone: Tz, days: u16) -> Uptime {
    let mut days = calendar(history.until, zone, days);
    let starts = std::iter::once((history.since, history.from)).chain(
        history
            .changes
            .iter()
            .map(|change| (change.at.max(history.since), change.to)),
    );
    let ends = history.changes.iter().map(|change| change.at).chain([history.until]);

    let mut first = 0;
    for ((starts_at, status), ends_at) in starts.zip(ends) {
        // Both the days and the spans are in order, so no day before this one is met again.
        while days.get(first).is_some_and(|day| day.ends_at <= starts_at) {
            first += 1;
        }
        for day in days[first..].iter_mut().take_while(|day| day.starts_at < ends_at) {
            let shared = ends_at.min(day.ends_at).millis_since(starts_at.max(day.starts_at));
            day.times.add(status, shared.max(0));
        }
    }
    Uptime { days }
}

/// The mean of a group's children, of which those never observed say nothing (DOMAIN.md, 7).
pub fn group_mean(children: &[Option<f64>]) -> Option<f64> {
    let known = || children.iter().flatten();
    let count = known().count();
    (count > 0).then(|| known().sum::<f64>() / count as f64)
}

/// The last `count` days up to `until`, with nothing observed yet, oldest first.
fn calendar(until: Timestamp, zone: Tz, count: u16) -> Vec<Day> {
    let mut days = Vec::with_capacity(usize::from(count));
    let mut date = until.to_utc().with_timezone(&zone).date_naive();
    let mut ends_at = until;
    while days.len() < usize::from(count) {
        let starts_at = first_instant(date, zone).min(ends_at);
        // The newest day is shown even at its first instant, when it has no length yet.
        if starts_at < ends_at || days.is_empty() {
            days.push(Day {
                date,
                starts_at,
                ends_at,
                times: StatusTimes::default(),
            });
        }
        ends_at = starts_at;
        match date.pred_opt() {
            Some(before) if starts_at > Timestamp::EARLIEST => date = before,
            _ => break,
        }
    }
    days.reverse();
    days
}

/// When a date begins: at midnight, at the first of two where clocks are set back over it, and where they are set
/// forward over it at the first instant that is no longer the day before.
fn first_instant(date: NaiveDate, zone: Tz) -> Timestamp {
    let midnight = date.and_time(NaiveTime::MIN);
    if let Some(starts_at) = zone.from_local_datetime(&midnight).earliest() {
        return starts_at.to_utc().into();
    }

    // No clock of any zone was ever a day and a half from UTC, so the instant looked for lies between these two.
    let reach = 36 * 60 * 60 * 1_000;
    let mut before = Timestamp::from(midnight.and_utc()).plus_millis(-reach);
    let mut after = before.plus_millis(2 * reach);
    while after.millis_since(before) > 1 {
        let middle = before.plus_millis(after.millis_since(before) / 2);
        if middle.to_utc().with_timezone(&zone).naive_local() < midnight {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

#[cfg(test)]
mod tests;
