//! Maintenances: announced, changed, carried out by hand or by themselves.

use allclear::commands::maintenance::run_due;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::words::{each, id};
use crate::support::{for_each_database, unchanged};

async fn status(test: &Test, component: &str) -> Value {
    test.public_thing("Component", component, "status").await["status"].clone()
}

async fn act(test: &Test, verb: &str, maintenance: &str) -> Value {
    let selection = "maintenance { status startedAt completedAt } update { body }";
    test.mutate(verb, json!({ "maintenance": maintenance }), selection)
        .await
}

async fn page_and_component(test: &Test) -> (String, String) {
    let page = test.page("planned").await;
    let component = test.component(&page, "Search").await;
    (page, component)
}

#[tokio::test]
async fn a_maintenance_is_what_it_was_announced_as() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let input = json!({
            "page": page, "title": "New disks", "body": "We replace disks.", "components": [component],
            "scheduledFor": "2026-03-03T01:00:00+01:00", "scheduledUntil": "2026-03-03T02:00:00Z",
            "externalRef": "chg-1", "displayAt": "2026-03-01T12:00:00Z",
        });

        let made = test.mutate("maintenanceSchedule", input, "maintenance { id }").await;

        let shown = test
            .public_thing(
                "Maintenance",
                &id(&made["maintenance"]),
                "title status scheduledFor scheduledUntil announcedAt startedAt completedAt automatic externalRef version
                 components { name } allowedTransitions latestUpdate { status body displayAt componentChanges { to } }",
            )
            .await;
        assert_eq!(
            shown,
            json!({
                "title": "New disks", "status": "SCHEDULED", "automatic": true, "externalRef": "chg-1", "version": 1,
                "scheduledFor": "2026-03-03T00:00:00.000Z", "scheduledUntil": "2026-03-03T02:00:00.000Z",
                "announcedAt": "2026-03-01T12:00:00.000Z", "startedAt": null, "completedAt": null,
                "components": [{ "name": "Search" }],
                "allowedTransitions": ["SCHEDULED", "IN_PROGRESS", "VERIFYING", "COMPLETED", "CANCELLED"],
                "latestUpdate": {
                    "status": "SCHEDULED", "body": "We replace disks.", "displayAt": "2026-03-01T12:00:00.000Z",
                    "componentChanges": [],
                },
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_maintenance_goes_its_way_by_hand() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let maintenance = test.maintenance(&page, "New disks", &component, 60).await;
        let lists = "upcomingMaintenances { title } activeMaintenances { title }";
        let upcoming = test.public_thing("Page", &page, lists).await;
        assert_eq!(
            upcoming,
            json!({ "upcomingMaintenances": [{ "title": "New disks" }], "activeMaintenances": [] })
        );

        let started = act(test, "maintenanceStart", &maintenance).await;
        let active = test.public_thing("Page", &page, lists).await;
        assert_eq!(
            started["maintenance"],
            json!({ "status": "IN_PROGRESS", "startedAt": "2026-03-02T12:00:00.000Z", "completedAt": null })
        );
        assert_eq!(
            active,
            json!({ "upcomingMaintenances": [], "activeMaintenances": [{ "title": "New disks" }] })
        );
        assert_eq!(status(test, &component).await, "UNDER_MAINTENANCE");

        test.pass_minutes(30);
        let input = json!({ "maintenance": maintenance, "status": "VERIFYING", "body": "Looking." });
        test.mutate("maintenanceUpdatePost", input, "maintenance { id }").await;
        assert_eq!(status(test, &component).await, "UNDER_MAINTENANCE");
        let completed = act(test, "maintenanceComplete", &maintenance).await;
        assert_eq!(
            completed,
            json!({
                "maintenance": {
                    "status": "COMPLETED", "startedAt": "2026-03-02T12:00:00.000Z",
                    "completedAt": "2026-03-02T12:30:00.000Z",
                },
                "update": { "body": "The scheduled maintenance has been completed." },
                "userErrors": [],
            })
        );
        assert_eq!(status(test, &component).await, "OPERATIONAL");
    })
    .await;
}

#[tokio::test]
async fn a_component_that_is_worse_is_left_alone() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let maintenance = test.maintenance(&page, "New disks", &component, 60).await;
        act(test, "maintenanceStart", &maintenance).await;

        test.incident(&page, "It broke", Some(&component)).await;
        act(test, "maintenanceComplete", &maintenance).await;

        assert_eq!(status(test, &component).await, "MAJOR_OUTAGE");
    })
    .await;
}

#[tokio::test]
async fn a_maintenance_is_cancelled_before_it_begins_and_not_after() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let never = test.maintenance(&page, "Never", &component, 60).await;
        let running = test.maintenance(&page, "Running", &component, 60).await;
        act(test, "maintenanceStart", &running).await;

        let cancelled = act(test, "maintenanceCancel", &never).await;

        assert_eq!(
            cancelled["maintenance"],
            json!({ "status": "CANCELLED", "startedAt": null, "completedAt": null })
        );
        unchanged(test, &page, async || {
            for (verb, maintenance, stands, wished) in [
                ("maintenanceCancel", &running, "IN_PROGRESS", "CANCELLED"),
                ("maintenanceCancel", &never, "CANCELLED", "CANCELLED"),
                ("maintenanceStart", &never, "CANCELLED", "IN_PROGRESS"),
                ("maintenanceComplete", &never, "CANCELLED", "COMPLETED"),
            ] {
                let error = test
                    .refused_with(verb, json!({ "maintenance": maintenance }), "ILLEGAL_TRANSITION", &[])
                    .await;
                assert_eq!((&error["stands"], &error["wished"]), (&json!(stands), &json!(wished)));
            }
            let input = json!({ "maintenance": never, "title": "Revived" });
            test.refused_with("maintenanceAmend", input, "ILLEGAL_TRANSITION", &[])
                .await;
            let input = json!({ "maintenance": running, "status": "SCHEDULED", "body": "Later." });
            let error = test.refused("maintenanceUpdatePost", input).await;
            assert_eq!(error["field"], json!(["input", "status"]));
            assert_eq!(error["open"], json!(["IN_PROGRESS", "VERIFYING", "COMPLETED"]));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_maintenance_is_amended() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let other = test.component(&page, "Mail").await;
        let maintenance = test.maintenance(&page, "New disks", &component, 60).await;

        let input = json!({
            "maintenance": maintenance, "title": "Newer disks", "scheduledUntil": "2026-03-02T18:00:00Z",
            "automatic": false, "components": [other, component], "expectedVersion": 1,
        });
        let amended = test
            .mutate(
                "maintenanceAmend",
                input,
                "maintenance { title scheduledFor scheduledUntil automatic components { name } version }",
            )
            .await;

        assert_eq!(
            amended["maintenance"],
            json!({
                "title": "Newer disks", "scheduledFor": "2026-03-02T13:00:00.000Z",
                "scheduledUntil": "2026-03-02T18:00:00.000Z", "automatic": false, "version": 2,
                "components": [{ "name": "Search" }, { "name": "Mail" }],
            })
        );
        let shown = test
            .public_thing("Maintenance", &maintenance, "components { name }")
            .await;
        assert_eq!(each(&shown["components"], "name"), ["Search", "Mail"]);
        unchanged(test, &page, async || {
            let input = json!({ "maintenance": maintenance, "scheduledFor": "2026-03-02T18:00:00Z" });
            test.refused("maintenanceAmend", input).await;
            for (components, code, place) in [
                (json!([component, page]), "COMPONENT_NOT_FOUND", "1"),
                (json!([component, other, component]), "DUPLICATE_COMPONENT", "2"),
            ] {
                let input = json!({ "maintenance": maintenance, "components": components });
                test.refused_with("maintenanceAmend", input, code, &["input", "components", place])
                    .await;
            }
        })
        .await;
    })
    .await;
}

/// What automation said of a maintenance.
async fn said(test: &Test, maintenance: &str) -> Vec<String> {
    let shown = test
        .thing("Maintenance", maintenance, "updates(first: 9) { nodes { status } }")
        .await;
    each(&shown["updates"]["nodes"], "status")
}

#[tokio::test]
async fn a_maintenance_starts_and_completes_by_itself_at_the_times_set() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let maintenance = test.maintenance(&page, "New disks", &component, 60).await;

        test.pass_minutes(59);
        run_due(&test.app).await.expect("nothing fails");
        assert_eq!(said(test, &maintenance).await, ["SCHEDULED"]);
        test.pass_minutes(1);
        run_due(&test.app).await.expect("nothing fails");
        assert_eq!(said(test, &maintenance).await, ["SCHEDULED", "IN_PROGRESS"]);
        assert_eq!(status(test, &component).await, "UNDER_MAINTENANCE");
        test.pass_minutes(60);
        run_due(&test.app).await.expect("nothing fails");

        assert_eq!(
            said(test, &maintenance).await,
            ["SCHEDULED", "IN_PROGRESS", "COMPLETED"]
        );
        assert_eq!(status(test, &component).await, "OPERATIONAL");
    })
    .await;
}

#[tokio::test]
async fn a_maintenance_that_is_not_automatic_waits_for_people() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let maintenance = test.maintenance(&page, "By hand", &component, 60).await;
        let input = json!({ "maintenance": maintenance, "automatic": false });
        test.mutate("maintenanceAmend", input, "maintenance { id }").await;

        test.pass_minutes(24 * 60);
        run_due(&test.app).await.expect("nothing fails");

        assert_eq!(said(test, &maintenance).await, ["SCHEDULED"]);
    })
    .await;
}

#[tokio::test]
async fn of_two_servers_exactly_one_acts() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let mut all = Vec::new();
        for number in 0..5 {
            all.push(
                test.maintenance(&page, &format!("Number {number}"), &component, 60)
                    .await,
            );
        }
        let other = test.another().await;

        test.pass_minutes(60);
        let turns = join_all([&test.app, &other.app, &test.app, &other.app].map(run_due)).await;

        let moved: usize = turns.into_iter().map(|moved| moved.expect("nothing fails")).sum();
        assert!(moved <= 5, "{moved}");
        for maintenance in &all {
            assert_eq!(said(test, maintenance).await, ["SCHEDULED", "IN_PROGRESS"]);
        }
        let log = test
            .thing("Page", &page, "events(first: 100) { nodes { __typename } }")
            .await;
        let kinds = each(&log["events"]["nodes"], "__typename");
        assert_eq!(kinds.iter().filter(|kind| *kind == "MaintenanceStarted").count(), 5);
        assert_eq!(kinds.iter().filter(|kind| *kind == "ComponentStatusChanged").count(), 1);
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn one_that_was_announced_ahead_of_the_clock_holds_up_no_other() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        let input = json!({
            "page": page, "title": "Ahead", "body": "Soon.", "displayAt": test.in_minutes(4),
            "scheduledFor": test.in_minutes(1), "scheduledUntil": test.in_minutes(90),
        });
        let ahead = id(&test.mutate("maintenanceSchedule", input, "maintenance { id }").await["maintenance"]);
        let behind = test.maintenance(&page, "Behind", &component, 2).await;

        test.pass_minutes(2);
        run_due(&test.app).await.expect("nothing fails");

        assert_eq!(said(test, &ahead).await, ["SCHEDULED", "IN_PROGRESS"]);
        assert_eq!(said(test, &behind).await, ["SCHEDULED", "IN_PROGRESS"]);
    })
    .await;
}

#[tokio::test]
async fn maintenances_are_listed_and_filtered() {
    for_each_database(async |test| {
        let (page, component) = page_and_component(test).await;
        for (title, minutes) in [("Middle", 120), ("Last", 180), ("First", 60)] {
            test.maintenance(&page, title, &component, minutes).await;
        }
        let cancelled = test.maintenance(&page, "Never", &component, 240).await;
        act(test, "maintenanceCancel", &cancelled).await;

        let shown = test
            .public_thing(
                "Page",
                &page,
                "all: maintenances(first: 3) { totalCount nodes { title } }
                 some: maintenances(first: 9, filter: { statuses: [SCHEDULED] }) { totalCount nodes { title } }
                 upcomingMaintenances { title }",
            )
            .await;

        assert_eq!(each(&shown["all"]["nodes"], "title"), ["Never", "Last", "Middle"]);
        assert_eq!(
            (&shown["all"]["totalCount"], &shown["some"]["totalCount"]),
            (&json!(4), &json!(3))
        );
        assert_eq!(each(&shown["some"]["nodes"], "title"), ["Last", "Middle", "First"]);
        assert_eq!(
            each(&shown["upcomingMaintenances"], "title"),
            ["First", "Middle", "Last"]
        );
    })
    .await;
}
