//! What every topic needs: a server on each database, and words to talk to it.

pub(crate) mod client;
mod cluster;
pub(crate) mod database;
mod harm;
pub(crate) mod import;
pub(crate) mod issuer;
pub(crate) mod lines;
pub(crate) mod log;
pub(crate) mod plan;
pub(crate) mod postgres;
pub(crate) mod require;
pub(crate) mod state;
pub(crate) mod statements;
pub(crate) mod words;

pub(crate) use database::{for_each_database, for_each_database_trusting, for_each_database_unheld};
pub(crate) use harm::{blameless, harmless};
pub(crate) use state::unchanged;
