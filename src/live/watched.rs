//! A page that somebody watches: its ring, what was read of its log lately, and the desk where more is asked for.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::desk::{Ask, Desk};
use super::present::Present;
use super::resident::States;
use super::ring::{Next, Ring};
use super::shelf::{Found, Shelf};
use crate::domain::audience::Audience;
use crate::domain::cursor::StreamId;
use crate::error::{Error, Result};
use crate::seeded::{Bug, seeded};
use crate::store::log::{self, Entry, Extent, Reach};
use crate::store::{Snapshot, Store};

/// With how many of the log's newest entries a ring begins: clients that were cut off by a restart stand hardly further
/// back, and are served without a read.
const NEWEST: u64 = 256;

/// Bytes that those may have together, but for the newest: four times what they have that carry an incident of a few updates.
const NEWEST_BYTES: usize = 4 << 20;

/// A page that somebody watches.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) page: Uuid,
    /// Begun by the first read, with its newest entries. A place is taken before that, so that the tailer knows of it.
    ring: OnceLock<RwLock<Ring>>,
    shelf: Mutex<Shelf>,
    desk: Mutex<Desk>,
    /// The page as it stood at the ring's newest entries, if it is held in memory. Locked before the ring.
    states: Mutex<States>,
    /// Tells followers that the ring has more.
    changed: watch::Sender<()>,
}

impl Watched {
    pub(super) fn new(page: Uuid) -> Watched {
        Watched {
            page,
            ring: OnceLock::new(),
            shelf: Mutex::default(),
            desk: Mutex::default(),
            states: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    pub(super) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn states(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page's present state, if it is held.
    pub(super) fn present(&self) -> Option<Arc<Present>> {
        self.states().current().cloned()
    }

    /// The page's state just after an entry of the staff's stream, if it is held.
    pub(super) fn present_at(&self, staff_number: u64) -> Option<Arc<Present>> {
        self.states().at(staff_number).cloned()
    }

    pub(super) fn is_present(&self) -> bool {
        self.states().current().is_some()
    }

    /// Estimated bytes of the present state.
    pub(super) fn present_bytes(&self) -> usize {
        self.states().current().map_or(0, |present| present.bytes())
    }

    /// The slug by which the page can be found, if it is held.
    pub(super) fn present_slug(&self) -> Option<String> {
        let present = self.present()?;
        Some(present.parts().page.as_ref()?.slug.clone())
    }

    pub(super) fn drop_present(&self) {
        self.states().clear();
    }

    /// Holds a state that was read from the database, brought up to what the ring has; `false` if the ring has moved on from it.
    pub(super) fn begin_present(&self, mut present: Present) -> bool {
        let mut states = self.states();
        loop {
            match self.after(Audience::Staff, present.number(Audience::Staff)) {
                Next::Entry(_, entry) => present = present.after(&entry),
                Next::Wait => break,
                Next::Gone => return false,
            }
        }
        states.start(present);
        true
    }

    /// Brings the state that is held past some entries. They come before the ring has them, so that no reader is shown an older
    /// state than an event that it has seen.
    fn advance_states(states: &mut States, entries: &[Arc<Entry>]) {
        for entry in entries {
            let Some(present) = states.current() else { return };
            let number = present.number(Audience::Staff);
            if entry.staff_number <= number {
                continue;
            }
            if entry.staff_number == number + 1 {
                let next = present.after(entry);
                states.advance(next);
            } else {
                states.clear();
            }
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.ring.get().is_some()
    }

    /// What the ring has after a position.
    pub(super) fn after(&self, audience: Audience, position: u64) -> Next {
        self.of_ring(|ring| ring.after(audience, position))
            .unwrap_or(Next::Wait)
    }

    /// Up to which number of the staff's stream the ring has read the log; `None` while it has not begun.
    pub(super) fn tail(&self) -> Option<u64> {
        self.of_ring(|ring| ring.span(Audience::Staff).head)
    }

    /// How many bytes an entry has, in the mean of the newest. What is further back is smaller, if anything: what an event
    /// is about grows.
    pub(super) fn size(&self) -> usize {
        self.of_ring(Ring::size).unwrap_or_default()
    }

    fn of_ring<T>(&self, look: impl FnOnce(&Ring) -> T) -> Option<T> {
        let ring = self.ring.get()?.read().unwrap_or_else(PoisonError::into_inner);
        Some(look(&ring))
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until the ring has begun.
    ///
    /// # Errors
    /// `Unavailable` when the log cannot be read.
    pub(super) async fn until_begun(self: &Arc<Self>, store: &Arc<Store>) -> Result<()> {
        if self.has_begun() {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        self.ask(store, Ask::Begin(answer));
        // A reader that broke off was logged where it did.
        answered.await.unwrap_or(Err(Error::ShuttingDown))
    }

    /// What the log has after a position that the ring has moved on from.
    ///
    /// # Errors
    /// `Unavailable` when the log cannot be read.
    pub(super) async fn of_log(
        self: &Arc<Self>,
        store: &Arc<Store>,
        audience: Audience,
        position: u64,
    ) -> Result<Found> {
        if let Some(found) = self.shelf().look(audience, position, Instant::now()) {
            return Ok(found);
        }
        let (answer, answered) = oneshot::channel();
        self.ask(
            store,
            Ask::Next {
                audience,
                position,
                answer,
            },
        );
        answered.await.unwrap_or(Err(Error::ShuttingDown))
    }

    /// How far a stream goes, for deciding on a cursor with a number.
    ///
    /// # Errors
    /// `Unavailable` when the log must be read and cannot be.
    pub(super) async fn reach(self: &Arc<Self>, store: &Arc<Store>, audience: Audience, number: u64) -> Result<Reach> {
        let known = self.shelf().extent().reach(audience);
        let ring = self.of_ring(|ring| (ring.span(audience), ring.span(Audience::Staff).head));
        let (span, staff_tail) = ring.unwrap_or_default();
        let head = known.head.max(span.head);
        if number == head {
            // Whoever is here has missed nothing, wherever the floor is now. For others the floor must be looked at: what
            // was pruned may still be in memory, and is not to be handed out by one node when another says it is gone.
            return Ok(Reach {
                floor: known.floor,
                head,
                staff_head: known.staff_head.max(staff_tail),
            });
        }
        let after = self.desk().reads();
        let (answer, answered) = oneshot::channel();
        self.ask(
            store,
            Ask::Reach {
                audience,
                number,
                after,
                answer,
            },
        );
        answered.await.unwrap_or(Err(Error::ShuttingDown))
    }

    /// How far the log goes, which is taken note of.
    ///
    /// # Errors
    /// Those of the database; `Corrupt` for a page without a log.
    pub(super) async fn extent(&self, snapshot: &Snapshot) -> Result<Extent> {
        let extents = log::extents(snapshot.db(), &[self.page]).await?;
        let (_, extent) = extents
            .into_iter()
            .next()
            .ok_or_else(|| Error::Corrupt("a watched page without a log".to_owned()))?;
        self.shelf().know(extent);
        Ok(extent)
    }

    /// Fills the ring with the newest entries: at its beginning, and anew where it has lost what joins it to the log.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn fill(&self, snapshot: &Snapshot, extent: &Extent) -> Result<()> {
        let newest = newest(snapshot, self.page, extent).await?;
        let begun = Ring::begin(extent, &newest);
        let mut states = self.states();
        Watched::advance_states(&mut states, &newest);
        if let Err(begun) = self.ring.set(RwLock::new(begun))
            && let Some(ring) = self.ring.get()
        {
            let begun = begun.into_inner().unwrap_or_else(PoisonError::into_inner);
            *ring.write().unwrap_or_else(PoisonError::into_inner) = begun;
        }
        self.changed.send_replace(());
        Ok(())
    }

    /// Adds to the ring what the log has after its tail; tells whether all of that joins.
    pub(super) fn extend(&self, entries: &[Arc<Entry>]) -> bool {
        let Some(ring) = self.ring.get() else {
            return true;
        };
        let mut states = self.states();
        Watched::advance_states(&mut states, entries);
        let is_whole = ring.write().unwrap_or_else(PoisonError::into_inner).extend(entries);
        self.changed.send_replace(());
        is_whole
    }
}

/// The newest entries above the floor: those below it may have lost their neighbours.
async fn newest(snapshot: &Snapshot, page: Uuid, extent: &Extent) -> Result<Vec<Arc<Entry>>> {
    let audience = Audience::Staff;
    // With this bug a ring begins empty, so that everybody comes to the seam.
    let begin = match seeded(Bug::SeamOffByOne) {
        true => extent.staff.head,
        false => log::newest(snapshot.db(), page, NEWEST, NEWEST_BYTES).await?,
    };
    let after = extent.staff.floor.max(begin);
    match log::after(snapshot.db(), StreamId { page, audience }, after, NEWEST).await {
        Ok(entries) => Ok(entries.into_iter().map(Arc::new).collect()),
        // What is not understood is a matter for those who need it.
        Err(Error::Corrupt(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
