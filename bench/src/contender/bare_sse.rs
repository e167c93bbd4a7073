//! The yardstick of event streams: axum's own `Sse` over a broadcast channel of events that were made once.

use std::convert::Infallible;

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::routing::post;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::broadcast;

use super::bare::{CHANNEL, SNAPSHOT, payload, serve_router};

type Events = broadcast::Sender<Event>;

/// As long as a cursor of Allclear's, which stands there in its place.
const ID: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz";

pub(super) fn serve() -> anyhow::Result<()> {
    let (events, _) = broadcast::channel(CHANNEL);
    let router = Router::new()
        .route("/graphql", post(subscribe))
        .route("/publish", post(publish))
        .with_state(events);
    serve_router(router)
}

fn event(payload: &str) -> Event {
    Event::default().id(ID).event("next").data(payload)
}

async fn publish(State(events): State<Events>, body: String) {
    // Nobody may listen yet.
    let _ = events.send(event(&payload(&body)));
}

async fn subscribe(State(events): State<Events>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let live = stream::unfold(events.subscribe(), |mut events| async {
        // Who lags has lost events: the bench will see it.
        let event = events.recv().await.ok()?;
        Some((Ok(event), events))
    });
    Sse::new(stream::iter([Ok(event(SNAPSHOT))]).chain(live))
}
