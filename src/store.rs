//! The database: connecting to it, reading one consistent state of it, and `Write`, the one way to change it.

pub mod audit;
mod author;
mod backup;
mod bell;
mod committed;
mod connect;
mod hold;
mod listen;
pub mod log;
mod prune;
mod setting;
mod snapshot;
mod token;
mod turn;
mod version;
mod write;

pub use author::Author;
pub use backup::{BackupError, Contents, backup, renew_epoch, restore};
pub use connect::{ConnectError, Options, SQL, Store};
pub(crate) use connect::{OWN_CONNECTIONS, in_time};
pub use listen::Hearing;
pub use snapshot::Snapshot;
pub use write::{ROW_LOCK, Write};
