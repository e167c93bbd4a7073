//! What a token opened ends with it: subscriptions over WebSocket and as events, on every node.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::chunk;
use crate::support::database::{ADMIN, Test};
use crate::support::for_each_database;

const EVENTS: &str = "subscription { pageEvents(page: \"shop\") { __typename cursor } }";
const CHANGES: &str = "subscription { pageChanged(page: \"shop\") { name } }";

/// How long a subscription may outlive its token.
const LIMIT: Duration = Duration::from_secs(5);

/// Ends a token: takes it back, or lets its time pass.
async fn end(test: &Test, token: &str, by_time: bool) {
    match by_time {
        true => test.pass_minutes(10),
        false => {
            test.mutate("tokenRevoke", json!({ "token": token }), "token { id }")
                .await;
        }
    }
}

async fn token(test: &Test) -> (String, String) {
    let input = json!({ "name": "x", "role": "VIEWER", "expiresAt": test.in_minutes(10) });
    let made = test.mutate("tokenCreate", input, "secret token { id }").await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["token"]["id"]), text(&made["secret"]))
}

#[tokio::test]
async fn a_socket_closes_with_4403_when_the_token_of_its_subscription_ends_on_whichever_node() {
    for_each_database(async |test| {
        test.page("shop").await;
        let other = test.another().await;
        for (document, by_time) in [(EVENTS, false), (CHANGES, false), (EVENTS, true)] {
            let (id, text) = token(test).await;
            let mut public = test.subscribe(document, json!({}), None).await;
            let mut here = test.subscribe(document, json!({}), Some(&text)).await;
            let mut there = other.subscribe(document, json!({}), Some(&text)).await;
            for subscription in [&mut public, &mut here, &mut there] {
                subscription.next().await;
            }

            end(test, &id, by_time).await;

            let since = Instant::now();
            for ended in [&mut here, &mut there] {
                let closed = ended.socket.next_or_close().await;
                assert_eq!(closed, Err((4403, "Forbidden".to_owned())));
            }
            assert!(since.elapsed() < LIMIT, "{:?}", since.elapsed());
            let page = test.data("{ page(slug: \"shop\") { id } }", json!({})).await["page"]["id"].clone();
            let name = format!("{id}, {by_time}").chars().take(40).collect::<String>();
            test.mutate("pageAmend", json!({ "page": page, "name": name }), "page { id }")
                .await;
            assert!(public.next().await.is_object(), "others go on");
        }
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_events_ends_well_when_its_token_ends() {
    for_each_database(async |test| {
        test.page("shop").await;
        for document in [EVENTS, CHANGES] {
            let (id, text) = token(test).await;
            let mut stream = test
                .http
                .post(test.graphql())
                .header("accept", "text/event-stream")
                .bearer_auth(&text)
                .json(&json!({ "query": document }))
                .send()
                .await
                .expect("the server answers");
            let mut told = String::new();
            while !told.contains("event: next") {
                told += &String::from_utf8_lossy(&chunk(&mut stream).await.expect("there is more"));
            }

            end(test, &id, false).await;

            let since = Instant::now();
            while let Some(more) = chunk(&mut stream).await {
                told += &String::from_utf8_lossy(&more);
            }
            assert!(told.contains("event: complete"), "{told}");
            assert!(since.elapsed() < LIMIT);
        }
    })
    .await;
}

#[tokio::test]
async fn an_idle_socket_closes_with_4403_when_its_token_ends_on_whichever_node() {
    for_each_database(async |test| {
        let other = test.another().await;
        let ask = "{ viewer { role } }";
        for by_time in [false, true] {
            let (id, text) = token(test).await;
            let mut others = [test.socket(None).await, test.socket(Some(ADMIN)).await];
            let mut idle = [test.socket(Some(&text)).await, other.socket(Some(&text)).await];
            let mut over = test.socket(Some(&text)).await;
            over.subscribe("1", ask, json!({})).await;
            assert_eq!(over.next().await["payload"]["data"]["viewer"]["role"], "VIEWER");
            assert_eq!(over.next().await["type"], "complete");

            end(test, &id, by_time).await;

            let since = Instant::now();
            for socket in idle.iter_mut().chain([&mut over]) {
                assert_eq!(socket.next_or_close().await, Err((4403, "Forbidden".to_owned())));
            }
            assert!(since.elapsed() < LIMIT, "{:?}", since.elapsed());
            for socket in &mut others {
                socket.subscribe("1", ask, json!({})).await;
                assert_eq!(socket.next().await["type"], "next", "others stay");
            }
        }
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_socket_whose_token_has_ended_starts_nothing_more() {
    for_each_database(async |test| {
        let (id, text) = token(test).await;
        let mut socket = test.socket(Some(&text)).await;

        end(test, &id, true).await;

        // It closes by itself, if that comes first.
        socket.subscribe("1", "{ viewer { role } }", json!({})).await;
        match socket.next_or_close().await {
            Ok(refused) => assert_eq!(refused["payload"][0]["extensions"]["code"], "UNAUTHENTICATED"),
            Err(closed) => assert_eq!(closed.0, 4403),
        }
    })
    .await;
}
