//! The server itself: its version and the limits in force.

use async_graphql::SimpleObject;

/// The limits a request must keep to; past one of them it is refused as a whole.
#[derive(SimpleObject, Clone, Debug, Default)]
#[graphql(name = "ServerLimits")]
pub struct Limits {
    /// The most bytes of a request's body.
    pub body_bytes: i32,
    /// The most bytes of a document.
    pub document_bytes: i32,
    /// The most tokens of a document.
    pub document_tokens: i32,
    /// How deep a document may nest as written.
    pub document_nesting: i32,
    /// How deep selections may stand in one another, those of a fragment counted where it is used.
    pub document_depth: i32,
    /// The most fields of a document, those of a fragment counted as often as it is used; so are the next two.
    pub document_fields: i32,
    /// The most aliases of a document.
    pub document_aliases: i32,
    /// The most directives of a document.
    pub document_directives: i32,
    /// The most a document may cost: the prices of its fields, multiplied by the lengths of the lists above them.
    pub document_cost: i32,
    /// How deep lists and objects of variables may stand in one another.
    pub variable_nesting: i32,
    /// The most values of all variables, each list and object being one.
    pub variable_values: i32,
    /// The most bytes of all variables.
    pub variable_bytes: i32,
    /// The most subscriptions on one WebSocket.
    pub subscriptions_per_socket: i32,
    /// The most frames a client may send on a WebSocket in a second.
    pub frames_per_second: i32,
    /// The most sockets and streams from one address at a time; null where there is no such limit.
    pub sockets_per_address: Option<i32>,
    /// What one token may ask for in a second, or one person with JWTs, or one address without either, by what documents cost
    /// (`extensions.cost`) and a little for each request; null where there is no such limit.
    pub cost_per_second: Option<i32>,
    /// What it may ask for at once, after a while of silence; null where there is no such limit.
    pub cost_at_once: Option<i32>,
}

/// The server that answers.
#[derive(SimpleObject, Clone, Debug)]
pub struct Server {
    /// Its version.
    pub version: &'static str,
    /// The limits in force.
    pub limits: Limits,
}
