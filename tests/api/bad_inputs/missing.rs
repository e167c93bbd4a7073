//! What is not there: ids that name nothing, and things that were taken off meanwhile.

use serde_json::{Value, json};

use crate::support::words::id;
use crate::support::{for_each_database, harmless};

fn open(page: &str) -> Value {
    json!({ "page": page, "title": "Down", "body": "We know." })
}

#[tokio::test]
async fn row_21_an_id_that_names_no_such_thing_is_null_on_read_and_not_found_in_a_mutation() {
    for_each_database(async |test| {
        let (page, component) = {
            let page = test.page("bad").await;
            let component = test.component(&page, "Search").await;
            (page, component)
        };
        let incident = test.incident(&page, "Down", None).await;
        let another_version = format!("Ag{}", &page[2..]);

        harmless(test, &page, async || {
            for noise in ["", "1", "noise", "\u{0}", "💥", &another_version, &component[1..]] {
                let document = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
                let (_, answer) = test.told(document, json!({ "id": noise }), None).await;
                assert_eq!(answer, json!({ "data": { "node": null, "nodes": [null] } }), "{noise}");
            }
            for wrong in ["noise", &another_version, &incident, &component, &page] {
                for (field, name, input, code) in [
                    ("pageAmend", "page", json!({}), "PAGE_NOT_FOUND"),
                    ("incidentOpen", "page", open(&page), "PAGE_NOT_FOUND"),
                    ("componentCreate", "page", json!({ "name": "x" }), "PAGE_NOT_FOUND"),
                    ("componentAmend", "component", json!({}), "COMPONENT_NOT_FOUND"),
                    ("componentGroupAmend", "group", json!({}), "COMPONENT_GROUP_NOT_FOUND"),
                    (
                        "incidentUpdatePost",
                        "incident",
                        json!({ "body": "x" }),
                        "INCIDENT_NOT_FOUND",
                    ),
                    (
                        "incidentUpdateEdit",
                        "update",
                        json!({ "body": "x" }),
                        "INCIDENT_UPDATE_NOT_FOUND",
                    ),
                    (
                        "postmortemDraft",
                        "incident",
                        json!({ "body": "x" }),
                        "INCIDENT_NOT_FOUND",
                    ),
                    ("maintenanceStart", "maintenance", json!({}), "MAINTENANCE_NOT_FOUND"),
                ] {
                    let is_right = match name {
                        "page" => wrong == page,
                        "component" => wrong == component,
                        "incident" => wrong == incident,
                        _ => false,
                    };
                    if !is_right {
                        let mut input = input;
                        input[name] = json!(wrong);
                        test.refused_with(field, input, code, &["input", name]).await;
                    }
                }
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_40_what_was_taken_off_meanwhile_is_not_found() {
    for_each_database(async |test| {
        let (page, component) = {
            let page = test.page("bad").await;
            let component = test.component(&page, "Search").await;
            (page, component)
        };
        let group = test.group(&page, "Core").await;
        let incident = test.incident(&page, "Down", None).await;
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
        let said = id(&test.thing("Incident", &incident, "latestUpdate { id }").await["latestUpdate"]);
        let states = json!([{ "component": component, "status": "MAJOR_OUTAGE" }]);
        test.mutate(
            "componentArchive",
            json!({ "component": component }),
            "component { id }",
        )
        .await;

        harmless(test, &page, async || {
            let input = json!({ "component": component, "status": "OPERATIONAL" });
            let path = ["input", "component"];
            test.refused_with("componentStatusSet", input, "COMPONENT_NOT_FOUND", &path)
                .await;
            let input = json!({ "incident": incident, "body": "x", "components": states });
            let path = ["input", "components", "0", "component"];
            test.refused_with("incidentUpdatePost", input, "COMPONENT_NOT_FOUND", &path)
                .await;
        })
        .await;
        test.mutate("pageArchive", json!({ "page": page }), "archivedPageId")
            .await;
        harmless(test, &page, async || {
            for (field, input, code, name) in [
                (
                    "pageAmend",
                    json!({ "page": page, "name": "x" }),
                    "PAGE_NOT_FOUND",
                    "page",
                ),
                ("pageArchive", json!({ "page": page }), "PAGE_NOT_FOUND", "page"),
                ("incidentOpen", open(&page), "PAGE_NOT_FOUND", "page"),
                (
                    "componentGroupRemove",
                    json!({ "group": group }),
                    "COMPONENT_GROUP_NOT_FOUND",
                    "group",
                ),
                (
                    "incidentResolve",
                    json!({ "incident": incident }),
                    "INCIDENT_NOT_FOUND",
                    "incident",
                ),
                (
                    "incidentUpdateEdit",
                    json!({ "update": said, "body": "x" }),
                    "INCIDENT_UPDATE_NOT_FOUND",
                    "update",
                ),
                (
                    "maintenanceCancel",
                    json!({ "maintenance": maintenance }),
                    "MAINTENANCE_NOT_FOUND",
                    "maintenance",
                ),
            ] {
                test.refused_with(field, input, code, &["input", name]).await;
            }
        })
        .await;
    })
    .await;
}
