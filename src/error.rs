//! The one error of everything that touches the database.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::domain::cursor::{CursorInvalid, WrongStream};
use crate::domain::refusal::{Refusal, Refused};

/// What can go wrong, one variant for each thing a caller can act on. `code()` is stable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the domain says no: the caller's to mend, answered as data.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// An argument that no schema can check.
    #[error("{0}")]
    BadUserInput(String),
    #[error(transparent)]
    CursorInvalid(#[from] CursorInvalid),
    #[error(transparent)]
    CursorWrongStream(#[from] WrongStream),
    /// A moment whose events have been pruned.
    #[error("the log does not reach back that far")]
    BeyondRetention,
    /// A token that is not known.
    #[error("the token is not valid")]
    Unauthenticated,
    /// A known caller without the right.
    #[error("this needs a token with the right to do it")]
    Forbidden,
    /// The database cannot be reached, or does not answer in time.
    #[error("the database is not available")]
    Unavailable(#[source] DbErr),
    /// The database answers with an error of its own.
    #[error("the database refused a statement")]
    Database(#[source] DbErr),
    /// The database holds something that this version does not understand.
    #[error("the database holds {0}, which is not understood")]
    Corrupt(String),
    /// A command broke off.
    #[error("a command panicked: {0}")]
    Panicked(String),
    /// The server is going down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// The usual result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable name of this error in the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Error::Refused(refused) => refused.why.code(),
            Error::BadUserInput(_) => "BAD_USER_INPUT",
            Error::CursorInvalid(_) => "CURSOR_INVALID",
            Error::CursorWrongStream(_) => "CURSOR_WRONG_STREAM",
            Error::BeyondRetention => "BEYOND_RETENTION",
            Error::Unauthenticated => "UNAUTHENTICATED",
            Error::Forbidden => "FORBIDDEN",
            Error::Unavailable(_) | Error::ShuttingDown => "UNAVAILABLE",
            Error::Database(_) | Error::Corrupt(_) | Error::Panicked(_) => "INTERNAL",
        }
    }

    /// Whether it is a fault of ours, to be logged with its chain and never shown.
    pub const fn is_internal(&self) -> bool {
        matches!(self, Error::Database(_) | Error::Corrupt(_) | Error::Panicked(_))
    }

    /// Whether a unique index refused the write.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Error::Database(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Refused(refusal.into())
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Error {
        if is_away(&error) {
            Error::Unavailable(error)
        } else {
            Error::Database(error)
        }
    }
}

/// Whether a database error says that the database is away rather than that a statement is wrong.
fn is_away(error: &DbErr) -> bool {
    let (DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime)) = error else {
        return matches!(error, DbErr::ConnectionAcquire(_));
    };
    let RuntimeErr::SqlxError(error) = runtime else {
        return false;
    };
    match error.as_ref() {
        sea_orm::SqlxError::Io(_)
        | sea_orm::SqlxError::Tls(_)
        | sea_orm::SqlxError::PoolTimedOut
        | sea_orm::SqlxError::PoolClosed
        | sea_orm::SqlxError::WorkerCrashed => true,
        // PostgreSQL's classes: 08 connection, 57P it is shutting down or starting, 53300 too many connections,
        // 57014 and 55P03 a statement or lock that took too long; 40P01 and 40001 two writers stood in each other's
        // way, and this one was undone.
        sea_orm::SqlxError::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08")
                || code.starts_with("57P")
                || matches!(code.as_ref(), "53300" | "57014" | "55P03" | "40P01" | "40001")
                || is_sqlite_busy(&code)
        }),
        _ => false,
    }
}

/// SQLite's 5 (busy) and 6 (locked), with whatever its extended codes add above the lowest byte. PostgreSQL's codes have
/// five characters.
fn is_sqlite_busy(code: &str) -> bool {
    code.len() < 5 && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}
