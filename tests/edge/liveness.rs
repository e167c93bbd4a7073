//! Sockets that say nothing, and sockets that take nothing.

use std::time::Duration;

use allclear::transport::Config;
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::server::{Server, answer};
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

/// Frames as they are on the wire.
const PING: [u8; 2] = [0x89, 0];
const CLIENTS_PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
const PING_OR_CLOSE: usize = 2;
/// That of a text of more than 64 KiB, in front of its length.
const LONG_TEXT: [u8; 2] = [0x81, 127];

/// Takes a text so slowly that it lasts for longer than the server waits for a sign of life, and gives that sign once
/// it has begun; says what comes after it.
async fn after_a_long_text(socket: &mut Socket, ping_every: Duration) -> [u8; PING_OR_CLOSE] {
    let wire = socket.raw();
    let mut head = [0; LONG_TEXT.len()];
    wire.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head, LONG_TEXT);
    let mut left = wire.read_u64().await.expect("a length");
    wire.write_all(&CLIENTS_PONG).await.expect("it is sent");

    let mut pace = interval(ping_every / 10);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut some = vec![0; 64 << 10];
    while left > 0 {
        pace.tick().await;
        let room = some.len().min(usize::try_from(left).expect("it fits"));
        left -= wire.read(&mut some[..room]).await.expect("it is not cut off") as u64;
    }
    let mut next = [0; PING_OR_CLOSE];
    wire.read_exact(&mut next).await.expect("it is not cut off");
    next
}

#[tokio::test]
async fn a_pong_that_waits_behind_a_long_send_is_a_sign_of_life() {
    // Of what is ready at the same time the server takes any: one socket could be lucky.
    const SOCKETS: usize = 8;
    const BIG: i32 = 2_000_000;
    let ping_every = SOON * 10;
    let server = Server::changed(|config| config.ping_every = ping_every).await;
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let mut socket = Socket::with_small_buffer(&server).await;
        socket.send(json!({"type": "connection_init"})).await;
        assert_eq!(socket.receive().await["type"], "connection_ack");
        socket.subscribe("a", "subscription { bulk }").await;
        server.state.begun.acquire().await.expect("it began").forget();
        sockets.push(socket);
    }
    for socket in &mut sockets {
        let mut ping = [0; PING.len()];
        socket.raw().read_exact(&mut ping).await.expect("a frame");
        assert_eq!(ping, PING);
    }

    let begin = Instant::now();
    server.state.told.send(BIG).expect("somebody listens");
    let next = join_all(sockets.iter_mut().map(|socket| after_a_long_text(socket, ping_every))).await;

    assert!(begin.elapsed() > ping_every * 2);
    assert_eq!(next, [PING; SOCKETS]);
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

#[tokio::test]
async fn connections_that_wait_for_a_request_make_room_for_who_has_one_and_sockets_stay() {
    let mut config = Config::default();
    config.room.connections = Some(4);
    let server = Server::with(config).await;
    let mut socket = Socket::initialised(&server).await;
    let mut silent = TcpStream::connect(server.address).await.expect("a connection");
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        asked.expect("it is sent");
        assert_eq!(stream.read_u8().await.expect("an answer"), b'H');
        idle.push(stream);
    }

    let asked = timeout(PATIENCE, answer(server.query("{ hello }"))).await;

    assert_eq!(asked.expect("in time").status, 200);
    let mut rest = Vec::new();
    assert_eq!(silent.read_to_end(&mut rest).await.expect("the end"), 0);
    // No more of them than were needed.
    for stream in &mut idle {
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        asked.await.expect("it is open");
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.expect("the end");
        assert_eq!(answers.matches("ok\n").count(), 2, "{answers}");
    }
    socket.send(json!({"type": "ping"})).await;
    assert_eq!(socket.receive().await, json!({"type": "pong"}));
}
