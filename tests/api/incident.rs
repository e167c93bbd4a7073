//! Incidents: opened, moved, resolved, opened again, corrected, entered afterwards.

use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::words::{each, id};
use crate::support::{for_each_database, unchanged};

async fn status(test: &Test, component: &str) -> Value {
    test.public_thing("Component", component, "status").await["status"].clone()
}

fn state(component: &str, status: &str) -> Value {
    json!([{ "component": component, "status": status }])
}

#[tokio::test]
async fn an_incident_is_what_it_was_opened_as() {
    for_each_database(async |test| {
        let page = test.page("opened").await;
        let component = test.component(&page, "Search").await;
        let input = json!({
            "page": page, "title": "Search is slow", "body": "We *know*.", "status": "IDENTIFIED",
            "startedAt": "2026-03-02T11:30:00Z", "displayAt": "2026-03-02T11:45:00.123Z",
            "components": state(&component, "DEGRADED_PERFORMANCE"), "metadata": { "team": "search" },
        });

        let opened = test.mutate("incidentOpen", input, "incident { id } update { number }").await;

        assert_eq!(opened["update"]["number"], 1);
        let shown = test
            .public_thing(
                "Incident",
                &id(&opened["incident"]),
                "title status impact impactOverride startedAt monitoringAt resolvedAt duration metadata backfilled version
                 externalRef allowedTransitions page { slug } affectedComponents { component { name } status }
                 latestUpdate { body bodyHtml displayAt createdAt componentChanges { component { name } from to } }",
            )
            .await;
        assert_eq!(
            shown,
            json!({
                "title": "Search is slow", "status": "IDENTIFIED", "impact": "MINOR", "impactOverride": null,
                "startedAt": "2026-03-02T11:30:00.000Z", "monitoringAt": null, "resolvedAt": null, "duration": null,
                "metadata": { "team": "search" }, "backfilled": false, "version": 1, "externalRef": null,
                "allowedTransitions": ["INVESTIGATING", "IDENTIFIED", "MONITORING", "RESOLVED"],
                "page": { "slug": "opened" },
                "affectedComponents": [{ "component": { "name": "Search" }, "status": "DEGRADED_PERFORMANCE" }],
                "latestUpdate": {
                    "body": "We *know*.",
                    "bodyHtml": "<div dir=\"auto\">\n<p>We <em>know</em>.</p>\n</div>\n",
                    "displayAt": "2026-03-02T11:45:00.123Z", "createdAt": "2026-03-02T12:00:00.000Z",
                    "componentChanges": [
                        { "component": { "name": "Search" }, "from": "OPERATIONAL", "to": "DEGRADED_PERFORMANCE" },
                    ],
                },
            })
        );
        assert_eq!(status(test, &component).await, "DEGRADED_PERFORMANCE");
    })
    .await;
}

#[tokio::test]
async fn an_open_incident_moves_in_any_direction() {
    for_each_database(async |test| {
        let page = test.page("moves").await;
        let incident = test.incident(&page, "Back and forth", None).await;

        for status in ["MONITORING", "INVESTIGATING", "IDENTIFIED", "IDENTIFIED", "MONITORING"] {
            test.pass_minutes(1);
            test.post(&incident, status, "News.").await;
        }

        let shown = test
            .public_thing("Incident", &incident, "status monitoringAt version")
            .await;
        assert_eq!(
            shown,
            json!({ "status": "MONITORING", "monitoringAt": "2026-03-02T12:01:00.000Z", "version": 6 })
        );
    })
    .await;
}

#[tokio::test]
async fn resolving_returns_the_components_to_operational_unless_they_are_named() {
    for_each_database(async |test| {
        let page = test.page("resolved").await;
        let (one, two) = (test.component(&page, "One").await, test.component(&page, "Two").await);
        let incident = test.incident(&page, "Both are down", Some(&one)).await;
        let input =
            json!({ "incident": incident, "body": "Two as well.", "components": state(&two, "PARTIAL_OUTAGE") });
        test.mutate("incidentUpdatePost", input, "incident { id }").await;
        test.pass_minutes(39);

        let input = json!({ "incident": incident, "components": state(&two, "DEGRADED_PERFORMANCE") });
        let resolved = test
            .mutate(
                "incidentResolve",
                input,
                "incident { status resolvedAt duration } update { body }",
            )
            .await;

        assert_eq!(
            resolved["incident"],
            json!({ "status": "RESOLVED", "resolvedAt": "2026-03-02T12:39:00.000Z", "duration": "PT39M" })
        );
        assert_eq!(resolved["update"]["body"], "This incident has been resolved.");
        assert_eq!(status(test, &one).await, "OPERATIONAL");
        assert_eq!(status(test, &two).await, "DEGRADED_PERFORMANCE");
    })
    .await;
}

#[tokio::test]
async fn an_incident_may_be_opened_as_resolved() {
    for_each_database(async |test| {
        let page = test.page("over").await;
        let input = json!({ "page": page, "title": "A blip", "body": "It is over.", "status": "RESOLVED" });

        let opened = test
            .mutate("incidentOpen", input, "incident { status resolvedAt }")
            .await;

        assert_eq!(
            opened["incident"],
            json!({ "status": "RESOLVED", "resolvedAt": "2026-03-02T12:00:00.000Z" })
        );
    })
    .await;
}

#[tokio::test]
async fn a_resolved_incident_is_opened_again_with_a_reason_alone() {
    for_each_database(async |test| {
        let page = test.page("again").await;
        let component = test.component(&page, "Search").await;
        let incident = test.incident(&page, "Search is down", Some(&component)).await;
        test.post(&incident, "MONITORING", "A fix is out.").await;
        test.resolve(&incident).await;

        let input = json!({
            "incident": incident, "reason": "It came back.", "status": "IDENTIFIED",
            "components": state(&component, "PARTIAL_OUTAGE"),
        });
        let reopened = test
            .mutate(
                "incidentReopen",
                input,
                "incident { status monitoringAt resolvedAt } update { body status }",
            )
            .await;

        assert_eq!(
            reopened["incident"],
            json!({ "status": "IDENTIFIED", "monitoringAt": null, "resolvedAt": null })
        );
        assert_eq!(
            reopened["update"],
            json!({ "body": "It came back.", "status": "IDENTIFIED" })
        );
        assert_eq!(status(test, &component).await, "PARTIAL_OUTAGE");
        unchanged(test, &page, async || {
            let input = json!({ "incident": incident, "reason": "It is open." });
            test.refused_with("incidentReopen", input, "ILLEGAL_TRANSITION", &[])
                .await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_impact_is_the_peak_and_never_falls_unless_it_is_overridden() {
    for_each_database(async |test| {
        let page = test.page("peak").await;
        let (one, two) = (test.component(&page, "One").await, test.component(&page, "Two").await);
        let incident = test.incident(&page, "One is down", Some(&one)).await;
        let impact = async || test.public_thing("Incident", &incident, "impact").await["impact"].clone();
        assert_eq!(impact().await, "CRITICAL");

        let input =
            json!({ "incident": incident, "body": "And two.", "components": state(&two, "DEGRADED_PERFORMANCE") });
        test.mutate("incidentUpdatePost", input, "incident { id }").await;
        assert_eq!(impact().await, "CRITICAL");
        test.mutate(
            "incidentAmend",
            json!({ "incident": incident, "impactOverride": "MINOR" }),
            "incident { id }",
        )
        .await;
        assert_eq!(impact().await, "MINOR");
        test.mutate(
            "incidentAmend",
            json!({ "incident": incident, "impactOverride": null }),
            "incident { id }",
        )
        .await;
        assert_eq!(impact().await, "CRITICAL");
    })
    .await;
}

#[tokio::test]
async fn an_amendment_changes_what_it_names_and_null_removes() {
    for_each_database(async |test| {
        let page = test.page("amended").await;
        let input = json!({
            "page": page, "title": "Odd", "body": "Hm.", "externalRef": "pd-1", "metadata": { "a": 1 },
        });
        let opened = test.mutate("incidentOpen", input, "incident { id }").await;
        let incident = opened["incident"]["id"].clone();

        let input = json!({
            "incident": incident, "title": "Search is slow", "startedAt": "2026-03-02T11:00:00Z",
            "externalRef": null, "expectedVersion": 1,
        });
        let amended = test
            .mutate(
                "incidentAmend",
                input,
                "incident { title startedAt externalRef metadata version }",
            )
            .await;

        assert_eq!(
            amended["incident"],
            json!({
                "title": "Search is slow", "startedAt": "2026-03-02T11:00:00.000Z", "externalRef": null,
                "metadata": { "a": 1 }, "version": 2,
            })
        );
        unchanged(test, &page, async || {
            let input = json!({ "incident": incident, "title": "Search is slow" });
            test.mutate("incidentAmend", input, "incident { id }").await;
            let input = json!({ "incident": incident, "startedAt": "2026-03-02T12:01:00Z" });
            let path = ["input", "startedAt"];
            test.refused_with("incidentAmend", input, "UPDATE_BEFORE_START", &path)
                .await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_external_reference_names_the_incident_that_is_open() {
    for_each_database(async |test| {
        let (page, other) = (test.page("alerts").await, test.page("others").await);
        let open = async |page: &str| {
            let input = json!({ "page": page, "title": "Disk full", "body": "An alert.", "externalRef": "alert-7" });
            test.mutate("incidentOpen", input, "incident { id } update { id }")
                .await
        };
        let first = open(&page).await;

        let again = unchanged(test, &page, async || open(&page).await).await;
        let elsewhere = open(&other).await;
        test.resolve(&id(&first["incident"])).await;
        let next = open(&page).await;

        assert_eq!(again["incident"], first["incident"]);
        assert_eq!(again["update"], Value::Null);
        assert_ne!(elsewhere["incident"], first["incident"]);
        assert_ne!(next["incident"], first["incident"]);
        let another = test.incident(&page, "Another", None).await;
        unchanged(test, &page, async || {
            let input = json!({ "incident": first["incident"]["id"], "reason": "It came back." });
            let path = ["input", "incident"];
            let error = test
                .refused_with("incidentReopen", input, "EXTERNAL_REF_TAKEN", &path)
                .await;
            assert_eq!(error["__typename"], "DuplicateKey");
            let input = json!({ "incident": another, "externalRef": "alert-7" });
            let path = ["input", "externalRef"];
            test.refused_with("incidentAmend", input, "EXTERNAL_REF_TAKEN", &path)
                .await;
        })
        .await;
        // Where it was open already, nothing of the call counts.
        let open_twice = open(&page).await;
        assert_eq!(open_twice["incident"], next["incident"]);
    })
    .await;
}

#[tokio::test]
async fn incidents_are_filtered() {
    for_each_database(async |test| {
        let page = test.page("filtered").await;
        let component = test.component(&page, "Search").await;
        test.incident(&page, "Bad", Some(&component)).await;
        test.pass_minutes(10);
        let over = test.incident(&page, "Mild", None).await;
        test.resolve(&over).await;
        let input = json!({ "page": page, "title": "Alert", "body": "Disk.", "externalRef": "n\u{303}-1" });
        test.mutate("incidentOpen", input, "incident { id }").await;

        for (filter, titles) in [
            (json!({}), vec!["Alert", "Mild", "Bad"]),
            (json!({ "statuses": ["RESOLVED"] }), vec!["Mild"]),
            (json!({ "statuses": [] }), vec![]),
            (json!({ "minimumImpact": "MAJOR" }), vec!["Bad"]),
            (json!({ "components": [component] }), vec!["Bad"]),
            (json!({ "components": [page] }), vec![]),
            (json!({ "startedAfter": "2026-03-02T12:05:00Z" }), vec!["Alert", "Mild"]),
            (json!({ "startedBefore": "2026-03-02T12:05:00Z" }), vec!["Bad"]),
            (json!({ "externalRef": "n\u{303}-1" }), vec!["Alert"]),
            (json!({ "externalRef": "\u{f1}-1" }), vec!["Alert"]),
            (json!({ "externalRef": "a\u{0}b" }), vec![]),
            (
                json!({ "statuses": ["INVESTIGATING"], "minimumImpact": "MINOR" }),
                vec!["Bad"],
            ),
        ] {
            let document = r#"query($filter: IncidentFilter) { page(slug: "filtered") {
                incidents(first: 10, filter: $filter) { totalCount nodes { title } } } }"#;
            let data = test.public_data(document, json!({ "filter": filter })).await;
            let found = &data["page"]["incidents"];
            assert_eq!(each(&found["nodes"], "title"), titles, "{filter}");
            assert_eq!(found["totalCount"], titles.len(), "{filter}");
        }
    })
    .await;
}
