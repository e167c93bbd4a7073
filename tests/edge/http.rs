//! `/graphql` over HTTP.

use std::sync::atomic::Ordering;
use std::time::Duration;

use allclear::transport::Config;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Server, answer};

const RESPONSE_JSON: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

#[tokio::test]
async fn a_query_is_answered_by_post_and_by_get() {
    let server = Server::start().await;

    let posted = answer(server.query("{ hello }")).await;
    let got = answer(server.get("/graphql?query=%7B%20hello%20%7D")).await;

    let public = "public, max-age=10, s-maxage=10, stale-while-revalidate=20, stale-if-error=3600";
    for (answer, caching) in [(posted, "no-store"), (got, public)] {
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"data": {"hello": "world"}}))
        );
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(answer.header("cache-control"), caching);
    }
}

#[tokio::test]
async fn the_answer_has_the_type_that_is_accepted() {
    let server = Server::start().await;
    for (accept, status, content_type) in [
        (RESPONSE_JSON, 200, "application/graphql-response+json; charset=utf-8"),
        (JSON, 200, "application/json; charset=utf-8"),
        ("*/*", 200, "application/json; charset=utf-8"),
        ("text/html", 406, "application/json; charset=utf-8"),
    ] {
        let answer = answer(server.query("{ hello }").header(ACCEPT, accept)).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, content_type),
            "{accept}"
        );
    }
}

#[tokio::test]
async fn a_document_that_is_wrong_is_400_unless_json_is_named() {
    let server = Server::start().await;
    for (document, code) in [
        ("{ hello", "GRAPHQL_PARSE_FAILED"),
        ("{ goodbye }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...a } fragment a on Query { ...a }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ year(at: \"2026-02-30T00:00:00Z\") }", "BAD_USER_INPUT"),
        ("{ year(at: \"99999-01-01T00:00:00Z\") }", "BAD_USER_INPUT"),
        ("{ year(at: \"2026-02-03T00:00:00\") }", "BAD_USER_INPUT"),
    ] {
        for (accept, status) in [(RESPONSE_JSON, 400), ("*/*", 400), (JSON, 200)] {
            let answer = answer(server.query(document).header(ACCEPT, accept)).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (status, code),
                "{document} {accept}"
            );
            assert_eq!(answer.json().get("data"), None, "{document}");
        }
    }
}

#[tokio::test]
async fn a_document_past_a_limit_is_400_whatever_is_accepted() {
    let server = Server::start().await;
    for accept in [RESPONSE_JSON, "*/*", JSON] {
        let answer = answer(server.query(&"{ a".repeat(1_000)).header(ACCEPT, accept)).await;
        let extensions = answer.json()["errors"][0]["extensions"].clone();
        assert_eq!(answer.status, 400);
        assert_eq!(
            extensions,
            json!({"code": "DOCUMENT_TOO_COMPLEX", "limit": "nesting", "requested": 33, "max": 32})
        );
    }
}

#[tokio::test]
async fn a_mutation_runs_by_post_alone() {
    let server = Server::start().await;

    let got = answer(server.get("/graphql?query=mutation%20%7B%20run%20%7D")).await;
    assert_eq!(
        (got.status, got.code().as_str(), got.header("allow")),
        (405, "METHOD_NOT_ALLOWED", "POST")
    );
    assert_eq!(server.state.ran.load(Ordering::SeqCst), 0);

    let posted = answer(server.query("mutation { run }")).await;
    assert_eq!(posted.json(), json!({"data": {"run": 1}}));
}

#[tokio::test]
async fn one_key_twice_in_a_mutation_runs_nothing() {
    let server = Server::start().await;

    let answer = answer(server.query("mutation { run ... { run } }")).await;

    assert_eq!((answer.status, answer.code().as_str()), (400, "DUPLICATE_RESPONSE_KEY"));
    assert_eq!(server.state.ran.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_that_is_not_json_by_its_type_is_415() {
    let server = Server::start().await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
    ] {
        let request = server
            .post("/graphql")
            .header(CONTENT_TYPE, content_type)
            .body(r#"{"query":"mutation{run}"}"#);
        let answer = answer(request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
            "{content_type}"
        );
    }
    assert_eq!(server.state.ran.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_of_another_shape_is_400() {
    let server = Server::start().await;
    let deep = format!(
        r#"{{"query":"{{hello}}","variables":{{"x":{}1{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    for (body, code) in [
        ("[]", "BATCHING_DISABLED"),
        (r#"[{"query":"{hello}"}]"#, "BATCHING_DISABLED"),
        ("", "BAD_REQUEST"),
        ("null", "BAD_REQUEST"),
        ("\"{hello}\"", "BAD_REQUEST"),
        ("{", "BAD_REQUEST"),
        ("{}", "BAD_REQUEST"),
        (r#"{"query":7}"#, "BAD_REQUEST"),
        (r#"{"query":"{hello}","variables":"{}"}"#, "BAD_REQUEST"),
        (r#"{"query":"{hello}","operationName":7}"#, "BAD_REQUEST"),
        (r#"{"query":"{hello}","extensions":[]}"#, "BAD_REQUEST"),
        (r#"{"query":"\ud800"}"#, "BAD_REQUEST"),
        (r#"{"query":"{hello}","variables":{"x":"\udfff"}}"#, "BAD_REQUEST"),
        (&deep, "BAD_REQUEST"),
        (r#"{"query":"{hello}","operationName":"A"}"#, "OPERATION_NOT_FOUND"),
        (r#"{"query":"query A{hello} query B{hello}"}"#, "OPERATION_NOT_FOUND"),
    ] {
        for accept in [RESPONSE_JSON, JSON] {
            let request = server
                .post("/graphql")
                .header(CONTENT_TYPE, JSON)
                .header(ACCEPT, accept);
            let answer = answer(request.body(body.to_owned())).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}");
        }
    }
}

#[tokio::test]
async fn a_body_past_the_limit_is_413_said_or_not_how_long_it_is() {
    let server = Server::with(Config {
        body_limit: 1_000,
        ..Config::default()
    })
    .await;
    let body = json!({"query": "{ hello }", "variables": {"x": "x".repeat(2_000)}}).to_string();

    let announced = answer(server.post("/graphql").header(CONTENT_TYPE, JSON).body(body.clone())).await;
    assert_eq!(
        (announced.status, announced.code().as_str()),
        (413, "PAYLOAD_TOO_LARGE")
    );

    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let head =
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    stream.write_all(chunked.as_bytes()).await.expect("it is sent");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up() {
    let server = Server::with(Config {
        head_timeout: Duration::from_millis(20),
        ..Config::default()
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");

    let head = "POST /graphql HTTP/1.1\r\nHost: a\r\nX-Slow: ";
    stream.write_all(head.as_bytes()).await.expect("it is sent");

    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("the end");
    assert_eq!(text, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = Server::with(Config {
        body_timeout: Duration::from_millis(20),
        ..Config::default()
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");

    let head = "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("it is sent");

    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer, and the end");
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
}

#[tokio::test]
async fn subscriptions_are_pointed_to_where_they_come_from() {
    let server = Server::start().await;

    let posted = answer(server.query("subscription { never }")).await;
    let got = answer(server.get("/graphql?query=subscription%20%7B%20never%20%7D")).await;
    let two = answer(server.query("subscription { never count(to: 1) }")).await;

    assert_eq!(
        (posted.status, posted.code().as_str()),
        (400, "SUBSCRIPTION_NEEDS_STREAM")
    );
    assert!(posted.text.contains("/graphql/ws"));
    assert_eq!((got.status, got.code().as_str()), (400, "SUBSCRIPTION_NEEDS_STREAM"));
    assert_eq!((two.status, two.code().as_str()), (400, "GRAPHQL_VALIDATION_FAILED"));
}

#[tokio::test]
async fn a_wrong_token_is_401_with_one_text() {
    let server = Server::start().await;
    let sender = |credentials: &'static str| answer(server.query("{ sender }").header(AUTHORIZATION, credentials));

    assert_eq!(
        answer(server.query("{ sender }")).await.json()["data"]["sender"],
        "public"
    );
    assert_eq!(sender("Bearer good").await.json()["data"]["sender"], "good");
    let mut texts: Vec<Value> = Vec::new();
    for wrong in ["Bearer wrong", "Bearer later", "Basic Z29vZA==", "good"] {
        let answer = sender(wrong).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "UNAUTHENTICATED"),
            "{wrong}"
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        texts.push(answer.json());
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
}

#[tokio::test]
async fn what_is_away_is_503() {
    let server = Server::start().await;

    let access = answer(server.query("{ hello }").header(AUTHORIZATION, "Bearer away")).await;
    let resolver = answer(server.query("{ hello fail(code: \"UNAVAILABLE\") }")).await;

    for answer in [access, resolver] {
        assert_eq!((answer.status, answer.code().as_str()), (503, "UNAVAILABLE"));
    }
}

#[tokio::test]
async fn an_error_of_a_field_is_an_answer_with_data() {
    let server = Server::start().await;

    let answer = answer(server.query("{ hello maybe }").header(ACCEPT, RESPONSE_JSON)).await;

    assert_eq!((answer.status, answer.code().as_str()), (200, "FORBIDDEN"));
    assert_eq!(answer.json()["data"], json!({"hello": "world", "maybe": null}));
}

#[tokio::test]
async fn our_own_faults_show_a_request_id_and_no_text() {
    let server = Server::start().await;
    for (document, status) in [("{ secret }", 200), ("{ panic }", 500)] {
        let answer = answer(server.query(document).header("x-request-id", "find-me")).await;
        let extensions = answer.json()["errors"][0]["extensions"].clone();
        assert_eq!(
            (answer.status, extensions),
            (status, json!({"code": "INTERNAL", "requestId": "find-me"}))
        );
        assert!(!answer.text.contains("swordfish"), "{}", answer.text);
    }
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let server = Server::start().await;

    let given = answer(server.query("{ requestId }").header("x-request-id", "abc")).await;
    assert_eq!(
        (given.header("x-request-id"), given.json()["data"]["requestId"].as_str()),
        ("abc", Some("abc"))
    );

    for insane in ["x".repeat(65), "two words".to_owned()] {
        let fresh = answer(server.query("{ requestId }").header("x-request-id", insane)).await;
        assert_eq!(fresh.header("x-request-id").len(), 36);
    }
    assert_eq!(answer(server.get("/nowhere")).await.header("x-request-id").len(), 36);
}
