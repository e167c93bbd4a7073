//! Subscriptions over HTTP: server-sent events by graphql-sse, parts by subscriptionSpec.

use std::time::Duration;

use allclear::transport::Config;
use reqwest::header::ACCEPT;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::{Server, answer};

const EVENTS: &str = "text/event-stream";
const PARTS: &str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0, application/json";

/// A response that comes bit by bit.
struct Streamed {
    response: Response,
    text: String,
}

impl Streamed {
    async fn open(request: RequestBuilder) -> Streamed {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        Streamed {
            response,
            text: String::new(),
        }
    }

    /// Reads until some words have come.
    async fn until(&mut self, words: &str) {
        while !self.text.contains(words) {
            let chunk = self.response.chunk().await.expect("a chunk").expect("not the end");
            self.text += std::str::from_utf8(&chunk).expect("text");
        }
    }

    /// Reads to the end; an error where the connection ends before the body does.
    async fn rest(mut self) -> Result<String, reqwest::Error> {
        while let Some(chunk) = self.response.chunk().await? {
            self.text += std::str::from_utf8(&chunk).expect("text");
        }
        Ok(self.text)
    }
}

#[tokio::test]
async fn a_subscription_comes_as_events_over_post_and_over_get() {
    let server = Server::start().await;
    let document = "subscription { count(to: 2) }";
    for request in [
        server.query(document),
        server.post("/graphql/stream").json(&json!({"query": document})),
        server.get("/graphql?query=subscription%7Bcount(to:2)%7D"),
        server.get("/graphql/stream?query=subscription%7Bcount(to:2)%7D"),
    ] {
        let answer = answer(request.header(ACCEPT, EVENTS)).await;

        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(
            answer.text,
            ":\n\nevent: next\ndata: {\"data\":{\"count\":1}}\n\n\
             event: next\ndata: {\"data\":{\"count\":2}}\n\nevent: complete\ndata:\n\n"
        );
    }
}

#[tokio::test]
async fn a_connection_that_carried_a_stream_carries_the_next_request() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let ask = |accept: &str| {
        let body = json!({"query": "subscription { count(to: 1) }"}).to_string();
        format!(
            "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAccept: {accept}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for accept in [EVENTS, PARTS, EVENTS] {
        stream.write_all(ask(accept).as_bytes()).await.expect("it is sent");

        let mut text = String::new();
        while !text.ends_with("0\r\n\r\n") {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.expect("bytes");
            assert_ne!(read, 0, "the connection ended: {text}");
            text += std::str::from_utf8(&bytes[..read]).expect("text");
        }
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.contains("{\"data\":{\"count\":1}}"), "{text}");
    }
}

#[tokio::test]
async fn a_request_that_comes_while_a_stream_runs_is_answered_after_it() {
    let server = Server::changed(|config| config.ping_every = Duration::from_millis(20)).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let body = json!({"query": "mutation { wait }"}).to_string();
    let ask = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAccept: {EVENTS}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(ask.as_bytes()).await.expect("it is sent");
    server.state.begun.acquire().await.expect("it began").forget();

    let next = "GET /graphql?query=%7Bhello%7D HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(next.as_bytes()).await.expect("it is sent");
    // The server has gone on since it came.
    let mut text = String::new();
    while text.matches(":\n\n").count() < 4 {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.expect("bytes");
        text += std::str::from_utf8(&bytes[..read]).expect("text");
    }
    server.state.gate.add_permits(1);

    stream.read_to_string(&mut text).await.expect("text, and the end");
    let (first, second) = text.split_once("0\r\n\r\n").expect("the end of the stream");
    assert!(first.contains("{\"data\":{\"wait\":true}}"), "{text}");
    assert!(second.contains("{\"data\":{\"hello\":\"world\"}}"), "{text}");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_a_stream_without_chunks() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let ask = "GET /graphql?query=subscription%7Bcount(to:1)%7D HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n";

    stream.write_all(ask.as_bytes()).await.expect("it is sent");

    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("text, and the end");
    let (_, body) = text.split_once("\r\n\r\n").expect("a head");
    assert_eq!(
        body,
        ":\n\nevent: next\ndata: {\"data\":{\"count\":1}}\n\nevent: complete\ndata:\n\n"
    );
}

#[tokio::test]
async fn a_subscription_comes_in_parts() {
    let server = Server::start().await;

    let answer = answer(server.query("subscription { count(to: 1) }").header(ACCEPT, PARTS)).await;

    assert_eq!(
        answer.header("content-type"),
        "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0"
    );
    assert_eq!(
        answer.text,
        "\r\n--graphql\r\ncontent-type: application/json\r\n\r\n{\"payload\":{\"data\":{\"count\":1}}}\r\n--graphql--\r\n"
    );
}

#[tokio::test]
async fn who_takes_events_alone_gets_queries_and_mutations_so() {
    let server = Server::start().await;
    let as_events = |request: RequestBuilder| answer(request.header(ACCEPT, EVENTS));

    let query = as_events(server.query("{ hello }")).await;
    let mutation = as_events(server.query("mutation { run }")).await;
    let both = answer(
        server
            .query("{ hello }")
            .header(ACCEPT, "application/json, text/event-stream"),
    )
    .await;

    assert!(
        query
            .text
            .contains("event: next\ndata: {\"data\":{\"hello\":\"world\"}}\n\nevent: complete")
    );
    assert!(mutation.text.contains("{\"data\":{\"run\":1}}"));
    assert_eq!(both.json(), json!({"data": {"hello": "world"}}));
}

#[tokio::test]
async fn errors_of_a_document_come_in_the_stream_and_others_before_it() {
    let server = Server::start().await;
    let as_events = |request: RequestBuilder| answer(request.header(ACCEPT, EVENTS));
    for (document, code) in [
        ("{ hello", "GRAPHQL_PARSE_FAILED"),
        ("subscription { goodbye }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { refused }", "CURSOR_INVALID"),
    ] {
        let answer = as_events(server.query(document)).await;
        assert_eq!(answer.status, 200, "{document}");
        assert!(
            answer.text.contains("event: next\ndata: {\"errors\":["),
            "{}",
            answer.text
        );
        assert!(answer.text.contains(code), "{}", answer.text);
        assert!(answer.text.ends_with("event: complete\ndata:\n\n"), "{}", answer.text);
    }

    let got = server.get("/graphql?query=mutation%7Brun%7D");
    assert_eq!(as_events(got).await.status, 405);
    let wrong = server
        .query("subscription { never }")
        .header("authorization", "Bearer wrong");
    assert_eq!(as_events(wrong).await.status, 401);
    assert_eq!(as_events(server.post("/graphql").body("{}")).await.status, 415);
    let parts = answer(server.query("subscription { refused }").header(ACCEPT, PARTS)).await;
    assert!(parts.text.contains("{\"payload\":null,\"errors\":["), "{}", parts.text);
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive() {
    let server = Server::changed(|config| config.ping_every = Duration::from_millis(20)).await;
    for (accept, sign) in [(EVENTS, ":\n\n:\n\n:\n\n"), (PARTS, "{}\r\n--graphql\r\ncontent-type")] {
        let mut stream = Streamed::open(server.query("subscription { never }").header(ACCEPT, accept)).await;

        stream.until(sign).await;
    }
}

#[tokio::test]
async fn hanging_up_ends_the_subscription() {
    let server = Server::start().await;
    for accept in [EVENTS, PARTS] {
        let stream = Streamed::open(server.query("subscription { never }").header(ACCEPT, accept)).await;
        server.state.begun.acquire().await.expect("it began").forget();

        drop(stream);

        server.state.ended.acquire().await.expect("it ended").forget();
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_off() {
    let server = Server::changed(|config| config.send_timeout = Duration::from_millis(50)).await;
    let request = server.query("subscription { flood }").header(ACCEPT, EVENTS);
    let mut stream = Streamed::open(request).await;
    stream.until("event: next").await;

    // Reading on, what is in the buffers comes, and then an end that is none.
    server.state.flooded.acquire().await.expect("the flood ended").forget();
    assert!(stream.rest().await.is_err());
}

#[tokio::test]
async fn an_item_that_cannot_be_made_cuts_the_stream_off() {
    let server = Server::start().await;
    for document in ["subscription { away(after: 1) }", "subscription { panic }"] {
        let stream = Streamed::open(server.query(document).header(ACCEPT, EVENTS)).await;

        assert!(stream.rest().await.is_err(), "{document}");
    }
}

#[tokio::test]
async fn a_server_that_stops_does_not_say_that_a_subscription_is_complete() {
    let mut config = Config::default();
    config.websocket.closing_time = Duration::from_secs(60);
    let server = Server::with(config).await;
    let stream = Streamed::open(server.query("subscription { never }").header(ACCEPT, EVENTS)).await;
    server.state.begun.acquire().await.expect("it began").forget();

    server.shutdown.cancel();

    assert!(stream.rest().await.is_err());
    server.serving.await.expect("it did not panic");
}

#[tokio::test]
async fn one_stream_serves_many_operations() {
    let server = Server::start().await;
    let reserved = answer(server.request(Method::PUT, "/graphql/stream")).await;
    assert_eq!(reserved.status, 201);
    let token = reserved.text.as_str();
    let with_token = |request: RequestBuilder| request.header("x-graphql-event-stream-token", token);
    let post = |id: &str, document: &str| {
        let body = json!({"query": document, "extensions": {"operationId": id}});
        answer(with_token(server.post("/graphql/stream").json(&body)))
    };

    // What is posted before the stream is opened waits for it.
    assert_eq!(post("a", "subscription { count(to: 1) }").await.status, 202);
    let path = format!("/graphql/stream?token={token}");
    let mut stream = Streamed::open(server.get(&path)).await;
    stream
        .until("event: next\ndata: {\"id\":\"a\",\"payload\":{\"data\":{\"count\":1}}}\n\n")
        .await;
    stream.until("event: complete\ndata: {\"id\":\"a\"}\n\n").await;
    assert_eq!(answer(server.get(&path)).await.code(), "STREAM_IS_OPEN");

    assert_eq!(post("b", "subscription { never }").await.status, 202);
    server.state.begun.acquire().await.expect("it began").forget();
    assert_eq!(post("b", "{ hello }").await.code(), "OPERATION_EXISTS");
    assert_eq!(post("c", "{ hello }").await.status, 202);
    stream
        .until("{\"id\":\"c\",\"payload\":{\"data\":{\"hello\":\"world\"}}}")
        .await;
    let ended = answer(with_token(
        server.request(Method::DELETE, "/graphql/stream?operationId=b"),
    ))
    .await;
    assert_eq!(ended.status, 200);
    server.state.ended.acquire().await.expect("it ended").forget();
    stream.until("event: complete\ndata: {\"id\":\"b\"}\n\n").await;
    assert_eq!(post("b", "{ hello }").await.status, 202);
    stream
        .until("{\"id\":\"b\",\"payload\":{\"data\":{\"hello\":\"world\"}}}")
        .await;
}

#[tokio::test]
async fn a_stream_that_nobody_reserved_takes_nothing() {
    let server = Server::start().await;
    let body = json!({"query": "{ hello }", "extensions": {"operationId": "a"}});
    let nameless = json!({"query": "{ hello }"});
    let long = json!({"query": "{ hello }", "extensions": {"operationId": "a".repeat(257)}});
    for (request, status) in [
        (server.get("/graphql/stream?token=nonsense"), 404),
        (server.post("/graphql/stream?token=nonsense").json(&body), 404),
        (server.post("/graphql/stream?token=nonsense").json(&nameless), 400),
        (server.post("/graphql/stream?token=nonsense").json(&long), 400),
        (
            server.request(Method::DELETE, "/graphql/stream?token=nonsense&operationId=a"),
            404,
        ),
        (server.request(Method::DELETE, "/graphql/stream?operationId=a"), 400),
    ] {
        assert_eq!(answer(request).await.status, status);
    }
}

#[tokio::test]
async fn a_client_that_wants_the_connection_closed_has_it_closed_after_the_stream() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let ask = "GET /graphql?query=subscription%7Bcount(to:1)%7D HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\
               Connection: keep-alive, Close\r\n\r\n";

    stream.write_all(ask.as_bytes()).await.expect("it is sent");

    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("text, and the end");
    assert!(text.ends_with("event: complete\ndata:\n\n\r\n0\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn a_stream_that_is_not_opened_in_time_is_forgotten_with_what_waits_for_it() {
    let server = Server::changed(|config| config.init_timeout = Duration::from_millis(50)).await;
    let token = answer(server.request(Method::PUT, "/graphql/stream")).await.text;
    let body = json!({"query": "{ hello }", "extensions": {"operationId": "a"}});
    let post = || answer(server.post(&format!("/graphql/stream?token={token}")).json(&body));
    post().await;

    // Nobody reserves another.
    let forgotten = async { while post().await.code() == "OPERATION_EXISTS" {} };
    timeout(Duration::from_secs(20), forgotten)
        .await
        .expect("it is forgotten");

    assert_eq!(post().await.code(), "STREAM_NOT_FOUND");
}
