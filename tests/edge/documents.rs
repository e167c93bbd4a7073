//! Documents that a request names by a hash.

use std::fs;

use allclear::transport::preflight::Limits;
use allclear::transport::{Config, DocumentConfig, Persisted};
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::server::{Answer, Server, answer};
use crate::socket::Socket;

const HELLO: &str = "{ hello }";

fn hex(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn named(text: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hex(text) } })
}

async fn with(documents: DocumentConfig) -> Server {
    Server::with(Config {
        documents,
        ..Config::default()
    })
    .await
}

/// A server that knows two documents beforehand.
async fn knowing(only_persisted: bool) -> Server {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("hello.graphql"), format!("{HELLO}\n")).expect("a file");
    let map = json!({ "by-its-own-id": "mutation { run }", "live": "subscription { count(to: 2) }" }).to_string();
    fs::write(folder.path().join("relay.json"), map).expect("a file");
    with(DocumentConfig {
        persisted: Persisted::read(folder.path(), &Limits::default()).expect("documents"),
        only_persisted,
        ..DocumentConfig::default()
    })
    .await
}

async fn post(server: &Server, body: Value) -> Answer {
    answer(server.post("/graphql").json(&body)).await
}

#[tokio::test]
async fn a_client_names_a_document_sends_it_once_and_names_it_from_then_on() {
    let server = Server::start().await;
    let name = named(HELLO);

    let first = post(&server, json!({ "extensions": name })).await;
    let sent = post(&server, json!({ "query": HELLO, "extensions": name })).await;
    let again = post(&server, json!({ "extensions": name })).await;

    // Apollo's clients look for the code, others for the text.
    let error = &first.json()["errors"][0];
    assert_eq!(error["message"], "PersistedQueryNotFound");
    assert_eq!(error["extensions"], json!({ "code": "PERSISTED_QUERY_NOT_FOUND" }));
    for answer in [sent, again] {
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "data": { "hello": "world" } }))
        );
    }
    let extensions = reqwest::Url::parse_with_params("http://a/graphql", [("extensions", name.to_string())]);
    let query = extensions.expect("an address").query().expect("a query").to_owned();
    assert_eq!(answer(server.get(&format!("/graphql?{query}"))).await.status, 200);
}

#[tokio::test]
async fn a_name_that_is_unknown_is_a_request_error() {
    let server = Server::start().await;
    for (accept, status) in [
        ("*/*", 400),
        ("application/graphql-response+json", 400),
        ("application/json", 200),
    ] {
        let request = server.post("/graphql").header(ACCEPT, accept);
        let answer = answer(request.json(&json!({ "documentId": hex(HELLO) }))).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, "PERSISTED_QUERY_NOT_FOUND"),
            "{accept}"
        );
        assert_eq!(answer.json().get("data"), None);
    }
}

#[tokio::test]
async fn nothing_is_remembered_that_could_not_be_run_or_is_not_what_its_hash_says() {
    let server = Server::start().await;
    let complex = format!("{{ {} }}", "a:hello ".repeat(250));

    for (document, name, code) in [
        (complex.as_str(), named(&complex), "DOCUMENT_TOO_COMPLEX"),
        ("{ hello", named("{ hello"), "GRAPHQL_PARSE_FAILED"),
        (HELLO, named("{ other }"), "PERSISTED_QUERY_HASH_MISMATCH"),
    ] {
        let sent = post(&server, json!({ "query": document, "extensions": name })).await;
        let again = post(&server, json!({ "extensions": name })).await;

        assert_eq!((sent.status, sent.code().as_str()), (400, code));
        assert_eq!(again.code(), "PERSISTED_QUERY_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_named_mutation_runs_by_post_alone_too() {
    let server = knowing(false).await;

    let got = answer(server.get("/graphql?documentId=by-its-own-id")).await;
    assert_eq!((got.status, got.header("allow")), (405, "POST"));

    let posted = post(&server, json!({ "documentId": "by-its-own-id" })).await;
    assert_eq!(posted.json(), json!({ "data": { "run": 1 } }));
}

#[tokio::test]
async fn a_document_that_is_known_is_named_on_every_transport() {
    let server = knowing(true).await;
    let id = format!("sha256:{}", hex(HELLO));

    let posted = post(&server, json!({ "documentId": id, "variables": {} })).await;
    let got = answer(server.get(&format!("/graphql?documentId={id}"))).await;
    for answer in [posted, got] {
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "data": { "hello": "world" } }))
        );
    }

    let stream = server
        .get("/graphql?documentId=live")
        .header(ACCEPT, "text/event-stream");
    let events = answer(stream).await;
    assert_eq!(events.text.matches("event: next").count(), 2, "{}", events.text);

    let mut socket = Socket::initialised(&server).await;
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "documentId": id } });
    socket.send(subscribe).await;
    assert_eq!(
        socket.receive().await["payload"],
        json!({ "data": { "hello": "world" } })
    );
}

#[tokio::test]
async fn where_only_known_documents_run_no_other_does_on_any_transport() {
    let server = knowing(true).await;
    let other = "{ sender }";
    let refused = "DOCUMENT_NOT_PERSISTED";

    for (body, code) in [
        (json!({ "query": other }), refused),
        (json!({ "query": other, "extensions": named(other) }), refused),
        (json!({ "query": "mutation { run run2: run }" }), refused),
        (json!({ "query": "{ __schema { types { name } } }" }), refused),
        (json!({ "documentId": hex(other) }), "PERSISTED_QUERY_NOT_FOUND"),
        (
            json!({ "query": other, "documentId": hex(HELLO) }),
            "PERSISTED_QUERY_HASH_MISMATCH",
        ),
    ] {
        let posted = post(&server, body.clone()).await;
        assert_eq!((posted.status, posted.code().as_str()), (400, code), "{body}");
    }
    let got = answer(server.get("/graphql?query=%7Bsender%7D")).await;
    assert_eq!(got.code(), refused);
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("1", other).await;
    let told = socket.receive().await;
    assert_eq!(
        (&told["type"], &told["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!(refused))
    );

    assert_eq!(post(&server, json!({ "query": HELLO })).await.status, 200);
}

#[tokio::test]
async fn a_server_that_remembers_nothing_says_so_once_and_is_asked_no_more() {
    let server = with(DocumentConfig {
        remembered: 0,
        ..DocumentConfig::default()
    })
    .await;

    let named_alone = post(&server, json!({ "extensions": named(HELLO) })).await;
    let sent = post(&server, json!({ "query": HELLO, "extensions": named(HELLO) })).await;

    let error = &named_alone.json()["errors"][0];
    assert_eq!(error["message"], "PersistedQueryNotSupported");
    assert_eq!(error["extensions"]["code"], "PERSISTED_QUERY_NOT_SUPPORTED");
    assert_eq!(sent.status, 200);
}
