//! One table per file: how the values of the domain are stored, and read back.
//!
//! Instants are milliseconds in a `BIGINT`, enums their fixed word, JSON its text: the same bytes on both databases.

mod aggregate;
pub mod audit;
pub(crate) mod batch;
pub mod component;
pub mod component_change;
pub mod component_group;
pub mod event;
pub mod idempotency_key;
pub mod incident;
pub mod incident_component;
pub mod maintenance;
pub mod maintenance_component;
pub mod page;
pub mod page_log;
pub mod parts;
pub mod postmortem;
pub(crate) mod question;
pub mod setting;
pub mod subject_version;
pub mod timeline;
pub mod timeline_update;
pub mod token;
pub mod update_revision;

use crate::domain::code::Word;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// The value a stored word stands for.
///
/// # Errors
/// `Corrupt` for a word that this version does not know.
pub(crate) fn word<W: Word>(stored: &str) -> Result<W> {
    W::from_word(stored).ok_or_else(|| Error::Corrupt(format!("the word {stored:?}")))
}

/// The value a stored JSON text holds.
pub(crate) fn json<T: serde::de::DeserializeOwned>(stored: &str) -> Result<T> {
    serde_json::from_str(stored).map_err(|error| Error::Corrupt(format!("JSON that cannot be read ({error})")))
}

/// A value as the JSON text that is stored.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Corrupt(format!("a value that JSON cannot hold ({error})")))
}

pub(crate) fn at(stored: Option<i64>) -> Option<Timestamp> {
    stored.map(Timestamp::from_millis)
}
