//! The edge: what stands between the network and the GraphQL executor.
//!
//! It finds the document that a request names (`documents`), decides what reaches the executor (`preflight`), how a request
//! comes in and an answer goes out (`http`, `websocket`), who is heard of before (`access`), and how much of one sender
//! (`throttle`, `concurrency`, `place`; `address` tells them apart) and of all together (`slot`). It works over any [`Engine`] and knows
//! nothing of pages or incidents.
//!
//! Operations that last (`operation`) send their results in an `envelope` to a `wire`; those of subscriptions that many
//! share are sent by a `fanout`, past the tasks of those who follow.
//!
//! The stock integration is not used: it runs mutations over GET, takes form posts, answers 200 to everything and
//! never times a socket out (DESIGN.md, 5).

mod access;
mod address;
mod answer;
mod apart;
mod browser;
mod cached;
mod concurrency;
mod config;
mod documents;
mod engine;
mod envelope;
mod error;
mod exchange;
mod fanout;
mod graphiql;
mod http;
mod operation;
mod json;
mod origin;
mod parameters;
mod payers;
mod penalty;
mod place;
pub mod preflight;
mod read_cache;
mod rendering;
mod request_id;
mod router;
mod server;
mod slot;
mod takeover;
mod throttle;
mod websocket;
mod wire;

pub use access::{Authenticate, Refused};
pub use address::{Forwarding, Proxies};
pub use concurrency::ExecutionLimit;
pub use config::{Config, DocumentConfig, WebSocketConfig};
pub use documents::{Persisted, Unusable};
pub use engine::{Engine, Executed, Follower, Nobody, Subscription, Unshared, Validity};
pub use error::RequestError;
pub use place::Room;
pub use rendering::Rendering;
pub use request_id::RequestId;
pub use router::router;
pub use server::{Connections, Patience, Stop, serve};
pub use throttle::Rate;
#[doc(hidden)]
pub use websocket::frame::{Message, read_frames};
