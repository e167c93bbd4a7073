//! Bounds how many connections are open at a time, of any kind. Each is an open file, and the database needs some too.
//!
//! When all slots are taken, connections that wait for a request, or have sent only part of one, are closed to make room:
//! those of the address that holds the most of them first. Connections whose request is executed, sockets and streams stay.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::Proxies;
use super::address::Address;

/// How long a connection may wait before it is closed to make room: 1 s. The request of a client that has just connected
/// may be on its way.
const PROTECTED: Duration = Duration::from_secs(1);

/// The same for an address with many waiting connections: 300 ms. With the fewest slots that the program starts with (64) that
/// admits 213 connections a second, so 400 half-sent requests delay others by 1.6 s; and a client that opens hundreds of
/// connections at once has time to send its requests.
const PROTECTED_OF_MANY: Duration = Duration::from_millis(300);

/// The fraction of all slots above which an address has many waiting connections: an eighth.
const MANY: usize = 8;

/// How many connections are closed at once: a hundredth of all slots, at least one. Every connection is looked at to choose
/// them, and an attacker must not make the server do that for each connection it opens.
const BATCH: usize = 100;

/// How often a full server looks again for connections to close: those that were busy may have become idle since.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often it is logged that there is no slot.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// No request has begun, or only part of its head has arrived.
const WAITING: u8 = 0;
/// The head of a request has arrived, and not all of its body.
const RECEIVING: u8 = 1;
/// A request is executed, or a socket or stream is open.
const BUSY: u8 = 2;
/// hyper has the whole response, and has not written all of it yet.
const ANSWERED: u8 = 3;
/// It waited, and was told to close.
const LEAVING: u8 = 4;

/// What a connection is doing.
#[derive(Debug)]
struct Activity {
    holder: Holder,
    state: AtomicU8,
    /// Since when it waits or receives, in nanoseconds after `opened`.
    since: AtomicU64,
    opened: Instant,
    told_to_leave: Notify,
}

/// Whom a connection is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Address(Address),
    /// A trusted proxy has connections for many clients: each counts by itself.
    Proxied(u64),
}

impl Activity {
    fn new(holder: Holder) -> Activity {
        Activity {
            holder,
            state: AtomicU8::new(WAITING),
            since: AtomicU64::new(0),
            opened: Instant::now(),
            told_to_leave: Notify::new(),
        }
    }

    fn enter(&self, state: u8) {
        if matches!(state, WAITING | RECEIVING) {
            self.since.store(self.age_nanos(), Ordering::Relaxed);
        }
        self.state.store(state, Ordering::Release);
    }

    fn age_nanos(&self) -> u64 {
        self.opened.elapsed().as_nanos().try_into().unwrap_or(u64::MAX)
    }

    /// How long it has been waiting for its client; `None` if it is not.
    fn waiting(&self) -> Option<Duration> {
        let since = match self.state.load(Ordering::Acquire) {
            WAITING | RECEIVING => self.since.load(Ordering::Relaxed),
            _ => return None,
        };
        Some(Duration::from_nanos(self.age_nanos().saturating_sub(since)))
    }

    /// Tells the connection to close, unless it has become busy.
    fn tell_to_leave(&self) {
        for state in [WAITING, RECEIVING] {
            let told = self
                .state
                .compare_exchange(state, LEAVING, Ordering::AcqRel, Ordering::Relaxed);
            if told.is_ok() {
                self.told_to_leave.notify_one();
                return;
            }
        }
    }
}

/// The slots of a server.
#[derive(Debug, Default)]
pub(super) struct Slots {
    bound: Option<Bound>,
    proxies: Proxies,
    open: Mutex<Open>,
    warned: Mutex<Option<Instant>>,
}

/// How many slots there are.
#[derive(Debug)]
struct Bound {
    most: usize,
    free: Arc<Semaphore>,
}

/// The connections that are open, by a number of their own.
#[derive(Debug, Default)]
struct Open {
    last: u64,
    connections: HashMap<u64, Arc<Activity>>,
}

/// A connection's slot, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    activity: Arc<Activity>,
    /// Among the connections that may be closed to make room; `None` on a server without a bound.
    registered: Option<(Arc<Slots>, u64)>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    /// `None` for as many as come.
    pub(super) fn new(most: Option<usize>) -> Slots {
        let bound = most.map(|most| Bound {
            most,
            free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        });
        Slots {
            bound,
            ..Slots::default()
        }
    }

    /// The same, behind proxies: the connections of a trusted one do not count as those of one address.
    pub(super) fn behind(self, proxies: Proxies) -> Slots {
        Slots { proxies, ..self }
    }

    /// Takes a slot for a connection, and closes waiting connections where there is none.
    pub(super) async fn take(self: &Arc<Self>, peer: IpAddr) -> Slot {
        let Some(Bound { free, .. }) = &self.bound else {
            return Slot::unbounded(peer);
        };
        let mut permit = Arc::clone(free).try_acquire_owned().ok();
        while permit.is_none() {
            self.warn();
            let again = self.make_room();
            let freed = timeout(again, Arc::clone(free).acquire_owned()).await;
            permit = freed.ok().and_then(Result::ok);
        }
        let mut open = self.open();
        open.last += 1;
        let number = open.last;
        let holder = match self.proxies.is_trusted(peer.to_canonical()) {
            true => Holder::Proxied(number),
            false => Holder::Address(peer.into()),
        };
        let activity = Arc::new(Activity::new(holder));
        open.connections.insert(number, Arc::clone(&activity));
        drop(open);
        Slot {
            activity,
            registered: Some((Arc::clone(self), number)),
            _permit: permit,
        }
    }

    /// Tells connections to close that wait for their client: those of the address with the most of them, the longest
    /// waiting first. Returns when to call this again if that has freed no slot.
    fn make_room(&self) -> Duration {
        let most = self.bound.as_ref().map_or(0, |bound| bound.most);
        let waiting: Vec<(Duration, Arc<Activity>)> = {
            let open = self.open();
            let waiting = open.connections.values().filter_map(|activity| {
                let waiting = activity.waiting()?;
                Some((waiting, Arc::clone(activity)))
            });
            waiting.collect()
        };
        let mut held: HashMap<Holder, usize> = HashMap::new();
        for (_, activity) in &waiting {
            *held.entry(activity.holder).or_default() += 1;
        }
        let many = (most / MANY).max(1);
        // The connections of others are spared while one address has many.
        let fullest = held.iter().max_by_key(|&(_, &held)| held);
        let only = fullest.and_then(|(&holder, &held)| (held > many).then_some(holder));
        let protected = if only.is_some() { PROTECTED_OF_MANY } else { PROTECTED };
        let mut again = LOOK_AGAIN;
        let mut chosen = Vec::new();
        for (since, activity) in waiting {
            if only.is_some_and(|only| activity.holder != only) {
                continue;
            }
            match protected.checked_sub(since) {
                None | Some(Duration::ZERO) => chosen.push((held[&activity.holder], since, activity)),
                Some(left) => again = again.min(left),
            }
        }
        chosen.sort_unstable_by_key(|&(held, since, _)| Reverse((held, since)));
        // Of one address at a time: the others may hold more than it does by then.
        let Some((_, _, first)) = chosen.first() else {
            return again;
        };
        let holder = first.holder;
        let of_holder = chosen.iter().filter(|(_, _, activity)| activity.holder == holder);
        for (_, _, activity) in of_holder.take((most / BATCH).max(1)) {
            activity.tell_to_leave();
        }
        // They leave well before that.
        LOOK_AGAIN
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn(&self) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
            *warned = Some(Instant::now());
            tracing::warn!("the limit of open connections is reached: waiting ones are closed for new ones");
        }
    }
}

impl Slot {
    /// A slot of a server without a bound.
    pub(super) fn unbounded(peer: IpAddr) -> Slot {
        Slot {
            activity: Arc::new(Activity::new(Holder::Address(peer.into()))),
            registered: None,
            _permit: None,
        }
    }

    /// The head of a request has arrived; its body has not.
    pub(super) fn receiving(&self) {
        self.activity.enter(RECEIVING);
    }

    /// A whole request has arrived, or what follows it is not read.
    pub(super) fn busy(&self) {
        self.activity.enter(BUSY);
    }

    /// hyper has the whole response.
    pub(super) fn answered(&self) {
        self.activity.enter(ANSWERED);
    }

    /// hyper has written all it has: after a response, the connection waits for the next request.
    pub(super) fn flushed(&self) {
        if self.activity.state.load(Ordering::Acquire) == ANSWERED {
            self.waiting();
        }
    }

    /// The connection waits for a request.
    pub(super) fn waiting(&self) {
        self.activity.enter(WAITING);
    }

    /// Whether the connection waits for a request, or for the rest of one.
    pub(super) fn is_waiting(&self) -> bool {
        !matches!(self.activity.state.load(Ordering::Acquire), BUSY | ANSWERED)
    }

    /// Waits until the connection is told to close; a request may have arrived since ([`Slot::is_waiting`]).
    pub(super) async fn told_to_leave(&self) {
        self.activity.told_to_leave.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((slots, number)) = self.registered.take() {
            slots.open().connections.remove(&number);
        }
    }
}
