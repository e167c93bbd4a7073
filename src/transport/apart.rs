//! Work that goes on whether or not whoever waits for it is asked in the meantime.
//!
//! The task of a connection waits for its client to take what is sent. What its operations hold then (a connection to the
//! database, a place in a queue for a lock) nobody else could have until the client is given up, were they part of that
//! task.

use std::future::pending;
use std::panic::resume_unwind;
use std::task::Poll;

use futures_util::poll;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// What a future comes to. What is not there at once is brought by a task of its own, which ends where this is dropped.
pub(super) fn apart<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send + 'static {
    // One pointer, wherever it is held.
    let mut future = Box::pin(future);
    async move {
        if let Poll::Ready(done) = poll!(&mut future) {
            return done;
        }
        match AbortOnDropHandle::new(tokio::spawn(future.in_current_span())).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime stops, and this with it.
                Err(_) => pending().await,
            },
        }
    }
}
