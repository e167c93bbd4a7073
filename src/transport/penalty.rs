//! Delays the answers to clients that are past their rate limit. A client that waits for its answers then sends at most a
//! few requests a second on each connection, and costs next to nothing.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How many answers are delayed at a time. Each keeps a connection and its request, some 10 KB.
const MAX_DELAYED: usize = 10_000;

/// The answers that are being delayed.
#[derive(Debug)]
pub(super) struct Penalties {
    delay: Duration,
    room: Semaphore,
}

impl Penalties {
    pub(super) fn new(delay: Duration) -> Penalties {
        Penalties {
            delay,
            room: Semaphore::new(MAX_DELAYED),
        }
    }

    /// Waits for the delay, or until the server stops. Returns `false` at once if too many others are waiting.
    pub(super) async fn serve(&self, stop: &CancellationToken) -> bool {
        let Ok(_permit) = self.room.try_acquire() else {
            return false;
        };
        // Cut short at shutdown: the connection must not hold it up.
        stop.run_until_cancelled(sleep(self.delay)).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Longer than any test may take.
    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn an_answer_is_delayed() {
        let stop = CancellationToken::new();

        assert_eq!(Penalties::new(LONG).serve(&stop).now_or_never(), None);
        assert!(Penalties::new(Duration::ZERO).serve(&stop).await);
    }

    #[tokio::test]
    async fn only_so_many_answers_are_delayed() {
        let penalties = Penalties::new(LONG);
        let _taken = penalties
            .room
            .acquire_many(MAX_DELAYED as u32)
            .await
            .expect("it is never closed");

        assert!(!penalties.serve(&CancellationToken::new()).await);
    }

    #[tokio::test]
    async fn a_shutdown_ends_every_delay() {
        let stop = CancellationToken::new();
        stop.cancel();

        assert!(Penalties::new(LONG).serve(&stop).await);
    }
}
