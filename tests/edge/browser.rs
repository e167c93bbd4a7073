//! What browsers are told: who may read an answer, and how to treat it.

use allclear::transport::Config;
use reqwest::Method;
use reqwest::header::{ACCEPT, ORIGIN};
use tokio_tungstenite::tungstenite::Error;

use crate::server::{Answer, Server, answer};
use crate::socket::Socket;

const FRONT: &str = "https://front.example";
const FOREIGN: &str = "https://evil.example";

async fn with_origins(origins: &[&str]) -> Server {
    Server::with(Config {
        allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        ..Config::default()
    })
    .await
}

/// Asks whether a page of an origin may do something, as a browser does before it does it.
async fn ask(server: &Server, origin: &str, method: &str, headers: &str) -> Answer {
    let request = server
        .request(Method::OPTIONS, "/graphql")
        .header(ORIGIN, origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    answer(request).await
}

fn granted(answer: &Answer) -> Option<&str> {
    answer
        .headers
        .get("access-control-allow-origin")
        .map(|value| value.to_str().expect("a header of text"))
}

#[tokio::test]
async fn a_page_that_is_allowed_may_send_what_it_asks_for() {
    let server = with_origins(&["https://other.example", FRONT]).await;
    let headers = "authorization,content-type,last-event-id,traceparent";

    let asked = ask(&server, FRONT, "POST", headers).await;

    assert_eq!((asked.status, granted(&asked)), (204, Some(FRONT)));
    assert_eq!(asked.header("access-control-allow-methods"), "GET, POST, PUT, DELETE");
    assert_eq!(asked.header("access-control-allow-headers"), headers);
    assert_eq!(asked.header("access-control-max-age"), "7200");
    assert_eq!(asked.header("access-control-allow-credentials"), "");
    let varies: Vec<_> = asked.headers.get_all("vary").iter().collect();
    assert_eq!(varies.len(), 2, "{varies:?}");
}

#[tokio::test]
async fn a_page_that_is_not_allowed_may_send_nothing() {
    for (origins, origin) in [
        (&[] as &[_], FOREIGN),
        (&[FRONT], FOREIGN),
        (&[FRONT], "null"),
        (&[FRONT], "http://front.example"),
        (&[FRONT], "https://front.example.evil.example"),
        (&[FRONT], "https://front.example:8443"),
    ] {
        let server = with_origins(origins).await;

        let asked = ask(&server, origin, "POST", "content-type").await;

        assert_eq!((asked.status, granted(&asked)), (403, None), "{origin}");
        assert_eq!(asked.code(), "ORIGIN_FORBIDDEN");
    }
}

#[tokio::test]
async fn every_kind_of_answer_says_who_may_read_it() {
    let server = with_origins(&[FRONT]).await;
    let of = |origin: &'static str| {
        let server = &server;
        async move {
            let stream = server
                .get("/graphql?query=subscription%7Bcount(to:1)%7D")
                .header(ACCEPT, "text/event-stream");
            let requests = [
                server.query("{ hello }"),
                server.query("{ nothing }"),
                server.query("{"),
                server.get("/graphql?query=%7Bhello%7D"),
                server.get("/nowhere"),
                server.request(Method::DELETE, "/graphql"),
                server.get("/healthz"),
                stream,
            ];
            let mut answers = Vec::new();
            for request in requests {
                answers.push(answer(request.header(ORIGIN, origin)).await);
            }
            answers
        }
    };

    for answer in of(FRONT).await {
        assert_eq!(granted(&answer), Some(FRONT));
        assert!(answer.headers("vary").contains("origin"), "{}", answer.headers("vary"));
        assert_eq!(
            answer.header("access-control-expose-headers"),
            "x-request-id, retry-after"
        );
    }
    for answer in of(FOREIGN).await {
        assert_eq!(granted(&answer), None);
        assert!(answer.headers("vary").contains("origin"), "{}", answer.headers("vary"));
    }
}

#[tokio::test]
async fn all_pages_may_read_where_every_origin_is_allowed_and_no_answer_is_made_with_credentials() {
    let server = with_origins(&["*"]).await;

    for origin in [FOREIGN, "null"] {
        let asked = ask(&server, origin, "POST", "authorization").await;
        let read = answer(server.query("{ hello }").header(ORIGIN, origin)).await;

        for answer in [asked, read] {
            assert_eq!(granted(&answer), Some("*"));
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            assert_eq!(answer.header("set-cookie"), "");
        }
    }
}

#[tokio::test]
async fn one_list_of_origins_holds_for_http_and_for_sockets() {
    let server = with_origins(&[FRONT]).await;

    for (origin, status) in [(FRONT, 200), (FOREIGN, 403)] {
        let posted = answer(server.query("mutation { run }").header(ORIGIN, origin)).await;
        let opened = Socket::open(&server, &[("origin", origin)]).await;

        assert_eq!(posted.status, status, "{origin}");
        match opened {
            Ok(_) => assert_eq!(origin, FRONT),
            Err(Error::Http(response)) => assert_eq!((origin, response.status().as_u16()), (FOREIGN, 403)),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn no_answer_is_taken_for_another_type_than_it_has() {
    let server = Server::start().await;

    for request in [
        server.query("{ hello }"),
        server.query("{"),
        server.get("/"),
        server.get("/graphiql"),
        server.get("/healthz"),
        server.get("/nowhere"),
        server.request(Method::PUT, "/graphql/stream"),
        server.request(Method::OPTIONS, "/graphql"),
    ] {
        let answer = answer(request).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{}", answer.text);
    }
}

#[tokio::test]
async fn the_explorer_runs_its_own_scripts_and_no_others_and_stands_in_no_frame() {
    let server = Server::start().await;

    let (first, second) = (
        answer(server.get("/graphiql")).await,
        answer(server.get("/graphiql")).await,
    );

    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(first.header(name), value, "{name}");
    }
    let rules = first.header("content-security-policy");
    for rule in [
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(rules.contains(rule), "{rules}");
    }
    let scripts = rules
        .split("; ")
        .find_map(|rule| rule.strip_prefix("script-src "))
        .expect("which scripts");
    assert!(
        !scripts.contains("unsafe") && !scripts.contains('*') && !scripts.contains("data:"),
        "{scripts}"
    );
    let nonce = scripts
        .split(' ')
        .find_map(|source| source.strip_prefix("'nonce-")?.strip_suffix('\''))
        .expect("a nonce");
    assert_eq!(first.text.matches(&format!("<script nonce=\"{nonce}\"")).count(), 2);
    assert!(!second.text.contains(nonce), "a nonce is used once");
}
