//! A place in a stream, and what comes next there: the backlog from the log, then live from the ring, with no seam.
//! Where to look is a parameter, so that the tests can run the same steps over a log of their own.

use std::sync::Arc;

use super::ring::Next;
use super::shelf::Found;
use crate::error::Result;
use crate::seeded::{Bug, seeded};
use crate::store::log::Entry;

/// What a subscription meets next.
#[derive(Debug)]
pub enum Step {
    /// This entry, with its number in the stream.
    Entry(u64, Arc<Entry>),
    /// Events after the position were pruned before they could be read: what follows is newer, and the subscriber must
    /// be told.
    Lost,
}

/// Where one stream is read: the ring, the log, and the news that the ring has more.
pub(super) trait Source {
    /// Takes all news so far as heard.
    fn hear(&mut self);

    /// What the ring has after a position.
    fn ring(&self, position: u64) -> Next;

    /// What the log has after a position. It may be dropped before it ends.
    async fn log(&self, position: u64) -> Result<Found>;

    /// Ends once there are news that were not heard yet.
    async fn news(&mut self);
}

/// The number of the last entry handed out. No queue: a slow reader costs no memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position(pub(super) u64);

impl Position {
    /// What comes next, whenever it comes. It can be dropped at any time and called again: nothing is lost and nothing
    /// comes twice.
    ///
    /// # Errors
    /// Those of the log.
    pub(super) async fn next(&mut self, source: &mut impl Source) -> Result<Step> {
        loop {
            if let Some(step) = self.ready(source).await? {
                return Ok(step);
            }
            source.news().await;
        }
    }

    /// What comes next if the log has it already.
    ///
    /// # Errors
    /// Those of the log.
    pub(super) async fn ready(&mut self, source: &mut impl Source) -> Result<Option<Step>> {
        // Heard before the look, so that what comes after the look is noticed.
        source.hear();
        let skipped = u64::from(seeded(Bug::SeamOffByOne));
        let (number, entry) = match source.ring(self.0) {
            Next::Entry(number, entry) => (number, entry),
            Next::Wait => return Ok(None),
            Next::Gone => match source.log(self.0 + skipped).await? {
                Found::Entry(entry) => (self.0 + skipped + 1, entry),
                Found::Lost { head } => {
                    self.0 = self.0.max(head);
                    return Ok(Some(Step::Lost));
                }
                Found::Nothing => return Ok(None),
            },
        };
        self.0 = number;
        Ok(Some(Step::Entry(number, entry)))
    }
}

#[cfg(test)]
mod tests;
