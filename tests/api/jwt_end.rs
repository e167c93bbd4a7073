//! What a JWT opened ends with it, and with the key it was signed with.

use std::time::{Duration, Instant};

use allclear::access::Pass;
use allclear::access::issuer::Trust;
use serde_json::json;

use crate::support::client::{Socket, chunk};
use crate::support::database::Test;
use crate::support::for_each_database_trusting;
use crate::support::issuer::{Issuer, Key};

const EVENTS: &str = "subscription { pageEvents(page: \"shop\") { __typename cursor } }";
const CHANGES: &str = "subscription { pageChanged(page: \"shop\") { name } }";

/// How long a subscription may outlive what it was opened with.
const LIMIT: Duration = Duration::from_secs(5);

fn unchanged(_: &mut Trust) {}

/// A JWT that holds for so many minutes.
fn jwt(test: &Test, issuer: &Issuer, key: &Key, minutes: i64) -> String {
    let now = test.second();
    key.jwt(&issuer.claims(now, json!({ "exp": now + minutes * 60 })))
}

/// A socket that was let in by the header of its upgrade.
async fn by_header(test: &Test, bearer: &str) -> Socket {
    let mut socket = test.raw_socket(Some(bearer)).await;
    socket.send(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.next().await["type"], "connection_ack");
    socket
}

/// Somebody who is in, whatever they do.
async fn enter(test: &Test, text: &str) -> Pass {
    let entered = test.app.access.enter(&test.app.store, test.app.clock.now(), Some(text));
    entered.await.expect("it lets in")
}

/// Follows a subscription as events, over whatever lets in, until the first has come.
async fn stream(request: reqwest::RequestBuilder) -> (reqwest::Response, String) {
    let sent = request.header("accept", "text/event-stream").send().await;
    let mut stream = sent.expect("the server answers");
    let mut told = String::new();
    while !told.contains("event: next") {
        told += &String::from_utf8_lossy(&chunk(&mut stream).await.expect("there is more"));
    }
    (stream, told)
}

/// All that is open with a JWT ends within five seconds of something.
async fn all_end(test: &Test, text: &str, end: impl AsyncFnOnce()) {
    let make = "mutation { ticketCreate(input: { lifetimeSeconds: 300 }) { ticket } }";
    let (_, made) = test.respond(make, json!({}), Some(text)).await;
    let ticket = made["data"]["ticketCreate"]["ticket"]
        .as_str()
        .expect("a ticket")
        .to_owned();
    let mut address = url::Url::parse(&test.graphql()).expect("an address");
    address
        .query_pairs_mut()
        .append_pair("query", EVENTS)
        .append_pair("ticket", &ticket);
    let mut sockets = Vec::new();
    for document in [EVENTS, CHANGES] {
        sockets.push(test.socket(Some(text)).await);
        sockets.push(by_header(test, text).await);
        for socket in sockets.iter_mut().rev().take(2) {
            socket.subscribe("1", document, json!({})).await;
            assert_eq!(socket.next().await["type"], "next");
        }
    }
    // On these nothing runs.
    sockets.push(test.socket(Some(text)).await);
    sockets.push(by_header(test, text).await);
    let post = test
        .http
        .post(test.graphql())
        .bearer_auth(text)
        .json(&json!({ "query": CHANGES }));
    let mut streams = vec![stream(post).await, stream(test.http.get(address)).await];
    let mut public = test.subscribe(EVENTS, json!({}), None).await;
    public.next().await;

    end().await;

    let since = Instant::now();
    for socket in &mut sockets {
        assert_eq!(socket.next_or_close().await, Err((4403, "Forbidden".to_owned())));
    }
    for (stream, told) in &mut streams {
        while let Some(more) = chunk(stream).await {
            *told += &String::from_utf8_lossy(&more);
        }
        assert!(told.contains("event: complete"), "{told}");
    }
    assert!(since.elapsed() < LIMIT, "{:?}", since.elapsed());
    let page = test.data("{ page(slug: \"shop\") { id } }", json!({})).await["page"]["id"].clone();
    test.mutate("pageAmend", json!({ "page": page, "name": "Shop" }), "page { id }")
        .await;
    assert!(public.next().await.is_object(), "others go on");
}

#[tokio::test]
async fn what_a_jwt_opened_ends_when_its_time_and_the_skew_are_over() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        test.page("shop").await;
        let text = jwt(test, issuer, &key, 1);

        all_end(test, &text, async || {
            test.pass_minutes(1);
            // The look at all that is open passes it over.
            test.app.access.tend_visitors(test.app.clock.now());
            assert_eq!(test.respond("{ viewer { role } }", json!({}), Some(&text)).await.0, 200);
            test.pass_minutes(1);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_a_jwt_opened_ends_when_the_issuer_takes_its_key_back() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let (key, other) = (Key::new("a", "ES256"), Key::new("b", "ES256"));
        issuer.publish(&[&key, &other]);
        test.page("shop").await;
        let text = jwt(test, issuer, &key, 60);

        all_end(test, &text, async || {
            issuer.publish(&[&other]);
            test.pass_minutes(5);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_was_opened_before_a_page_was_there_that_the_jwt_names_ends_with_it_too() {
    let in_pages = |trust: &mut Trust| trust.pages_claim = Some("pages".to_owned());
    for_each_database_trusting(in_pages, async |test, issuer| {
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        test.page("shop").await;
        let claims = issuer.claims(
            test.second(),
            json!({ "exp": test.second() + 60, "pages": ["shop", "late"] }),
        );
        let text = key.jwt(&claims);
        let mut before = test.subscribe(EVENTS, json!({}), Some(&text)).await;
        before.next().await;

        test.page("late").await;
        let seen = async || {
            let (_, answer) = test
                .respond("{ viewer { pages { slug } } }", json!({}), Some(&text))
                .await;
            answer["data"]["viewer"]["pages"].as_array().expect("pages").len()
        };
        let since = Instant::now();
        while seen().await < 2 {
            assert!(since.elapsed() < LIMIT, "it is looked up again");
        }
        test.pass_minutes(2);

        assert_eq!(before.socket.next_or_close().await, Err((4403, "Forbidden".to_owned())));
    })
    .await;
}

#[tokio::test]
async fn a_socket_whose_jwt_is_over_starts_nothing_more() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        let mut socket = test.socket(Some(&jwt(test, issuer, &key, 1))).await;

        test.pass_minutes(2);

        // It closes by itself, if that comes first.
        socket.subscribe("1", "{ viewer { role } }", json!({})).await;
        match socket.next_or_close().await {
            Ok(refused) => assert_eq!(refused["payload"][0]["extensions"]["code"], "UNAUTHENTICATED"),
            Err(closed) => assert_eq!(closed.0, 4403),
        }
    })
    .await;
}

#[tokio::test]
async fn a_socket_of_a_jwt_that_opens_nothing_closes_with_4403() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let (key, stranger) = (Key::new("a", "ES256"), Key::new("a", "ES256"));
        issuer.publish(&[&key]);
        let (good, forged) = (jwt(test, issuer, &key, 1), jwt(test, issuer, &stranger, 1));
        let with = |text: &str| json!({ "authorization": format!("Bearer {text}") });

        for (header, payload) in [
            (Some(&forged), json!({})),
            (None, with(&forged)),
            // What the payload says comes first.
            (Some(&good), with(&forged)),
        ] {
            let mut socket = test.raw_socket(header.map(String::as_str)).await;
            socket
                .send(json!({ "type": "connection_init", "payload": payload }))
                .await;
            assert_eq!(socket.next_or_close().await, Err((4403, "Forbidden".to_owned())));
        }
    })
    .await;
}

#[tokio::test]
async fn a_jwt_whose_key_comes_back_lets_in_again_although_something_of_it_is_still_there() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let (key, other) = (Key::new("a", "ES256"), Key::new("b", "ES256"));
        issuer.publish(&[&key, &other]);
        let page = test.page("shop").await;
        let text = jwt(test, issuer, &key, 60);
        let _held = enter(test, &text).await;
        let mut ended = test.subscribe(EVENTS, json!({}), Some(&text)).await;
        ended.next().await;
        issuer.publish(&[&other]);
        test.pass_minutes(5);
        assert_eq!(ended.socket.next_or_close().await, Err((4403, "Forbidden".to_owned())));

        issuer.publish(&[&key, &other]);
        test.pass_minutes(1);

        let mut again = test.subscribe(EVENTS, json!({}), Some(&text)).await;
        again.next().await;
        test.mutate("pageAmend", json!({ "page": page, "name": "Shop" }), "page { id }")
            .await;
        assert!(again.next().await.is_object(), "it goes on");
    })
    .await;
}
