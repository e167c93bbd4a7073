//! Live delivery: the tailer reads the log, rings keep its newest entries in memory, and every subscription follows
//! from a position of its own.

mod follow;
mod ring;
mod tailer;

pub use follow::{Follow, Step};
pub use tailer::Live;
