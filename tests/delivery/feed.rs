//! A subscription as a client has it, over any of the transports: execution results, until something ends it.

mod multipart;
mod server_sent;
mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

/// How long a connection may take to be made. Longer than a node's patience with its database.
const CONNECT: Duration = Duration::from_secs(5);

/// What carries a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    ServerSent,
    Multipart,
}

impl Transport {
    pub(crate) const ALL: &[Transport] = &[Transport::WebSocket, Transport::ServerSent, Transport::Multipart];
}

/// Why a subscription ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The connection is gone, or is of no use: come back.
    Cut(String),
    /// The server says no.
    Refused(Value),
}

impl End {
    fn cut(why: impl std::fmt::Display) -> End {
        End::Cut(why.to_string())
    }
}

/// What is subscribed to, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) document: &'static str,
    pub(crate) variables: Value,
    pub(crate) token: Option<&'static str>,
}

impl Request {
    fn body(&self) -> Value {
        json!({ "query": self.document, "variables": self.variables })
    }
}

/// A subscription that runs.
pub(crate) enum Feed {
    WebSocket(Box<websocket::Socket>),
    ServerSent(server_sent::Events),
    Multipart(multipart::Parts),
}

impl Feed {
    pub(crate) async fn open(transport: Transport, address: SocketAddr, request: &Request) -> Result<Feed, End> {
        let opening = async {
            match transport {
                Transport::WebSocket => {
                    let socket = websocket::Socket::open(address, request).await?;
                    Ok(Feed::WebSocket(Box::new(socket)))
                }
                Transport::ServerSent => Ok(Feed::ServerSent(server_sent::Events::open(address, request).await?)),
                Transport::Multipart => Ok(Feed::Multipart(multipart::Parts::open(address, request).await?)),
            }
        };
        let opened = tokio::time::timeout(CONNECT, opening).await;
        opened.unwrap_or_else(|_| Err(End::cut("no connection in time")))
    }

    /// The next execution result. Once dropped half way, it must not be asked again.
    pub(crate) async fn next(&mut self) -> Result<Value, End> {
        match self {
            Feed::WebSocket(socket) => socket.next().await,
            Feed::ServerSent(events) => events.next().await,
            Feed::Multipart(parts) => parts.next().await,
        }
    }
}

/// A response that goes on and on, on a connection of its own.
struct Body {
    response: reqwest::Response,
    read: Vec<u8>,
}

impl Body {
    async fn open(address: SocketAddr, request: &Request, accept: &str, content_type: &str) -> Result<Body, End> {
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build();
        let mut post = client
            .map_err(End::cut)?
            .post(format!("http://{address}/graphql"))
            .header("accept", accept)
            .header("content-type", "application/json")
            .body(request.body().to_string());
        if let Some(token) = request.token {
            post = post.bearer_auth(token);
        }
        let response = post.send().await.map_err(End::cut)?;
        let status = response.status();
        let said = response
            .headers()
            .get("content-type")
            .and_then(|said| said.to_str().ok());
        let is_stream = said.is_some_and(|said| said.starts_with(content_type));
        if status == reqwest::StatusCode::OK && is_stream {
            return Ok(Body {
                response,
                read: Vec::new(),
            });
        }
        let said = said.map(ToOwned::to_owned);
        let text = response.text().await.map_err(End::cut)?;
        Err(match serde_json::from_str::<Value>(&text) {
            Ok(answer) => End::Refused(answer["errors"].clone()),
            Err(_) => End::Refused(json!({ "status": status.as_u16(), "contentType": said, "text": text })),
        })
    }

    /// Takes what comes up to a separator, without it.
    async fn until(&mut self, separator: &[u8]) -> Result<Vec<u8>, End> {
        loop {
            let found = self
                .read
                .windows(separator.len())
                .position(|window| window == separator);
            if let Some(at) = found {
                let rest = self.read.split_off(at + separator.len());
                let mut taken = std::mem::replace(&mut self.read, rest);
                taken.truncate(at);
                return Ok(taken);
            }
            match self.response.chunk().await.map_err(End::cut)? {
                Some(chunk) => self.read.extend_from_slice(&chunk),
                None => return Err(End::cut("the response ended")),
            }
        }
    }
}
