//! What the rules refuse.

use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::{for_each_database, harmless};

async fn page_and_component(test: &Test) -> (String, String) {
    let page = test.page("bad").await;
    let component = test.component(&page, "Search").await;
    (page, component)
}

fn open(page: &str) -> Value {
    json!({ "page": page, "title": "Down", "body": "We know." })
}

/// An input with some of its values replaced.
fn with(mut input: Value, values: &Value) -> Value {
    for (name, value) in values.as_object().expect("an object") {
        input[name] = value.clone();
    }
    input
}

#[tokio::test]
async fn row_01_a_resolved_incident_cannot_be_moved() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let incident = test.incident(&page, "Down", Some(&component)).await;
        test.resolve(&incident).await;

        harmless(test, &page, async || {
            for status in ["INVESTIGATING", "IDENTIFIED", "MONITORING", "RESOLVED"] {
                let input = json!({ "incident": incident, "body": "Again.", "status": status });
                let error = test
                    .refused_with("incidentUpdatePost", input, "ILLEGAL_TRANSITION", &["input", "status"])
                    .await;
                assert_eq!(error["__typename"], "IllegalTransition");
                assert_eq!((&error["from"], &error["to"]), (&json!("RESOLVED"), &json!(status)));
                assert_eq!(error["allowed"], json!(["POSTMORTEM"]));
            }
            // Said of the whole: its input names no status.
            test.refused_with(
                "incidentResolve",
                json!({ "incident": incident }),
                "ILLEGAL_TRANSITION",
                &[],
            )
            .await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_02_another_version_than_the_current_one_is_stale() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let group = test.group(&page, "Core").await;
        let incident = test.incident(&page, "Down", Some(&component)).await;
        for body in ["Two.", "Three.", "Four."] {
            test.post(&incident, "IDENTIFIED", body).await;
        }
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
        let said = test.thing("Incident", &incident, "latestUpdate { id }").await["latestUpdate"]["id"].clone();

        harmless(test, &page, async || {
            for (field, input, current) in [
                ("incidentUpdatePost", json!({ "incident": incident, "body": "x" }), 4),
                ("incidentResolve", json!({ "incident": incident }), 4),
                ("incidentReopen", json!({ "incident": incident, "reason": "x" }), 4),
                ("incidentAmend", json!({ "incident": incident, "title": "x" }), 4),
                ("incidentUpdateEdit", json!({ "update": said, "body": "x" }), 4),
                ("postmortemPublish", json!({ "incident": incident }), 4),
                ("postmortemWithdraw", json!({ "incident": incident }), 4),
                (
                    "maintenanceAmend",
                    json!({ "maintenance": maintenance, "title": "x" }),
                    1,
                ),
                ("maintenanceStart", json!({ "maintenance": maintenance }), 1),
                (
                    "maintenanceUpdatePost",
                    json!({ "maintenance": maintenance, "body": "x" }),
                    1,
                ),
                ("maintenanceComplete", json!({ "maintenance": maintenance }), 1),
                ("maintenanceCancel", json!({ "maintenance": maintenance }), 1),
                ("componentAmend", json!({ "component": component, "name": "x" }), 2),
                ("componentMove", json!({ "component": component, "position": 0 }), 2),
                (
                    "componentStatusSet",
                    json!({ "component": component, "status": "OPERATIONAL" }),
                    2,
                ),
                ("componentArchive", json!({ "component": component }), 2),
                ("componentGroupAmend", json!({ "group": group, "name": "x" }), 1),
                ("componentGroupRemove", json!({ "group": group }), 1),
                ("pageAmend", json!({ "page": page, "name": "x" }), 1),
                ("pageArchive", json!({ "page": page }), 1),
            ] {
                for expected in [current - 1, current + 1] {
                    let input = with(input.clone(), &json!({ "expectedVersion": expected }));
                    let error = test
                        .refused_with(field, input, "STALE_VERSION", &["input", "expectedVersion"])
                        .await;
                    assert_eq!(
                        (&error["__typename"], &error["current"]),
                        (&json!("StaleVersion"), &json!(current))
                    );
                }
            }
        })
        .await;
    })
    .await;
}

/// Every mutation that names components with a status, with the way to the second of them.
async fn naming(test: &Test, page: &str, states: &Value) -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let incident = test.incident(page, "Open", None).await;
    let over = test.incident(page, "Over", None).await;
    test.resolve(&over).await;
    let plain = vec!["input", "components", "1", "component"];
    let backfill = json!({ "page": page, "title": "Old", "updates": [
        { "status": "INVESTIGATING", "body": "x", "displayAt": "2026-03-01T12:00:00Z" },
        { "status": "RESOLVED", "body": "x", "displayAt": "2026-03-01T13:00:00Z", "components": states },
    ] });
    let update = vec!["input", "updates", "1", "components", "1", "component"];
    let states = json!({ "components": states });
    vec![
        ("incidentOpen", with(open(page), &states), plain.clone()),
        (
            "incidentUpdatePost",
            with(json!({ "incident": incident, "body": "x" }), &states),
            plain.clone(),
        ),
        (
            "incidentResolve",
            with(json!({ "incident": incident }), &states),
            plain.clone(),
        ),
        (
            "incidentReopen",
            with(json!({ "incident": over, "reason": "x" }), &states),
            plain,
        ),
        ("incidentBackfill", backfill, update),
    ]
}

async fn refuse_second(test: &Test, page: &str, second: &str, first: &str, expected: &str) {
    let states = json!([
        { "component": first, "status": "MAJOR_OUTAGE" }, { "component": second, "status": "PARTIAL_OUTAGE" },
    ]);
    let mutations = naming(test, page, &states).await;
    harmless(test, page, async || {
        for (field, input, path) in mutations {
            test.refused_with(field, input, expected, &path).await;
        }
        let input = json!({
            "page": page, "title": "Disks", "body": "x", "components": [first, second],
            "scheduledFor": test.in_minutes(60), "scheduledUntil": test.in_minutes(90),
        });
        let path = ["input", "components", "1"];
        test.refused_with("maintenanceSchedule", input, expected, &path).await;
    })
    .await;
}

#[tokio::test]
async fn row_04_an_unknown_component_is_not_found() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        // A sound id of a component that is nowhere.
        let unknown = "AQMBI0VniavN7wEjRWeJq83v";

        refuse_second(test, &page, unknown, &component, "COMPONENT_NOT_FOUND").await;
    })
    .await;
}

#[tokio::test]
async fn row_05_a_component_of_another_page_is_not_found() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let other = test.page("other").await;
        let foreign = test.component(&other, "Foreign").await;
        let strange = test.group(&other, "Strange").await;

        refuse_second(test, &page, &foreign, &component, "COMPONENT_NOT_FOUND").await;

        harmless(test, &page, async || {
            let path = ["input", "group"];
            let input = json!({ "page": page, "name": "Mail", "group": strange });
            test.refused_with("componentCreate", input, "COMPONENT_GROUP_NOT_FOUND", &path)
                .await;
            let input = json!({ "component": component, "group": strange });
            test.refused_with("componentMove", input, "COMPONENT_GROUP_NOT_FOUND", &path)
                .await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_06_a_component_is_named_once() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;

        refuse_second(test, &page, &component, &component, "DUPLICATE_COMPONENT").await;
    })
    .await;
}

#[tokio::test]
async fn row_07_an_update_is_not_dated_before_the_start() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let incident = test.incident(&page, "Down", None).await;
        let over = test.incident(&page, "Over", None).await;
        test.resolve(&over).await;
        test.draft(&over, "Learnt.").await;
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;

        harmless(test, &page, async || {
            for (field, input) in [
                (
                    "incidentOpen",
                    with(open(&page), &json!({ "startedAt": "2026-03-02T12:00:00Z" })),
                ),
                ("incidentUpdatePost", json!({ "incident": incident, "body": "x" })),
                ("incidentResolve", json!({ "incident": incident })),
                ("incidentReopen", json!({ "incident": over, "reason": "x" })),
                ("postmortemPublish", json!({ "incident": over })),
                ("maintenanceStart", json!({ "maintenance": maintenance })),
                (
                    "maintenanceUpdatePost",
                    json!({ "maintenance": maintenance, "body": "x" }),
                ),
                ("maintenanceComplete", json!({ "maintenance": maintenance })),
            ] {
                let input = with(input, &json!({ "displayAt": "2026-03-02T11:59:59.999Z" }));
                test.refused_with(field, input, "UPDATE_BEFORE_START", &["input", "displayAt"])
                    .await;
            }
            let updates = json!([{ "status": "RESOLVED", "body": "x", "displayAt": "2026-03-01T12:00:00Z" }]);
            let input =
                json!({ "page": page, "title": "Old", "startedAt": "2026-03-01T12:01:00Z", "updates": updates });
            let path = ["input", "updates", "0", "displayAt"];
            test.refused_with("incidentBackfill", input, "UPDATE_BEFORE_START", &path)
                .await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_08_a_time_lies_at_most_five_minutes_ahead() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let incident = test.incident(&page, "Down", None).await;
        let over = test.incident(&page, "Over", None).await;
        test.resolve(&over).await;
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
        let ahead = json!("2026-03-02T12:05:00.001Z");
        let updates = json!([{ "status": "RESOLVED", "body": "x", "displayAt": "2026-03-02T11:00:00Z" }]);
        let backfill = json!({ "page": page, "title": "Old", "updates": updates });
        let window = json!({
            "page": page, "title": "x", "body": "x", "scheduledFor": test.in_minutes(60),
            "scheduledUntil": test.in_minutes(90),
        });

        harmless(test, &page, async || {
            for (field, input, name) in [
                ("incidentOpen", open(&page), "displayAt"),
                ("incidentOpen", open(&page), "startedAt"),
                (
                    "incidentUpdatePost",
                    json!({ "incident": incident, "body": "x" }),
                    "displayAt",
                ),
                ("incidentResolve", json!({ "incident": incident }), "displayAt"),
                (
                    "incidentReopen",
                    json!({ "incident": over, "reason": "x" }),
                    "displayAt",
                ),
                ("incidentAmend", json!({ "incident": incident }), "startedAt"),
                ("incidentBackfill", backfill.clone(), "startedAt"),
                ("incidentBackfill", backfill, "resolvedAt"),
                ("postmortemPublish", json!({ "incident": over }), "displayAt"),
                ("maintenanceSchedule", window, "displayAt"),
                ("maintenanceStart", json!({ "maintenance": maintenance }), "displayAt"),
                (
                    "maintenanceUpdatePost",
                    json!({ "maintenance": maintenance, "body": "x" }),
                    "displayAt",
                ),
                (
                    "maintenanceComplete",
                    json!({ "maintenance": maintenance }),
                    "displayAt",
                ),
            ] {
                let input = with(input, &json!({ name: ahead }));
                test.refused_with(field, input, "TIME_IN_FUTURE", &["input", name])
                    .await;
            }
        })
        .await;
        let input = json!({ "incident": incident, "body": "x", "displayAt": "2026-03-02T12:05:00Z" });
        test.mutate("incidentUpdatePost", input, "incident { id }").await;
    })
    .await;
}

#[tokio::test]
async fn row_09_a_maintenance_ends_after_it_starts() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
        let path = ["input", "scheduledUntil"];

        harmless(test, &page, async || {
            for until in [60, 59] {
                let window = json!({
                    "scheduledFor": test.in_minutes(60), "scheduledUntil": test.in_minutes(until),
                });
                let schedule = with(json!({ "page": page, "title": "x", "body": "x" }), &window);
                test.refused_with("maintenanceSchedule", schedule, "INVALID_WINDOW", &path)
                    .await;
                let amend = with(json!({ "maintenance": maintenance }), &window);
                test.refused_with("maintenanceAmend", amend, "INVALID_WINDOW", &path)
                    .await;
            }
        })
        .await;
    })
    .await;
}
