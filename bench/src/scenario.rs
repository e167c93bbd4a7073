//! What is measured, a file each.

pub(crate) mod all;
pub(crate) mod attack;
pub(crate) mod attack_reads;
pub(crate) mod back_to_back;
pub(crate) mod big_page;
pub(crate) mod fanout;
pub(crate) mod herd;
pub(crate) mod memory;
pub(crate) mod reads;
mod stage;
pub(crate) mod storm;

use std::time::Duration;

/// How long anything may take before it counts as stuck. The slowest that was seen: 40 s until 10,000 had subscribed to
/// a server that reads a snapshot for each of them.
const PATIENCE: Duration = Duration::from_secs(150);

/// The payload of a message unless another is wished for: that of the figures in issue 3.
const PAYLOAD: usize = 600;

/// Processor time per message, or anything else, in µs.
fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
