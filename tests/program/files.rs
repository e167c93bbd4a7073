//! A limit to the files that the program may have open, as a shell or a service manager sets it. Each connection is one.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::serving::{Client, open_files, start_limited};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a WebSocket, or returns the status it was refused with.
async fn open(client: &Client) -> Result<Socket, u16> {
    match connect_async(client.socket_request()).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(refused)) => Err(refused.status().as_u16()),
        Err(other) => panic!("neither opened nor refused: {other}"),
    }
}

#[tokio::test]
async fn readers_fill_what_may_be_open_and_who_tells_them_something_still_comes_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, client, _) = start_limited(folder.path(), "ulimit -n 256").await;

    let sockets = join_all((0..400).map(|_| open(&client))).await;

    let opened = sockets.iter().filter(|socket| socket.is_ok()).count();
    let refused = sockets.iter().filter(|socket| matches!(socket, Err(503))).count();
    assert_eq!(opened + refused, 400);
    assert!((150..200).contains(&opened), "{opened}");
    let page = client.make("pageCreate", json!({ "slug": "shop", "name": "Shop" }), "page");
    let page = page.await;
    // More queries at a time than there were connections to the database.
    let seen = join_all((0..20).map(|_| client.ask("{ page(slug: \"shop\") { id } }", Value::Null))).await;
    for answer in seen {
        let (status, answer) = answer.expect("nobody kills it");
        assert_eq!((status, &answer["data"]["page"]["id"]), (200, &json!(page)));
    }
    child.kill().await.expect("it can be killed");
}

#[tokio::test]
async fn the_limit_is_raised_as_far_as_it_may_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, client, _) = start_limited(folder.path(), "ulimit -Sn 100; ulimit -Hn 1000").await;

    let sockets = join_all((0..400).map(|_| open(&client))).await;

    assert!(sockets.iter().all(Result::is_ok));
    assert!(
        open_files(child.id().expect("it runs")) > 400,
        "all are open at the same time"
    );
    child.kill().await.expect("it can be killed");
}
