//! Who may do what: with the admin token everything, without one only looking.

use serde_json::{Value, json};

use crate::support::database::ADMIN;
use crate::support::words::code;
use crate::support::{for_each_database, unchanged};

const VIEWER: &str = "{ viewer { role mayWrite } }";

#[tokio::test]
async fn a_viewer_learns_what_they_may_do() {
    for_each_database(async |test| {
        let admin = test.data(VIEWER, json!({})).await;
        let public = test.public_data(VIEWER, json!({})).await;

        assert_eq!(admin["viewer"], json!({ "role": "ADMIN", "mayWrite": true }));
        assert_eq!(public["viewer"], json!({ "role": "ANONYMOUS", "mayWrite": false }));
    })
    .await;
}

#[tokio::test]
async fn row_30_no_mutation_runs_without_a_token() {
    for_each_database(async |test| {
        let page = test.page("open").await;
        let component = test.component(&page, "Search").await;
        let incident = test.incident(&page, "Down", Some(&component)).await;
        let said = test.thing("Incident", &incident, "latestUpdate { id }").await["latestUpdate"]["id"].clone();
        let group = test.group(&page, "Core").await;
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
        let window = json!({
            "page": page, "title": "x", "body": "x", "scheduledFor": test.in_minutes(1), "scheduledUntil": test.in_minutes(2),
        });

        unchanged(test, &page, async || {
            for (field, input) in [
                ("pageCreate", json!({ "slug": "x", "name": "x" })),
                ("pageAmend", json!({ "page": page })),
                ("pageArchive", json!({ "page": page })),
                ("componentGroupCreate", json!({ "page": page, "name": "x" })),
                ("componentGroupAmend", json!({ "group": group, "name": "x" })),
                ("componentGroupRemove", json!({ "group": group })),
                ("componentCreate", json!({ "page": page, "name": "x" })),
                ("componentAmend", json!({ "component": component, "name": "x" })),
                ("componentMove", json!({ "component": component, "position": 0 })),
                ("componentStatusSet", json!({ "component": component, "status": "OPERATIONAL" })),
                ("componentArchive", json!({ "component": component })),
                ("incidentOpen", json!({ "page": page, "title": "x", "body": "x" })),
                ("incidentUpdatePost", json!({ "incident": incident, "body": "x" })),
                ("incidentUpdateEdit", json!({ "update": said, "body": "x" })),
                ("incidentResolve", json!({ "incident": incident })),
                ("incidentReopen", json!({ "incident": incident, "reason": "x" })),
                ("incidentAmend", json!({ "incident": incident, "title": "x" })),
                ("incidentBackfill", json!({ "page": page, "title": "x", "updates": [] })),
                ("postmortemDraft", json!({ "incident": incident, "body": "x" })),
                ("postmortemPublish", json!({ "incident": incident })),
                ("postmortemWithdraw", json!({ "incident": incident })),
                ("maintenanceSchedule", window.clone()),
                ("maintenanceAmend", json!({ "maintenance": maintenance, "title": "x" })),
                ("maintenanceStart", json!({ "maintenance": maintenance })),
                ("maintenanceUpdatePost", json!({ "maintenance": maintenance, "body": "x" })),
                ("maintenanceComplete", json!({ "maintenance": maintenance })),
                ("maintenanceCancel", json!({ "maintenance": maintenance })),
            ] {
                let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
                let document =
                    format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}");
                let (status, answer) = test.respond(&document, json!({ "input": input }), None).await;
                assert_eq!((status, code(&answer)), (200, "FORBIDDEN"), "{field}");
                assert_eq!(answer["data"], Value::Null, "{field}");
            }
        })
        .await;
        let fields = test.data("{ __schema { mutationType { fields { name } } } }", json!({})).await;
        assert_eq!(fields["__schema"]["mutationType"]["fields"].as_array().map(Vec::len), Some(27));
    })
    .await;
}

#[tokio::test]
async fn row_31_a_token_that_is_not_known_is_401_with_one_text() {
    for_each_database(async |test| {
        let mut texts = Vec::new();
        for token in ["wrong", &ADMIN[1..], &format!("{ADMIN}x"), &ADMIN.to_uppercase()] {
            for document in [
                VIEWER,
                "mutation { pageArchive(input: { page: \"x\" }) { archivedPageId } }",
            ] {
                let (status, answer) = test.respond(document, json!({}), Some(token)).await;

                assert_eq!((status, code(&answer)), (401, "UNAUTHENTICATED"), "{token}");
                assert_eq!(answer.get("data"), None);
                texts.push(answer);
            }
        }
        let basic = test
            .http
            .post(test.graphql())
            .header("authorization", format!("Basic {ADMIN}"))
            .json(&json!({ "query": VIEWER }))
            .send()
            .await
            .expect("the server answers");
        assert_eq!(basic.headers()["www-authenticate"], "Bearer");
        assert_eq!(basic.status().as_u16(), 401);
        texts.push(basic.json().await.expect("JSON"));

        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:#?}");
    })
    .await;
}

#[tokio::test]
async fn the_server_tells_its_limits() {
    for_each_database(async |test| {
        let data = test
            .public_data(
                "{ server { version limits { bodyBytes documentTokens documentCost } } }",
                json!({}),
            )
            .await;

        assert_eq!(
            data["server"],
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "limits": { "bodyBytes": 1_048_576, "documentTokens": 1000, "documentCost": 50_000 },
            })
        );
    })
    .await;
}
