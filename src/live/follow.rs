//! Following a stream: the backlog from the log, then live from the ring, with no seam.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::ring::Next;
use super::tailer::{BATCH, Live, Watched};
use crate::domain::cursor::StreamId;
use crate::error::Result;
use crate::store::log::{self, Entry};

/// A subscription's place in a stream. It owns a number, not a queue: a slow reader costs no memory, and what the ring
/// has dropped meanwhile it reads from the log.
#[derive(Clone, Debug)]
pub struct Follow {
    live: Arc<Live>,
    stream: StreamId,
    watched: Arc<Watched>,
    changed: watch::Receiver<()>,
    position: u64,
    /// What the last read of the log brought and is not handed out yet.
    backlog: VecDeque<Arc<Entry>>,
}

/// What a subscription meets next.
#[derive(Debug)]
pub enum Step {
    /// This entry, with its number in the stream.
    Entry(u64, Arc<Entry>),
    /// Events after the position were pruned before they could be read: what follows is newer, and the subscriber must
    /// be told.
    Lost,
}

impl Live {
    /// Follows a stream after a number.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub async fn follow(self: &Arc<Self>, stream: StreamId, after: u64) -> Result<Follow> {
        let watched = self.watch(stream.page).await?;
        let changed = watched.changes();
        let live = Arc::clone(self);
        Ok(Follow {
            live,
            stream,
            watched,
            changed,
            position: after,
            backlog: VecDeque::new(),
        })
    }
}

impl Follow {
    /// The number of the last entry handed out.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Goes on after another number.
    pub fn seek(&mut self, number: u64) {
        self.position = number;
        self.backlog.clear();
    }

    /// What comes next, whenever it comes. It can be dropped at any time and called
    /// again: nothing is lost and nothing comes twice.
    ///
    /// # Errors
    /// `Unavailable` when the log must be read and cannot be.
    pub async fn next(&mut self) -> Result<Step> {
        loop {
            if let Some(step) = self.ready().await? {
                return Ok(step);
            }
            // The sender lives as long as `watched`, so this ends with a change.
            let _ = self.changed.changed().await;
        }
    }

    /// What comes next if the log has it already.
    ///
    /// # Errors
    /// As [`Follow::next`].
    pub async fn ready(&mut self) -> Result<Option<Step>> {
        loop {
            if let Some(step) = self.next_of_backlog() {
                return Ok(Some(step));
            }
            // Marked before the look, so that what comes after the look is noticed.
            self.changed.mark_unchanged();
            match self.watched.after(self.stream.audience, self.position) {
                Next::Entry(number, entry) => {
                    self.position = number;
                    return Ok(Some(Step::Entry(number, entry)));
                }
                Next::Wait => return Ok(None),
                Next::Gone => {
                    let snapshot = self.live.store.read().await?;
                    if let Some(reach) = log::reach(snapshot.db(), self.stream).await?
                        && self.position < reach.floor
                    {
                        self.position = reach.head;
                        return Ok(Some(Step::Lost));
                    }
                    let read = log::after(snapshot.db(), self.stream, self.position, BATCH).await?;
                    let Some(first) = read.first() else {
                        return Ok(None);
                    };
                    // Numbers have no gap: what is missing here is not there any more.
                    if first.number(self.stream.audience) != Some(self.position + 1) {
                        return Ok(Some(Step::Lost));
                    }
                    self.backlog = read.into_iter().map(Arc::new).collect();
                }
            }
        }
    }

    fn next_of_backlog(&mut self) -> Option<Step> {
        while let Some(entry) = self.backlog.pop_front() {
            let number = entry.number(self.stream.audience).unwrap_or_default();
            if number > self.position {
                self.position = number;
                return Some(Step::Entry(number, entry));
            }
        }
        None
    }
}
