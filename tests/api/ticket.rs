//! Tickets: a token's stand-in in the address of a stream, for a minute, that only sees.

use serde_json::{Value, json};

use crate::support::client::chunk;
use crate::support::database::{ADMIN, Test};
use crate::support::for_each_database;
use crate::support::words::code;

const EVENTS: &str = "subscription { pageEvents(page: \"secret\") { __typename } }";

async fn ticket(test: &Test, token: &str) -> String {
    let document = "mutation { ticketCreate(input: {}) { ticket expiresAt userErrors { code } } }";
    let (_, answer) = test.respond(document, json!({}), Some(token)).await;
    let made = &answer["data"]["ticketCreate"];
    assert_eq!(made["expiresAt"], test.in_minutes(1), "{answer}");
    made["ticket"].as_str().expect("a ticket").to_owned()
}

/// What a GET is answered with nothing but a ticket.
async fn get(test: &Test, document: &str, ticket: &str, accept: &str) -> reqwest::Response {
    let mut url = url::Url::parse(&test.graphql()).expect("an address");
    url.query_pairs_mut()
        .append_pair("query", document)
        .append_pair("ticket", ticket);
    let asked = test.http.get(url).header("accept", accept).send().await;
    asked.expect("the server answers")
}

async fn answer(test: &Test, document: &str, ticket: &str) -> (u16, Value) {
    let response = get(test, document, ticket, "application/json").await;
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_ticket_opens_a_stream_that_ends_with_its_token() {
    for_each_database(async |test| {
        let input = json!({ "slug": "secret", "name": "Secret", "visibility": "PRIVATE" });
        let page = test.mutate("pageCreate", input, "page { id }").await["page"]["id"].clone();
        let page = page.as_str().expect("an id");
        let (id, text) = test.token("RESPONDER", Some(&[page])).await;
        let ticket = ticket(test, &text).await;

        let mut stream = get(test, EVENTS, &ticket, "text/event-stream").await;

        let mut told = String::new();
        while !told.contains("PageSnapshot") {
            told += &String::from_utf8_lossy(&chunk(&mut stream).await.expect("there is more"));
        }
        test.pass_minutes(1);
        test.mutate("tokenRevoke", json!({ "token": id }), "token { id }").await;
        while let Some(more) = chunk(&mut stream).await {
            told += &String::from_utf8_lossy(&more);
        }
        assert!(told.contains("event: complete"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_ticket_only_sees() {
    for_each_database(async |test| {
        for token in [ADMIN, &test.token("ADMIN", None).await.1] {
            let ticket = ticket(test, token).await;

            let (_, seen) = answer(test, "{ viewer { role } server { version } }", &ticket).await;
            let (_, tokens) = answer(test, "{ tokens(first: 1) { totalCount } }", &ticket).await;
            let mutation = "mutation { ticketCreate(input: {}) { ticket } }";
            let (by_get, _) = answer(test, mutation, &ticket).await;
            let (as_bearer, _) = test.respond(mutation, json!({}), Some(&ticket)).await;

            assert_eq!(seen["data"]["viewer"]["role"], "ADMIN");
            assert_eq!(code(&tokens), "FORBIDDEN");
            assert_eq!((by_get, as_bearer), (405, 401));
            let posted = test
                .http
                .post(format!("{}?ticket={ticket}", test.graphql()))
                .json(&json!({ "query": mutation }))
                .send()
                .await
                .expect("the server answers");
            let posted: Value = posted.json().await.expect("JSON");
            assert_eq!(
                code(&posted),
                "FORBIDDEN",
                "nor is it looked for where something can be changed"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_ticket_that_is_over_forged_or_of_a_token_that_ended_is_401() {
    for_each_database(async |test| {
        let (id, text) = test.token("VIEWER", None).await;
        let document = "{ viewer { role } }";
        let (over, other) = (ticket(test, &text).await, ticket(test, ADMIN).await);
        test.pass_minutes(1);
        let revoked = ticket(test, &text).await;
        assert_eq!(answer(test, document, &revoked).await.0, 200);
        test.mutate("tokenRevoke", json!({ "token": id }), "token { id }").await;

        for wrong in [over.as_str(), &other, &revoked, "noise", ADMIN, &text] {
            let (status, answer) = answer(test, document, wrong).await;
            assert_eq!((status, code(&answer)), (401, "UNAUTHENTICATED"), "{wrong}");
        }
        let long = "mutation { ticketCreate(input: { lifetimeSeconds: 301 }) { ticket } }";
        assert_eq!(code(&test.answer(long, json!({})).await), "BAD_USER_INPUT");
    })
    .await;
}
