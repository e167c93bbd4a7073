//! Captured files: what is read of them is the same each time and in order, and whatever is refused is named.

use std::collections::HashSet;

use allclear::statuspage::{Capture, Update};

/// The files that the parts of an input are, one after the other.
const FILES: [&str; 4] = [
    "summary.json",
    "components.json",
    "incidents.json",
    "scheduled_maintenances.json",
];

/// What stands between the files in an input: the record separator of ASCII, which JSON does not hold.
const BETWEEN: u8 = 0x1e;

/// # Panics
/// Where something does not hold.
pub fn holds(bytes: &[u8]) {
    let parts = bytes.splitn(FILES.len(), |byte| *byte == BETWEEN);
    let files: Vec<(&str, &[u8])> = FILES.into_iter().zip(parts).collect();
    let capture = match Capture::of(&files) {
        Ok(capture) => capture,
        Err(error) => {
            let message = error.to_string();
            assert!(files.iter().any(|(name, _)| message.starts_with(name)), "{message}");
            return;
        }
    };

    assert_eq!(
        Capture::of(&files).as_ref().ok(),
        Some(&capture),
        "it is read the same again"
    );
    for problem in &capture.unreadable {
        assert!(files.iter().any(|(name, _)| *name == problem.file), "{problem:?}");
        assert!(!problem.id.is_empty() && !problem.reason.is_empty(), "{problem:?}");
        // A report has a line for each.
        let line = problem.to_string();
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    ids_differ(capture.groups.iter().map(|group| group.id.as_str()));
    ids_differ(capture.components.iter().map(|component| component.id.as_str()));
    ids_differ(capture.incidents.iter().map(|incident| incident.id.as_str()));
    ids_differ(capture.maintenances.iter().map(|maintenance| maintenance.id.as_str()));
    for component in &capture.components {
        let group = component.group.as_ref();
        assert!(group.is_none_or(|group| capture.groups.iter().any(|known| known.id == *group)));
        capture.left_at(&component.id);
    }
    for incident in &capture.incidents {
        in_order(&incident.updates);
        assert_eq!(
            incident.resolved_at.is_some(),
            !incident.status.is_open(),
            "{incident:?}"
        );
    }
    for maintenance in &capture.maintenances {
        in_order(&maintenance.updates);
    }
}

fn ids_differ<'a>(ids: impl Iterator<Item = &'a str>) {
    let mut seen = HashSet::new();
    for id in ids {
        assert!(!id.is_empty() && seen.insert(id), "{id:?}");
    }
}

/// There is an update, they stand by the time shown, and are numbered from 1 on, each differently.
fn in_order<S>(updates: &[Update<S>]) {
    assert!(!updates.is_empty());
    assert!(updates.is_sorted_by_key(|update| (update.display_at, update.number)));
    let mut numbers: Vec<i32> = updates.iter().map(|update| update.number).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq((1..).take(updates.len())));
}
