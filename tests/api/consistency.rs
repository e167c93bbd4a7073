//! All of one answer is of one state of the database.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::database::for_each_database_at_any_cost;
use crate::support::database::{Test, noon};
use crate::support::for_each_database;
use crate::support::log::number;

/// How often the writer moves both, and the reader looks at least.
const MOVES: usize = 60;

const STATES: [(&str, &str); 3] = [
    ("IDENTIFIED", "MAJOR_OUTAGE"),
    ("MONITORING", "DEGRADED_PERFORMANCE"),
    ("INVESTIGATING", "PARTIAL_OUTAGE"),
];

const LOOK: &str = "query($base: Cursor) { page(slug: \"shop\") {
    cursor components { status } status { indicator }
    incidents(first: 1) { nodes { status latestUpdate { number } updates(last: 1) { totalCount nodes { number } } } }
    activeIncidents { status affectedComponents { status component { status } } }
    events(first: 100, after: $base) { pageInfo { hasNextPage endCursor } }
} again: page(slug: \"shop\") { cursor } }";

/// Moves an incident and its component together, again and again: two events each time.
async fn keep_moving(test: &Test, incident: &str, component: &str) {
    for turn in 0..MOVES {
        let (incident_status, component_status) = STATES[turn % STATES.len()];
        let input = json!({ "incident": incident, "body": "Moving.", "status": incident_status,
            "components": [{ "component": component, "status": component_status }] });
        test.mutate("incidentUpdatePost", input, "update { id }").await;
    }
}

/// Checks that everything in an answer is of one state, and tells how many updates there were.
fn check(answer: &Value, base: u64) -> u64 {
    let page = &answer["page"];
    let incident = &page["incidents"]["nodes"][0];
    let updates = incident["updates"]["totalCount"].as_u64().expect("a count");
    assert_eq!(incident["latestUpdate"]["number"], updates);
    assert_eq!(number(&page["cursor"]), base + 2 * (updates - 1), "{answer:#}");
    assert_eq!(answer["again"]["cursor"], page["cursor"], "{answer:#}");
    assert_eq!(page["activeIncidents"][0]["status"], incident["status"], "{answer:#}");
    let component = &page["components"][0]["status"];
    let affected = json!([{ "status": component, "component": { "status": component } }]);
    assert_eq!(page["activeIncidents"][0]["affectedComponents"], affected, "{answer:#}");
    let expected = STATES.iter().find(|(status, _)| incident["status"] == *status);
    assert_eq!(*component, expected.expect("a state").1, "{answer:#}");
    if page["events"]["pageInfo"]["hasNextPage"] == false {
        let end = &page["events"]["pageInfo"]["endCursor"];
        assert!(end.is_null() || end == &page["cursor"], "{answer:#}");
    }
    updates
}

#[tokio::test]
async fn an_answer_never_shows_a_mixture_of_two_states() {
    for_each_database_at_any_cost(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let input = json!({ "page": page, "title": "Checkout fails", "body": "We look.",
            "components": [{ "component": component, "status": "PARTIAL_OUTAGE" }] });
        let opened = test.mutate("incidentOpen", input, "incident { id }").await;
        let incident = opened["incident"]["id"].as_str().expect("an id");
        let (_, base) = test.watch_from_now("shop").await;

        let looking = async {
            let mut seen = Vec::new();
            while seen.last() != Some(&(MOVES as u64 + 1)) {
                let answer = test.data(LOOK, json!({ "base": base })).await;
                seen.push(check(&answer, number(&base)));
            }
            seen
        };
        let (seen, ()) = tokio::join!(looking, keep_moving(test, incident, &component));

        assert!(seen.is_sorted());
        assert!(seen.len() > 10, "it looked while they moved: {seen:?}");
    })
    .await;
}

#[tokio::test]
async fn who_subscribes_after_the_cursor_of_an_answer_misses_nothing_it_does_not_show() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let incident = test.incident(&page, "Checkout fails", Some(&component)).await;

        let following = async {
            for _ in 0..10 {
                let document =
                    "{ page(slug: \"shop\") { cursor activeIncidents { updates(first: 1) { totalCount } } } }";
                let shown = test.data(document, json!({})).await["page"].clone();
                let count = shown["activeIncidents"][0]["updates"]["totalCount"]
                    .as_u64()
                    .expect("a count");
                let mut watcher = test.watch("shop", Some(&shown["cursor"])).await;
                if count < MOVES as u64 {
                    let next = watcher.expect("IncidentUpdatePosted").await;
                    assert_eq!(next["update"]["number"], count + 1);
                }
            }
        };

        tokio::join!(following, keep_moving(test, &incident, &component));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_looks_at_many_moments_takes_one_connection() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let incident = test.incident(&page, "Checkout fails", Some(&component)).await;
        test.app.clock.set(noon().plus_millis(60_000));
        for turn in 0..20 {
            test.say(&incident, &format!("Update {turn}")).await;
        }
        test.app.clock.set(noon().plus_millis(120_000));
        let document = "query($at: DateTime) {
            now: page(slug: \"shop\") { events(first: 20) { nodes { page { components { name } activeIncidents { title } } } } }
            then: page(slug: \"shop\", asOf: $at) { incidents(first: 1) { nodes { updates(first: 1) { totalCount } } } } }";

        // More at once than there are connections: nobody may hold one and wait for a second.
        let answers = join_all((0..12).map(|_| test.answer(document, json!({ "at": "2026-03-02T12:00:30.000Z" })))).await;

        for answer in answers {
            assert_eq!(answer.get("errors"), None, "{answer:#}");
            assert_eq!(answer["data"]["now"]["events"]["nodes"].as_array().map(Vec::len), Some(20));
            assert_eq!(
                answer["data"]["then"]["incidents"],
                json!({ "nodes": [{ "updates": { "totalCount": 1 } }] })
            );
        }
    })
    .await;
}
