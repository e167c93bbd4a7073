//! How many connections there are at a time, of any kind. Each is an open file, and the database needs some too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// How often who waits for a slot asks the idle ones to leave: those of a moment ago may have become idle since.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How long who is asked to leave may stay.
const LEAVE_AFTER: Duration = Duration::from_secs(1);

/// How often it is logged that there is no slot.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// The slots of a server.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// None for as many as come.
    free: Option<Arc<Semaphore>>,
    is_crowded: Notify,
    warned: Mutex<Option<Instant>>,
}

/// A connection's slot, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(super) fn new(most: Option<usize>) -> Slots {
        let free = most.map(|most| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))));
        Slots {
            free,
            ..Slots::default()
        }
    }

    /// Takes a slot. Where there is none, connections that wait for a request make room, so that idle ones do not keep out
    /// who has something to ask.
    pub(super) async fn take(&self) -> Slot {
        let Some(free) = &self.free else {
            return Slot::default();
        };
        let mut taken = Arc::clone(free).try_acquire_owned().ok();
        while taken.is_none() {
            self.warn();
            self.is_crowded.notify_waiters();
            let freed = timeout(ASK_AGAIN, Arc::clone(free).acquire_owned()).await;
            taken = freed.ok().and_then(Result::ok);
        }
        Slot { _permit: taken }
    }

    /// Waits until whoever can spare its slot should leave. That is a while after it was asked to: a request may be on its way
    /// from who has only just come.
    pub(super) async fn crowded(&self) {
        self.is_crowded.notified().await;
        sleep(LEAVE_AFTER).await;
    }

    fn warn(&self) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
            *warned = Some(Instant::now());
            tracing::warn!("as many connections are open as may be: idle ones are closed for who comes");
        }
    }
}
