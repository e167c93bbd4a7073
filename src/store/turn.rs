//! Turns to write. Behind a burst of writers that each wait for the disk the database is busy, not away; but once one of
//! them has found out that it is away, those who waited meanwhile must not find out one after the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{ConnAcquireErr, DbErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// How long a write waits for its turn. Longer than a database takes to count as away, or a burst would be refused.
const TURN_WAIT: Duration = Duration::from_secs(30);

/// The turns of those who write to one database.
#[derive(Debug)]
pub(super) struct Turns {
    permits: Arc<Semaphore>,
    /// When the database was last found to be away, unless it has answered since.
    away: Mutex<Option<Instant>>,
}

impl Turns {
    /// So many may write at once.
    pub(super) fn new(at_once: usize) -> Turns {
        Turns {
            permits: Arc::new(Semaphore::new(at_once)),
            away: Mutex::default(),
        }
    }

    /// Waits for a turn, which lasts until it is dropped.
    ///
    /// # Errors
    /// `Unavailable` when the turn does not come in time, or the database was found to be away meanwhile.
    pub(super) async fn take(&self) -> Result<OwnedSemaphorePermit> {
        let since = Instant::now();
        let turn = tokio::time::timeout(TURN_WAIT, Arc::clone(&self.permits).acquire_owned()).await;
        let away = *self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match turn {
            Ok(Ok(permit)) if away.is_none_or(|at| at < since) => Ok(permit),
            _ => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into()),
        }
    }

    /// Learns from whoever has begun to write, or could not.
    pub(super) fn learn<T>(&self, begun: &Result<T>) {
        let away = matches!(begun, Err(Error::Unavailable(_))).then(Instant::now);
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = away;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Result<()> {
        Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into())
    }

    #[tokio::test]
    async fn who_waited_while_the_database_was_found_to_be_away_is_told_at_once() {
        let turns = Turns::new(1);
        let first = turns.take().await.expect("nobody writes");
        let waiting = async { tokio::join!(turns.take(), turns.take()) };
        let finding_out = async {
            tokio::task::yield_now().await;
            turns.learn(&away());
            drop(first);
        };

        let ((second, third), ()) = tokio::join!(waiting, finding_out);

        assert!(matches!(second, Err(Error::Unavailable(_))));
        assert!(matches!(third, Err(Error::Unavailable(_))));
        let later = turns.take().await;
        assert!(later.is_ok(), "whoever comes later tries for itself");
    }

    #[tokio::test]
    async fn who_waited_while_it_came_back_writes() {
        let turns = Turns::new(1);
        let first = turns.take().await.expect("nobody writes");
        let coming_back = async {
            tokio::task::yield_now().await;
            turns.learn(&away());
            turns.learn(&Ok(()));
            drop(first);
        };

        let (second, ()) = tokio::join!(turns.take(), coming_back);

        assert!(second.is_ok(), "the database is there");
    }
}
