//! The tailer: one task that reads the log of every watched page past its last number, when the doorbell rings and at
//! least every half second.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::resident::Residents;
use super::shelf::at_once;
use super::watched::Watched;
use crate::domain::audience::Audience;
use crate::domain::cursor::StreamId;
use crate::error::Result;
use crate::seeded::{Bug, is_deaf_between_bells, seeded};
use crate::store::{self, Store};

/// The doorbell may be lost: a watched page is looked at this often (DESIGN.md, 3).
pub const POLL_MILLIS: u64 = 500;

/// After how many polls without a good turn the tailer counts as stuck.
const STUCK_POLLS: u32 = 10;

/// After how many polls without a good turn what is held in memory is not trusted any more: an answer from it may be this much
/// older than the database, and no more.
const STALE_POLLS: u32 = 4;

/// How many events one read of the log brings at most.
const BATCH: u64 = 100;

/// How many pages are read at a time: a slow one must not hold up the others, and requests need connections too.
const AT_ONCE: usize = 8;

/// Who watches what on this node, and whether the tailer can read.
#[derive(Debug)]
pub struct Live {
    pub(super) store: Arc<Store>,
    poll: Duration,
    watched: Mutex<HashMap<Uuid, Arc<Watched>>>,
    pub(super) residents: Residents,
    /// When the last turn of the tailer ended well, in milliseconds since `began`; 0 before the first.
    turned: AtomicU64,
    began: Instant,
}

/// What the tailer has done.
enum Done {
    /// Looked at the heads of all watched pages: these have more.
    Swept(Result<Vec<Uuid>>),
    /// Read one page's log to its end.
    Advanced(Uuid, Result<()>),
}

/// What the tailer has to do.
#[derive(Default)]
struct Due {
    sweep: bool,
    is_sweeping: bool,
    pages: HashSet<Uuid>,
    advancing: HashSet<Uuid>,
    /// Pages whose log could not be read when it last was tried.
    failing: HashSet<Uuid>,
}

impl Due {
    /// The next page to be read, unless enough are. One that is read already waits for its end: what rang may have come
    /// after the look.
    fn next_page(&mut self) -> Option<Uuid> {
        if self.advancing.len() >= AT_ONCE {
            return None;
        }
        let page = self.pages.difference(&self.advancing).next().copied()?;
        self.pages.remove(&page);
        self.advancing.insert(page);
        Some(page)
    }
}

impl Live {
    /// A node that watches nothing yet, and looks at what it watches at least this often; [`Live::run`] makes it move.
    /// `page_memory` is the bytes that the present states of pages may take; 0 holds none.
    pub fn new(store: Arc<Store>, poll: Duration, page_memory: usize) -> Arc<Live> {
        Arc::new(Live {
            store,
            poll,
            watched: Mutex::default(),
            residents: Residents::new(page_memory),
            turned: AtomicU64::new(0),
            began: Instant::now(),
        })
    }

    /// Whether the tailer runs and can read the log: it turns at least at every poll.
    pub fn is_healthy(&self) -> bool {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(turned) < self.poll * STUCK_POLLS
    }

    /// Whether the tailer runs and has read the log just now, so that what is held in memory is the present state.
    pub(super) fn is_fresh(&self) -> bool {
        let turned = self.turned.load(Ordering::Relaxed);
        let since = self.began.elapsed().saturating_sub(Duration::from_millis(turned));
        turned > 0 && since < self.poll * STALE_POLLS
    }

    /// Takes a place at a page's ring. This comes before the first read of the log, so that nothing can fall between
    /// (DESIGN.md, 4).
    pub(super) async fn watch(&self, page: Uuid) -> Result<Arc<Watched>> {
        let fresh = || Arc::new(Watched::new(page));
        let watched = Arc::clone(self.pages().entry(page).or_insert_with(fresh));
        watched.until_begun(&self.store).await?;
        Ok(watched)
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Watched>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the log until `stop`. One read per page and change feeds every subscription on this node.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let live = self.as_ref();
        let mut doorbell = live.store.doorbell();
        let mut hearing = live.store.hearing();
        let mut poll = tokio::time::interval(live.poll);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut due = Due::default();
        let mut working: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                rang = doorbell.recv() => match rang {
                    Ok(page) if live.pages().contains_key(&page) => drop(due.pages.insert(page)),
                    Ok(_) => {}
                    Err(RecvError::Lagged(_) | RecvError::Closed) => due.sweep = true,
                },
                _ = poll.tick(), if !is_deaf_between_bells() => due.sweep = true,
                // The store outlives its reader. A connection that hears from now on may have missed what came before.
                Ok(()) = hearing.changed(), if !seeded(Bug::ReconnectWithoutRead) => due.sweep = true,
                Some(done) = working.next() => live.note(done, &mut due),
            }
            if due.sweep && !due.is_sweeping {
                (due.sweep, due.is_sweeping) = (false, true);
                working.push(async { Done::Swept(store::in_time(live.sweep()).await) }.boxed());
            }
            while let Some(page) = due.next_page() {
                working.push(async move { Done::Advanced(page, store::in_time(live.advance(page)).await) }.boxed());
            }
        }
    }

    /// Draws the conclusions from what was done.
    fn note(&self, done: Done, due: &mut Due) {
        match done {
            Done::Swept(Ok(moved)) => {
                due.is_sweeping = false;
                due.pages.extend(moved);
                due.failing.retain(|page| self.pages().contains_key(page));
                if due.failing.is_empty() {
                    let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
                    self.turned.store(millis.max(1), Ordering::Relaxed);
                    self.residents.set_cut_off(false);
                }
                self.residents.tidy();
            }
            Done::Swept(Err(error)) => {
                due.is_sweeping = false;
                self.residents.set_cut_off(true);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the log cannot be read; trying again"
                );
            }
            Done::Advanced(page, result) => {
                due.advancing.remove(&page);
                due.failing.remove(&page);
                if let Err(error) = result {
                    due.failing.insert(page);
                    self.residents.set_cut_off(true);
                    tracing::warn!(%page, error = &error as &dyn std::error::Error, "the log cannot be read; trying again");
                }
            }
        }
    }

    /// Looks at the heads of all watched pages in one statement, and returns those that have moved. Pages that nobody
    /// holds any more are let go.
    async fn sweep(&self) -> Result<Vec<Uuid>> {
        let watched = {
            let mut pages = self.pages();
            pages.retain(|_, page| Arc::strong_count(page) > 1);
            pages.clone()
        };
        let begun: Vec<Uuid> = watched
            .values()
            .filter(|page| page.has_begun())
            .map(|page| page.page)
            .collect();
        if begun.is_empty() {
            return Ok(Vec::new());
        }
        let mut moved = Vec::new();
        for (page, extent) in self.store.extents(&begun).await? {
            let Some(watched) = watched.get(&page) else {
                continue;
            };
            let mut shelf = watched.shelf();
            shelf.know(extent);
            shelf.tidy(Instant::now());
            if watched.tail().is_some_and(|tail| tail < extent.staff.head) {
                moved.push(page);
            }
        }
        Ok(moved)
    }

    /// Reads a page's log from the ring's tail to its end.
    async fn advance(&self, page: Uuid) -> Result<()> {
        let watched = self.pages().get(&page).cloned();
        let Some(watched) = watched else {
            return Ok(());
        };
        let stream = StreamId {
            page,
            audience: Audience::Staff,
        };
        while let Some(tail) = watched.tail() {
            let batch = at_once(watched.size()).min(BATCH);
            let entries = self.store.after(stream, tail, batch).await?;
            let count = entries.len() as u64;
            if count == 0 {
                return Ok(());
            }
            let entries: Vec<_> = entries.into_iter().map(Arc::new).collect();
            if !watched.extend(&entries) {
                // What comes next was pruned before it was read. Whoever waits here finds that out from the log.
                let snapshot = self.store.read().await?;
                let extent = watched.extent(&snapshot).await?;
                return watched.fill(&snapshot, &extent).await;
            }
            if count < batch {
                return Ok(());
            }
        }
        Ok(())
    }
}
