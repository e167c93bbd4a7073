//! `/graphql/ws`: GraphQL over WebSocket, by the protocol `graphql-transport-ws`.
//!
//! `protocol` says what each message means and knows nothing of sockets; `operation` runs what was asked for;
//! `socket` sends, and closes what takes nothing; `connection` is the loop between them.
//!
//! What is sent leaves as frames that `envelope` makes, written straight to the connection (`wire`): that of a shared
//! subscription by its fan-out, past this socket's task.

mod connection;
pub(super) mod frame;
mod handshake;
pub(super) mod message;
mod protocol;
mod socket;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use tracing::Instrument;

use super::access::{Authenticate, Credentials};
use super::engine::Engine;
use super::http::{Media, refuse};
use super::router::Edge;
use super::throttle::{Payer, REQUEST};
use super::{RequestId, origin};
use connection::Connection;
use handshake::Handshake;
use socket::Socket;

/// The protocol's name, as it is negotiated.
const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Takes a socket over, unless a foreign page asks for it.
///
/// A wrong token does not stop the upgrade, for a browser could not tell why it failed: the socket is closed with 4403
/// as soon as it is initialised.
pub(super) async fn upgrade<E: Engine, A: Authenticate>(
    State(edge): State<Edge<E, A>>,
    Extension(request_id): Extension<RequestId>,
    mut request: Request,
) -> Response {
    if let Err(error) = origin::check(request.headers(), &edge.config.allowed_origins) {
        return refuse(Media::Assumed, error);
    }
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(error) => return refuse(Media::Assumed, error),
    };
    let credentials = Credentials::of_headers(request.headers(), request.extensions(), &edge.config.proxies);
    let address = credentials.address();
    let place = edge.throttle.charge(Payer::Address(address), REQUEST);
    let place = match place.and_then(|()| edge.places.take(address)) {
        Ok(place) => place,
        Err(error) => return edge.refuse(Media::Assumed, error).await,
    };
    let response = handshake.response();
    let connections = edge.connections.clone();
    let span = tracing::info_span!(parent: None, "socket", %request_id);
    let open = async move {
        let speaks = handshake.speaks;
        let Some((wire, received)) = handshake.finish().await else {
            return;
        };
        let socket = Socket::new(wire, &received, Arc::clone(&edge.config));
        // Tasks of their own, which hold nothing of what the handshake took.
        match speaks {
            true => {
                let connections = edge.connections.clone();
                connections.spawn(
                    Connection::new(edge, socket, credentials, place)
                        .serve()
                        .in_current_span(),
                );
            }
            false => {
                let refuse = async move {
                    socket.close(&message::Close::SUBPROTOCOL_NOT_ACCEPTABLE).await;
                    drop(place);
                };
                edge.connections.spawn(refuse.in_current_span());
            }
        }
    };
    connections.spawn(open.instrument(span));
    response
}
