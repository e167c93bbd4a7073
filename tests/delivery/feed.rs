//! A subscription as a client has it, over any of the transports: execution results, until something ends it.

mod multipart;
mod server_sent;
mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// How long a connection may take to be made. Longer than a node's patience with its database.
const CONNECT: Duration = Duration::from_secs(5);

/// What carries a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    /// `graphql-sse`, a connection for each operation.
    ServerSent,
    Multipart,
    /// What browsers have of their own: resumed by `Last-Event-ID`.
    EventSource,
    /// `graphql-sse`, one connection for all operations.
    SingleConnection,
}

impl Transport {
    pub(crate) const ALL: &[Transport] = &[
        Transport::WebSocket,
        Transport::ServerSent,
        Transport::Multipart,
        Transport::EventSource,
        Transport::SingleConnection,
    ];
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

/// What is subscribed to, from where on, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) document: &'static str,
    pub(crate) page: String,
    pub(crate) after: Option<String>,
    pub(crate) token: Option<&'static str>,
}

impl Request {
    fn body(&self) -> Value {
        json!({ "query": self.document, "variables": { "page": self.page, "after": self.after } })
    }

    /// Says who asks.
    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// A subscription that runs.
pub(crate) enum Feed {
    WebSocket(Box<websocket::Socket>),
    ServerSent(server_sent::Distinct),
    Multipart(multipart::Parts),
    EventSource(server_sent::Source),
    SingleConnection(server_sent::Single),
}

impl Feed {
    pub(crate) async fn open(transport: Transport, address: SocketAddr, request: &Request) -> Result<Feed, End> {
        let opening = async {
            Ok(match transport {
                Transport::WebSocket => Feed::WebSocket(Box::new(websocket::Socket::open(address, request).await?)),
                Transport::ServerSent => Feed::ServerSent(server_sent::Distinct::open(address, request).await?),
                Transport::Multipart => Feed::Multipart(multipart::Parts::open(address, request).await?),
                Transport::EventSource => Feed::EventSource(server_sent::Source::open(address, request).await?),
                Transport::SingleConnection => {
                    Feed::SingleConnection(server_sent::Single::open(address, request).await?)
                }
            })
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
            Feed::EventSource(source) => source.next().await,
            Feed::SingleConnection(single) => single.next().await,
        }
    }
}

/// A client that makes a connection for each request, as each meets trouble of its own.
fn client() -> Result<reqwest::Client, End> {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy();
    client.build().map_err(End::cut)
}

/// What a server says that does not do as it was asked.
async fn refusal(response: Response) -> End {
    let status = response.status().as_u16();
    let content_type = content_type(&response);
    match response.text().await {
        Err(error) => End::cut(error),
        Ok(text) => End::Refused(match serde_json::from_str::<Value>(&text) {
            Ok(answer) => answer["errors"].clone(),
            Err(_) => json!({ "status": status, "contentType": content_type, "text": text }),
        }),
    }
}

fn content_type(response: &Response) -> Option<String> {
    let said = response.headers().get("content-type")?;
    said.to_str().ok().map(ToOwned::to_owned)
}

/// A response that goes on and on, on a connection of its own.
struct Body {
    response: Response,
    read: Vec<u8>,
}

impl Body {
    /// Posts a subscription.
    async fn post(address: SocketAddr, request: &Request, accept: &str, expected: &str) -> Result<Body, End> {
        let post = client()?
            .post(format!("http://{address}/graphql"))
            .header("accept", accept)
            .json(&request.body());
        Body::open(request.sign(post), expected).await
    }

    async fn open(request: RequestBuilder, expected: &str) -> Result<Body, End> {
        let response = request.send().await.map_err(End::cut)?;
        let is_stream = content_type(&response).is_some_and(|said| said.starts_with(expected));
        if response.status() == StatusCode::OK && is_stream {
            return Ok(Body {
                response,
                read: Vec::new(),
            });
        }
        Err(refusal(response).await)
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
