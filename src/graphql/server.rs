//! The server itself: its version and the limits in force.

use async_graphql::SimpleObject;

/// The limits a request must keep to; past one of them it is refused as a whole.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(name = "ServerLimits")]
pub struct Limits {
    /// The most bytes of a request's body.
    pub body_bytes: i32,
    /// The most bytes of a document.
    pub document_bytes: i32,
    /// The most tokens of a document.
    pub document_tokens: i32,
    /// How deep a document may nest.
    pub document_nesting: i32,
    /// The most a document may cost: fields, multiplied by the page sizes above them.
    pub document_cost: i32,
    /// The most subscriptions on one WebSocket.
    pub subscriptions_per_socket: i32,
}

/// The server that answers.
#[derive(SimpleObject, Clone, Debug)]
pub struct Server {
    /// Its version.
    pub version: &'static str,
    /// The limits in force.
    pub limits: Limits,
}
