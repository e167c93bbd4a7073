//! Incidents that are entered after they were over, with their whole timeline.

use serde_json::{Value, json};

use crate::support::words::{each, id};
use crate::support::{for_each_database, unchanged};

fn state(component: &str, status: &str) -> Value {
    json!([{ "component": component, "status": status }])
}

#[tokio::test]
async fn an_incident_is_entered_afterwards_with_its_whole_timeline() {
    for_each_database(async |test| {
        let page = test.page("past").await;
        let component = test.component(&page, "Search").await;
        let input = json!({
            "page": page, "title": "Last week", "startedAt": "2026-02-20T08:00:00Z",
            "resolvedAt": "2026-02-20T07:59:00Z", "externalRef": "old-1",
            "updates": [
                { "status": "INVESTIGATING", "body": "Down.", "displayAt": "2026-02-20T08:05:00Z",
                  "components": state(&component, "MAJOR_OUTAGE") },
                { "status": "MONITORING", "body": "A fix.", "displayAt": "2026-02-20T09:00:00Z" },
                { "status": "RESOLVED", "body": "Up.", "displayAt": "2026-02-20T10:00:00Z" },
            ],
        });

        let entered = test.mutate("incidentBackfill", input, "incident { id }").await;

        let shown = test
            .public_thing(
                "Incident",
                &id(&entered["incident"]),
                "status impact backfilled version resolvedAt monitoringAt duration
                 affectedComponents { status worstStatus intervals { status from until } }
                 updates(first: 10) { nodes { status } }",
            )
            .await;
        assert_eq!(
            each(&shown["updates"]["nodes"], "status"),
            ["INVESTIGATING", "MONITORING", "RESOLVED"]
        );
        assert_eq!(
            shown["affectedComponents"],
            json!([{ "status": "OPERATIONAL", "worstStatus": "MAJOR_OUTAGE", "intervals": [
                { "status": "MAJOR_OUTAGE", "from": "2026-02-20T08:05:00.000Z", "until": "2026-02-20T10:00:00.000Z" },
                { "status": "OPERATIONAL", "from": "2026-02-20T10:00:00.000Z", "until": null },
            ] }])
        );
        assert_eq!(
            (
                &shown["status"],
                &shown["impact"],
                &shown["backfilled"],
                &shown["version"]
            ),
            (&json!("RESOLVED"), &json!("CRITICAL"), &json!(true), &json!(1))
        );
        // Real ones can be over before their first update: then their length is not known.
        assert_eq!(
            (&shown["resolvedAt"], &shown["duration"]),
            (&json!("2026-02-20T07:59:00.000Z"), &Value::Null)
        );
        let now = test.public_thing("Component", &component, "status").await;
        assert_eq!(now["status"], "OPERATIONAL");
    })
    .await;
}

#[tokio::test]
async fn an_incident_that_is_not_over_cannot_be_entered_afterwards() {
    for_each_database(async |test| {
        let page = test.page("not-over").await;
        let component = test.component(&page, "Search").await;
        let update = |status: &str, at: &str| json!({ "status": status, "body": "News.", "displayAt": at });
        let early = "2026-02-20T08:00:00Z";
        let mut twice = update("RESOLVED", early);
        twice["components"] = json!([
            state(&component, "OPERATIONAL")[0],
            state(&component, "MAJOR_OUTAGE")[0]
        ]);

        unchanged(test, &page, async || {
            for (updates, code, path) in [
                (json!([]), "BACKFILL_NOT_RESOLVED", vec!["updates"]),
                (
                    json!([update("MONITORING", early)]),
                    "BACKFILL_NOT_RESOLVED",
                    vec!["updates"],
                ),
                (
                    json!([
                        update("RESOLVED", early),
                        update("MONITORING", early),
                        update("RESOLVED", early)
                    ]),
                    "ILLEGAL_TRANSITION",
                    vec!["updates", "1", "status"],
                ),
                (
                    json!([update("MONITORING", early), update("RESOLVED", "2026-03-02T12:06:00Z")]),
                    "TIME_IN_FUTURE",
                    vec!["updates", "1", "displayAt"],
                ),
                (
                    json!([twice]),
                    "DUPLICATE_COMPONENT",
                    vec!["updates", "0", "components", "1", "component"],
                ),
            ] {
                let input = json!({ "page": page, "title": "Wrong", "updates": updates });
                let error = test.refused("incidentBackfill", input).await;
                let path: Vec<_> = std::iter::once("input").chain(path).collect();
                assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!(path)));
            }
        })
        .await;
    })
    .await;
}
