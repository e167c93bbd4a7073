//! Clients that hang up while what they asked for is executed.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::Server;
use crate::socket::Socket;

/// An execution ends within 100 ms of the hang-up; this leaves room for a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(2);

const QUERY: &str = "GET /graphql?query=%7Bhold%7D HTTP/1.1\r\nHost: a\r\n\r\n";
const EVENTS: &str = "GET /graphql?query=%7Bhold%7D HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
const NEXT: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

async fn ask(server: &Server, requests: &[&str]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let sent = stream.write_all(requests.concat().as_bytes()).await;
    sent.expect("it is sent");
    server.state.begun.acquire().await.expect("it began").forget();
    stream
}

async fn ended(server: &Server) {
    let ended = timeout(SOON, server.state.ended.acquire()).await;
    ended.expect("in time").expect("it ended").forget();
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_query() {
    let server = Server::start().await;
    for requests in [&[QUERY] as &[_], &[QUERY, NEXT], &[QUERY, NEXT, "GET /hea"]] {
        let stream = ask(&server, requests).await;

        drop(stream);

        ended(&server).await;
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_what_its_stream_of_events_waits_for() {
    let server = Server::start().await;
    for requests in [&[EVENTS] as &[_], &[EVENTS, NEXT]] {
        let mut stream = ask(&server, requests).await;
        // The head has come: from here on hyper has nothing to do with the connection.
        assert_eq!(stream.read_u8().await.expect("a head"), b'H');

        drop(stream);

        ended(&server).await;
    }
}

#[tokio::test]
async fn a_client_that_closes_its_socket_ends_its_query() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;
    socket.subscribe("a", "{ hold }").await;
    server.state.begun.acquire().await.expect("it began").forget();

    drop(socket);

    ended(&server).await;
}
