//! Live delivery: the tailer reads the log, rings keep its newest entries in memory, and every subscription follows
//! from a position of its own.

mod ring;
mod shelf;
mod position;
mod watched;
mod desk;
mod tailer;
mod follow;

pub use follow::Follow;
pub use position::Step;
pub use tailer::{Live, POLL_MILLIS};
