//! Pages: made, changed, taken off, listed, and what they say of their components.

use serde_json::json;

use crate::support::words::each;
use crate::support::{for_each_database, unchanged};

const ALL: &str = "slug name description url timeZone visibility version createdAt updatedAt";

#[tokio::test]
async fn a_page_is_what_it_was_made_as() {
    for_each_database(async |test| {
        let input = json!({
            "slug": "healthwise", "name": "Healthwise", "description": "Search and more", "timeZone": "Europe/Berlin",
            "url": "https://healthwise.example", "visibility": "PRIVATE",
        });

        let made = test.mutate("pageCreate", input, &format!("page {{ id {ALL} }}")).await;

        let page = made["page"]["id"].as_str().expect("an id");
        assert_eq!(
            test.thing("Page", page, ALL).await,
            json!({
                "slug": "healthwise", "name": "Healthwise", "description": "Search and more",
                "url": "https://healthwise.example", "timeZone": "Europe/Berlin", "visibility": "PRIVATE", "version": 1,
                "createdAt": "2026-03-02T12:00:00.000Z", "updatedAt": "2026-03-02T12:00:00.000Z",
            })
        );
    })
    .await;
}

#[tokio::test]
async fn an_amendment_changes_what_it_names_and_null_removes() {
    for_each_database(async |test| {
        let input = json!({ "slug": "old", "name": "Old", "description": "Gone soon", "url": "https://old.example" });
        let made = test.mutate("pageCreate", input, "page { id }").await;
        let page = made["page"]["id"].clone();
        test.pass_minutes(5);

        let input = json!({ "page": page, "slug": "new", "description": null, "expectedVersion": 1 });
        let amended = test.mutate("pageAmend", input, &format!("page {{ {ALL} }}")).await;

        assert_eq!(
            amended["page"],
            json!({
                "slug": "new", "name": "Old", "description": null, "url": "https://old.example",
                "timeZone": "Etc/UTC", "visibility": "PUBLIC", "version": 2,
                "createdAt": "2026-03-02T12:00:00.000Z", "updatedAt": "2026-03-02T12:05:00.000Z",
            })
        );
        let data = test
            .public_data(
                r#"{ old: page(slug: "old") { id } new: page(slug: "new") { name } }"#,
                json!({}),
            )
            .await;
        assert_eq!(data, json!({ "old": null, "new": { "name": "Old" } }));
    })
    .await;
}

#[tokio::test]
async fn an_amendment_to_what_it_already_is_changes_nothing() {
    for_each_database(async |test| {
        let page = test.page("same").await;
        test.pass_minutes(5);

        unchanged(test, &page, async || {
            let input = json!({ "page": page, "name": "The same service", "visibility": "PUBLIC" });
            test.mutate("pageAmend", input, "page { id }").await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_page_that_was_taken_off_is_found_nowhere() {
    for_each_database(async |test| {
        let page = test.page("brief").await;
        let component = test.component(&page, "Search").await;
        let incident = test.incident(&page, "Search is slow", Some(&component)).await;

        let archived = test
            .mutate("pageArchive", json!({ "page": page }), "archivedPageId")
            .await;

        assert_eq!(archived["archivedPageId"], json!(page));
        let data = test
            .data(
                r#"query($ids: [ID!]!) {
                    page(slug: "brief") { id } nodes(ids: $ids) { id } pages(first: 5) { totalCount nodes { id } }
                }"#,
                json!({ "ids": [page, component, incident] }),
            )
            .await;
        assert_eq!(
            data,
            json!({ "page": null, "nodes": [null, null, null], "pages": { "totalCount": 0, "nodes": [] } })
        );
    })
    .await;
}

#[tokio::test]
async fn pages_are_listed_newest_first() {
    for_each_database(async |test| {
        for slug in ["one", "two", "three"] {
            test.page(slug).await;
            test.pass_minutes(1);
        }

        let data = test
            .public_data("{ pages(first: 2) { totalCount nodes { slug } } }", json!({}))
            .await;

        assert_eq!(data["pages"]["totalCount"], 3);
        assert_eq!(each(&data["pages"]["nodes"], "slug"), ["three", "two"]);
    })
    .await;
}

#[tokio::test]
async fn a_page_says_what_its_components_come_to() {
    for_each_database(async |test| {
        let page = test.page("blend").await;
        let (one, two) = (test.component(&page, "One").await, test.component(&page, "Two").await);

        for (first, second, indicator, description) in [
            ("OPERATIONAL", "OPERATIONAL", "NONE", "All Systems Operational"),
            (
                "UNDER_MAINTENANCE",
                "OPERATIONAL",
                "MAINTENANCE",
                "Service Under Maintenance",
            ),
            (
                "DEGRADED_PERFORMANCE",
                "OPERATIONAL",
                "MINOR",
                "Partially Degraded Service",
            ),
            (
                "DEGRADED_PERFORMANCE",
                "DEGRADED_PERFORMANCE",
                "MINOR",
                "Degraded System Service",
            ),
            ("PARTIAL_OUTAGE", "OPERATIONAL", "MINOR", "Minor Service Outage"),
            ("PARTIAL_OUTAGE", "PARTIAL_OUTAGE", "MAJOR", "Partial System Outage"),
            ("MAJOR_OUTAGE", "OPERATIONAL", "MAJOR", "Partial System Outage"),
            ("MAJOR_OUTAGE", "MAJOR_OUTAGE", "CRITICAL", "Major System Outage"),
        ] {
            test.set_status(&one, first).await;
            test.set_status(&two, second).await;

            let shown = test
                .public_thing("Page", &page, "status { indicator description }")
                .await;

            assert_eq!(
                shown["status"],
                json!({ "indicator": indicator, "description": description })
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_open_incident_without_components_does_not_move_the_page() {
    for_each_database(async |test| {
        let page = test.page("calm").await;
        test.component(&page, "Search").await;

        test.incident(&page, "Something is odd", None).await;

        let shown = test
            .public_thing("Page", &page, "status { indicator } activeIncidents { title impact }")
            .await;
        assert_eq!(
            shown,
            json!({
                "status": { "indicator": "NONE" },
                "activeIncidents": [{ "title": "Something is odd", "impact": "NONE" }],
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_zone_and_an_address_that_are_none_are_refused() {
    for_each_database(async |test| {
        let page = test.page("strict").await;

        unchanged(test, &page, async || {
            for (name, value, code) in [
                ("timeZone", "Mars/Olympus", "INVALID_TIME_ZONE"),
                ("url", "javascript:alert(1)", "INVALID_URL"),
                ("url", "healthwise.example", "INVALID_URL"),
                ("name", " ", "NAME_REQUIRED"),
            ] {
                let mut create = json!({ "slug": "other", "name": "Other" });
                create[name] = json!(value);
                test.refused_with("pageCreate", create, code, &["input", name]).await;
                let mut amend = json!({ "page": page });
                amend[name] = json!(value);
                test.refused_with("pageAmend", amend, code, &["input", name]).await;
            }
        })
        .await;
    })
    .await;
}
