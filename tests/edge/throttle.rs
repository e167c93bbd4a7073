//! How much one sender may ask for, how many sockets it may have, and how fast it may send.

use std::num::NonZeroU32;
use std::time::Duration;

use allclear::transport::{Config, Rate};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::server::{Server, answer};
use crate::socket::Socket;

/// A server on which everybody may ask for this much at once, and then for next to nothing.
async fn server(burst: u32) -> Server {
    Server::with(rate(burst)).await
}

fn rate(burst: u32) -> Config {
    Config {
        rate: Some(Rate {
            cost: NonZeroU32::MIN,
            burst: NonZeroU32::new(burst).expect("not 0"),
        }),
        ..Config::default()
    }
}

/// The codes of several answers, or that they were fine.
async fn codes(count: usize, request: impl Fn() -> reqwest::RequestBuilder) -> Vec<String> {
    let mut codes = Vec::new();
    for _ in 0..count {
        let answer = answer(request()).await;
        codes.push(match answer.status {
            200 => "fine".to_owned(),
            _ => answer.code(),
        });
    }
    codes
}

#[tokio::test]
async fn who_asks_for_too_much_is_429_and_told_when_to_come_again() {
    // Each costs 10 as a request, and 1 for its field.
    let server = server(35).await;

    let codes = codes(5, || server.query("{ hello }")).await;
    let refused = answer(server.query("{ hello }")).await;

    assert_eq!(codes, ["fine", "fine", "fine", "RATE_LIMITED", "RATE_LIMITED"]);
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=15).contains(&seconds), "{seconds}");
    assert_eq!(
        refused.json()["errors"][0]["extensions"]["retryAfter"],
        json!(seconds),
        "{}",
        refused.text
    );
    let token = answer(server.query("{ hello }").bearer_auth("good")).await;
    assert_eq!(token.status, 200, "a token pays for itself");
    assert_eq!(answer(server.get("/healthz")).await.status, 200);
}

#[tokio::test]
async fn a_document_is_paid_for_by_its_cost_and_a_refused_one_too() {
    let server = server(1_000).await;
    let dear = format!(
        "{{ {} }}",
        (0..150).map(|n| format!("a{n}: hello ")).collect::<String>()
    );

    let dear = codes(8, || server.query(&dear)).await;

    assert_eq!(dear[..6], ["fine"; 6]);
    assert_eq!(dear[6..], ["RATE_LIMITED"; 2]);
    let server = self::server(1_000).await;
    let refused = codes(11, || server.query("{ hello")).await;
    assert_eq!(refused[..9], ["GRAPHQL_PARSE_FAILED"; 9]);
    assert_eq!(refused[9..], ["RATE_LIMITED"; 2]);
}

#[tokio::test]
async fn a_client_without_budget_is_refused_before_its_body_is_parsed() {
    let server = Server::measuring(rate(35), 1_000).await;
    assert_eq!(codes(1, || server.query("{ hello }")).await, ["fine"]);

    let refused = answer(
        server
            .post("/graphql")
            .header("content-type", "application/json")
            .body("no JSON"),
    )
    .await;

    assert_eq!((refused.status, refused.code().as_str()), (429, "RATE_LIMITED"));
}

#[tokio::test]
async fn the_bytes_of_a_body_are_paid_for_whatever_they_are() {
    let server = server(250).await;
    let noise = format!("{{{}", " ".repeat(100 << 10));

    let codes = codes(4, || {
        server
            .post("/graphql")
            .header("content-type", "application/json")
            .body(noise.clone())
    })
    .await;

    assert_eq!(codes, ["BAD_REQUEST", "BAD_REQUEST", "RATE_LIMITED", "RATE_LIMITED"]);
}

#[tokio::test]
async fn an_execution_is_paid_for_by_the_work_that_it_did() {
    // Each costs 10 as a request; its static cost is 101, and its work is nothing.
    let cheap = Server::measuring(rate(155), 0).await;
    let dear = Server::measuring(rate(155), 1_000).await;
    let document = "{ list(first: 100) { name } }";

    assert_eq!(codes(4, || cheap.query(document)).await, ["fine"; 4]);
    assert_eq!(
        codes(3, || dear.query("{ hello }")).await,
        ["fine", "RATE_LIMITED", "RATE_LIMITED"]
    );
    let mut socket = Socket::initialised(&Server::measuring(rate(155), 0).await).await;
    for id in ["1", "2", "3", "4"] {
        socket.subscribe(id, document).await;
        assert_eq!(socket.receive().await["type"], "next");
        assert_eq!(socket.receive().await["type"], "complete");
    }
}

#[tokio::test]
async fn the_answer_to_a_client_past_its_rate_is_delayed_and_others_are_not() {
    let config = Config {
        rate_limit_delay: Duration::from_secs(3_600),
        ..rate(15)
    };
    let server = Server::with(config).await;
    assert_eq!(answer(server.query("{ hello }")).await.status, 200);
    let mut limited = Box::pin(answer(server.query("{ hello }")));

    tokio::select! {
        early = &mut limited => panic!("it was not delayed: {}", early.text),
        other = answer(server.query("{ hello }").bearer_auth("good")) => assert_eq!(other.status, 200),
    }

    assert!(limited.now_or_never().is_none());
}

#[tokio::test]
async fn a_long_message_of_a_client_past_its_rate_closes_its_socket() {
    let server = server(35).await;
    let mut socket = Socket::initialised(&server).await;
    for _ in 0..2 {
        socket.subscribe("1", "{ hello }").await;
        assert_eq!(socket.receive().await["type"], "next");
        assert_eq!(socket.receive().await["type"], "complete");
    }

    socket
        .subscribe("1", &format!("{{ hello {} }}", " ".repeat(5 << 10)))
        .await;

    assert_eq!(socket.closed().await.0, 1013);
}

#[tokio::test]
async fn who_tries_tokens_is_stopped() {
    let server = server(1_000).await;
    let tries = std::cell::Cell::new(0);

    let codes = codes(6, || {
        tries.set(tries.get() + 1);
        server.query("{ hello }").bearer_auth(format!("try {}", tries.get()))
    })
    .await;

    assert_eq!(codes[..4], ["UNAUTHENTICATED"; 4]);
    assert_eq!(codes[4..], ["RATE_LIMITED"; 2]);
    assert_eq!(answer(server.query("{ hello }").bearer_auth("good")).await.status, 200);
    let server = self::server(1_000).await;
    let unreadable = self::codes(6, || server.query("{ hello }").header("authorization", "Basic YTpi")).await;
    assert_eq!(unreadable, codes, "what is no token is a try too");
}

#[tokio::test]
async fn a_token_that_could_not_be_looked_up_is_paid_for_by_its_address() {
    // Each look costs 10, and so does a handshake.
    let server = server(45).await;
    let with = |token: &'static str| server.query("{ hello }").bearer_auth(token);

    let looked = codes(2, || with("away")).await;
    let mut socket = Socket::speaking(&server).await;
    let init = json!({ "type": "connection_init", "payload": { "authorization": "Bearer away" } });
    socket.send(init).await;
    let closed = socket.closed().await.0;
    let refused = codes(2, || with("away")).await;

    assert_eq!(looked, ["UNAVAILABLE"; 2]);
    assert_eq!(closed, 1013);
    assert_eq!(refused, ["RATE_LIMITED"; 2]);
    assert_eq!(answer(with("good")).await.status, 200, "a token pays for itself");
}

#[tokio::test]
async fn over_a_websocket_one_operation_is_refused_and_the_others_go_on() {
    // The handshake and two operations.
    let server = server(35).await;
    let mut socket = Socket::initialised(&server).await;

    socket.subscribe("1", "subscription { told }").await;
    server.state.begun.acquire().await.expect("it is never closed").forget();
    socket.subscribe("2", "{ hello }").await;
    let second = socket.receive().await;
    let completed = socket.receive().await;
    socket.subscribe("3", "{ hello }").await;
    let third = socket.receive().await;
    server.state.told.send(7).expect("somebody listens");
    let told = socket.receive().await;

    assert_eq!(second["payload"]["data"]["hello"], "world", "{second}");
    assert_eq!(completed, json!({ "id": "2", "type": "complete" }));
    assert_eq!((&third["type"], &third["id"]), (&json!("error"), &json!("3")));
    let extensions = &third["payload"][0]["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED");
    assert!(extensions["retryAfter"].is_u64(), "{third}");
    assert_eq!(told["payload"]["data"]["told"], 7);
}

#[tokio::test]
async fn a_stream_is_refused_before_it_begins() {
    let server = server(25).await;
    let stream = || {
        server
            .query("subscription { count(to: 1) }")
            .header("accept", "text/event-stream")
    };

    let statuses = [
        answer(stream()).await.status,
        answer(stream()).await.status,
        answer(stream()).await.status,
    ];

    assert_eq!(statuses, [200, 200, 429]);
}

#[tokio::test]
async fn behind_a_proxy_of_ours_each_client_pays_for_itself() {
    let asking = async |trusted: &[&str]| {
        let mut config = rate(15);
        config.proxies.trusted = trusted
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect();
        let server = Server::with(config).await;
        let mut statuses = Vec::new();
        for client in ["203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8::2"] {
            let request = server.query("{ hello }").header("x-forwarded-for", client);
            statuses.push(answer(request).await.status);
        }
        statuses
    };

    assert_eq!(asking(&["127.0.0.0/8"]).await, [200, 200, 200, 429]);
    assert_eq!(asking(&["10.0.0.0/8"]).await, [200, 429, 429, 429]);
}

#[tokio::test]
async fn an_address_has_only_so_many_sockets_and_streams() {
    let mut config = Config::default();
    config.room.per_address = Some(2);
    let server = Server::with(config).await;
    let refused = async || match Socket::open(&server, &[]).await {
        Err(Error::Http(response)) => (response.status().as_u16(), body(response.body().as_deref())),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    };

    let mut socket = Socket::initialised(&server).await;
    let stream = server
        .query("subscription { never }")
        .header("accept", "text/event-stream");
    let stream = stream.send().await.expect("an answer");
    let (status, code) = refused().await;

    assert_eq!((status, code), (429, json!("TOO_MANY_SOCKETS")));
    drop(stream);
    server.state.ended.acquire().await.expect("it is never closed").forget();
    let mut another = loop {
        if let Ok(another) = Socket::open(&server, &[("sec-websocket-protocol", "graphql-transport-ws")]).await {
            break another;
        }
    };
    another.send(json!({ "type": "connection_init" })).await;
    assert_eq!(another.receive().await["type"], "connection_ack");
    socket.subscribe("1", "{ hello }").await;
    assert_eq!(socket.receive().await["type"], "next");
}

fn body(body: Option<&[u8]>) -> Value {
    let json: Value = serde_json::from_slice(body.unwrap_or_default()).expect("JSON");
    json["errors"][0]["extensions"]["code"].clone()
}

#[tokio::test]
async fn a_server_has_only_so_many_sockets_in_all() {
    let mut config = Config::default();
    config.room.in_all = Some(1);
    let server = Server::with(config).await;

    let _socket = Socket::initialised(&server).await;
    let stream = answer(
        server
            .query("subscription { never }")
            .header("accept", "text/event-stream"),
    )
    .await;

    assert_eq!((stream.status, stream.code().as_str()), (503, "TOO_MANY_SOCKETS"));
    assert_eq!(stream.header("retry-after"), "5");
    assert_eq!(answer(server.query("{ hello }")).await.status, 200);
}

#[tokio::test]
async fn a_socket_that_sends_without_measure_is_closed() {
    let server = Server::changed(|config| config.frames_per_second = 50).await;
    let mut quick = Socket::initialised(&server).await;
    let mut measured = Socket::initialised(&server).await;

    for _ in 0..40 {
        measured.send(json!({ "type": "pong" })).await;
    }
    for _ in 0..60 {
        // It may be closed already.
        let _ = futures_util::SinkExt::send(
            &mut quick.inner,
            tokio_tungstenite::tungstenite::Message::Ping("".into()),
        )
        .await;
    }

    assert_eq!(quick.closed().await, (1008, "Too many messages".to_owned()));
    measured.subscribe("1", "{ hello }").await;
    assert_eq!(measured.receive().await["type"], "next");
}
