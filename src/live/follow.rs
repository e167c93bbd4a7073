//! Following a stream: a subscription's place at the page's ring, and its position in the log.

use std::sync::Arc;

use tokio::sync::watch;

use super::position::{Position, Source, Step};
use super::ring::Next;
use super::shelf::Found;
use super::tailer::Live;
use super::watched::Watched;
use crate::domain::cursor::StreamId;
use crate::error::Result;
use crate::store::Store;
use crate::store::log::Reach;

/// A subscription's place in a stream. It owns a number, not a queue: a slow reader costs no memory, and what the ring
/// has dropped meanwhile it reads from the log, together with all who need the same. A clone is another subscription at
/// the same place.
#[derive(Clone, Debug)]
pub struct Follow {
    place: Place,
    position: Position,
}

/// Where a subscription reads.
#[derive(Clone, Debug)]
struct Place {
    store: Arc<Store>,
    stream: StreamId,
    watched: Arc<Watched>,
    changed: watch::Receiver<()>,
}

impl Live {
    /// Follows a stream after a number.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub async fn follow(self: &Arc<Self>, stream: StreamId, after: u64) -> Result<Follow> {
        let watched = self.watch(stream.page).await?;
        let changed = watched.changes();
        Ok(Follow {
            place: Place {
                store: Arc::clone(&self.store),
                stream,
                watched,
                changed,
            },
            position: Position(after),
        })
    }
}

impl Follow {
    /// The stream that is followed.
    pub const fn stream(&self) -> StreamId {
        self.place.stream
    }

    /// The number of the last entry handed out.
    pub const fn position(&self) -> u64 {
        self.position.0
    }

    /// Goes on after another number.
    pub const fn seek(&mut self, number: u64) {
        self.position = Position(number);
    }

    /// How far the stream goes, for deciding on a cursor with this number: one between `floor` and `head` can be gone on
    /// from. Nothing is read for who stands at the head; all others who ask at the same time share one read.
    ///
    /// # Errors
    /// `Unavailable` when the log must be read and cannot be.
    pub async fn reach(&self, number: u64) -> Result<Reach> {
        let Place {
            watched, store, stream, ..
        } = &self.place;
        watched.reach(store, stream.audience, number).await
    }

    /// What comes next, whenever it comes. It can be dropped at any time and called
    /// again: nothing is lost and nothing comes twice.
    ///
    /// # Errors
    /// `Unavailable` when the log must be read and cannot be.
    pub async fn next(&mut self) -> Result<Step> {
        self.position.next(&mut self.place).await
    }

    /// What comes next if the log has it already.
    ///
    /// # Errors
    /// As [`Follow::next`].
    pub async fn ready(&mut self) -> Result<Option<Step>> {
        self.position.ready(&mut self.place).await
    }
}

impl Source for Place {
    fn hear(&mut self) {
        self.changed.mark_unchanged();
    }

    fn ring(&self, position: u64) -> Next {
        self.watched.after(self.stream.audience, position)
    }

    async fn log(&self, position: u64) -> Result<Found> {
        self.watched.of_log(&self.store, self.stream.audience, position).await
    }

    async fn news(&mut self) {
        // The sender lives as long as `watched`, so this ends with a change.
        let _ = self.changed.changed().await;
    }
}
