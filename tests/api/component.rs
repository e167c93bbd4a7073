//! Components and their groups: made, changed, moved, taken off, and how they do.

use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::words::each;
use crate::support::{for_each_database, unchanged};

async fn shown(test: &Test, page: &str) -> Vec<String> {
    let page = test.public_thing("Page", page, "components { name }").await;
    each(&page["components"], "name")
}

async fn place(test: &Test, component: &str, input: Value) {
    let mut input = input;
    input["component"] = json!(component);
    test.mutate("componentMove", input, "component { id }").await;
}

#[tokio::test]
async fn components_stand_as_they_were_made_until_they_are_moved() {
    for_each_database(async |test| {
        let page = test.page("order").await;
        let mut made = Vec::new();
        for name in ["A", "B", "C", "D"] {
            made.push(test.component(&page, name).await);
        }
        assert_eq!(shown(test, &page).await, ["A", "B", "C", "D"]);

        place(test, &made[3], json!({ "position": 0 })).await;
        assert_eq!(shown(test, &page).await, ["D", "A", "B", "C"]);
        place(test, &made[0], json!({ "position": 2 })).await;
        assert_eq!(shown(test, &page).await, ["D", "B", "A", "C"]);
        place(test, &made[1], json!({ "position": 99 })).await;
        assert_eq!(shown(test, &page).await, ["D", "A", "C", "B"]);

        unchanged(test, &page, async || place(test, &made[1], json!({})).await).await;
    })
    .await;
}

#[tokio::test]
async fn the_components_of_a_group_are_shown_together() {
    for_each_database(async |test| {
        let page = test.page("groups").await;
        let (first, second) = (test.group(&page, "First").await, test.group(&page, "Second").await);
        let late = test.component_in(&page, &second, "S1").await;
        test.component_in(&page, &first, "F1").await;
        test.component_in(&page, &second, "S2").await;
        assert_eq!(shown(test, &page).await, ["F1", "S1", "S2"]);

        place(test, &late, json!({ "group": first })).await;
        assert_eq!(shown(test, &page).await, ["F1", "S1", "S2"]);
        place(test, &late, json!({ "group": first, "position": 0 })).await;
        assert_eq!(shown(test, &page).await, ["S1", "F1", "S2"]);

        let groups = test
            .public_thing(
                "Page",
                &page,
                "componentGroups { name components { name group { name } } }",
            )
            .await;
        assert_eq!(
            groups["componentGroups"],
            json!([
                { "name": "First", "components": [
                    { "name": "S1", "group": { "name": "First" } }, { "name": "F1", "group": { "name": "First" } },
                ] },
                { "name": "Second", "components": [{ "name": "S2", "group": { "name": "Second" } }] },
            ])
        );
    })
    .await;
}

#[tokio::test]
async fn a_component_leaves_its_group_with_null_and_stays_without_a_word() {
    for_each_database(async |test| {
        let page = test.page("leave").await;
        let group = test.group(&page, "Core").await;
        let component = test.component_in(&page, &group, "Search").await;

        place(test, &component, json!({ "position": 0 })).await;
        let stays = test.thing("Component", &component, "group { name }").await;
        place(test, &component, json!({ "group": null })).await;
        let left = test.thing("Component", &component, "group { name }").await;

        assert_eq!(stays["group"]["name"], "Core");
        assert_eq!(left["group"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_group_is_amended_and_moved() {
    for_each_database(async |test| {
        let page = test.page("amended").await;
        let first = test.group(&page, "First").await;
        test.group(&page, "Second").await;

        let input = json!({ "group": first, "name": "Last", "description": "At the end", "position": 7 });
        let amended = test
            .mutate(
                "componentGroupAmend",
                input,
                "group { name description position version }",
            )
            .await;

        assert_eq!(
            amended["group"],
            json!({ "name": "Last", "description": "At the end", "position": 7, "version": 2 })
        );
        let page = test.public_thing("Page", &page, "componentGroups { name }").await;
        assert_eq!(each(&page["componentGroups"], "name"), ["Second", "Last"]);
    })
    .await;
}

#[tokio::test]
async fn a_group_at_the_last_place_there_is_leaves_room_for_another() {
    for_each_database(async |test| {
        let page = test.page("far").await;
        let input = json!({ "page": page, "name": "Far", "position": i32::MAX });
        test.mutate("componentGroupCreate", input, "group { id }").await;

        test.group(&page, "Farther").await;

        let page = test.public_thing("Page", &page, "componentGroups { name }").await;
        assert_eq!(each(&page["componentGroups"], "name"), ["Far", "Farther"]);
    })
    .await;
}

#[tokio::test]
async fn a_group_is_as_bad_as_its_worst_component() {
    for_each_database(async |test| {
        let page = test.page("worst").await;
        let group = test.group(&page, "Core").await;
        let (one, two) = (
            test.component_in(&page, &group, "One").await,
            test.component_in(&page, &group, "Two").await,
        );
        let status = async || test.public_thing("ComponentGroup", &group, "status").await["status"].clone();
        assert_eq!(status().await, "OPERATIONAL");

        test.set_status(&one, "DEGRADED_PERFORMANCE").await;
        assert_eq!(status().await, "DEGRADED_PERFORMANCE");
        test.set_status(&two, "PARTIAL_OUTAGE").await;
        assert_eq!(status().await, "PARTIAL_OUTAGE");
        test.set_status(&two, "UNDER_MAINTENANCE").await;
        assert_eq!(status().await, "DEGRADED_PERFORMANCE");
    })
    .await;
}

#[tokio::test]
async fn a_group_that_is_removed_leaves_its_components_on_the_page() {
    for_each_database(async |test| {
        let page = test.page("loose").await;
        let group = test.group(&page, "Core").await;
        test.component(&page, "Alone").await;
        let component = test.component_in(&page, &group, "Search").await;

        test.mutate("componentGroupRemove", json!({ "group": group }), "group { name }")
            .await;

        assert_eq!(shown(test, &page).await, ["Alone", "Search"]);
        let left = test.thing("Component", &component, "group { id }").await;
        assert_eq!(left["group"], Value::Null);
        assert_eq!(test.thing("ComponentGroup", &group, "id").await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_component_is_amended() {
    for_each_database(async |test| {
        let page = test.page("rename").await;
        let input = json!({ "page": page, "name": "Search", "description": "Finds", "status": "PARTIAL_OUTAGE" });
        let made = test.mutate("componentCreate", input, "component { id }").await;
        let component = made["component"]["id"].clone();

        let input = json!({ "component": component, "name": "Find", "description": null, "expectedVersion": 1 });
        let amended = test
            .mutate("componentAmend", input, "component { name description status version }")
            .await;

        assert_eq!(
            amended["component"],
            json!({ "name": "Find", "description": null, "status": "PARTIAL_OUTAGE", "version": 2 })
        );
    })
    .await;
}

#[tokio::test]
async fn a_component_that_was_taken_off_is_gone_and_its_incident_still_names_it() {
    for_each_database(async |test| {
        let page = test.page("off").await;
        let component = test.component(&page, "Search").await;
        test.component(&page, "Mail").await;
        let incident = test.incident(&page, "Search is down", Some(&component)).await;

        test.mutate(
            "componentArchive",
            json!({ "component": component }),
            "component { name }",
        )
        .await;

        let page = test
            .public_thing("Page", &page, "components { name } status { indicator }")
            .await;
        assert_eq!(
            page,
            json!({ "components": [{ "name": "Mail" }], "status": { "indicator": "NONE" } })
        );
        assert_eq!(test.thing("Component", &component, "id").await, Value::Null);
        let incident = test
            .public_thing(
                "Incident",
                &incident,
                "affectedComponents { component { name } worstStatus }",
            )
            .await;
        assert_eq!(
            incident["affectedComponents"],
            json!([{ "component": { "name": "Search" }, "worstStatus": "MAJOR_OUTAGE" }])
        );
    })
    .await;
}

#[tokio::test]
async fn a_status_that_is_set_becomes_part_of_the_history() {
    for_each_database(async |test| {
        let page = test.page("history").await;
        let component = test.component(&page, "Search").await;
        for status in ["PARTIAL_OUTAGE", "MAJOR_OUTAGE", "OPERATIONAL"] {
            test.pass_minutes(10);
            test.set_status(&component, status).await;
        }

        unchanged(test, &page, async || test.set_status(&component, "OPERATIONAL").await).await;
        let selection =
            "statusChanges(first: 2) { totalCount pageInfo { hasNextPage endCursor } nodes { from to at } }";
        let newest = test.public_thing("Component", &component, selection).await["statusChanges"].clone();
        let after = newest["pageInfo"]["endCursor"].as_str().expect("a cursor");
        let selection =
            format!(r#"statusChanges(first: 2, after: "{after}") {{ pageInfo {{ hasNextPage }} nodes {{ to at }} }}"#);
        let oldest = test.public_thing("Component", &component, &selection).await["statusChanges"].clone();

        assert_eq!(
            (&newest["totalCount"], &newest["pageInfo"]["hasNextPage"]),
            (&json!(3), &json!(true))
        );
        assert_eq!(
            newest["nodes"],
            json!([
                { "from": "MAJOR_OUTAGE", "to": "OPERATIONAL", "at": "2026-03-02T12:30:00.000Z" },
                { "from": "PARTIAL_OUTAGE", "to": "MAJOR_OUTAGE", "at": "2026-03-02T12:20:00.000Z" },
            ])
        );
        assert_eq!(
            oldest,
            json!({
                "pageInfo": { "hasNextPage": false },
                "nodes": [{ "to": "PARTIAL_OUTAGE", "at": "2026-03-02T12:10:00.000Z" }],
            })
        );
    })
    .await;
}
