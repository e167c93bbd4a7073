//! What it all ran on.

use std::fs;

use chrono::{DateTime, Utc};

use crate::figures::table;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "a benchmark has no clock to inject")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The machine as a table; what cannot be read is left out.
pub(crate) fn description() -> String {
    let cores = std::thread::available_parallelism().map(|cores| cores.to_string());
    let facts = [
        ("processor", first_value("/proc/cpuinfo", "model name")),
        ("cores", cores.ok()),
        ("memory", first_value("/proc/meminfo", "MemTotal")),
        ("kernel", line("/proc/sys/kernel/osrelease")),
        ("load before the first run", line("/proc/loadavg")),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(fact, value)| Some(vec![fact.to_owned(), value?]));
    table(&["", ""], &known.collect::<Vec<_>>())
}

fn line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// The value of the first line `key: value` with a key.
fn first_value(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = pairs.filter(|(found, _)| found.trim() == key);
    values.next().map(|(_, value)| value.trim().to_owned())
}
