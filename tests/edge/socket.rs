//! A client of the WebSocket that sends what it is told to, right or wrong.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use crate::server::Server;

pub(crate) struct Socket {
    pub(crate) inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// Opens a socket with these headers.
    pub(crate) async fn open(server: &Server, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
        connect_async(request(server, headers)?)
            .await
            .map(|(inner, _)| Socket { inner })
    }

    /// Opens a socket that speaks the protocol.
    pub(crate) async fn speaking(server: &Server) -> Socket {
        let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
        Socket::open(server, &headers).await.expect("a socket")
    }

    /// Opens a socket whose kernel holds little of what was not read yet.
    pub(crate) async fn with_small_buffer(server: &Server) -> Socket {
        let tcp = TcpSocket::new_v4().expect("a socket");
        tcp.set_recv_buffer_size(32 << 10).expect("a buffer");
        let stream = tcp.connect(server.address).await.expect("a connection");
        let request = request(server, &[("sec-websocket-protocol", "graphql-transport-ws")]).expect("a request");
        let (inner, _) = client_async(request, MaybeTlsStream::Plain(stream))
            .await
            .expect("a socket");
        Socket { inner }
    }

    /// The bytes below, for those who do not read them as messages.
    pub(crate) fn raw(&mut self) -> &mut MaybeTlsStream<TcpStream> {
        self.inner.get_mut()
    }

    /// Opens a socket, and initialises it.
    pub(crate) async fn initialised(server: &Server) -> Socket {
        let mut socket = Socket::speaking(server).await;
        socket.send(json!({"type": "connection_init"})).await;
        assert_eq!(socket.receive().await, json!({"type": "connection_ack"}));
        socket
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.inner.send(Message::Text(text.into())).await.expect("it is sent");
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({"type": "subscribe", "id": id, "payload": {"query": query}}))
            .await;
    }

    /// The next message of the protocol.
    pub(crate) async fn receive(&mut self) -> Value {
        loop {
            match self
                .inner
                .next()
                .await
                .expect("a message, not the end")
                .expect("a message")
            {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a message: {other:?}"),
            }
        }
    }

    /// The code and reason the socket is closed with; what comes before is passed over.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.inner.next().await.expect("a close, not the end").expect("a close") {
                Message::Close(Some(CloseFrame { code, reason })) => return (code.into(), reason.to_string()),
                Message::Close(None) => panic!("closed without a code"),
                _ => {}
            }
        }
    }
}

fn request(server: &Server, headers: &[(&'static str, &str)]) -> Result<Request<()>, Error> {
    let mut request = format!("ws://{}/graphql/ws", server.address).into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse()?);
    }
    Ok(request)
}
