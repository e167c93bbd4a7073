//! The harness's one timer. What is checked never rests on how long something took, but for the deadline of the promise
//! itself; what needs time is the world that is acted out: a node that is away for seconds, a writer at a bounded rate.

use std::time::Duration;

/// Lets time pass.
pub(crate) async fn pause(length: Duration) {
    // allow-sleep: faults last, writers write at a rate, and clients back off: that is time, not a wait for something.
    tokio::time::sleep(length).await;
}
