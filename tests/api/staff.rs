//! What only the staff sees: updates among itself, whole incidents, and showing them to the public later.

use serde_json::{Value, json};

use crate::support::database::for_each_database_at_any_cost;
use crate::support::database::{ADMIN, Test};
use crate::support::for_each_database;
use crate::support::words::{each, id};

/// All that the public can ask of a page, also of its past and its log.
const EVERYTHING: &str = r#"query($incident: ID!, $update: ID!, $ids: [ID!]!, $at: DateTime) {
    page(slug: "shop") { ...all events(first: 100) { nodes { __typename cursor at ... on IncidentUpdatePosted { incident { ...one } } } } }
    then: page(slug: "shop", asOf: $at) { ...all }
    incident: node(id: $incident) { ... on Incident { ...one } } update: node(id: $update) { id }
    nodes(ids: $ids) { id }
}
fragment all on Page {
    cursor version updatedAt status { indicator } components { status uptime { percentage } statusChanges(first: 9) { totalCount } }
    activeIncidents { ...one }
    incidents(first: 9) { totalCount pageInfo { hasNextPage endCursor } nodes { ...one } }
    resolved: incidents(first: 9, filter: { statuses: [RESOLVED] }) { totalCount }
    named: incidents(first: 9, filter: { externalRef: "hidden" }) { totalCount nodes { id } }
}
fragment one on Incident {
    id title status impact summary version createdAt updatedAt monitoringAt resolvedAt audience latestUpdate { id body }
    updates(first: 9) { totalCount pageInfo { endCursor } nodes { id number body status displayAt createdAt audience revisions { body } } }
}"#;

const EVENTS: &str = "subscription { pageEvents(page: \"shop\") { __typename ... on IncidentUpdatePosted { update { body number audience } }
    ... on IncidentPublished { incident { title version updates(first: 9) { nodes { number body } } } }
    ... on IncidentOpened { incident { title } } } }";

/// A page with one incident that all see, and a component.
async fn shop(test: &Test) -> (String, String, String) {
    let page = test.page("shop").await;
    let component = test.component(&page, "Checkout").await;
    let incident = test.incident(&page, "Checkout fails", None).await;
    (page, component, incident)
}

async fn note(test: &Test, incident: &str, body: &str) -> String {
    let input = json!({ "incident": incident, "body": body, "audience": "STAFF" });
    id(&test.mutate("incidentUpdatePost", input, "update { id }").await["update"])
}

async fn hidden(test: &Test, page: &str) -> String {
    let input = json!({
        "page": page, "title": "We may be broken into", "body": "Nobody is to know.", "audience": "STAFF",
        "externalRef": "hidden", "impactOverride": "CRITICAL",
    });
    id(&test.mutate("incidentOpen", input, "incident { id }").await["incident"])
}

#[tokio::test]
async fn nothing_that_the_public_can_ask_shows_that_the_staff_has_something_of_its_own() {
    for_each_database_at_any_cost(async |test| {
        let (page, _, incident) = shop(test).await;
        let ask = async |variables: &Value| {
            let asked = test.public_answer(EVERYTHING, variables.clone()).await;
            let scoped = test.respond(EVERYTHING, variables.clone(), Some(&elsewhere(test).await)).await.1;
            assert_eq!(asked, scoped, "a token for other pages is no better");
            asked
        };
        test.pass_minutes(1);
        // Of the same shape, and nobody's.
        let nobodys = "AQQBjx3EaAB6ZIAAAAAAAAAA";
        let at = test.in_minutes(5);
        let variables = |incident: &str, update: &str, ids: Value| json!({ "incident": incident, "update": update, "ids": ids, "at": at });
        let plain = variables(&incident, nobodys, json!([nobodys, nobodys]));
        let before = ask(&plain).await;

        test.pass_minutes(1);
        let said = note(test, &incident, "It was the deployment.").await;
        test.mutate("incidentUpdateEdit", json!({ "update": said, "body": "It was Tom's deployment." }), "update { id }").await;
        let secret = hidden(test, &page).await;
        test.post(&secret, "IDENTIFIED", "They are inside.").await;
        test.resolve(&secret).await;
        test.draft(&secret, "Learnt.").await;
        test.mutate("postmortemPublish", json!({ "incident": secret }), "incident { id }").await;
        test.mutate("incidentAmend", json!({ "incident": secret, "title": "We were broken into" }), "incident { id }").await;

        let with = variables(&incident, &said, json!([secret, said]));
        assert_eq!(ask(&with).await, before);
        test.pass_minutes(10);
        assert_eq!(
            ask(&with).await["data"]["page"]["incidents"],
            before["data"]["page"]["incidents"],
            "nor later, of its past"
        );
        let staff = test.data(EVERYTHING, with).await;
        assert_eq!(staff["incident"]["updates"]["totalCount"], 2);
        assert_eq!(staff["page"]["incidents"]["totalCount"], 2);
        assert_eq!(staff["nodes"][0]["id"], secret);
    })
    .await;
}

/// A token that holds on another page.
async fn elsewhere(test: &Test) -> String {
    let found = test.data("{ page(slug: \"elsewhere\") { id } }", json!({})).await;
    let page = match found["page"]["id"].as_str() {
        Some(page) => page.to_owned(),
        None => test.page("elsewhere").await,
    };
    test.token("ADMIN", Some(&[&page])).await.1
}

#[tokio::test]
async fn the_public_follows_past_what_is_the_staffs_and_hears_what_is_published() {
    for_each_database(async |test| {
        let (page, _, incident) = shop(test).await;
        let mut public = test.subscribe(EVENTS, json!({}), None).await;
        let mut staff = test.subscribe(EVENTS, json!({}), Some(ADMIN)).await;
        for watcher in [&mut public, &mut staff] {
            assert_eq!(watcher.next().await["pageEvents"]["__typename"], "PageSnapshot");
        }

        let said = note(test, &incident, "Among us.").await;
        let secret = hidden(test, &page).await;
        test.post(&secret, "IDENTIFIED", "They are inside.").await;
        note(test, &secret, "Call the police.").await;
        test.mutate("incidentUpdatePublish", json!({ "update": said }), "update { id }").await;
        test.mutate("incidentPublish", json!({ "incident": secret }), "incident { id }").await;

        let published = json!({ "__typename": "IncidentPublished", "incident": {
            "title": "We may be broken into", "version": 1,
            "updates": { "nodes": [{ "number": 1, "body": "Nobody is to know." }, { "number": 2, "body": "They are inside." }] },
        } });
        let said = json!({ "__typename": "IncidentUpdatePosted", "update": { "body": "Among us.", "number": 2, "audience": "PUBLIC" } });
        assert_eq!(public.next().await["pageEvents"], said);
        assert_eq!(public.next().await["pageEvents"], published);
        let mut heard = Vec::new();
        for _ in 0..6 {
            heard.push(staff.next().await["pageEvents"].clone());
        }
        assert_eq!(
            each(&json!(heard), "__typename"),
            [
                "IncidentUpdatePosted", "IncidentOpened", "IncidentUpdatePosted", "IncidentUpdatePosted",
                "IncidentUpdatePosted", "IncidentPublished"
            ]
        );
        assert_eq!(heard[0]["update"], json!({ "body": "Among us.", "number": 2, "audience": "STAFF" }));
    })
    .await;
}

#[tokio::test]
async fn what_is_the_staffs_cannot_move_what_the_public_sees() {
    for_each_database(async |test| {
        let (page, component, incident) = shop(test).await;
        let secret = hidden(test, &page).await;
        let states = json!([{ "component": component, "status": "MAJOR_OUTAGE" }]);
        for (field, input, at) in [
            (
                "incidentOpen",
                json!({ "page": page, "title": "x", "body": "x", "audience": "STAFF", "components": states }),
                "components",
            ),
            (
                "incidentUpdatePost",
                json!({ "incident": incident, "body": "x", "audience": "STAFF", "components": states }),
                "components",
            ),
            (
                "incidentUpdatePost",
                json!({ "incident": incident, "body": "x", "audience": "STAFF", "status": "RESOLVED" }),
                "status",
            ),
            (
                "incidentUpdatePost",
                json!({ "incident": secret, "body": "x", "components": states }),
                "components",
            ),
            (
                "incidentResolve",
                json!({ "incident": secret, "components": states }),
                "components",
            ),
        ] {
            test.refused_with(field, input, "STAFF_ONLY", &["input", at]).await;
        }

        test.resolve(&incident).await;
        let said = note(test, &incident, "Also after the end.").await;

        assert_eq!(test.thing("Incident", &incident, "status").await["status"], "RESOLVED");
        test.refused_with(
            "incidentUpdatePublish",
            json!({ "update": said }),
            "ILLEGAL_TRANSITION",
            &["input", "status"],
        )
        .await;
        let public = test
            .public_thing("Incident", &incident, "updates(first: 9) { totalCount }")
            .await;
        assert_eq!(public["updates"]["totalCount"], 2);
        test.refused_with(
            "incidentUpdatePublish",
            json!({ "update": incident }),
            "INCIDENT_UPDATE_NOT_FOUND",
            &["input", "update"],
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_incident_of_the_staff_cannot_be_followed_by_the_public_until_it_is_published() {
    const CHANGES: &str = "subscription($id: ID!) { incidentChanged(id: $id) { title version } }";
    for_each_database(async |test| {
        let (page, _, _) = shop(test).await;
        let secret = hidden(test, &page).await;
        let ask = async |id: &str| {
            let mut socket = test.socket(None).await;
            socket.subscribe("1", CHANGES, json!({ "id": id })).await;
            socket.next().await
        };

        assert_eq!(ask(&secret).await, ask("noise").await);
        test.mutate("incidentPublish", json!({ "incident": secret }), "incident { id }")
            .await;

        let told = ask(&secret).await;
        assert_eq!(told["payload"]["data"]["incidentChanged"]["version"], 1, "{told}");
    })
    .await;
}
