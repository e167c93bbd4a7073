//! What a page of somebody else can make a browser send: nothing of it changes anything.

use std::sync::atomic::Ordering;

use allclear::transport::Config;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, ORIGIN};
use serde_json::json;

use crate::server::{Server, answer};

/// All that a form or a script can name, and what neither can without asking beforehand.
const CONTENT_TYPES: [Option<&str>; 7] = [
    None,
    Some("text/plain"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=x"),
    Some("application/graphql"),
    Some("text/plain; charset=application/json"),
    Some("application/json"),
];

/// Somebody else's page, one whose origin is hidden (a sandboxed frame, a file), and one that looks like ours.
fn origins(server: &Server) -> [String; 3] {
    let ours = format!("http://{}", server.address);
    [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        format!("{ours}.evil.example"),
    ]
}

/// A mutation in each form that some server takes.
fn bodies() -> [String; 4] {
    let document = "mutation{run}";
    [
        json!({ "query": document }).to_string(),
        format!("query={document}"),
        format!("--x\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n{document}\r\n--x--\r\n"),
        // A form of text whose one field's name and value make up JSON.
        format!(r#"{{"query":"{document}","x":"="}}"#),
    ]
}

#[tokio::test]
async fn seven_content_types_by_get_and_post_from_three_origins_have_no_side_effect() {
    let server = Server::with(Config {
        allowed_origins: vec!["https://front.example".to_owned()],
        ..Config::default()
    })
    .await;
    let query = "?query=mutation%7Brun%7D";
    let mut sent = 0;

    for origin in origins(&server) {
        for content_type in CONTENT_TYPES {
            for method in [Method::GET, Method::POST] {
                for path in ["/graphql", "/graphql/stream"] {
                    for accept in ["*/*", "text/event-stream"] {
                        for body in bodies() {
                            let request = server.request(method.clone(), &format!("{path}{query}"));
                            let mut request = request.header(ORIGIN, &origin).header(ACCEPT, accept);
                            if let Some(content_type) = content_type {
                                request = request.header(CONTENT_TYPE, content_type);
                            }
                            let answer = answer(request.body(body)).await;
                            let case = format!("{origin} {content_type:?} {method} {path} {accept}");
                            assert!((400..500).contains(&answer.status), "{case}: {}", answer.status);
                            assert_eq!(answer.header("access-control-allow-origin"), "", "{case}");
                            sent += 1;
                        }
                    }
                }
            }
        }
    }

    assert_eq!(sent, 3 * 7 * 2 * 2 * 2 * 4);
    assert_eq!(server.state.ran.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_same_from_our_own_page_or_one_that_is_allowed_runs() {
    let front = "https://front.example";
    let server = Server::with(Config {
        allowed_origins: vec![front.to_owned()],
        ..Config::default()
    })
    .await;
    let ours = format!("http://{}", server.address);

    for (count, origin) in [(1, ours.as_str()), (2, front)] {
        let posted = answer(server.query("mutation{run}").header(ORIGIN, origin)).await;
        assert_eq!(posted.json(), json!({ "data": { "run": count } }), "{origin}");
    }
}

#[tokio::test]
async fn get_runs_no_mutation_whoever_asks_and_in_whatever_form_the_answer_may_come() {
    let server = Server::start().await;

    for accept in [
        "*/*",
        "application/json",
        "text/event-stream",
        "multipart/mixed;subscriptionSpec=1.0, */*",
    ] {
        for query in [
            "mutation{run}",
            "query+A{hello}mutation+B{run}&operationName=B",
            "mutation+B{...f}fragment+f+on+Mutation{run}",
        ] {
            for method in [Method::GET, Method::HEAD] {
                let request = server.request(method, &format!("/graphql?query={query}"));
                let answer = answer(request.header(ACCEPT, accept)).await;
                assert_eq!(
                    (answer.status, answer.header("allow")),
                    (405, "POST"),
                    "{accept} {query}"
                );
            }
        }
    }
    assert_eq!(server.state.ran.load(Ordering::SeqCst), 0);
}
