//! Live delivery: the tailer reads the log, rings keep its newest entries in memory, and every subscription follows
//! from a position of its own. The same entries keep the present state of the pages that are read (`present`) current in
//! memory.

mod ring;
mod shelf;
mod position;
mod present;
mod watched;
mod desk;
mod resident;
mod tailer;
mod loading;
mod follow;

pub use follow::Follow;
pub use position::Step;
pub use present::{HeldIncident, History, Present};
pub use resident::PAGE_MEMORY;
pub use tailer::{Live, POLL_MILLIS};
