//! `/graphql/ws`: graphql-transport-ws over real sockets.

use allclear::transport::Config;
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::Server;
use crate::socket::Socket;

fn next(id: &str, data: Value) -> Value {
    let mut message = json!({"type": "next", "id": id, "payload": {}});
    message["payload"]["data"] = data;
    message
}

fn complete(id: &str) -> Value {
    json!({"type": "complete", "id": id})
}

#[tokio::test]
async fn a_subscription_gives_its_items_in_order_and_completes() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;

    socket.subscribe("a", "subscription { count(to: 3) }").await;

    for i in 1..=3 {
        assert_eq!(socket.receive().await, next("a", json!({"count": i})));
    }
    assert_eq!(socket.receive().await, complete("a"));
}

#[tokio::test]
async fn a_subscription_may_stand_in_a_fragment() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;

    socket
        .subscribe("a", "subscription { ...f } fragment f on Live { count(to: 1) }")
        .await;

    assert_eq!(socket.receive().await, next("a", json!({"count": 1})));
    assert_eq!(socket.receive().await, complete("a"));
}

#[tokio::test]
async fn queries_and_mutations_run_over_the_socket_too() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;

    socket.subscribe("a", "{ hello }").await;
    assert_eq!(socket.receive().await, next("a", json!({"hello": "world"})));
    assert_eq!(socket.receive().await, complete("a"));

    socket.subscribe("a", "mutation { run }").await;
    assert_eq!(socket.receive().await, next("a", json!({"run": 1})));
    assert_eq!(socket.receive().await, complete("a"));
}

#[tokio::test]
async fn what_cannot_start_is_one_error_message() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;
    for (document, code) in [
        ("{ hello", "GRAPHQL_PARSE_FAILED"),
        ("{ goodbye }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { goodbye }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { never count(to: 1) }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count(to: \"x\") }", "BAD_USER_INPUT"),
        ("subscription { refused }", "CURSOR_INVALID"),
        ("subscription { secret }", "INTERNAL"),
        (&"{ a".repeat(1_000), "DOCUMENT_TOO_COMPLEX"),
    ] {
        socket.subscribe("a", document).await;
        let message = socket.receive().await;
        assert_eq!(
            (&message["type"], &message["id"]),
            (&json!("error"), &json!("a")),
            "{document}"
        );
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{document}");
        assert!(!message.to_string().contains("swordfish"), "{message}");
    }
    // None of them is followed by a `complete`.
    socket.subscribe("b", "{ hello }").await;
    assert_eq!(socket.receive().await["id"], "b");
}

#[tokio::test]
async fn an_item_that_fails_does_not_end_its_subscription() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;

    socket.subscribe("a", "subscription { stumble }").await;

    assert_eq!(socket.receive().await, next("a", json!({"stumble": 1})));
    let failed = socket.receive().await;
    assert_eq!(
        (&failed["type"], &failed["payload"]["data"]),
        (&json!("next"), &Value::Null)
    );
    assert_eq!(failed["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(socket.receive().await, next("a", json!({"stumble": 3})));
    assert_eq!(socket.receive().await, complete("a"));
}

#[tokio::test]
async fn completing_ends_the_stream_and_frees_the_id() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("a", "subscription { never }").await;
    server.state.begun.acquire().await.expect("it began").forget();

    socket.send(complete("a")).await;

    server.state.ended.acquire().await.expect("it ended").forget();
    socket.subscribe("a", "{ hello }").await;
    assert_eq!(socket.receive().await, next("a", json!({"hello": "world"})));
}

#[tokio::test]
async fn hanging_up_ends_all_streams() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("a", "subscription { never }").await;
    socket.subscribe("b", "subscription { never }").await;
    server.state.begun.acquire_many(2).await.expect("they began").forget();

    drop(socket);

    server.state.ended.acquire_many(2).await.expect("they ended").forget();
}

#[tokio::test]
async fn one_that_has_much_to_say_does_not_silence_the_others() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("flood", "subscription { flood }").await;
    assert_eq!(socket.receive().await["id"], "flood");

    socket.subscribe("a", "{ hello }").await;

    let mut waited = 0;
    while socket.receive().await["id"] != "a" {
        waited += 1;
        // What is in the buffers between us when `a` is sent, and a fair share after.
        assert!(waited < 1_000, "the query is never answered");
    }
}

#[tokio::test]
async fn each_fault_has_its_close_code() {
    let server = Server::start().await;
    let init = json!({"type": "connection_init"});
    let subscribe = json!({"type": "subscribe", "id": "a", "payload": {"query": "subscription { never }"}});
    for (messages, code) in [
        (vec![json!("noise")], 4400),
        (vec![init.clone(), json!({"type": "subscribe", "id": 1})], 4400),
        (vec![subscribe.clone()], 4401),
        (vec![init.clone(), subscribe.clone(), subscribe.clone()], 4409),
        (vec![init.clone(), init.clone()], 4429),
        (
            vec![json!({"type": "connection_init", "payload": {"token": "wrong"}})],
            4403,
        ),
        (
            vec![json!({"type": "connection_init", "payload": {"authorization": "Bearer wrong"}})],
            4403,
        ),
        (
            vec![json!({"type": "connection_init", "payload": {"authorization": "good"}})],
            4403,
        ),
        (
            vec![json!({"type": "connection_init", "payload": {"token": "away"}})],
            1013,
        ),
    ] {
        let mut socket = Socket::speaking(&server).await;
        for message in &messages {
            socket.send(message.clone()).await;
        }
        assert_eq!(socket.closed().await.0, code, "{messages:?}");
    }
}

#[tokio::test]
async fn a_resolver_that_panics_closes_with_4500() {
    let server = Server::start().await;
    for document in ["{ panic }", "subscription { panic }"] {
        let mut socket = Socket::initialised(&server).await;
        socket.subscribe("a", document).await;
        assert_eq!(socket.closed().await, (4500, "Internal server error".to_owned()));
    }
}

#[tokio::test]
async fn a_socket_without_the_subprotocol_is_closed() {
    let server = Server::start().await;

    let mut socket = Socket::open(&server, &[]).await.expect("a socket");

    assert_eq!(socket.closed().await, (4406, "Subprotocol not acceptable".to_owned()));
}

#[tokio::test]
async fn binary_messages_and_long_ones_are_refused() {
    let server = Server::changed(|config| config.message_limit = 1_000).await;
    for (message, code) in [
        (Message::Binary(vec![1, 2, 3].into()), 4400),
        (Message::Text("x".repeat(1_001).into()), 1009),
        (Message::Text("x".repeat(100_000).into()), 1009),
    ] {
        let mut socket = Socket::speaking(&server).await;
        socket.inner.send(message).await.expect("it is sent");
        assert_eq!(socket.closed().await.0, code);
    }
}

#[tokio::test]
async fn the_token_comes_with_the_upgrade_or_with_the_init() {
    let server = Server::start().await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    let header = |token: &'static str| [protocol, ("authorization", token)];
    for (headers, payload, sender) in [
        (vec![protocol], json!({}), "public"),
        (vec![protocol], json!({"token": "good"}), "good"),
        (vec![protocol], json!({"Authorization": "Bearer good"}), "good"),
        (header("Bearer good").to_vec(), json!({}), "good"),
        (header("Bearer wrong").to_vec(), json!({"token": "good"}), "good"),
    ] {
        let mut socket = Socket::open(&server, &headers).await.expect("a socket");
        socket
            .send(json!({"type": "connection_init", "payload": payload}))
            .await;
        assert_eq!(socket.receive().await["type"], "connection_ack");
        socket.subscribe("a", "{ sender }").await;
        assert_eq!(socket.receive().await, next("a", json!({"sender": sender})));
    }

    let mut socket = Socket::open(&server, &header("Bearer wrong")).await.expect("a socket");
    socket.send(json!({"type": "connection_init"})).await;
    assert_eq!(socket.closed().await.0, 4403);
}

#[tokio::test]
async fn a_token_that_was_revoked_since_starts_nothing() {
    let server = Server::start().await;
    let mut socket = Socket::speaking(&server).await;
    socket
        .send(json!({"type": "connection_init", "payload": {"token": "later"}}))
        .await;
    assert_eq!(socket.receive().await["type"], "connection_ack");

    socket.subscribe("a", "mutation { run }").await;

    let message = socket.receive().await;
    assert_eq!(
        (&message["type"], &message["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("UNAUTHENTICATED"))
    );
}

#[tokio::test]
async fn an_operation_too_many_is_refused_and_the_others_stay() {
    let server = Server::changed(|config| config.max_operations = 2).await;
    let mut socket = Socket::initialised(&server).await;
    for id in ["a", "b", "c"] {
        socket.subscribe(id, "subscription { never }").await;
    }

    let message = socket.receive().await;

    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("c")));
    assert_eq!(
        message["payload"][0]["extensions"],
        json!({"code": "TOO_MANY_OPERATIONS", "max": 2})
    );
    socket.send(complete("a")).await;
    socket.subscribe("c", "{ hello }").await;
    assert_eq!(socket.receive().await["type"], "next");
}

#[tokio::test]
async fn pings_of_the_protocol_are_answered() {
    let server = Server::start().await;
    let mut socket = Socket::speaking(&server).await;

    socket.send(json!({"type": "ping"})).await;
    assert_eq!(socket.receive().await, json!({"type": "pong"}));
    socket.send(json!({"type": "ping", "payload": {"a": 1}})).await;
    assert_eq!(socket.receive().await, json!({"type": "pong", "payload": {"a": 1}}));
}

#[tokio::test]
async fn a_foreign_page_is_refused_before_the_upgrade() {
    let server = Server::with(Config {
        allowed_origins: vec!["https://front.example".to_owned()],
        ..Config::default()
    })
    .await;
    let own = format!("http://{}", server.address);
    let open = |origin: &str| {
        let headers =
            [("sec-websocket-protocol", "graphql-transport-ws"), ("origin", origin)].map(|(n, v)| (n, v.to_owned()));
        let server = &server;
        async move {
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            Socket::open(server, &headers).await.map(|_| ())
        }
    };

    assert!(open(&own).await.is_ok());
    assert!(open("https://front.example").await.is_ok());
    match open("https://evil.example").await {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403),
        other => panic!("not refused: {other:?}"),
    }
}
