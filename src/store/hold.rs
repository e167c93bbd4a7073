//! Who has a SQLite file: programs that use it share it, and what puts another file in its place must have it alone.
//!
//! SQLite's own locks do not tell: they lie on the file that is replaced, and a server that starts meanwhile would go on
//! with one that no longer has a name. So a file beside it is locked, by the system, which lets go when a process dies.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// What is appended to the file's name, as SQLite appends `-wal`.
const SUFFIX: &str = "-lock";

/// Somebody else has the file, or has it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held;

/// A claim to a database's file, until it is dropped.
#[derive(Debug)]
pub(super) struct Hold {
    _file: File,
}

impl Hold {
    /// Uses the file beside others who do. Where the folder takes no lock this is `None`: the database says so itself if
    /// it cannot be used, and else is served without.
    pub(super) fn shared(database: &Path) -> Result<Option<Hold>, Held> {
        match open(database).map(|file| (file.try_lock_shared(), file)) {
            Ok((Ok(()), file)) => Ok(Some(Hold { _file: file })),
            Ok((Err(TryLockError::WouldBlock), _)) => Err(Held),
            Ok((Err(TryLockError::Error(error)), _)) | Err(error) => {
                tracing::debug!(%error, "the database's file cannot be locked");
                Ok(None)
            }
        }
    }

    /// Has the file alone.
    ///
    /// # Errors
    /// When the folder takes no lock; the inner one while somebody uses it.
    pub(super) fn alone(database: &Path) -> io::Result<Result<Hold, Held>> {
        let file = open(database)?;
        match file.try_lock() {
            Ok(()) => Ok(Ok(Hold { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(Err(Held)),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The file to lock. It is never removed: whoever locked one that has no name any more would have it alone beside others.
fn open(database: &Path) -> io::Result<File> {
    let path = beside(database, SUFFIX);
    match File::open(&path) {
        // Reading is enough, also where somebody else made it.
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            OpenOptions::new().write(true).create(true).truncate(false).open(&path)
        }
        Err(error) => Err(error),
    }
}

/// A file's path with something appended.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_share_a_file_and_one_has_it_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("allclear.db");
        let shared = || Hold::shared(&database).map(|hold| hold.expect("the folder takes locks"));
        let alone = || Hold::alone(&database).expect("the folder takes locks");

        let (one, other) = (shared().expect("free"), shared().expect("shared"));
        assert_eq!(alone().expect_err("two use it"), Held);
        drop(one);
        assert_eq!(alone().expect_err("one uses it"), Held);
        drop(other);

        let only = alone().expect("nobody uses it");
        assert_eq!(shared().expect_err("one has it alone"), Held);
        drop(only);
        shared().expect("free again");
    }

    #[test]
    fn a_folder_that_is_not_there_takes_no_lock() {
        let database = Path::new("/nowhere/allclear.db");

        assert!(matches!(Hold::shared(database), Ok(None)));
        assert!(Hold::alone(database).is_err());
    }
}
