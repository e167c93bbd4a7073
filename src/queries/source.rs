//! What one answer is made of: states of pages that are held in memory, one snapshot of the database, and the clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::app::App;
use crate::budget::Budget;
use crate::domain::audience::Audience;
use crate::domain::role::Sight;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::live::Present;
use crate::store::{Snapshot, log};

/// What an answer is a function of, beside its request and whose view it is: it may be given again for as long as all of it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// The pages that were read, as which audience, and the number that stream of their log had come to.
    pub pages: Vec<(Uuid, Audience, u64)>,
    /// When it ends to be right because time passes; `None` if it does not depend on the clock.
    pub until: Option<Timestamp>,
}

/// The sources of one answer.
#[derive(Debug)]
pub(super) struct Sources {
    /// Whether states in memory may be used at all.
    is_from_memory: bool,
    pinned: Mutex<Pinned>,
    /// Something was read that no page's log number vouches for.
    is_untied: AtomicBool,
    is_moved: AtomicBool,
    /// The earliest time at which something that depends on the clock changes.
    until: AtomicI64,
}

/// The states that were used. An answer is of one moment: once the database was asked, no further state is taken.
#[derive(Debug, Default)]
struct Pinned {
    pages: HashMap<Uuid, Arc<Present>>,
    is_closed: bool,
}

impl Sources {
    pub(super) fn new(is_from_memory: bool) -> Sources {
        Sources {
            is_from_memory,
            pinned: Mutex::default(),
            is_untied: AtomicBool::new(false),
            is_moved: AtomicBool::new(false),
            until: AtomicI64::new(i64::MAX),
        }
    }

    fn pinned(&self) -> MutexGuard<'_, Pinned> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn is_from_memory(&self) -> bool {
        self.is_from_memory
    }

    /// The present state of a page, the same for the whole answer; `None` if the database is to be asked.
    pub(super) async fn present(&self, app: &App, page: Uuid) -> Option<Arc<Present>> {
        if !self.is_from_memory {
            return None;
        }
        {
            let pinned = self.pinned();
            let known = pinned.pages.get(&page);
            if known.is_some() || pinned.is_closed {
                return known.cloned();
            }
        }
        let present = app.live.present(page).await?;
        let mut pinned = self.pinned();
        if pinned.is_closed {
            return pinned.pages.get(&page).cloned();
        }
        Some(Arc::clone(pinned.pages.entry(page).or_insert(present)))
    }

    /// Begins the snapshot that the rest of the answer is read from, which must be of the same moment as the states that were used.
    ///
    /// # Errors
    /// `Moved` if a page has changed in between; those of the database.
    pub(super) async fn begin_snapshot(&self, app: &App, budget: &Budget) -> Result<Snapshot> {
        let used: Vec<(Uuid, u64)> = {
            let mut pinned = self.pinned();
            pinned.is_closed = true;
            let numbers = pinned.pages.iter();
            numbers
                .map(|(page, present)| (*page, present.number(Audience::Staff)))
                .collect()
        };
        let snapshot = app.store.read_within(budget).await?;
        if used.is_empty() {
            return Ok(snapshot);
        }
        let pages: Vec<Uuid> = used.iter().map(|(page, _)| *page).collect();
        let heads: HashMap<Uuid, u64> = log::extents(snapshot.db_within(budget).await?, &pages)
            .await?
            .into_iter()
            .map(|(page, extent)| (page, extent.staff.head))
            .collect();
        if used.iter().all(|(page, number)| heads.get(page) == Some(number)) {
            Ok(snapshot)
        } else {
            self.is_moved.store(true, Ordering::Relaxed);
            Err(Error::Moved)
        }
    }

    /// Whether the answer must be made anew, as a page changed while it was made.
    pub(super) fn is_moved(&self) -> bool {
        self.is_moved.load(Ordering::Relaxed)
    }

    /// Notes that something was read that no page's log number vouches for.
    pub(super) fn untie(&self) {
        self.is_untied.store(true, Ordering::Relaxed);
    }

    /// Notes that the answer is right until a time only.
    pub(super) fn hold_until(&self, until: Timestamp) {
        self.until.fetch_min(until.millis(), Ordering::Relaxed);
    }

    /// What the answer is a function of; `None` if that cannot be said.
    pub(super) fn basis(&self, sight: &Sight) -> Option<Basis> {
        if !self.is_from_memory || self.is_untied.load(Ordering::Relaxed) {
            return None;
        }
        let until = self.until.load(Ordering::Relaxed);
        let pinned = self.pinned();
        let pages = pinned.pages.iter().map(|(page, present)| {
            let audience = sight.audience_of(*page);
            (*page, audience, present.number(audience))
        });
        Some(Basis {
            pages: pages.collect(),
            until: (until != i64::MAX).then(|| Timestamp::from_millis(until)),
        })
    }
}
