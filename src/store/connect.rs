//! Connecting: what each database needs so that a commit that was acknowledged is kept.

use std::str::FromStr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{
    ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::bell::Bell;
use super::committed::Committed;
use super::hold::{Held, Hold};
use super::listen::Ear;
use super::turn::Turns;
use super::{setting, snapshot};
use crate::domain::cursor::Epoch;
use crate::error::Error;
use crate::seeded::{Bug, seeded};

/// How long a request waits for a connection or a statement before the database counts as away: a client gets its
/// 503 within 3.5 s (`BAD_INPUTS.md`, 39).
pub(super) const AWAY_AFTER: Duration = Duration::from_secs(3);

/// Connections to SQLite for the server's own reads: 4. Each takes well under a millisecond, and they are read together
/// for all who follow a page.
pub(crate) const OWN_CONNECTIONS: u32 = 4;

/// How long what runs beside the requests waits for all it reads at a time. The database gives up on a statement before;
/// this is for a connection that hangs, of which nobody tells us.
const HANGS_AFTER: Duration = Duration::from_secs(10);

/// The oldest SQLite that is taken. Older ones have a race that can corrupt a database in WAL mode (3.51.3's notes).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// What nodes that migrate a database at the same time wait for: any number that nobody else uses.
const MIGRATION_LOCK: i64 = 0x616c_6c63_6c65_6172;

/// Where every statement is traced, in the span of the request that needs it; transactions' own are not.
pub const SQL: &str = "allclear::sql";

/// Where the database is and how much of it is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sqlite://PATH?mode=rwc` or `postgres://…`.
    pub url: String,
    /// Connections for what executions read (on PostgreSQL: for everything). One more asks whether the database answers.
    pub connections: u32,
    /// Where PostgreSQL is listened to, if not at `url`.
    pub listen_url: Option<String>,
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the database URL must begin with sqlite:// or postgres://, and name a file or a server")]
    Url,
    #[error("SQLite {found} is too old: 3.51.3 is the oldest that keeps a WAL database safe")]
    OldSqlite { found: String },
    #[error("the URL to listen at must begin with postgres://, and name a server")]
    ListenUrl,
    #[error("the database is just being restored")]
    Held,
    #[error("the database cannot be opened")]
    Open(#[source] DbErr),
    #[error("the database's tables cannot be brought up to date")]
    Migrate(#[source] DbErr),
    #[error(transparent)]
    Setting(#[from] Error),
}

/// An open database.
#[derive(Debug)]
pub struct Store {
    pub(super) writer: DatabaseConnection,
    /// For the server's own reads: the log for those who follow it, and whether the database answers. Executions cannot
    /// take all of these.
    pub(super) reader: DatabaseConnection,
    /// For what executions read.
    pub(super) executions: DatabaseConnection,
    /// A connection of its own, opened when it is first used: whether the database answers must be seen even while requests
    /// take all others.
    health: DatabaseConnection,
    /// Of those who write: one at a time on SQLite, half of the connections on PostgreSQL, so that writers who wait for one
    /// another's rows leave room for those who read.
    pub(super) turns: Turns,
    bell: Bell,
    pub(super) ear: Ear,
    epoch: Epoch,
    pub(super) committed: Committed,
    /// Of SQLite's file, until the connections to it are closed.
    _hold: Option<Hold>,
}

impl Store {
    /// Opens the database and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be reached, is too old, or holds tables that a newer version made.
    pub async fn open(options: &Options) -> Result<Store, ConnectError> {
        let is_sqlite = is_sqlite(&options.url);
        let mut hold = None;
        let Connections {
            mut writer,
            mut reader,
            mut executions,
            health,
        } = if is_sqlite {
            hold = hold_file(&options.url)?;
            sqlite(options).await?
        } else if options.url.starts_with("postgres:") || options.url.starts_with("postgresql:") {
            postgres(options).await?
        } else {
            return Err(ConnectError::Url);
        };
        if is_sqlite {
            Migrator::up(&writer, None).await.map_err(ConnectError::Migrate)?;
        } else {
            migrate_postgres(options).await.map_err(ConnectError::Migrate)?;
        }
        for connection in [&mut writer, &mut reader, &mut executions] {
            // Without the values, which may be anybody's words.
            connection.set_metric_callback(|info| {
                tracing::trace!(target: SQL, statement = info.statement.sql.as_str(), elapsed = ?info.elapsed);
            });
        }
        let epoch = setting::epoch(&writer).await?;
        let ear = Ear::new(options)?;
        let bell = if is_sqlite {
            Bell::local()
        } else {
            Bell::between_nodes(&options.url)?
        };
        let turns = if is_sqlite {
            1
        } else {
            (options.connections as usize / 2).max(1)
        };
        Ok(Store {
            writer,
            reader,
            health,
            executions,
            turns: Turns::new(turns),
            bell,
            ear,
            epoch,
            committed: Committed::default(),
            _hold: hold,
        })
    }

    /// The random value that names this database's history.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Rings after every commit, with the page that changed. Who lags behind looks at every page.
    pub fn doorbell(&self) -> broadcast::Receiver<Uuid> {
        self.bell.subscribe()
    }

    /// The number of the newest event of a page that this node has committed; 0 if there is none.
    pub fn committed(&self, page: Uuid) -> u64 {
        self.committed.of(page)
    }

    pub(super) const fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Rings this node's own doorbell for a page.
    pub(crate) fn ring(&self, page: Uuid) {
        self.bell.ring_here(page);
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.health.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Sends the bells that are due and closes every connection; SQLite folds its WAL into the file.
    pub async fn close(&self) {
        self.bell.close().await;
        // A failure to close leaves nothing undone that the next start would not do.
        let _ = self.health.clone().close().await;
        let _ = self.executions.clone().close().await;
        let _ = self.reader.clone().close().await;
        let _ = self.writer.clone().close().await;
    }
}

/// What reading gives, unless the database does not answer at all.
///
/// # Errors
/// `Unavailable` when it takes too long.
pub(crate) async fn in_time<T>(reading: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(HANGS_AFTER, reading).await {
        Ok(read) => read,
        Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into()),
    }
}

/// Whether a URL is one of SQLite's; the others are PostgreSQL's, or none.
pub(super) fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

/// Keeps the file from being replaced while it is served.
fn hold_file(url: &str) -> Result<Option<Hold>, ConnectError> {
    if is_in_memory(url) {
        return Err(ConnectError::Url);
    }
    let file = SqliteConnectOptions::from_str(url).map_err(|_| ConnectError::Url)?;
    Hold::shared(file.get_filename()).map_err(|Held| ConnectError::Held)
}

/// The connections of a store, by what they are for.
struct Connections {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    executions: DatabaseConnection,
    health: DatabaseConnection,
}

/// One connection beside the others, opened when it is first used.
async fn health(others: &ConnectOptions) -> Result<DatabaseConnection, ConnectError> {
    let mut options = others.clone();
    options.max_connections(1).min_connections(0).connect_lazy(true);
    Database::connect(options).await.map_err(ConnectError::Open)
}

async fn sqlite(options: &Options) -> Result<Connections, ConnectError> {
    let mut write = ConnectOptions::new(&options.url);
    write
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(AWAY_AFTER)
        // A file does not hang up; asking would be one more turn of the connection's thread.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_before_acquire(|connection, _| is_at_rest(connection))
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous())
                .foreign_keys(true)
                .busy_timeout(AWAY_AFTER)
                .create_if_missing(true)
        });
    let writer = Database::connect(write).await.map_err(ConnectError::Open)?;
    check_sqlite_version(&writer).await?;

    let reader = Database::connect(sqlite_reading(options, OWN_CONNECTIONS))
        .await
        .map_err(ConnectError::Open)?;
    let mut executions = sqlite_reading(options, options.connections);
    executions
        .map_sqlx_sqlite_before_acquire(|connection, _| {
            Box::pin(async move {
                if connection.is_in_transaction() {
                    return Ok(false);
                }
                snapshot::tie(connection).await.map(|()| true)
            })
        })
        .map_sqlx_sqlite_pool_opts(|pool| pool.after_connect(|connection, _| snapshot::tie(connection)));
    let executions = Database::connect(executions).await.map_err(ConnectError::Open)?;
    Ok(Connections {
        writer,
        reader,
        executions,
        health: health(&sqlite_reading(options, 1)).await?,
    })
}

fn sqlite_reading(options: &Options, connections: u32) -> ConnectOptions {
    let mut read = ConnectOptions::new(&options.url);
    read.max_connections(connections)
        .min_connections(1)
        .acquire_timeout(AWAY_AFTER)
        // A file does not hang up; asking would be one more turn of the connection's thread.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_before_acquire(|connection, _| is_at_rest(connection))
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .foreign_keys(true)
                .busy_timeout(AWAY_AFTER)
                .pragma("query_only", "ON")
        });
    read
}

/// A commit is on the disk before anybody is told of it.
fn synchronous() -> SqliteSynchronous {
    match seeded(Bug::CommitNotOnDisk) {
        true => SqliteSynchronous::Normal,
        false => SqliteSynchronous::Full,
    }
}

/// Whether a connection may be used again: not where a transaction is thought to be open. SQLite itself undoes one that
/// meets a full disk or an error of it; sqlx then cannot undo it once more, and believes in it ever after. What would be
/// begun on such a connection is part of something that is never committed, and is acknowledged all the same.
fn is_at_rest(connection: &mut SqliteConnection) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    Box::pin(std::future::ready(Ok(!connection.is_in_transaction())))
}

async fn check_sqlite_version(db: &DatabaseConnection) -> Result<(), ConnectError> {
    let asked = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version() AS version");
    let row = db.query_one_raw(asked).await.map_err(ConnectError::Open)?;
    let found: String = row
        .map(|row| row.try_get("", "version"))
        .transpose()
        .map_err(ConnectError::Open)?
        .unwrap_or_default();
    if is_recent_sqlite(&found) {
        Ok(())
    } else {
        Err(ConnectError::OldSqlite { found })
    }
}

fn is_recent_sqlite(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= OLDEST_SQLITE
}

/// Brings PostgreSQL's tables up to date, on a connection of its own: a step may take longer than any request may, and
/// nodes that start together must go one after the other.
async fn migrate_postgres(options: &Options) -> Result<(), DbErr> {
    let mut connect = ConnectOptions::new(&options.url);
    connect
        .max_connections(1)
        .connect_timeout(AWAY_AFTER)
        .set_application_name("allclear-migrate")
        .sqlx_logging(false);
    let alone = Database::connect(connect).await?;
    alone
        .execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))
        .await?;
    let migrated = Migrator::up(&alone, None).await;
    // The lock ends with the connection.
    alone.close().await?;
    migrated
}

async fn postgres(options: &Options) -> Result<Connections, ConnectError> {
    let mut connect = ConnectOptions::new(&options.url);
    connect
        .max_connections(options.connections)
        .min_connections(1)
        .acquire_timeout(AWAY_AFTER)
        .connect_timeout(AWAY_AFTER)
        .set_application_name("allclear")
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| {
            let millis = AWAY_AFTER.as_millis().to_string();
            postgres.options([
                ("statement_timeout", millis.as_str()),
                ("lock_timeout", millis.as_str()),
                ("idle_in_transaction_session_timeout", "30000"),
            ])
        });
    let health = health(&connect).await?;
    let pool = Database::connect(connect).await.map_err(ConnectError::Open)?;
    Ok(Connections {
        writer: pool.clone(),
        reader: pool.clone(),
        executions: pool,
        health,
    })
}

#[cfg(test)]
mod tests;
