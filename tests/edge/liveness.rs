//! Sockets that say nothing, and sockets that take nothing.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::server::Server;
use crate::socket::Socket;

/// Short enough not to wait for, long enough for a message to come and go.
const SOON: Duration = Duration::from_millis(50);

/// Less than a server waits for its connections when it stops, and enough for anything else.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_socket_that_is_not_initialised_in_time_is_closed() {
    let server = Server::changed(|config| config.init_timeout = SOON).await;

    let mut socket = Socket::speaking(&server).await;

    assert_eq!(
        socket.closed().await,
        (4408, "Connection initialisation timeout".to_owned())
    );
}

#[tokio::test]
async fn a_peer_that_answers_pings_stays_and_one_that_does_not_is_closed() {
    let server = Server::changed(|config| config.ping_every = SOON).await;

    // This client answers pings as long as it reads.
    let mut socket = Socket::initialised(&server).await;
    for _ in 0..5 {
        assert!(matches!(socket.inner.next().await, Some(Ok(Message::Ping(_)))));
    }

    // This one reads nothing until its stream has ended on the other side.
    socket.subscribe("a", "subscription { never }").await;
    server.state.ended.acquire().await.expect("it ended").forget();
    assert_eq!(socket.closed().await.0, 1013);
}

#[tokio::test]
async fn a_message_that_does_not_end_closes_the_socket_although_pings_are_answered() {
    let server = Server::changed(|config| config.ping_every = SOON).await;
    let mut socket = Socket::initialised(&server).await;

    let begun = Frame::message("x".repeat(1_000), OpCode::Data(Data::Text), false);
    socket.inner.send(Message::Frame(begun)).await.expect("it is sent");

    let closed = timeout(PATIENCE, socket.closed()).await;
    assert_eq!(closed.expect("it is closed").0, 1013);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_closed() {
    let server = Server::changed(|config| {
        config.send_timeout = SOON;
        config.closing_time = SOON;
    })
    .await;
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("n", "subscription { never }").await;
    server.state.begun.acquire().await.expect("it began").forget();

    socket.subscribe("a", "subscription { flood }").await;

    // The socket's other subscription ends with it, although nothing was read.
    server.state.ended.acquire().await.expect("it ended").forget();
}

/// What is sent for this fills the buffers of both kernels, and more.
const UNREAD: &str = r#"{"query":"{ big(bytes: 8000000) }"}"#;

/// Asks for something that it does not read, and for what follows.
async fn unread(server: &Server, then: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{UNREAD}{then}",
        UNREAD.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    assert_eq!(stream.peek(&mut [0]).await.expect("it is open"), 1);
    stream
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_cut_off_whatever_it_asked_for_after_that() {
    let events = "GET /graphql?query=subscription%7Bnever%7D HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
    let socket = "GET /graphql/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for then in ["", events, socket] {
        let server = Server::changed(|config| config.send_timeout = SOON).await;
        let _unread = unread(&server, then).await;

        // It waits for its connections, for longer than this.
        server.shutdown.cancel();
        let stopped = timeout(PATIENCE, server.serving).await;

        stopped.expect("it waits for nobody").expect("it did not panic");
    }
}

#[tokio::test]
async fn a_peer_that_takes_a_little_now_and_then_stays() {
    const BIG: usize = 4_000_000;
    let server = Server::changed(|config| {
        config.send_timeout = SOON * 3;
        config.closing_time = SOON;
    })
    .await;
    let mut socket = Socket::with_small_buffer(&server).await;
    socket.send(json!({"type": "connection_init"})).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");

    socket.subscribe("a", &format!("{{ big(bytes: {BIG}) }}")).await;

    // One message, over several times the time in which a peer must take something.
    let mut pace = tokio::time::interval(SOON / 10);
    let (begin, mut taken) = (tokio::time::Instant::now(), 0);
    let mut some = vec![0; 32 << 10];
    while taken < BIG {
        pace.tick().await;
        let bytes = socket.raw().read(&mut some).await.expect("it is not cut off");
        assert!(bytes > 0, "it ends after {taken} bytes");
        taken += bytes;
    }
    assert!(begin.elapsed() > SOON * 9);
}

#[tokio::test]
async fn an_item_that_cannot_be_made_for_now_closes_the_socket_rather_than_leave_a_gap() {
    let server = Server::start().await;
    for after in [0, 2] {
        let mut socket = Socket::initialised(&server).await;

        socket
            .subscribe("a", &format!("subscription {{ away(after: {after}) }}"))
            .await;

        for number in 1..=after {
            assert_eq!(socket.receive().await["payload"]["data"]["away"], number);
        }
        assert_eq!(socket.closed().await.0, 1013, "after {after}");
    }
}
