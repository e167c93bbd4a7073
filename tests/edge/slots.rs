//! Which connections are closed when all slots are taken. Addresses of the loopback network stand for several clients.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use allclear::transport::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::server::{Server, answer};

/// Half-sent requests keep nobody out for longer than this.
const LOCKED_OUT: Duration = Duration::from_secs(2);

const HALF_A_HEAD: &str = "POST /graphql HTTP/1.1\r\nHost: a\r\nX-Some";
const HALF_A_BODY: &str =
    "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"query\":";
const HOLD: &str = "GET /graphql?query=%7Bhold%7D HTTP/1.1\r\nHost: a\r\n\r\n";

async fn server(slots: usize) -> Server {
    let mut config = Config::default();
    config.room.connections = Some(slots);
    Server::with(config).await
}

/// Connects from 127.0.0.`last`, and sends something.
async fn connect(server: &Server, last: u8, bytes: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(from).expect("an address of the loopback network");
    let mut stream = socket.connect(server.address).await.expect("a connection");
    stream.write_all(bytes.as_bytes()).await.expect("it is sent");
    stream
}

/// Asks something small on a connection, and returns whether it is answered.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let sent = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = async {
        let mut read = [0; 512];
        matches!(stream.read(&mut read).await, Ok(1..))
    };
    sent.is_ok() && timeout(LOCKED_OUT, answer).await.is_ok_and(|answered| answered)
}

/// How many of these connections the server has closed. Those that are open have nothing to be read.
fn closed(streams: &[TcpStream]) -> usize {
    let is_closed = |stream: &&TcpStream| match stream.try_read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    };
    streams.iter().filter(is_closed).count()
}

#[tokio::test]
async fn half_sent_requests_of_one_address_make_room_and_executed_ones_stay() {
    let server = server(5).await;
    let mut executed = connect(&server, 2, HOLD).await;
    server.state.begun.acquire().await.expect("it began").forget();
    let mut half_sent = Vec::new();
    for _ in 0..5 {
        half_sent.push(connect(&server, 2, HALF_A_HEAD).await);
        half_sent.push(connect(&server, 2, HALF_A_BODY).await);
        half_sent.push(connect(&server, 2, "").await);
    }

    let asked = timeout(LOCKED_OUT, answer(server.query("{ hello }"))).await;

    assert_eq!(asked.expect("in time").status, 200);
    server.state.gate.add_permits(1);
    assert_eq!(executed.read_u8().await.expect("an answer"), b'H');
}

#[tokio::test]
async fn the_address_with_the_most_waiting_connections_makes_room() {
    let server = server(6).await;
    let mut oldest = connect(&server, 3, "").await;
    assert!(is_answered(&mut oldest).await);
    let mut many = Vec::new();
    for bytes in [HALF_A_HEAD, HALF_A_BODY, "", HALF_A_HEAD, HALF_A_BODY] {
        many.push(connect(&server, 2, bytes).await);
    }

    for _ in 0..3 {
        let mut other = connect(&server, 4, "").await;
        assert!(is_answered(&mut other).await);
        drop(other);
    }

    assert!(is_answered(&mut oldest).await);
    assert!(closed(&many) >= 1);
}

#[tokio::test]
async fn a_trusted_proxy_is_not_one_address_with_many_connections() {
    let mut config = Config::default();
    config.room.connections = Some(6);
    config.proxies.trusted = vec!["127.0.0.2/32".parse().expect("a network")];
    let server = Server::with(config).await;
    let mut proxied = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&server, 2, "").await;
        assert!(is_answered(&mut stream).await);
        proxied.push(stream);
    }
    let direct = [
        connect(&server, 3, HALF_A_HEAD).await,
        connect(&server, 3, HALF_A_HEAD).await,
    ];

    let mut other = connect(&server, 4, "").await;
    assert!(is_answered(&mut other).await);

    for stream in &mut proxied {
        assert!(is_answered(stream).await);
    }
    assert_eq!(closed(&direct), 1);
}
