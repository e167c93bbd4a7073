//! What an event says is what stood at that event, also when it is replayed later.

use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, noon};
use crate::support::for_each_database;
use crate::support::words::id;

const SHOWN: &str = "subscription($after: Cursor) { pageEvents(page: \"shop\", after: $after) { __typename cursor at
    page { name status { indicator } components { name status } activeIncidents { title }
        incidents(first: 5) { totalCount nodes { title } } }
    ... on IncidentOpened { incident { ...incident } update { body componentChanges { component { name status } to } } }
    ... on IncidentAmended { incident { ...incident } }
    ... on IncidentUpdatePosted { incident { ...incident } update { body } }
    ... on IncidentUpdateEdited { incident { ...incident } update { body revisions { body } } }
    ... on IncidentResolved { incident { ...incident } update { body } }
    ... on ComponentStatusChanged { component { name status group { name } page { name } } from to }
    ... on ComponentAmended { component { name status } }
    ... on ComponentArchived { component { name } }
    ... on PageAmended { page { name } }
} }
fragment incident on Incident { title status impact version summary page { name }
    affectedComponents { component { name status } status } latestUpdate { body } updates(first: 10) { totalCount } }";

async fn hear(test: &Test, token: Option<&str>, after: &Value) -> Vec<Value> {
    let mut subscription = test.subscribe(SHOWN, json!({ "after": after }), token).await;
    let mut heard = Vec::new();
    while heard.len() < EVENTS {
        heard.push(subscription.next().await["pageEvents"].clone());
    }
    heard
}

/// How many events the story makes.
const EVENTS: usize = 11;

/// An incident from its beginning to its end, with everything renamed on the way.
async fn story(test: &Test, page: &str, component: &str) {
    let opened = json!({ "page": page, "title": "Checkout fails", "body": "We look.",
        "components": [{ "component": component, "status": "MAJOR_OUTAGE" }] });
    let opened = test
        .mutate("incidentOpen", opened, "incident { id } update { id }")
        .await;
    let (incident, update) = (id(&opened["incident"]), id(&opened["update"]));
    let steps = [
        (
            "componentAmend",
            json!({ "component": component, "name": "Payments" }),
            "component { id }",
        ),
        (
            "incidentAmend",
            json!({ "incident": incident, "title": "Payments fail" }),
            "incident { id }",
        ),
        (
            "incidentUpdateEdit",
            json!({ "update": update, "body": "We are looking." }),
            "update { id }",
        ),
        (
            "pageAmend",
            json!({ "page": page, "name": "The market" }),
            "page { id }",
        ),
        (
            "incidentUpdatePost",
            json!({ "incident": incident, "body": "Better.", "status": "MONITORING",
                "components": [{ "component": component, "status": "DEGRADED_PERFORMANCE" }] }),
            "update { id }",
        ),
        (
            "incidentResolve",
            json!({ "incident": incident, "body": "Done." }),
            "incident { id }",
        ),
        (
            "componentArchive",
            json!({ "component": component }),
            "component { id }",
        ),
    ];
    for (minute, (mutation, input, selection)) in (1..).zip(steps) {
        test.app.clock.set(noon().plus_millis(minute * 60_000));
        test.mutate(mutation, input, selection).await;
    }
}

#[tokio::test]
async fn an_event_replayed_later_says_what_it_said_at_first() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let mut followers = Vec::new();
        for token in [None, Some(ADMIN)] {
            let mut live = test.subscribe(SHOWN, json!({}), token).await;
            let start = live.next().await["pageEvents"]["cursor"].clone();
            followers.push((token, live, start));
        }

        story(test, &page, &component).await;

        for (token, mut live, start) in followers {
            let mut heard = Vec::new();
            for _ in 0..EVENTS {
                heard.push(live.next().await["pageEvents"].clone());
            }
            assert_eq!(heard, hear(test, token, &start).await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_replayed_event_shows_nothing_of_what_came_after() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let (_, start) = test.watch_from_now("shop").await;
        story(test, &page, &component).await;

        let heard = hear(test, Some(ADMIN), &start).await;

        let kinds: Vec<_> = heard.iter().map(|event| event["__typename"].clone()).collect();
        assert_eq!(
            kinds,
            [
                "IncidentOpened",
                "ComponentStatusChanged",
                "ComponentAmended",
                "IncidentAmended",
                "IncidentUpdateEdited",
                "PageAmended",
                "IncidentUpdatePosted",
                "ComponentStatusChanged",
                "IncidentResolved",
                "ComponentStatusChanged",
                "ComponentArchived"
            ]
        );
        let opened = &heard[0];
        assert_eq!(opened["update"]["body"], "We look.");
        assert_eq!(opened["incident"]["title"], "Checkout fails");
        assert_eq!(opened["incident"]["status"], "INVESTIGATING");
        assert_eq!(opened["incident"]["updates"]["totalCount"], 1);
        assert_eq!(opened["incident"]["page"]["name"], "The shop service");
        assert_eq!(
            opened["incident"]["affectedComponents"],
            json!([{ "component": { "name": "Checkout", "status": "MAJOR_OUTAGE" }, "status": "MAJOR_OUTAGE" }])
        );
        assert_eq!(
            opened["page"]["incidents"],
            json!({ "totalCount": 1, "nodes": [{ "title": "Checkout fails" }] })
        );
        assert_eq!(heard[2]["component"]["name"], "Payments");
        assert_eq!(
            heard[4]["update"],
            json!({ "body": "We are looking.", "revisions": [{ "body": "We look." }] })
        );
        assert_eq!(heard[4]["page"]["name"], "The shop service");
        assert_eq!(heard[5]["page"]["name"], "The market");
        assert_eq!(heard[6]["incident"]["status"], "MONITORING");
        assert_eq!(
            heard[6]["page"]["activeIncidents"],
            json!([{ "title": "Payments fail" }])
        );
        assert_eq!(heard[8]["page"]["activeIncidents"], json!([]));
        assert_eq!(
            heard[9]["page"]["components"],
            json!([{ "name": "Payments", "status": "OPERATIONAL" }])
        );
        assert_eq!(heard[10]["page"]["components"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn polling_tells_the_same_as_following() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let (_, start) = test.watch_from_now("shop").await;
        story(test, &page, &component).await;
        let heard = hear(test, Some(ADMIN), &start).await;
        let document = SHOWN
            .replace(
                "subscription($after: Cursor) { pageEvents(page: \"shop\", after: $after) {",
                "query($after: Cursor) { page(slug: \"shop\") { events(first: 20, after: $after) { nodes {",
            )
            .replacen("} }\nfragment", "} } } }\nfragment", 1);

        let data = test.data(&document, json!({ "after": start })).await;

        assert_eq!(data["page"]["events"]["nodes"], json!(heard));
    })
    .await;
}
