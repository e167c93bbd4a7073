//! The yardstick: the least that axum's WebSocket can be made to do for a broadcast. One task per socket waits for a
//! channel of text that was made once; it knows just enough of `graphql-transport-ws` for the same subscribers.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{any, post};
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::broadcast;

use super::say_address;
use crate::document::SHARED_ID;

/// Events that a socket may lag behind; more than are ever under way here, as the bench waits for the slowest.
pub(super) const CHANNEL: usize = 1024;

/// What is read of a socket at once. The default of 128 KiB would be most of what a socket costs.
const READ_BUFFER: usize = 4 << 10;

/// The longest message either side sends, with room to spare.
const LONGEST: usize = 64 << 10;

/// How a socket's buffers are made.
#[derive(Clone, Copy)]
pub(super) enum Buffers {
    Small,
    Default,
}

#[derive(Clone)]
struct Bare {
    buffers: Buffers,
    events: broadcast::Sender<Arc<Event>>,
}

struct Event {
    payload: String,
    /// The frame for all who call their operation the same.
    shared: Utf8Bytes,
}

pub(super) fn serve(buffers: Buffers) -> anyhow::Result<()> {
    let (events, _) = broadcast::channel(CHANNEL);
    let router = Router::new()
        .route("/graphql/ws", any(upgrade))
        .route("/publish", post(publish))
        .with_state(Bare { buffers, events });
    serve_router(router)
}

/// Serves as `main` of an axum program would, with one thread per core, and no delay of small packets.
pub(super) fn serve_router(router: Router) -> anyhow::Result<()> {
    serve_on(&runtime()?, router)
}

/// The runtime that `main` of an axum program would have.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// As [`serve_router`], on a runtime that something else uses too.
pub(super) fn serve_on(runtime: &Runtime, router: Router) -> anyhow::Result<()> {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        say_address(listener.local_addr()?);
        let listener = listener.tap_io(|stream| {
            // It would still work, and be measured as slow as it is.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await.context("the server failed")
    })
}

/// What is sent about an event: the very shape that Allclear gives it.
pub(super) fn payload(body: &str) -> String {
    json!({ "data": { "pageEvents": {
        "__typename": "IncidentUpdatePosted",
        "cursor": "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz",
        "at": "2026-01-01T00:00:00.000Z",
        "incident": {
            "id": "aW5jaWRlbnQ6MDEyMzQ1Njc4OWFiY2RlZg",
            "title": "Checkout is slow",
            "status": "INVESTIGATING",
            "impact": "NONE",
        },
        "update": { "id": "dXBkYXRlOjAxMjM0NTY3ODlhYmNkZWY", "status": "INVESTIGATING", "body": body },
    } } })
    .to_string()
}

/// A message of the protocol around a payload.
pub(super) fn next(id: &str, payload: &str) -> String {
    format!("{{\"id\":\"{id}\",\"type\":\"next\",\"payload\":{payload}}}")
}

/// What a subscriber hears first.
pub(super) const SNAPSHOT: &str = "{\"data\":{\"pageEvents\":{\"__typename\":\"PageSnapshot\"}}}";

async fn publish(State(bare): State<Bare>, body: String) {
    let payload = payload(&body);
    let shared = next(SHARED_ID, &payload).into();
    // Nobody may listen yet.
    let _ = bare.events.send(Arc::new(Event { payload, shared }));
}

async fn upgrade(State(bare): State<Bare>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.protocols(["graphql-transport-ws"]);
    let upgrade = match bare.buffers {
        Buffers::Small => upgrade
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(LONGEST)
            .max_message_size(LONGEST)
            .max_frame_size(LONGEST),
        Buffers::Default => upgrade,
    };
    upgrade.on_upgrade(move |socket| async move {
        // A socket that breaks has ended.
        let _ = broadcast_to(socket, &bare.events).await;
    })
}

async fn broadcast_to(mut socket: WebSocket, events: &broadcast::Sender<Arc<Event>>) -> Result<(), axum::Error> {
    let Some(id) = begin(&mut socket).await? else {
        return Ok(());
    };
    let mut events = events.subscribe();
    socket.send(Message::Text(next(&id, SNAPSHOT).into())).await?;
    let is_shared = id == SHARED_ID;
    loop {
        tokio::select! {
            event = events.recv() => {
                // Who lags has lost events: the bench will see it.
                let Ok(event) = event else { return Ok(()) };
                let text = match is_shared {
                    true => event.shared.clone(),
                    false => next(&id, &event.payload).into(),
                };
                socket.send(Message::Text(text)).await?;
            }
            received = socket.recv() => match received {
                Some(received) => { received?; }
                None => return Ok(()),
            },
        }
    }
}

/// Answers the beginning of the protocol; returns what the operation is called.
async fn begin(socket: &mut WebSocket) -> Result<Option<String>, axum::Error> {
    while let Some(message) = socket.recv().await {
        let Message::Text(text) = message? else { continue };
        let message: Value = serde_json::from_str(&text).map_err(axum::Error::new)?;
        match message["type"].as_str() {
            Some("connection_init") => {
                let acknowledgement = Utf8Bytes::from_static("{\"type\":\"connection_ack\"}");
                socket.send(Message::Text(acknowledgement)).await?;
            }
            Some("subscribe") => return Ok(message["id"].as_str().map(str::to_owned)),
            _ => {}
        }
    }
    Ok(None)
}
