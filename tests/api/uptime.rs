//! How long components were up, by day, with a clock that is moved by hand.

use allclear::app::Settings;
use allclear::transport::Config;
use serde_json::{Value, json};

use crate::support::database::{Test, for_each_database_with};
use crate::support::for_each_database;
use crate::support::words::each;

/// Four hours: one up, one partly out, one fully out, one up.
async fn four_hours(test: &Test, component: &str) {
    for status in ["PARTIAL_OUTAGE", "MAJOR_OUTAGE", "OPERATIONAL"] {
        test.pass_minutes(60);
        test.set_status(component, status).await;
    }
    test.pass_minutes(60);
}

async fn uptime(test: &Test, component: &str, days: i32) -> Value {
    let selection = format!(
        "uptime(days: {days}) {{
            percentage days {{ date percentage partialOutageSeconds majorOutageSeconds observedSeconds }}
        }}"
    );
    test.public_thing("Component", component, &selection).await["uptime"].clone()
}

fn close(found: &Value, expected: f64) {
    let found = found.as_f64().expect("a number");
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[tokio::test]
async fn an_outage_counts_in_full_and_a_partial_one_by_its_weight() {
    for_each_database(async |test| {
        let page = test.page("weights").await;
        let component = test.component(&page, "Search").await;

        four_hours(test, &component).await;

        let uptime = uptime(test, &component, 2).await;
        close(&uptime["percentage"], 100.0 - 100.0 * 1.3 / 4.0);
        assert_eq!(each(&uptime["days"], "date"), ["2026-03-01", "2026-03-02"]);
        assert_eq!(
            uptime["days"][0],
            json!({
                "date": "2026-03-01", "percentage": null,
                "partialOutageSeconds": 0.0, "majorOutageSeconds": 0.0, "observedSeconds": 0.0,
            })
        );
        let today = &uptime["days"][1];
        close(&today["partialOutageSeconds"], 3600.0);
        close(&today["majorOutageSeconds"], 3600.0);
        close(&today["observedSeconds"], 4.0 * 3600.0);
    })
    .await;
}

#[tokio::test]
async fn the_weight_of_a_partial_outage_is_a_setting() {
    let settings = Settings {
        partial_outage_weight: 0.5,
        ..Settings::default()
    };
    for_each_database_with(settings, Config::default(), async |test| {
        let page = test.page("setting").await;
        let component = test.component(&page, "Search").await;

        four_hours(test, &component).await;

        close(
            &uptime(test, &component, 1).await["percentage"],
            100.0 - 100.0 * 1.5 / 4.0,
        );
    })
    .await;
}

#[tokio::test]
async fn days_are_cut_in_the_zone_of_the_page() {
    for_each_database(async |test| {
        let input = json!({ "slug": "tokyo", "name": "Tokyo", "timeZone": "Asia/Tokyo" });
        let made = test.mutate("pageCreate", input, "page { id }").await;
        let page = made["page"]["id"].as_str().expect("an id");
        let component = test.component(page, "Search").await;
        test.set_status(&component, "MAJOR_OUTAGE").await;

        test.pass_minutes(4 * 60);

        // Noon in UTC is nine in the evening in Tokyo: three hours are left of the day.
        let uptime = uptime(test, &component, 2).await;
        assert_eq!(each(&uptime["days"], "date"), ["2026-03-02", "2026-03-03"]);
        close(&uptime["days"][0]["majorOutageSeconds"], 3.0 * 3600.0);
        close(&uptime["days"][1]["majorOutageSeconds"], 3600.0);
        close(&uptime["percentage"], 0.0);
    })
    .await;
}

#[tokio::test]
async fn degraded_performance_and_maintenance_count_as_up() {
    for_each_database(async |test| {
        let page = test.page("up").await;
        let component = test.component(&page, "Search").await;
        for status in ["DEGRADED_PERFORMANCE", "UNDER_MAINTENANCE"] {
            test.set_status(&component, status).await;
            test.pass_minutes(60);
        }

        close(&uptime(test, &component, 1).await["percentage"], 100.0);
    })
    .await;
}

#[tokio::test]
async fn a_group_is_up_as_long_as_its_components_on_average() {
    for_each_database(async |test| {
        let page = test.page("mean").await;
        let group = test.group(&page, "Core").await;
        let component = test.component_in(&page, &group, "One").await;
        test.component_in(&page, &group, "Two").await;
        test.set_status(&component, "MAJOR_OUTAGE").await;

        test.pass_minutes(60);

        let shown = test
            .public_thing("ComponentGroup", &group, "uptimePercentage(days: 1)")
            .await;
        close(&shown["uptimePercentage"], 50.0);
    })
    .await;
}

#[tokio::test]
async fn an_incident_entered_afterwards_becomes_part_of_the_uptime() {
    for_each_database(async |test| {
        let page = test.page("late").await;
        let component = test.component(&page, "Search").await;
        let states = |status: &str| json!([{ "component": component, "status": status }]);
        let input = json!({ "page": page, "title": "Yesterday", "updates": [
            { "status": "INVESTIGATING", "body": "Down.", "displayAt": "2026-03-01T06:00:00Z",
              "components": states("MAJOR_OUTAGE") },
            { "status": "RESOLVED", "body": "Up.", "displayAt": "2026-03-01T12:00:00Z" },
        ] });

        test.mutate("incidentBackfill", input, "incident { id }").await;

        let uptime = uptime(test, &component, 2).await;
        close(&uptime["days"][0]["majorOutageSeconds"], 6.0 * 3600.0);
        close(&uptime["days"][0]["observedSeconds"], 18.0 * 3600.0);
        close(&uptime["days"][1]["majorOutageSeconds"], 0.0);
        let now = test.thing("Component", &component, "status").await;
        assert_eq!(now["status"], "OPERATIONAL");
    })
    .await;
}

#[tokio::test]
async fn days_that_cannot_be_asked_for_are_bad_input() {
    for_each_database(async |test| {
        let page = test.page("days").await;
        let component = test.component(&page, "Search").await;

        for days in [0, -1, 367] {
            let document = format!(
                "query($id: ID!) {{ node(id: $id) {{ ... on Component {{ uptime(days: {days}) {{ percentage }} }} }} }}"
            );
            let answer = test.answer(&document, json!({ "id": component })).await;
            assert_eq!(crate::support::words::code(&answer), "BAD_USER_INPUT", "{days}");
        }
    })
    .await;
}
