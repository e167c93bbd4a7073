//! The big page: a status page with a long history, written as the JSON files of a Statuspage page. `allclear import
//! statuspage` reads it into a database, which makes it as large on every machine.

use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};

use crate::machine;

pub(crate) const SLUG: &str = "big";

/// Time between the beginnings of two incidents: 5,000 of them cover about three years.
const EVERY_MINUTES: i64 = 5 * 60;

/// Components of a group.
const GROUP: usize = 20;

/// The newest incidents that are not resolved.
const OPEN: usize = 2;

/// Status of the incident, minutes since its beginning, and the status that its components get, for each update. A resolved
/// incident has all of them and an open one has the first two.
const UPDATES: [(&str, i64, &str); 5] = [
    ("investigating", 0, "degraded_performance"),
    ("identified", 10, "partial_outage"),
    ("identified", 25, "major_outage"),
    ("monitoring", 60, "degraded_performance"),
    ("resolved", 75, "operational"),
];

/// How many updates an open incident has.
const UPDATES_OF_OPEN: usize = 2;

const BODIES: [&str; 5] = [
    "We are investigating reports of slow answers and failed requests. Customers in some regions may see errors when they \
     load dashboards or send data. We will post an update within 30 minutes.",
    "The cause has been identified: a node of the storage layer does not accept writes. Traffic is being moved to the \
     other nodes, and requests that fail can be repeated safely.",
    "The move takes longer than expected, because the remaining nodes have to copy data first. **Until then most writes \
     fail.** Reads are not affected.",
    "All traffic goes to healthy nodes now. We are monitoring the error rate, which is back to normal, and the queue of \
     delayed messages, which is being worked off.",
    "This incident has been resolved. All delayed messages have been delivered, and no data was lost.",
];

/// How large the page is. The defaults are those of issue 11.
#[derive(Args, Clone, Debug)]
pub(crate) struct Size {
    /// Incidents of the big page.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) incidents: usize,
    /// Components of the big page.
    #[arg(long, default_value_t = 200)]
    pub(crate) components: usize,
    /// Components that each update of an incident changes.
    #[arg(long, default_value_t = 3)]
    pub(crate) changes: usize,
}

/// Writes `components.json` and `incidents.json`.
pub(crate) fn write(size: &Size, folder: &Path) -> anyhow::Result<()> {
    let now = machine::now();
    let page =
        json!({ "id": "bigpage", "name": "Big page", "url": "https://status.example.com", "time_zone": "Etc/UTC" });
    let files = [
        (
            "components.json",
            json!({ "page": page, "components": components(size, now) }),
        ),
        (
            "incidents.json",
            json!({ "page": page, "incidents": incidents(size, now) }),
        ),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::write(&path, content.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn components(size: &Size, now: DateTime<Utc>) -> Vec<Value> {
    let oldest = text(began(size, 0, now) - TimeDelta::days(1));
    let group = |number: usize| {
        json!({
            "id": format!("group{number:03}"), "name": format!("Group {number}"), "group": true, "position": number,
            "status": "operational", "created_at": oldest, "updated_at": oldest,
        })
    };
    let component = |number: usize| {
        let is_affected = (size.incidents.saturating_sub(OPEN)..size.incidents)
            .any(|incident| affected(size, incident).any(|other| other == number));
        let status = if is_affected {
            UPDATES[UPDATES_OF_OPEN - 1].2
        } else {
            "operational"
        };
        json!({
            "id": component_id(number), "name": component_name(number), "group": false,
            "group_id": format!("group{:03}", number / GROUP + 1), "position": number % GROUP + 1,
            "status": status, "created_at": oldest, "updated_at": oldest,
        })
    };
    (1..=size.components.div_ceil(GROUP))
        .map(group)
        .chain((0..size.components).map(component))
        .collect()
}

fn incidents(size: &Size, now: DateTime<Utc>) -> Vec<Value> {
    // Newest first, as Statuspage lists them.
    (0..size.incidents)
        .rev()
        .map(|number| incident(size, number, now))
        .collect()
}

fn incident(size: &Size, number: usize, now: DateTime<Utc>) -> Value {
    let began = began(size, number, now);
    let is_open = number + OPEN >= size.incidents;
    let count = if is_open { UPDATES_OF_OPEN } else { UPDATES.len() };
    let at = |index: usize| text(began + TimeDelta::minutes(UPDATES[index].1));
    let update = |index: usize| {
        let before = index.checked_sub(1).map_or("operational", |before| UPDATES[before].2);
        let changes: Vec<Value> = affected(size, number)
            .map(|component| {
                json!({
                    "code": component_id(component), "name": component_name(component),
                    "old_status": before, "new_status": UPDATES[index].2,
                })
            })
            .collect();
        json!({
            "id": format!("update{number:05}x{index}"), "status": UPDATES[index].0, "body": BODIES[index],
            "display_at": at(index), "created_at": at(index), "updated_at": at(index), "affected_components": changes,
        })
    };
    json!({
        "id": format!("incident{number:05}"),
        "name": format!("Elevated error rate of {}", component_name(number % size.components.max(1))),
        "status": UPDATES[count - 1].0,
        "impact": "critical",
        "created_at": text(began), "started_at": text(began), "updated_at": at(count - 1),
        "monitoring_at": (!is_open).then(|| at(3)),
        "resolved_at": (!is_open).then(|| at(4)),
        "incident_updates": (0..count).rev().map(update).collect::<Vec<_>>(),
    })
}

/// The components that an incident affects. Neighbouring incidents affect different ones.
fn affected(size: &Size, incident: usize) -> impl Iterator<Item = usize> {
    let components = size.components.max(1);
    (0..size.changes.min(components)).map(move |change| (incident * size.changes + change) % components)
}

fn began(size: &Size, incident: usize, now: DateTime<Utc>) -> DateTime<Utc> {
    let before_now = (size.incidents - incident) as i64 * EVERY_MINUTES;
    now - TimeDelta::minutes(before_now)
}

fn component_id(number: usize) -> String {
    format!("component{number:04}")
}

fn component_name(number: usize) -> String {
    format!("Component {number}")
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_large_as_asked_for() {
        let size = Size {
            incidents: 10,
            components: 45,
            changes: 3,
        };
        let now = machine::now();

        let incidents = incidents(&size, now);
        let updates = |incident: &Value| incident["incident_updates"].as_array().map_or(0, Vec::len);

        assert_eq!(components(&size, now).len(), 3 + 45);
        assert_eq!(
            incidents.iter().map(updates).collect::<Vec<_>>(),
            [2, 2, 5, 5, 5, 5, 5, 5, 5, 5]
        );
        assert_eq!(
            incidents[9]["incident_updates"][0]["affected_components"]
                .as_array()
                .map(Vec::len),
            Some(3)
        );
    }
}
