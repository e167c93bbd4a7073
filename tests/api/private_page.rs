//! A private page: for everybody without a token it does not exist.

use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test};
use crate::support::words::{each, id};
use crate::support::{for_each_database, harmless, unchanged};

async fn private(test: &Test) -> String {
    let input = json!({ "slug": "secret", "name": "Secret", "visibility": "PRIVATE" });
    id(&test.mutate("pageCreate", input, "page { id }").await["page"])
}

#[tokio::test]
async fn row_29_a_private_page_does_not_exist_for_the_public() {
    for_each_database(async |test| {
        let page = private(test).await;
        test.page("open").await;
        let document = |slug: &str| {
            format!(
                r#"{{ page(slug: "{slug}") {{ id }} past: page(slug: "{slug}", asOf: "2026-03-02T12:00:00Z") {{ id }}
                    pages(first: 9) {{ totalCount nodes {{ slug }} }} }}"#
            )
        };
        test.pass_minutes(1);

        let secret = harmless(test, &page, async || {
            let secret = test.told(&document("secret"), json!({}), None).await;
            assert_eq!(secret, test.told(&document("missing"), json!({}), None).await);
            secret.1
        })
        .await;
        let staff = test.data(&document("secret"), json!({})).await;

        assert_eq!(
            secret["data"],
            json!({ "page": null, "past": null, "pages": { "totalCount": 1, "nodes": [{ "slug": "open" }] } })
        );
        assert_eq!(staff["page"], staff["past"]);
        assert_eq!(each(&staff["pages"]["nodes"], "slug").len(), 2);
    })
    .await;
}

#[tokio::test]
async fn nothing_that_stands_on_a_private_page_is_found_by_its_id() {
    for_each_database(async |test| {
        let page = private(test).await;
        let group = test.group(&page, "Core").await;
        let component = test.component_in(&page, &group, "Search").await;
        let incident = test.incident(&page, "Down", Some(&component)).await;
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
        let said = test.thing("Incident", &incident, "latestUpdate { id }").await;
        let planned = test.thing("Maintenance", &maintenance, "latestUpdate { id }").await;
        let ids = json!([
            page,
            group,
            component,
            incident,
            maintenance,
            said["latestUpdate"]["id"],
            planned["latestUpdate"]["id"]
        ]);
        let many = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";

        let public = test.public_data(many, json!({ "ids": ids })).await;
        let staff = test.data(many, json!({ "ids": ids })).await;

        assert_eq!(public["nodes"], json!(vec![Value::Null; 7]));
        for (found, id) in staff["nodes"]
            .as_array()
            .expect("a list")
            .iter()
            .zip(ids.as_array().expect("a list"))
        {
            assert_eq!(found["id"], *id);
            let one = test
                .public_data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id }))
                .await;
            assert_eq!(one["node"], Value::Null);
        }
    })
    .await;
}

/// What a subscription that cannot begin is told.
async fn refusal(test: &Test, document: &str) -> Value {
    let mut socket = test.socket(None).await;
    socket.subscribe("1", document, json!({})).await;
    socket.next().await
}

#[tokio::test]
async fn a_private_page_cannot_be_followed_by_the_public() {
    for_each_database(async |test| {
        let page = private(test).await;
        let incident = test.incident(&page, "Down", None).await;

        for (field, code) in [
            ("pageEvents(page: \"$\") { cursor }", "PAGE_NOT_FOUND"),
            ("pageChanged(page: \"$\") { name }", "PAGE_NOT_FOUND"),
        ] {
            let document = |slug: &str| format!("subscription {{ {} }}", field.replace('$', slug));
            let secret = refusal(test, &document("secret")).await;
            let missing = refusal(test, &document("missing")).await;

            assert_eq!(secret, missing);
            assert!(secret.to_string().contains(code), "{secret}");
            let mut staff = test.subscribe(&document("secret"), json!({}), Some(ADMIN)).await;
            assert!(staff.next().await.is_object());
        }
        let hidden = format!("subscription {{ incidentChanged(id: \"{incident}\") {{ title }} }}");
        let noise = "subscription { incidentChanged(id: \"noise\") { title } }";
        let secret = refusal(test, &hidden).await;
        assert_eq!(secret, refusal(test, noise).await);
        assert!(secret.to_string().contains("INCIDENT_NOT_FOUND"), "{secret}");
    })
    .await;
}

#[tokio::test]
async fn a_page_that_becomes_private_takes_its_past_along_and_a_private_past_stays_hidden() {
    for_each_database(async |test| {
        let page = test.page("secret").await;
        let show = async |visibility: &str| {
            test.pass_minutes(10);
            let input = json!({ "page": page, "visibility": visibility });
            test.mutate("pageAmend", input, "page { id }").await;
        };
        let as_of = async |minute: u32| {
            let at = format!("2026-03-02T12:{minute:02}:00Z");
            let document = r#"query($at: DateTime) { page(slug: "secret", asOf: $at) { visibility } }"#;
            test.public_data(document, json!({ "at": at })).await["page"].clone()
        };

        show("PRIVATE").await;
        let hidden = [as_of(5).await, as_of(10).await];
        show("PUBLIC").await;
        let shown = [as_of(5).await, as_of(15).await, as_of(20).await];

        assert_eq!(hidden, [Value::Null, Value::Null]);
        let public = json!({ "visibility": "PUBLIC" });
        assert_eq!(shown, [public.clone(), Value::Null, public]);
    })
    .await;
}

#[tokio::test]
async fn a_stranger_changes_nothing_of_a_private_page_and_learns_nothing() {
    for_each_database(async |test| {
        let page = private(test).await;
        let document = "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) { incident { id } } }";

        unchanged(test, &page, async || {
            let input = |page: &str| json!({ "input": { "page": page, "title": "x", "body": "x" } });
            let secret = test.public_answer(document, input(&page)).await;
            let missing = test.public_answer(document, input("noise")).await;
            assert_eq!(secret, missing);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_happens_while_a_page_is_private_is_no_event_of_the_public_stream() {
    const POLL: &str = r#"query($after: Cursor) { page(slug: "shop") { cursor events(first: 100, after: $after) {
        nodes { __typename cursor } } components { name } } }"#;
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let before = test.public_data(POLL, json!({})).await;
        let visibility = async |visibility: &str| {
            let input = json!({ "page": page, "visibility": visibility });
            test.mutate("pageAmend", input, "page { id }").await;
        };

        visibility("PRIVATE").await;
        test.component(&page, "Search").await;
        test.incident(&page, "Down", None).await;
        visibility("PUBLIC").await;
        let from_start = test.public_data(POLL, json!({})).await;
        let resumed = test
            .public_data(POLL, json!({ "after": before["page"]["cursor"] }))
            .await;

        let kinds = |data: &Value| each(&data["page"]["events"]["nodes"], "__typename");
        assert_eq!(kinds(&from_start), ["PageCreated"], "up to where it was hidden");
        assert_eq!(kinds(&resumed), ["PageReset"], "what the reader knew is of no use");
        assert_eq!(resumed["page"]["components"], json!([{ "name": "Search" }]));
        let reset = &resumed["page"]["events"]["nodes"][0]["cursor"];
        assert_eq!(reset, &resumed["page"]["cursor"]);
        let staff = test.data(POLL, json!({})).await;
        assert_eq!(kinds(&staff).len(), 5, "the staff hears of everything");
    })
    .await;
}
