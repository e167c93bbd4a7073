//! Backup and restore of a SQLite database, and the new epoch that a restored one needs, whichever database it is.
//!
//! A copy is made by SQLite itself, which takes one state of the database while others write. It is checked before it gets
//! its name, so that a file of that name is a sound copy, or there is none.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, FromQueryResult, Statement};
use tempfile::NamedTempFile;

use super::connect::{AWAY_AFTER, Options, is_sqlite};
use super::hold::{Held, Hold, beside};
use super::setting;
use crate::error::Error;

/// What SQLite keeps beside a database: of another one, it would be taken for changes of this.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What our connections call themselves on PostgreSQL while a server runs.
const SERVERS: &str = "SELECT COUNT(*) AS counted FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name IN ('allclear', 'allclear-listen', 'allclear-notify')";

/// How many logs do not run from their floor to their head, each number once, in both streams.
const BROKEN_LOGS: &str = "
    SELECT COUNT(*) AS counted FROM page_log AS l
    WHERE (SELECT COUNT(*) FROM event AS e WHERE e.page_id = l.page_id AND e.staff_number > l.staff_floor)
          <> l.staff_head - l.staff_floor
       OR (SELECT COUNT(*) FROM event AS e WHERE e.page_id = l.page_id AND e.public_number > l.public_floor)
          <> l.public_head - l.public_floor
       OR EXISTS (SELECT 1 FROM event AS e WHERE e.page_id = l.page_id
                  AND (e.staff_number > l.staff_head OR e.public_number > l.public_head))";

/// Why there is no copy, or none was put in place.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this is for SQLite; README.md tells how PostgreSQL is backed up and restored")]
    NotSqlite,
    #[error("the database URL must begin with sqlite:// or postgres://, and name a file or a server")]
    Url,
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    #[error("{} exists already, and is left as it is", .0.display())]
    Exists(PathBuf),
    #[error("a server, or another command, has the database: stop it first")]
    InUse,
    #[error("this is no database of Allclear")]
    Foreign,
    #[error("a newer version of Allclear made the database")]
    Newer(#[source] DbErr),
    #[error("the database is damaged: {0}")]
    Damaged(String),
    #[error("the database cannot be read")]
    Database(#[source] DbErr),
    #[error("the epoch cannot be written")]
    Epoch(#[source] Error),
    #[error("{} cannot be written", .0.display())]
    File(PathBuf, #[source] io::Error),
}

/// What a database was found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    pub pages: u64,
    pub events: u64,
}

/// Copies a SQLite database into a new file, while servers may write to it.
///
/// # Errors
/// When there is no database, or a file already, or the copy is not sound; then there is no file.
pub async fn backup(url: &str, file: &Path) -> Result<Contents, BackupError> {
    let source = path_of(url)?;
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let (copy, contents) = copied(&source, folder(file)).await?;
    settle(&copy, file)?;
    match copy.persist_noclobber(file) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(file.to_owned()));
        }
        Err(refused) => return Err(BackupError::File(file.to_owned(), refused.error)),
    }
    settle_name(file)?;
    Ok(contents)
}

/// Puts a copy of a file in the place of a SQLite database, with a new epoch: history may now differ from what clients
/// have seen under the same numbers, and their cursors lead to a reset. What is there is left unless `replace`.
///
/// # Errors
/// When a server has the database, or there is one and it is not to be replaced, or the file is not sound; then nothing
/// has changed.
pub async fn restore(url: &str, file: &Path, replace: bool) -> Result<Contents, BackupError> {
    let target = path_of(url)?;
    let _alone = alone(&target)?;
    let remains = |suffix: &&str| beside(&target, suffix).exists();
    if !replace && (target.exists() || COMPANIONS.iter().any(remains)) {
        return Err(BackupError::Exists(target));
    }
    let (copy, contents) = copied(file, folder(&target)).await?;
    let db = open(copy.path(), |sqlite| {
        sqlite
            .journal_mode(SqliteJournalMode::Delete)
            .synchronous(SqliteSynchronous::Full)
    })
    .await
    .map_err(BackupError::Database)?;
    let renewed = setting::renew_epoch(&db).await;
    close(db).await;
    renewed.map_err(BackupError::Epoch)?;
    settle(&copy, &target)?;

    let in_target = |error| BackupError::File(target.clone(), error);
    if target.exists() {
        fold(&target).await?;
        let permissions = target.metadata().map_err(in_target)?.permissions();
        copy.as_file().set_permissions(permissions).map_err(in_target)?;
    }
    for suffix in COMPANIONS {
        match std::fs::remove_file(beside(&target, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_target(error)),
            _ => {}
        }
    }
    copy.persist(&target).map_err(|refused| in_target(refused.error))?;
    settle_name(&target)?;
    Ok(contents)
}

/// Gives a database that was restored by other means a new epoch, for the reason that [`restore`] does. Its log is looked
/// through first.
///
/// # Errors
/// When a server has the database, or it is not sound.
pub async fn renew_epoch(options: &Options) -> Result<Contents, BackupError> {
    let (db, _alone) = match is_sqlite(&options.url) {
        true => {
            let path = path_of(&options.url)?;
            let alone = alone(&path)?;
            let db = open(&path, |sqlite| sqlite.synchronous(SqliteSynchronous::Full));
            (db.await.map_err(BackupError::Database)?, Some(alone))
        }
        false => (postgres(&options.url).await?, None),
    };
    let renewed = async {
        if !is_sqlite(&options.url) && count(&db, SERVERS).await? > 0 {
            return Err(BackupError::InUse);
        }
        let contents = contents(&db).await?;
        setting::renew_epoch(&db).await.map_err(BackupError::Epoch)?;
        Ok(contents)
    };
    let renewed = renewed.await;
    close(db).await;
    renewed
}

/// The file that a URL names.
fn path_of(url: &str) -> Result<PathBuf, BackupError> {
    if !is_sqlite(url) {
        return Err(BackupError::NotSqlite);
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|_| BackupError::Url)?;
    Ok(options.get_filename().to_owned())
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn alone(database: &Path) -> Result<Hold, BackupError> {
    match Hold::alone(database) {
        Ok(Ok(hold)) => Ok(hold),
        Ok(Err(Held)) => Err(BackupError::InUse),
        Err(error) => Err(BackupError::File(database.to_owned(), error)),
    }
}

/// A sound copy of a database, under a name of its own, which nobody but its owner may read: it holds the hashes of tokens.
async fn copied(source: &Path, folder: &Path) -> Result<(NamedTempFile, Contents), BackupError> {
    if !source.is_file() {
        return Err(BackupError::Missing(source.to_owned()));
    }
    let in_folder = |error| BackupError::File(folder.to_owned(), error);
    let copy = tempfile::Builder::new()
        .prefix(".allclear-")
        .suffix(".partial")
        .tempfile_in(folder)
        .map_err(in_folder)?;
    let path = copy.path().to_str().ok_or(io::ErrorKind::InvalidFilename.into());
    let path = path.map_err(in_folder)?.to_owned();

    let db = open(source, |sqlite| sqlite).await.map_err(BackupError::Database)?;
    let into = Statement::from_sql_and_values(db.get_database_backend(), "VACUUM INTO ?", [path.into()]);
    let copying = db.execute_raw(into).await;
    close(db).await;
    copying.map_err(BackupError::Database)?;

    // Nobody else has it: it is read as it lies there, and nothing is made beside it.
    let db = open(copy.path(), |sqlite| sqlite.read_only(true).immutable(true));
    let db = db.await.map_err(BackupError::Database)?;
    let checked = checked(&db).await;
    close(db).await;
    Ok((copy, checked?))
}

/// What a copy holds, if it is sound through and through.
async fn checked(db: &DatabaseConnection) -> Result<Contents, BackupError> {
    let ask = |question: &str| Statement::from_string(db.get_database_backend(), question);
    let integrity = db.query_one_raw(ask("PRAGMA integrity_check(1)")).await;
    let integrity = integrity.and_then(|row| row.map(|row| row.try_get_by_index::<String>(0)).transpose());
    let integrity = integrity.map_err(BackupError::Database)?.unwrap_or_default();
    if integrity != "ok" {
        return Err(BackupError::Damaged(integrity));
    }
    let strays = db.query_all_raw(ask("PRAGMA foreign_key_check")).await;
    if !strays.map_err(BackupError::Database)?.is_empty() {
        return Err(BackupError::Damaged("a row refers to nothing".to_owned()));
    }
    contents(db).await
}

/// What a database holds, if it is one of ours and its log has no gap.
async fn contents(db: &DatabaseConnection) -> Result<Contents, BackupError> {
    let steps = Migrator::get_applied_migrations_read_only(db).await;
    let steps = steps.map_err(|error| match error {
        // A step that is not known here.
        DbErr::Custom(_) => BackupError::Newer(error),
        error => BackupError::Database(error),
    })?;
    if steps.is_empty() {
        return Err(BackupError::Foreign);
    }
    if count(db, BROKEN_LOGS).await? > 0 {
        return Err(BackupError::Damaged("the log of a page has a gap".to_owned()));
    }
    Ok(Contents {
        pages: count(db, "SELECT COUNT(*) AS counted FROM page").await?,
        events: count(db, "SELECT COUNT(*) AS counted FROM event").await?,
    })
}

#[derive(FromQueryResult)]
struct Counted {
    counted: i64,
}

async fn count(db: &DatabaseConnection, question: &str) -> Result<u64, BackupError> {
    let asked = Statement::from_string(db.get_database_backend(), question);
    let counted = Counted::find_by_statement(asked).one(db).await;
    let counted = counted.map_err(BackupError::Database)?;
    Ok(counted.map_or(0, |row| row.counted.unsigned_abs()))
}

/// Puts what SQLite has not yet put into a database that is about to go into it, so that it is whole to the last moment.
/// One that is too damaged for that is what a restore is for.
async fn fold(database: &Path) -> Result<(), BackupError> {
    match open(database, |sqlite| sqlite.journal_mode(SqliteJournalMode::Delete)).await {
        Ok(db) => {
            close(db).await;
            Ok(())
        }
        Err(error) => match Error::from(error) {
            // By something else than Allclear.
            Error::Unavailable(_) => Err(BackupError::InUse),
            error => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "what is replaced cannot be opened"
                );
                Ok(())
            }
        },
    }
}

/// Opens a file that is there, and only that.
async fn open(
    path: &Path,
    how: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions + Send + Sync + 'static,
) -> Result<DatabaseConnection, DbErr> {
    let path = path.to_owned();
    // The path comes below, for in a URL some of its characters mean something else.
    let mut options = ConnectOptions::new("sqlite:");
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            how(sqlite.filename(&path).create_if_missing(false).busy_timeout(AWAY_AFTER))
        });
    Database::connect(options).await
}

async fn postgres(url: &str) -> Result<DatabaseConnection, BackupError> {
    if !url.starts_with("postgres") {
        return Err(BackupError::Url);
    }
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .connect_timeout(AWAY_AFTER)
        .set_application_name("allclear-epoch")
        .sqlx_logging(false);
    Database::connect(options).await.map_err(BackupError::Database)
}

async fn close(db: DatabaseConnection) {
    // What it did has succeeded or failed by now.
    let _ = db.close().await;
}

/// Waits until a copy is on the disk, where a power cut leaves it.
fn settle(copy: &NamedTempFile, file: &Path) -> Result<(), BackupError> {
    let settled = copy.as_file().sync_all();
    settled.map_err(|error| BackupError::File(file.to_owned(), error))
}

/// Waits until a file's name is on the disk.
fn settle_name(file: &Path) -> Result<(), BackupError> {
    let settled = File::open(folder(file)).and_then(|folder| folder.sync_all());
    settled.map_err(|error| BackupError::File(file.to_owned(), error))
}
