//! The edge over real sockets, in front of a small schema of its own.

mod browser;
mod concurrency;
mod csrf;
mod documents;
mod fair;
mod hangup;
mod http;
mod limits;
mod liveness;
mod mutated;
#[path = "../mutator/mutator.rs"]
mod mutator;
mod routes;
mod server;
mod shutdown;
mod slots;
mod socket;
mod stream;
mod throttle;
mod toy;
mod websocket;
