//! `/graphql/ws`: GraphQL over WebSocket, by the protocol `graphql-transport-ws`.
//!
//! `protocol` says what each message means and knows nothing of sockets; `operation` runs what was asked for;
//! `socket` sends, and closes what takes nothing; `connection` is the loop between them.
//!
//! An operation hands over the text of its payloads, not values. That is where text that was rendered once for many
//! subscribers can come in (DESIGN.md, 4).

mod connection;
mod message;
mod operation;
mod protocol;
mod socket;

use async_graphql::Executor;
use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tracing::Instrument;

use super::access::{self, Authenticate};
use super::http::{Media, refuse};
use super::router::Edge;
use super::server::Progress;
use super::{RequestError, RequestId, origin};
use connection::Connection;
use socket::Socket;

/// The protocol's name, as it is negotiated.
const SUBPROTOCOL: &str = "graphql-transport-ws";

/// What is read from a socket at once. The library's 128 KiB would be most of what an idle socket costs.
const READ_BUFFER: usize = 4 << 10;

/// Takes a socket over, unless a foreign page asks for it.
///
/// A wrong token does not stop the upgrade, for a browser could not tell why it failed: the socket is closed with 4403
/// as soon as it is initialised.
pub(super) async fn upgrade<E: Executor, A: Authenticate>(
    State(edge): State<Edge<E, A>>,
    Extension(request_id): Extension<RequestId>,
    progress: Option<Extension<ConnectInfo<Progress>>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Err(error) = origin::check(&headers, &edge.config.allowed_origins) {
        return refuse(Media::Assumed, error);
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade.protocols([SUBPROTOCOL]),
        Err(rejection) => {
            let message = format!("This is a WebSocket endpoint: {rejection}.");
            return refuse(
                Media::Assumed,
                RequestError::new("UPGRADE_REQUIRED", StatusCode::BAD_REQUEST, message),
            );
        }
    };
    let spoken = upgrade.selected_protocol().is_some();
    let bearer = access::bearer(&headers).map(|token| token.map(str::to_owned));
    let progress = progress
        .map(|Extension(ConnectInfo(progress))| progress)
        .unwrap_or_default();
    let config = edge.config.websocket.clone();
    let connections = edge.connections.clone();
    let span = tracing::info_span!(parent: None, "socket", %request_id);

    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        // What is a little too long is still read, to be answered with 1009.
        .max_frame_size(config.message_limit.saturating_mul(2))
        .max_message_size(config.message_limit.saturating_mul(2))
        .on_upgrade(move |socket| {
            let socket = Socket::new(socket, progress, config);
            let serve = async move {
                match spoken {
                    true => Connection::new(edge, socket, bearer).serve().await,
                    false => socket.close(&message::Close::SUBPROTOCOL_NOT_ACCEPTABLE).await,
                }
            };
            connections.track(serve.instrument(span))
        })
}
