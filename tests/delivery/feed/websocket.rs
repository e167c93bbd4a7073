//! A WebSocket of one subscription, by the protocol `graphql-transport-ws`.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{End, Request};

pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(super) async fn open(address: SocketAddr, request: &Request) -> Result<Socket, End> {
        let mut upgrade = format!("ws://{address}/graphql/ws")
            .into_client_request()
            .map_err(End::cut)?;
        let protocol = "graphql-transport-ws".parse().expect("a header value");
        upgrade.headers_mut().insert("sec-websocket-protocol", protocol);
        let stream = TcpStream::connect(address).await.map_err(End::cut)?;
        let (stream, _) = tokio_tungstenite::client_async(upgrade, stream)
            .await
            .map_err(End::cut)?;
        let mut socket = Socket(stream);
        let payload = match request.token {
            Some(token) => json!({ "authorization": format!("Bearer {token}") }),
            None => json!({}),
        };
        socket
            .send(json!({ "type": "connection_init", "payload": payload }))
            .await?;
        let acknowledgement = socket.message().await?;
        if acknowledgement["type"] != "connection_ack" {
            return Err(End::Refused(acknowledgement));
        }
        socket
            .send(json!({ "id": "1", "type": "subscribe", "payload": request.body() }))
            .await?;
        Ok(socket)
    }

    pub(super) async fn next(&mut self) -> Result<Value, End> {
        let mut message = self.message().await?;
        match message["type"].as_str() {
            Some("next") => Ok(message["payload"].take()),
            Some("error") => Err(End::Refused(message["payload"].take())),
            other => Err(End::cut(format!("a message of type {other:?}"))),
        }
    }

    async fn send(&mut self, message: Value) -> Result<(), End> {
        self.0.send(Message::text(message.to_string())).await.map_err(End::cut)
    }

    async fn message(&mut self) -> Result<Value, End> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).map_err(End::cut)?;
                    if message["type"] != "ping" {
                        return Ok(message);
                    }
                    self.send(json!({ "type": "pong" })).await?;
                }
                Some(Ok(Message::Close(frame))) => return Err(End::cut(format!("closed: {frame:?}"))),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(End::cut(error)),
                None => return Err(End::cut("the socket ended")),
            }
        }
    }
}
