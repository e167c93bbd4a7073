//! Stopping in good order, and saying how things stand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use allclear::app::Settings;
use allclear::store::Author;
use allclear::transport::Config;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::database::{ADMIN, Place, Test, places};
use crate::support::for_each_database;

/// Long enough that only what is done ends the wait.
const PATIENT: Duration = Duration::from_secs(60);

/// So short that nothing is waited for.
const HASTY: Duration = Duration::from_millis(1);

/// A server on each database, whose closing sockets wait so long for what is under way; and how to open its database again after it has stopped.
async fn servers(closing_time: Duration) -> Vec<(Test, Place)> {
    let mut config = Config::default();
    config.websocket.closing_time = closing_time;
    let mut servers = Vec::new();
    for place in places().await {
        let again = Place {
            url: place.url.clone(),
            folder: place.folder.clone(),
        };
        servers.push((Test::start(place, Settings::default(), config.clone()).await, again));
    }
    servers
}

/// Holds up every change of a page until it is dropped.
async fn hold_up(test: &Test) -> allclear::store::Write {
    let author = Author::server("test");
    let write = test.app.store.begin(author, "hold", &test.app.clock).await;
    let write = write.expect("nothing else writes");
    if test.is_postgres() {
        let locked = write
            .db()
            .execute_unprepared("LOCK TABLE page_log IN EXCLUSIVE MODE")
            .await;
        locked.expect("nothing else writes");
    }
    write
}

/// Waits until so many commands run.
async fn until_running(test: &Test, commands: usize) {
    while test.app.running() < commands {
        tokio::task::yield_now().await;
    }
}

/// Waits until a server takes no connections any more, and is on its way to its end.
async fn until_refusing(address: SocketAddr) {
    let mut refused = 0;
    while refused < 100 {
        match TcpStream::connect(address).await {
            Ok(_) => {}
            Err(_) => refused += 1,
        }
        tokio::task::yield_now().await;
    }
}

const OPEN: &str = "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) { incident { title } } }";

fn opening(page: &str) -> Value {
    json!({ "input": { "page": page, "title": "Checkout fails", "body": "We look." } })
}

async fn titles(place: Place) -> Value {
    let test = Test::start(place, Settings::default(), Config::default()).await;
    let data = test
        .data(
            "{ page(slug: \"shop\") { incidents(first: 5) { nodes { title } } } }",
            json!({}),
        )
        .await;
    test.stop().await;
    data["page"]["incidents"]["nodes"].clone()
}

#[tokio::test]
async fn a_mutation_that_runs_is_finished_and_answered_before_the_server_ends() {
    for (test, again) in servers(PATIENT).await {
        let page = test.page("shop").await;
        let held = hold_up(&test).await;
        let request = test
            .http
            .post(format!("http://{}/graphql", test.address))
            .bearer_auth(ADMIN)
            .json(&json!({ "query": OPEN, "variables": opening(&page) }))
            .send();
        let answer = tokio::spawn(request);
        until_running(&test, 1).await;

        let stopping = tokio::spawn(test.stop());
        drop(held);

        let answer = answer.await.expect("no panic").expect("the server answers");
        let answer: Value = answer.json().await.expect("the answer is JSON");
        assert_eq!(answer["data"]["incidentOpen"]["incident"]["title"], "Checkout fails");
        stopping.await.expect("it stops");
        assert_eq!(titles(again).await, json!([{ "title": "Checkout fails" }]));
    }
}

#[tokio::test]
async fn a_mutation_whose_client_is_gone_is_finished_all_the_same() {
    for (test, again) in servers(HASTY).await {
        let page = test.page("shop").await;
        let held = hold_up(&test).await;
        let mut socket = test.socket(Some(ADMIN)).await;
        socket.subscribe("1", OPEN, opening(&page)).await;
        until_running(&test, 1).await;
        drop(socket);
        let address = test.address;

        let stopping = tokio::spawn(test.stop());
        until_refusing(address).await;
        drop(held);

        stopping.await.expect("it stops");
        assert_eq!(titles(again).await, json!([{ "title": "Checkout fails" }]));
    }
}

#[tokio::test]
async fn sockets_are_closed_as_going_away_once_their_mutations_are_answered() {
    for (test, _again) in servers(PATIENT).await {
        let page = test.page("shop").await;
        let mut watching = test.watch_from_now("shop").await.0.subscription.socket;
        let held = hold_up(&test).await;
        let mut writing = test.socket(Some(ADMIN)).await;
        writing.subscribe("1", OPEN, opening(&page)).await;
        until_running(&test, 1).await;

        let stopping = tokio::spawn(test.stop());
        let watched = watching.next_or_close().await;
        drop(held);

        assert_eq!(watched.expect_err("it closes").0, 1001);
        assert_eq!(writing.next().await["type"], "next");
        assert_eq!(writing.next().await["type"], "complete");
        assert_eq!(writing.next_or_close().await.expect_err("it closes").0, 1001);
        stopping.await.expect("it stops");
    }
}

async fn status(test: &Test, path: &str) -> u16 {
    let response = test.http.get(format!("http://{}{path}", test.address)).send().await;
    response.expect("the server answers").status().as_u16()
}

#[tokio::test]
async fn a_server_without_its_database_lives_and_is_not_ready() {
    for_each_database(async |test| {
        test.page("shop").await;
        assert_eq!(
            (status(test, "/healthz").await, status(test, "/readyz").await),
            (200, 200)
        );

        Arc::clone(&test.app.store).close().await;

        assert_eq!(
            (status(test, "/healthz").await, status(test, "/readyz").await),
            (200, 503)
        );
        let answer = test.answer("{ page(slug: \"shop\") { name } }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    })
    .await;
}
