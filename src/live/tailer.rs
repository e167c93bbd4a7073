//! The tailer: one task that reads the log of every watched page past its last number, when the doorbell rings and at
//! least every half second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ring::{Next, Ring};
use crate::domain::audience::Audience;
use crate::domain::cursor::StreamId;
use crate::error::{Error, Result};
use crate::seeded::is_deaf_between_bells;
use crate::store::{Snapshot, Store, log};

/// The doorbell may be lost, and other nodes ring none here: a watched page is looked at this often (DESIGN.md, 3).
const POLL: Duration = Duration::from_millis(500);

/// How long after its last good turn the tailer counts as stuck: ten polls.
const STUCK: Duration = Duration::from_secs(5);

/// How many events one read of the log brings.
pub(super) const BATCH: u64 = 100;

/// A page that somebody watches.
#[derive(Debug)]
pub(super) struct Watched {
    ring: RwLock<Ring>,
    /// Tells followers that the ring has more.
    changed: watch::Sender<()>,
}

impl Watched {
    pub(super) fn after(&self, audience: Audience, position: u64) -> Next {
        self.ring
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .after(audience, position)
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn tail(&self) -> u64 {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).tail()
    }
}

/// Who watches what on this node, and whether the tailer can read.
#[derive(Debug)]
pub struct Live {
    pub(super) store: Arc<Store>,
    watched: Mutex<HashMap<Uuid, Arc<Watched>>>,
    /// When the last turn of the tailer ended well, since `began`.
    turned: AtomicU64,
    began: Instant,
}

impl Live {
    /// A node that watches nothing yet; [`Live::run`] makes it move.
    pub fn new(store: Arc<Store>) -> Arc<Live> {
        Arc::new(Live {
            store,
            watched: Mutex::default(),
            turned: AtomicU64::new(0),
            began: Instant::now(),
        })
    }

    /// Whether the tailer runs and can read the log: it turns at least every half second.
    pub fn is_healthy(&self) -> bool {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(turned) < STUCK
    }

    /// Takes a place at a page's ring, which begins at the present heads where nobody watched before. This comes
    /// before the first read of the log, so that nothing can fall between (DESIGN.md, 4).
    pub(super) async fn watch(&self, page: Uuid) -> Result<Arc<Watched>> {
        let known = self
            .watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&page)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let ring = heads(&self.store.read().await?, page).await?;
        let fresh = Arc::new(Watched {
            ring: RwLock::new(ring),
            changed: watch::Sender::new(()),
        });
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = Arc::clone(watched.entry(page).or_insert(fresh));
        drop(watched);
        // A commit between the look at the heads and now rang for a page that nobody watched.
        self.store.ring(page);
        Ok(taken)
    }

    /// Follows the log until `stop`. One read per page and change feeds every subscription on this node.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut doorbell = self.store.doorbell();
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let rang = tokio::select! {
                () = stop.cancelled() => return,
                rang = doorbell.recv() => rang,
                _ = poll.tick(), if !is_deaf_between_bells() => Err(broadcast::error::RecvError::Lagged(0)),
            };
            let pages = match rang {
                Ok(page) => vec![page],
                Err(_) => self.sweep(),
            };
            let mut healthy = true;
            for page in pages {
                if let Err(error) = self.advance(page).await {
                    healthy = false;
                    tracing::warn!(%page, error = &error as &dyn std::error::Error, "the log cannot be read; trying again");
                }
            }
            if healthy {
                let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.turned.store(millis, Ordering::Relaxed);
            }
        }
    }

    /// The pages that are still watched; those that nobody holds any more are let go.
    fn sweep(&self) -> Vec<Uuid> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, page| Arc::strong_count(page) > 1);
        watched.keys().copied().collect()
    }

    async fn advance(&self, page: Uuid) -> Result<()> {
        let known = self
            .watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&page)
            .cloned();
        let Some(watched) = known else {
            return Ok(());
        };
        loop {
            let stream = StreamId {
                page,
                audience: Audience::Staff,
            };
            let snapshot = self.store.read().await?;
            let tail = watched.tail();
            let entries = log::after(snapshot.db(), stream, tail, BATCH).await?;
            let count = entries.len() as u64;
            let Some(first) = entries.first() else {
                return Ok(());
            };
            if first.staff_number != tail + 1 {
                // What comes next was pruned before it was read. Whoever waits here finds that out from the log.
                let heads = heads(&snapshot, page).await?;
                *watched.ring.write().unwrap_or_else(PoisonError::into_inner) = heads;
                watched.changed.send_replace(());
                return Ok(());
            }
            drop(snapshot);
            let mut ring = watched.ring.write().unwrap_or_else(PoisonError::into_inner);
            for entry in entries {
                ring.push(&Arc::new(entry));
            }
            drop(ring);
            watched.changed.send_replace(());
            if count < BATCH {
                return Ok(());
            }
        }
    }
}

/// A ring that begins at the present heads.
async fn heads(snapshot: &Snapshot, page: Uuid) -> Result<Ring> {
    let audience = Audience::Public;
    let reach = log::reach(snapshot.db(), StreamId { page, audience }).await?;
    let reach = reach.ok_or_else(|| Error::Corrupt("a watched page without a log".to_owned()))?;
    Ok(Ring::new(reach.head, reach.staff_head))
}
