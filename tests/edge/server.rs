//! Starts a server on a port of its own, and asks it things.

use std::net::SocketAddr;
use std::time::Duration;

use allclear::transport::{
    Config, Connections, Engine, Executed, Nobody, Patience, Stop, Subscription, Unshared, WebSocketConfig, router,
    serve,
};
use async_graphql::Request;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::toy::{Access, State, Toy, schema};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) state: State,
    pub(crate) stop: Stop,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
    client: reqwest::Client,
}

/// An engine that says of each execution that it did so much work.
#[derive(Clone)]
struct Measuring {
    engine: Unshared<Toy>,
    work: u64,
}

impl Engine for Measuring {
    type Follower = Nobody;

    async fn execute(&self, request: Request) -> Executed {
        let executed = self.engine.execute(request).await;
        Executed {
            work: Some(self.work),
            ..executed
        }
    }

    async fn subscribe(&self, request: Request, after: Option<String>) -> Subscription<Nobody> {
        self.engine.subscribe(request, after).await
    }
}

/// An HTTP answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"]
            .as_str()
            .expect("a code")
            .to_owned()
    }

    /// All values of a header, in one list.
    pub(crate) fn headers(&self, name: &str) -> String {
        let values = self.headers.get_all(name).into_iter();
        let texts: Vec<&str> = values.map(|value| value.to_str().expect("a header of text")).collect();
        texts.join(", ")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header of text"))
    }
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(Config::default()).await
    }

    /// Starts a server that holds its sockets in another way.
    pub(crate) async fn changed(change: impl FnOnce(&mut WebSocketConfig)) -> Server {
        let mut config = Config::default();
        change(&mut config.websocket);
        Server::with(config).await
    }

    pub(crate) async fn with(config: Config) -> Server {
        Server::ready(config, Ok(()), Duration::from_secs(60)).await
    }

    pub(crate) async fn ready(config: Config, ready: Result<(), String>, grace: Duration) -> Server {
        let (schema, state) = schema();
        Server::over(Unshared(schema), state, config, ready, grace).await
    }

    /// Starts a server whose executions are reported to have done so much work.
    pub(crate) async fn measuring(config: Config, work: u64) -> Server {
        let (schema, state) = schema();
        let engine = Measuring {
            engine: Unshared(schema),
            work,
        };
        Server::over(engine, state, config, Ok(()), Duration::from_secs(60)).await
    }

    async fn over<E: Engine>(
        engine: E,
        state: State,
        config: Config,
        ready: Result<(), String>,
        grace: Duration,
    ) -> Server {
        let stop = Stop::default();
        let shutdown = stop.token().clone();
        let connections = Connections::new(stop.clone(), config.room.connections, config.proxies.clone());
        let patience = Patience {
            head: config.head_timeout,
            send: config.websocket.send_timeout,
            end: grace,
        };
        let ready = move || std::future::ready(ready.clone());
        let router = router(engine, Access, ready, config, connections.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(serve(listener, router, connections, patience));
        Server {
            address,
            state,
            stop,
            shutdown,
            serving,
            client: reqwest::Client::new(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.address))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.address))
    }

    /// Posts a document to `/graphql`, as curl would.
    pub(crate) fn query(&self, document: &str) -> RequestBuilder {
        self.post("/graphql").json(&json!({"query": document}))
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer {
        status,
        headers,
        text: response.text().await.expect("a body of text"),
    }
}
