//! One consistent state of the database, for as long as an answer takes.

use sea_orm::{AccessMode, DatabaseTransaction, DbBackend, IsolationLevel, TransactionOptions, TransactionTrait};

use super::Store;
use crate::error::Result;

/// A read-only transaction: everything read through it is of one moment, so that an answer and the cursor beside it
/// belong together. Dropping it ends it.
#[derive(Debug)]
pub struct Snapshot(DatabaseTransaction);

impl Snapshot {
    /// What statements are sent through.
    pub const fn db(&self) -> &DatabaseTransaction {
        &self.0
    }
}

impl Store {
    /// Begins to read.
    ///
    /// # Errors
    /// `Unavailable` when no connection can be had in time.
    pub async fn read(&self) -> Result<Snapshot> {
        let options = match self.reader.get_database_backend() {
            DbBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
            // SQLite: a deferred transaction is a snapshot from its first read on, and these connections only read.
            _ => TransactionOptions::default(),
        };
        Ok(Snapshot(self.reader.begin_with_options(options).await?))
    }
}
