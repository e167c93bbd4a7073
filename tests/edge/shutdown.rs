//! How the server stops.

use std::time::Duration;

use allclear::transport::Config;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::{Server, answer};
use crate::socket::Socket;

/// Much less than the grace of these servers, a minute.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn sockets_are_told_that_the_server_goes_away() {
    let server = Server::with(long_closing()).await;
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("a", "subscription { never }").await;
    server.state.begun.acquire().await.expect("it began").forget();

    server.shutdown.cancel();

    assert_eq!(socket.closed().await, (1001, "Going away".to_owned()));
    drop(socket);
    server.serving.await.expect("it did not panic");
}

#[tokio::test]
async fn sockets_are_told_that_the_server_makes_way_for_another() {
    let server = Server::with(long_closing()).await;
    let mut socket = Socket::initialised(&server).await;

    server.stop.restart();

    assert_eq!(socket.closed().await, (1012, "Service restart".to_owned()));
}

#[tokio::test]
async fn a_mutation_on_a_socket_is_answered_before_it_closes() {
    let server = Server::with(long_closing()).await;
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("a", "mutation { wait }").await;
    server.state.begun.acquire().await.expect("it began").forget();

    server.shutdown.cancel();
    server.state.gate.add_permits(1);

    assert_eq!(
        socket.receive().await,
        json!({"type": "next", "id": "a", "payload": {"data": {"wait": true}}})
    );
    assert_eq!(socket.receive().await, json!({"type": "complete", "id": "a"}));
    assert_eq!(socket.closed().await.0, 1001);
}

#[tokio::test]
async fn a_request_under_way_is_answered() {
    let server = Server::start().await;
    let request = tokio::spawn(answer(server.query("mutation { wait }")));
    server.state.begun.acquire().await.expect("it began").forget();

    server.shutdown.cancel();
    server.state.gate.add_permits(1);

    assert_eq!(
        request.await.expect("it did not panic").json(),
        json!({"data": {"wait": true}})
    );
    server.serving.await.expect("it did not panic");
}

#[tokio::test]
async fn nobody_keeps_the_server_longer_than_its_grace() {
    let server = Server::ready(long_closing(), Ok(()), Duration::from_millis(50)).await;
    let request = tokio::spawn(server.query("mutation { wait }").send());
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("a", "mutation { wait }").await;
    server.state.begun.acquire_many(2).await.expect("they began").forget();

    server.shutdown.cancel();

    server.serving.await.expect("it did not panic");
    request.abort();
}

fn long_closing() -> Config {
    let mut config = Config::default();
    config.websocket.closing_time = Duration::from_secs(60);
    config
}

#[tokio::test]
async fn what_is_executed_at_the_end_of_the_grace_is_cancelled() {
    let server = Server::ready(long_closing(), Ok(()), Duration::from_millis(50)).await;
    let request = tokio::spawn(server.query("{ hold }").send());
    let events = server.query("{ hold }").header("accept", "text/event-stream").send();
    let events = tokio::spawn(events);
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("a", "{ hold }").await;
    server.state.begun.acquire_many(3).await.expect("they began").forget();

    server.shutdown.cancel();

    server.serving.await.expect("it did not panic");
    let ended = timeout(SOON, server.state.ended.acquire_many(3)).await;
    ended.expect("in time").expect("they ended").forget();
    request.abort();
    events.abort();
}

#[tokio::test]
async fn connections_that_wait_for_a_request_or_the_rest_of_one_are_closed_at_once() {
    let server = Server::start().await;
    let half_body =
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    let mut streams = Vec::new();
    for bytes in ["", "GET /heal", half_body, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        stream.write_all(bytes.as_bytes()).await.expect("it is sent");
        streams.push(stream);
    }
    assert_eq!(streams[3].read_u8().await.expect("an answer"), b'H');

    server.shutdown.cancel();

    let stopped = timeout(SOON, server.serving).await;
    stopped.expect("it waits for none of them").expect("it did not panic");
}
