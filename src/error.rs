//! The one error of everything that touches the database.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::budget::Exceeded;
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
    /// An execution that needs more than its budget.
    #[error(transparent)]
    ExecutionLimit(#[from] Exceeded),
    /// A token that is not known.
    #[error("the token is not valid")]
    Unauthenticated,
    /// A JWT may be known or not: the issuer does not tell its keys.
    #[error("the issuer of JWTs does not tell its keys")]
    IssuerAway,
    /// A known caller without the right.
    #[error("this needs a token with the right to do it")]
    Forbidden,
    /// The database cannot be reached, or does not answer in time.
    #[error("the database is not available")]
    Unavailable(#[source] DbErr),
    /// The database answers, but takes no changes: its disk is full, or it may only be read.
    #[error("the database takes no changes at present")]
    Unwritable(#[source] DbErr),
    /// The database answers with an error of its own.
    #[error("the database refused a statement")]
    Database(#[source] DbErr),
    /// The database holds something that this version does not understand.
    #[error("the database holds {0}, which is not understood")]
    Corrupt(String),
    /// A page changed between a read of its state in memory and one of the database: the answer is to be made anew.
    #[error("the page has changed meanwhile")]
    Moved,
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
            Error::ExecutionLimit(_) => "EXECUTION_LIMIT",
            Error::Unauthenticated => "UNAUTHENTICATED",
            Error::Forbidden => "FORBIDDEN",
            Error::Unavailable(_) | Error::Unwritable(_) | Error::IssuerAway | Error::Moved | Error::ShuttingDown => {
                "UNAVAILABLE"
            }
            Error::Database(_) | Error::Corrupt(_) | Error::Panicked(_) => "INTERNAL",
        }
    }

    /// Whether it is a fault of ours, to be logged with its chain and never shown.
    pub const fn is_internal(&self) -> bool {
        matches!(self, Error::Database(_) | Error::Corrupt(_) | Error::Panicked(_))
    }

    /// The same error for one more who asked for the same.
    pub(crate) fn again(&self) -> Error {
        match self {
            Error::Unavailable(error) => Error::Unavailable(error.clone()),
            Error::Unwritable(error) => Error::Unwritable(error.clone()),
            Error::Database(error) => Error::Database(error.clone()),
            Error::Corrupt(what) => Error::Corrupt(what.clone()),
            Error::Moved => Error::Moved,
            Error::ExecutionLimit(exceeded) => Error::ExecutionLimit(*exceeded),
            other => Error::Corrupt(other.to_string()),
        }
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
        match Trouble::of(&error) {
            Some(Trouble::Away) => Error::Unavailable(error),
            Some(Trouble::Unwritable) => Error::Unwritable(error),
            None => Error::Database(error),
        }
    }
}

/// What ails a database, rather than a statement.
enum Trouble {
    Away,
    Unwritable,
}

impl Trouble {
    /// None where the statement is wrong.
    fn of(error: &DbErr) -> Option<Trouble> {
        let (DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime)) = error else {
            return matches!(error, DbErr::ConnectionAcquire(_)).then_some(Trouble::Away);
        };
        let RuntimeErr::SqlxError(error) = runtime else {
            return None;
        };
        match error.as_ref() {
            sea_orm::SqlxError::Io(_)
            | sea_orm::SqlxError::Tls(_)
            | sea_orm::SqlxError::PoolTimedOut
            | sea_orm::SqlxError::PoolClosed
            | sea_orm::SqlxError::WorkerCrashed => Some(Trouble::Away),
            sea_orm::SqlxError::Database(error) => Trouble::of_code(&error.code()?),
            _ => None,
        }
    }

    /// By what the database calls it: SQLite by a number, of which the lowest byte tells the kind, PostgreSQL by five
    /// characters.
    fn of_code(code: &str) -> Option<Trouble> {
        if code.len() < 5
            && let Ok(number) = code.parse::<u32>()
        {
            return match number & 0xff {
                // Busy, locked, interrupted since its execution ended, an error of the disk, a file that cannot be opened.
                5 | 6 | 9 | 10 | 14 => Some(Trouble::Away),
                // It may only be read, or is full.
                8 | 13 => Some(Trouble::Unwritable),
                _ => None,
            };
        }
        match code {
            // The disk is full; a transaction may only read, as on a standby.
            "53100" | "25006" => Some(Trouble::Unwritable),
            // A statement or lock that took too long; 40P01 and 40001 two writers stood in each other's way, and this one
            // was undone; the disk cannot be read.
            "57014" | "55P03" | "40P01" | "40001" | "58030" => Some(Trouble::Away),
            // Classes: 08 connection, 57P it is shutting down or starting, 53 it lacks something, connections or memory.
            _ => ["08", "57P", "53"]
                .iter()
                .any(|class| code.starts_with(class))
                .then_some(Trouble::Away),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ails_the_database_is_told_from_what_is_wrong_with_a_statement() {
        let away = |code: &str| matches!(Trouble::of_code(code), Some(Trouble::Away));
        let unwritable = |code: &str| matches!(Trouble::of_code(code), Some(Trouble::Unwritable));

        // SQLite: busy, busy in recovery, locked, an error in reading, one in writing, a file that cannot be opened.
        for code in [
            "5", "261", "6", "266", "778", "14", "08006", "57P01", "53300", "53200", "57014",
        ] {
            assert!(away(code), "{code}");
        }
        // SQLite: read-only, read-only for its folder's sake, full.
        for code in ["8", "1544", "13", "53100", "25006"] {
            assert!(unwritable(code), "{code}");
        }
        // SQLite: a wrong statement, a unique index, a damaged file. PostgreSQL: the same.
        for code in ["1", "2067", "11", "42601", "23505", "XX001", "", "noise"] {
            assert!(Trouble::of_code(code).is_none(), "{code}");
        }
    }
}
