//! What else is served.

use std::time::Duration;

use allclear::transport::Config;
use reqwest::Method;

use crate::server::{Server, answer};

#[tokio::test]
async fn the_index_tells_where_things_are() {
    let server = Server::start().await;
    let index = answer(server.get("/")).await;

    assert_eq!(index.status, 200);
    for path in ["/graphql", "/graphql/ws", "/graphiql", "/healthz", "/readyz"] {
        assert!(index.text.contains(path), "{}", index.text);
        let status = answer(server.get(path)).await.status;
        assert!(status != 404, "{path}");
    }
}

#[tokio::test]
async fn the_explorer_talks_to_both_endpoints_unless_it_is_off() {
    let on = Server::start().await;
    let off = Server::with(Config {
        graphiql: false,
        ..Config::default()
    })
    .await;

    let page = answer(on.get("/graphiql")).await;

    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(page.text.contains("createUrl('/graphql')") && page.text.contains("createUrl('/graphql/ws')"));
    assert_eq!(answer(off.get("/graphiql")).await.status, 404);
    assert!(!answer(off.get("/")).await.text.contains("graphiql"));
}

#[tokio::test]
async fn a_server_that_lives_may_still_not_be_ready() {
    let reason = "postgres://user:secret@db".to_owned();
    let server = Server::ready(Config::default(), Err(reason), Duration::ZERO).await;

    let (alive, ready) = (
        answer(server.get("/healthz")).await,
        answer(server.get("/readyz")).await,
    );

    assert_eq!((alive.status, alive.text.as_str()), (200, "ok\n"));
    assert_eq!((ready.status, ready.text.as_str()), (503, "not ready\n"));
    assert_eq!(answer(Server::start().await.get("/readyz")).await.status, 200);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_as_json() {
    let server = Server::start().await;

    let nowhere = answer(server.get("/nowhere")).await;
    let method = answer(server.request(Method::PUT, "/graphql")).await;

    assert_eq!((nowhere.status, nowhere.code().as_str()), (404, "NOT_FOUND"));
    assert_eq!((method.status, method.code().as_str()), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(method.header("allow"), "GET,HEAD,POST");
}
