//! The pages whose present state this node holds in memory: which, how many bytes of them, and how they are loaded.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use uuid::Uuid;

use super::present::Present;
use super::watched::Watched;
use crate::domain::audience::Audience;

/// Bytes of memory that the states of pages may take together, by estimate: 64 MiB. A page of 5,000 incidents with five updates
/// each takes about 20.
pub const PAGE_MEMORY: usize = 64 << 20;

/// Pages that are loaded at a time. Loading reads a whole page; requests need the connections and the processor more.
const LOADS: usize = 1;

/// A page that was used this recently is not evicted for another one: otherwise requests for more pages than fit would reload
/// them all the time.
const KEEP_FOR: Duration = Duration::from_secs(30);

/// How long a page that could not be held is not tried again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// No more pages than this are held, however small: the tailer asks for the heads of all of them in one statement.
const MOST_PAGES: usize = 500;

/// The pages that are held.
#[derive(Debug)]
pub(super) struct Residents {
    /// Bytes of all states together; 0 holds nothing.
    max_bytes: usize,
    held: Mutex<Held>,
    pub(super) loads: Semaphore,
    /// The last attempt to read the log failed: what is held may be outdated.
    is_cut_off: AtomicBool,
}

#[derive(Debug, Default)]
struct Held {
    pages: HashMap<Uuid, Resident>,
    /// May be outdated: the page's own slug decides.
    slugs: HashMap<String, Uuid>,
    /// Pages that are being loaded, or could not be, and when that began.
    tried: HashMap<Uuid, Instant>,
}

#[derive(Debug)]
struct Resident {
    /// Keeps the tailer following the page.
    watched: Arc<Watched>,
    used: Instant,
}

impl Residents {
    pub(super) fn new(max_bytes: usize) -> Residents {
        Residents {
            max_bytes,
            held: Mutex::default(),
            loads: Semaphore::new(LOADS),
            is_cut_off: AtomicBool::new(false),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page with an id, if it is held.
    pub(super) fn get(&self, page: Uuid) -> Option<Arc<Watched>> {
        if self.is_cut_off.load(Ordering::Relaxed) {
            return None;
        }
        let mut held = self.held();
        let resident = held.pages.get_mut(&page)?;
        resident.used = Instant::now();
        Some(Arc::clone(&resident.watched))
    }

    /// The id of the page with a slug, if it may be held.
    pub(super) fn named(&self, slug: &str) -> Option<Uuid> {
        self.held().slugs.get(slug).copied()
    }

    /// Notes whether the log can be read.
    pub(super) fn set_cut_off(&self, is_cut_off: bool) {
        self.is_cut_off.store(is_cut_off, Ordering::Relaxed);
    }

    /// Whether a page is to be loaded now; if so, the caller loads it.
    pub(super) fn claim(&self, page: Uuid) -> bool {
        if self.max_bytes == 0 {
            return false;
        }
        let mut held = self.held();
        held.tried.retain(|_, at| at.elapsed() < RETRY_AFTER);
        if held.pages.contains_key(&page) || held.tried.contains_key(&page) {
            return false;
        }
        held.tried.insert(page, Instant::now());
        true
    }

    /// The bytes that a page that is being loaded may take: what is free, or held by pages that were not used lately.
    pub(super) fn room(&self) -> usize {
        let held = self.held();
        let recent = held
            .pages
            .values()
            .filter(|resident| resident.used.elapsed() < KEEP_FOR);
        let taken: usize = recent.map(|resident| resident.watched.present_bytes()).sum();
        self.max_bytes.saturating_sub(taken)
    }

    /// Holds a page that was loaded. Evicts the least recently used pages while there are too many bytes.
    pub(super) fn hold(&self, watched: &Arc<Watched>) {
        let slug = watched.present_slug();
        let mut held = self.held();
        held.tried.remove(&watched.page);
        held.pages.insert(
            watched.page,
            Resident {
                watched: Arc::clone(watched),
                used: Instant::now(),
            },
        );
        held.slugs.extend(slug.map(|slug| (slug, watched.page)));
        self.evict(&mut held);
    }

    /// Lets go of pages that have lost their state, and of the least recently used ones while there are too many bytes.
    pub(super) fn tidy(&self) {
        let mut held = self.held();
        held.pages.retain(|_, resident| resident.watched.is_present());
        for resident in held
            .pages
            .values()
            .map(|resident| Arc::clone(&resident.watched))
            .collect::<Vec<_>>()
        {
            if let Some(slug) = resident.present_slug()
                && held.slugs.get(&slug) != Some(&resident.page)
            {
                held.slugs.insert(slug, resident.page);
            }
        }
        self.evict(&mut held);
        let Held { pages, slugs, .. } = &mut *held;
        slugs.retain(|_, page| pages.contains_key(page));
    }

    fn evict(&self, held: &mut Held) {
        let bytes = |held: &Held| -> usize {
            let all = held.pages.values();
            all.map(|resident| resident.watched.present_bytes()).sum()
        };
        while held.pages.len() > MOST_PAGES || bytes(held) > self.max_bytes {
            let oldest = held.pages.iter().min_by_key(|(_, resident)| resident.used);
            let Some((&page, _)) = oldest else { return };
            if let Some(resident) = held.pages.remove(&page) {
                resident.watched.drop_present();
            }
        }
    }
}

/// The state of one page, and the ones before it that events in flight still refer to.
#[derive(Debug, Default)]
pub(super) struct States {
    current: Option<Arc<Present>>,
    /// Oldest first, without the current one.
    earlier: VecDeque<Arc<Present>>,
}

/// How many earlier states are kept. An event is shown with what stood at it, moments after it happened.
const EARLIER: usize = 16;

impl States {
    pub(super) const fn current(&self) -> Option<&Arc<Present>> {
        self.current.as_ref()
    }

    /// The state just after the entry with this number of the staff's stream.
    pub(super) fn at(&self, staff_number: u64) -> Option<&Arc<Present>> {
        let known = self.earlier.iter().chain(&self.current);
        known
            .rev()
            .find(|present| present.number(Audience::Staff) == staff_number)
    }

    pub(super) fn start(&mut self, present: Present) {
        self.earlier.clear();
        self.current = Some(Arc::new(present));
    }

    pub(super) fn advance(&mut self, next: Present) {
        if let Some(before) = self.current.replace(Arc::new(next)) {
            self.earlier.push_back(before);
        }
        if self.earlier.len() > EARLIER {
            self.earlier.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = States::default();
    }
}
