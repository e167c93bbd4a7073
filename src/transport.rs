//! The edge: what stands between the network and the GraphQL executor.
//!
//! It decides what reaches the executor (`preflight`), how a request comes in and an answer goes out (`http`,
//! `websocket`), and who is heard of before (`access`). It works over any [`async_graphql::Executor`] and knows nothing
//! of pages or incidents.
//!
//! The stock integration is not used: it runs mutations over GET, takes form posts, answers 200 to everything and
//! never times a socket out (DESIGN.md, 5).

mod access;
mod answer;
mod config;
mod error;
mod http;
mod origin;
mod parameters;
pub mod preflight;
mod request_id;
mod router;
mod server;
mod websocket;

pub use access::{Authenticate, Refused};
pub use config::{Config, WebSocketConfig};
pub use error::RequestError;
pub use request_id::RequestId;
pub use router::router;
pub use server::{Connections, serve};
