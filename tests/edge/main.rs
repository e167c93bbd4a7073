//! The edge over real sockets, in front of a small schema of its own.

mod fair;
mod http;
mod liveness;
mod routes;
mod server;
mod shutdown;
mod socket;
mod stream;
mod throttle;
mod toy;
mod websocket;
