//! One consistent state of the database, for as long as an answer takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::sqlx::{self, SqliteConnection};
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel,
    TransactionOptions, TransactionTrait,
};

use super::Store;
use super::connect::AWAY_AFTER;
use crate::budget::{Budget, thread_cpu};
use crate::error::Result;

/// After how many steps of SQLite's virtual machine a statement checks whether its execution has ended, and its CPU time is
/// measured: 1,000, some 20 µs. The check takes 0.3 µs.
const STEPS: i32 = 1_000;

/// How long a statement of PostgreSQL may outlive the deadline of its execution: 50 ms, so that the execution ends first
/// and says why.
const GRACE: Duration = Duration::from_millis(50);

/// By how much the time that is left must have shrunk before PostgreSQL is told again: 500 ms. So a statement ends
/// 550 ms after the deadline at the latest, and an execution that takes less than 2 s tells it nothing.
const TIGHTENED_BY: Duration = Duration::from_millis(500);

tokio::task_local! {
    /// The budget of the execution that acquires a connection in this task.
    static ACQUIRING: Budget;
}

/// A read-only transaction: everything read through it is of one moment, so that an answer and the cursor beside it
/// belong together. Dropping it ends it.
#[derive(Debug)]
pub struct Snapshot {
    transaction: DatabaseTransaction,
    /// How long a statement may take, in milliseconds, as PostgreSQL was told last; none for SQLite.
    statement_timeout: Option<AtomicU64>,
}

impl Snapshot {
    /// What statements are sent through.
    pub const fn db(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// The same for an execution: a statement that is sent through it ends soon after the execution's deadline.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn db_within(&self, budget: &Budget) -> Result<&DatabaseTransaction> {
        if let Some(told) = &self.statement_timeout {
            let left = budget.remaining() + GRACE;
            if left + TIGHTENED_BY < Duration::from_millis(told.load(Ordering::Relaxed)) {
                let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                told.store(millis, Ordering::Relaxed);
                let tell = format!("SET LOCAL statement_timeout = {millis}");
                self.transaction.execute_unprepared(&tell).await?;
            }
        }
        Ok(&self.transaction)
    }
}

impl Store {
    /// Begins to read, for the server's own work.
    ///
    /// # Errors
    /// `Unavailable` when no connection can be had in time.
    pub async fn read(&self) -> Result<Snapshot> {
        begin(&self.reader).await
    }

    /// Begins to read for an execution. Its statements on SQLite are interrupted when it ends or is dropped, and their CPU
    /// time is added to its budget.
    ///
    /// # Errors
    /// `Unavailable` when no connection can be had in time.
    pub async fn read_within(&self, budget: &Budget) -> Result<Snapshot> {
        ACQUIRING.scope(budget.clone(), begin(&self.executions)).await
    }
}

async fn begin(connections: &DatabaseConnection) -> Result<Snapshot> {
    let (options, statement_timeout) = match connections.get_database_backend() {
        DbBackend::Postgres => {
            let options = TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            };
            let millis = u64::try_from(AWAY_AFTER.as_millis()).unwrap_or(u64::MAX);
            (options, Some(AtomicU64::new(millis)))
        }
        // SQLite: a deferred transaction is a snapshot from its first read on, and these connections only read.
        _ => (TransactionOptions::default(), None),
    };
    Ok(Snapshot {
        transaction: connections.begin_with_options(options).await?,
        statement_timeout,
    })
}

/// Ties a connection to the execution that acquires it, in place of the one that had it before.
pub(super) fn tie(connection: &mut SqliteConnection) -> BoxFuture<'_, Result<(), sqlx::Error>> {
    Box::pin(async move {
        // None where the pool opens a connection for nobody in particular.
        let Ok(budget) = ACQUIRING.try_with(Budget::clone) else {
            return Ok(());
        };
        let mut measured = None;
        // Called on the connection's own thread, which works for one execution at a time.
        let goes_on = move || {
            let now = thread_cpu();
            if let Some(before) = measured.replace(now) {
                budget.add_cpu(now.saturating_sub(before));
            }
            !budget.has_ended()
        };
        connection.lock_handle().await?.set_progress_handler(STEPS, goes_on);
        Ok(())
    })
}
