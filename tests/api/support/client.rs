//! Sending GraphQL over HTTP, and following subscriptions over a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::database::{ADMIN, Test};

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

impl Test {
    /// What a document is answered to the admin: the whole response.
    pub(crate) async fn answer(&self, document: &str, variables: Value) -> Value {
        self.respond(document, variables, Some(ADMIN)).await.1
    }

    /// What a document is answered to the public.
    pub(crate) async fn public_answer(&self, document: &str, variables: Value) -> Value {
        self.respond(document, variables, None).await.1
    }

    /// The data of an answer to the admin, which must be without errors.
    pub(crate) async fn data(&self, document: &str, variables: Value) -> Value {
        faultless(&self.answer(document, variables).await)
    }

    /// The data of an answer to the public, which must be without errors.
    pub(crate) async fn public_data(&self, document: &str, variables: Value) -> Value {
        faultless(&self.public_answer(document, variables).await)
    }

    /// The status and the answer to a document of somebody with a token, or with none.
    pub(crate) async fn respond(&self, document: &str, variables: Value, token: Option<&str>) -> (u16, Value) {
        let body = json!({ "query": document, "variables": variables }).to_string();
        self.send(body, token).await
    }

    /// What a document is answered over HTTP and over a WebSocket, which must be the same: the first's status, and the answer.
    pub(crate) async fn told(&self, document: &str, variables: Value, token: Option<&str>) -> (u16, Value) {
        let (status, answer) = self.respond(document, variables.clone(), token).await;
        let over_socket = self.respond_over_socket(document, variables, token).await;
        assert_eq!(over_socket, answer, "over a WebSocket, and over HTTP");
        (status, answer)
    }

    /// The answer to a document that is no subscription's, or is none at all, sent over a WebSocket of its own.
    pub(crate) async fn respond_over_socket(&self, document: &str, variables: Value, token: Option<&str>) -> Value {
        let mut socket = self.socket(token).await;
        socket.subscribe("1", document, variables).await;
        let message = socket.next().await;
        assert_eq!(message["id"], "1", "{message:#}");
        match message["type"].as_str() {
            // It never ran, and nothing more is said of it.
            Some("error") => json!({ "errors": message["payload"] }),
            _ => {
                assert_eq!(socket.next().await, json!({ "id": "1", "type": "complete" }));
                message["payload"].clone()
            }
        }
    }

    /// The status and the answer to a body as it stands.
    pub(crate) async fn send(&self, body: impl Into<reqwest::Body>, token: Option<&str>) -> (u16, Value) {
        let mut request = self
            .http
            .post(self.graphql())
            .header("content-type", "application/json")
            .body(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        (status, response.json().await.expect("the answer is JSON"))
    }

    /// Where GraphQL is served.
    pub(crate) fn graphql(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    /// Opens a WebSocket that speaks the protocol, and has said nothing yet, perhaps with a token in its header.
    pub(crate) async fn raw_socket(&self, token: Option<&str>) -> Socket {
        let mut request = format!("ws://{}/graphql/ws", self.address)
            .into_client_request()
            .expect("a request");
        let protocol = "graphql-transport-ws".parse().expect("a header value");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().expect("a header value");
            request.headers_mut().insert("authorization", bearer);
        }
        let (stream, _) = tokio_tungstenite::connect_async(request)
            .await
            .expect("the socket opens");
        Socket { stream }
    }

    /// Opens a WebSocket that has been let in, as the admin or as the public.
    pub(crate) async fn socket(&self, token: Option<&str>) -> Socket {
        let mut socket = self.raw_socket(None).await;
        socket.init(token).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        socket
    }

    /// The code and reason that a WebSocket closes with for a token that lets nobody in.
    pub(crate) async fn refused_socket(&self, token: &str) -> (u16, String) {
        let mut socket = self.raw_socket(None).await;
        socket.init(Some(token)).await;
        socket.next_or_close().await.expect_err("it lets nobody in")
    }

    /// Follows a subscription on a socket of its own.
    pub(crate) async fn subscribe(&self, document: &str, variables: Value, token: Option<&str>) -> Subscription {
        let mut socket = self.socket(token).await;
        socket.subscribe("1", document, variables).await;
        Subscription { socket }
    }
}

/// What comes next of a response that is not to be cut off; none when it has ended.
pub(crate) async fn chunk(stream: &mut reqwest::Response) -> Option<Vec<u8>> {
    let next = tokio::time::timeout(PATIENCE, stream.chunk());
    let next = next.await.expect("something comes in time");
    next.expect("it is not cut off").map(Into::into)
}

fn faultless(answer: &Value) -> Value {
    assert!(answer.get("errors").is_none(), "{answer:#}");
    answer["data"].clone()
}

/// A WebSocket that speaks `graphql-transport-ws`.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    /// Sends a text, be it a message of the protocol or not.
    pub(crate) async fn send_text(&mut self, text: String) {
        self.stream
            .send(Message::text(text))
            .await
            .expect("the socket takes the message");
    }

    async fn init(&mut self, token: Option<&str>) {
        let payload = token.map_or(json!({}), |token| json!({ "authorization": format!("Bearer {token}") }));
        self.send(json!({ "type": "connection_init", "payload": payload }))
            .await;
    }

    pub(crate) async fn subscribe(&mut self, id: &str, document: &str, variables: Value) {
        let payload = json!({ "query": document, "variables": variables });
        self.send(json!({ "id": id, "type": "subscribe", "payload": payload }))
            .await;
    }

    /// Asks so much at once that the server reads all of it before it answers any.
    pub(crate) async fn ask_at_once(&mut self, documents: impl IntoIterator<Item = Value>) {
        for (id, payload) in documents.into_iter().enumerate() {
            let message = json!({ "id": id.to_string(), "type": "subscribe", "payload": payload });
            let fed = self.stream.feed(Message::text(message.to_string())).await;
            fed.expect("the socket takes the message");
        }
        self.stream.flush().await.expect("the socket takes the messages");
    }

    /// Waits until something has come, and does not read it.
    pub(crate) async fn something_unread(&self) {
        let MaybeTlsStream::Plain(stream) = self.stream.get_ref() else {
            panic!("there is no TLS here");
        };
        let mut first = [0];
        let peeked = tokio::time::timeout(PATIENCE, stream.peek(&mut first)).await;
        peeked.expect("something comes in time").expect("it is open");
    }

    /// The next message of the protocol; the server's pings are answered on the way.
    pub(crate) async fn next(&mut self) -> Value {
        self.next_or_close()
            .await
            .unwrap_or_else(|close| panic!("the socket closed: {close:?}"))
    }

    /// The next message, or the code and reason the socket closes with.
    pub(crate) async fn next_or_close(&mut self) -> Result<Value, (u16, String)> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next())
                .await
                .expect("a message comes in time");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).expect("a message is JSON");
                    if message["type"] == "ping" {
                        self.send(json!({ "type": "pong" })).await;
                        continue;
                    }
                    return Ok(message);
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err((frame.code.into(), frame.reason.as_str().to_owned()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return Err((0, format!("{other:?}"))),
            }
        }
    }
}

/// One subscription on a socket of its own.
pub(crate) struct Subscription {
    pub(crate) socket: Socket,
}

impl Subscription {
    /// The data of the next item, which must be without errors.
    pub(crate) async fn next(&mut self) -> Value {
        let message = self.socket.next().await;
        assert_eq!(message["type"], "next", "{message:#}");
        faultless(&message["payload"])
    }
}
