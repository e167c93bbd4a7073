//! Fan-out: one task follows a selection, and writes what it meets straight to the connections of all who follow it.
//!
//! A subscriber *rides* in a fan-out while its connection takes everything at once. One whose connection would block is
//! left behind, with the number it has come to: it then goes on by itself (`operation`), at its own pace, and joins again
//! when it has caught up. So nobody waits for a slow reader, and nothing is queued for it.
//!
//! The seam: joining is refused to who is behind what the fan-out has begun to send, and who joins is sent only what has
//! a number above its own. Both are decided under one lock (`Gate`), so that nothing is missed and nothing comes twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::engine::Follower;
use super::envelope::Envelope;
use super::payers::{Account, Payers};
use super::rendering::{Payload, Rendering, Verdict};
use super::wire::{Offered, Wire};
use crate::item::{Item, Reach, Ready};
use crate::seeded::{Bug, seeded};

/// How many ride in one fan-out before there is another for the same selection, on another core: at some 7 µs each, one
/// event keeps a core busy for 3.5 ms.
const FULL: usize = 512;

/// How many events are written to a connection at once, where that many came together.
const BATCH: usize = 32;

/// Bytes of payload that such events have together, but for the last: a connection that takes none of them has all of them
/// left over. As much as the kernel holds for a connection.
const BATCH_BYTES: usize = 64 << 10;

/// After how many connections other tasks have their turn where one is known to wait: some 0.1 ms. A mutation waits so
/// whenever the database has answered a statement, and without this events would come no faster than one by one.
const TURN: usize = 16;

/// After how many they have it in any case: some 0.9 ms. Nobody else may be looking at what has come in; to look
/// costs as much as a message.
const LONG_TURN: usize = 128;

/// Where the results of one operation go.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    wire: Arc<Wire>,
    envelope: Envelope,
    /// Who pays for what is sent; none where nobody does.
    account: Option<Arc<Account>>,
    /// The client has ended the operation: nothing more is sent for it, although it may not have ended here yet.
    is_hushed: Arc<AtomicBool>,
}

impl Seat {
    pub(super) fn new(wire: &Arc<Wire>, envelope: &Envelope) -> Seat {
        Seat {
            wire: Arc::clone(wire),
            envelope: envelope.clone(),
            account: None,
            is_hushed: Arc::default(),
        }
    }

    /// The same, paid for by somebody.
    pub(super) fn paid_by(mut self, account: &Arc<Account>) -> Seat {
        self.account = Some(Arc::clone(account));
        self
    }

    fn is_unpaid(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.is_over())
    }

    pub(super) fn hush(&self) {
        self.is_hushed.store(true, Ordering::Release);
    }
}

/// The fan-outs of a server, by selection.
#[derive(Debug, Default)]
pub(super) struct Fanouts {
    /// Who pays for what is made for all; none where nobody does.
    payers: Option<Arc<Payers>>,
    running: Mutex<HashMap<u64, Vec<Arc<Fanout>>>>,
}

/// A fan-out, as those see it who join and leave.
#[derive(Debug)]
struct Fanout {
    gate: Mutex<Gate>,
    /// Somebody has joined or left.
    changed: Notify,
}

#[derive(Debug)]
struct Gate {
    /// The number up to which sending has begun.
    begun: u64,
    /// Who has joined since the task last looked.
    joining: Vec<Arc<Rider>>,
    riding: usize,
    is_over: bool,
}

/// One subscription that rides.
#[derive(Debug)]
struct Rider {
    seat: Seat,
    place: Mutex<Place>,
    left_behind: Notify,
}

#[derive(Debug)]
struct Place {
    /// The number up to which everything was sent.
    position: u64,
    is_riding: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A subscription's place in a fan-out. Dropping it leaves: nothing more is sent for it.
pub(super) struct Ride {
    fanout: Arc<Fanout>,
    rider: Arc<Rider>,
}

impl Ride {
    /// Waits until the fan-out goes on without this subscription, and says up to which number all was sent.
    pub(super) async fn until_left_behind(self) -> u64 {
        loop {
            {
                let place = lock(&self.rider.place);
                if !place.is_riding {
                    return place.position;
                }
            }
            self.rider.left_behind.notified().await;
        }
    }
}

impl Drop for Ride {
    fn drop(&mut self) {
        // Under the lock that a write to this connection is made under: what has ended says nothing more.
        lock(&self.rider.place).is_riding = false;
        lock(&self.fanout.gate).riding -= 1;
        self.fanout.changed.notify_one();
    }
}

impl Fanouts {
    /// Whose work is paid for.
    pub(super) fn new(payers: Arc<Payers>) -> Fanouts {
        Fanouts {
            payers: Some(payers),
            running: Mutex::default(),
        }
    }

    /// Lets a subscription that has caught up ride; none where it has to catch up once more first.
    pub(super) fn join<F: Follower>(self: &Arc<Self>, follower: &F, seat: &Seat) -> Option<Ride> {
        let fanout = self.fanout(follower);
        let rider = Arc::new(Rider {
            seat: seat.clone(),
            place: Mutex::new(Place {
                position: follower.position(),
                is_riding: true,
            }),
            left_behind: Notify::new(),
        });
        let mut gate = lock(&fanout.gate);
        let is_behind = follower.position() < gate.begun && !seeded(Bug::RejoinEarly);
        if gate.is_over || is_behind {
            return None;
        }
        gate.joining.push(Arc::clone(&rider));
        gate.riding += 1;
        drop(gate);
        fanout.changed.notify_one();
        Some(Ride { fanout, rider })
    }

    /// A fan-out with room, which may have to be begun.
    fn fanout<F: Follower>(self: &Arc<Self>, follower: &F) -> Arc<Fanout> {
        let mut running = lock(&self.running);
        let same = running.entry(follower.selection()).or_default();
        let has_room = |fanout: &&Arc<Fanout>| {
            let gate = lock(&fanout.gate);
            !gate.is_over && gate.riding < FULL
        };
        if let Some(fanout) = same.iter().find(has_room) {
            return Arc::clone(fanout);
        }
        let fanout = Arc::new(Fanout {
            gate: Mutex::new(Gate {
                begun: follower.position(),
                joining: Vec::new(),
                riding: 0,
                is_over: false,
            }),
            changed: Notify::new(),
        });
        same.push(Arc::clone(&fanout));
        drop(running);
        tokio::spawn(Arc::clone(self).run(Arc::clone(&fanout), follower.fork()));
        fanout
    }

    /// Follows for all who ride, until nobody does, or until something comes that each must see to by itself.
    async fn run<F: Follower>(self: Arc<Self>, fanout: Arc<Fanout>, mut follower: F) {
        let mut riders: Vec<Arc<Rider>> = Vec::new();
        let is_deserted = loop {
            let batch = tokio::select! {
                ready = follower.next() => batch(ready, &mut follower).await,
                () = fanout.changed.notified() => match fanout.settle(&mut riders) {
                    true => continue,
                    false => break true,
                },
            };
            if let Some(last) = batch.items.last().and_then(|item| number(item.reach)) {
                {
                    let mut gate = lock(&fanout.gate);
                    gate.begun = last;
                    riders.append(&mut gate.joining);
                }
                publish(&batch.items, &mut riders).await;
            }
            if let Some(payers) = &self.payers
                && batch.work > 0
                && payers.charge_all(follower.selection(), batch.work)
            {
                // Each sees by itself that it cannot pay.
                for rider in riders.extract_if(.., |rider| rider.seat.is_unpaid()) {
                    leave_behind(&rider, &mut lock(&rider.place));
                }
            }
            if batch.is_last {
                break false;
            }
        };
        let mut running = lock(&self.running);
        if let Some(same) = running.get_mut(&follower.selection()) {
            same.retain(|other| !Arc::ptr_eq(other, &fanout));
            if same.is_empty() {
                running.remove(&follower.selection());
            }
        }
        drop(running);
        if !is_deserted {
            let mut gate = lock(&fanout.gate);
            gate.is_over = true;
            riders.append(&mut gate.joining);
        }
        for rider in riders {
            leave_behind(&rider, &mut lock(&rider.place));
        }
    }
}

impl Fanout {
    /// Takes those in who have joined, and lets those go who have left; `false` when nobody is there, and none will be.
    fn settle(&self, riders: &mut Vec<Arc<Rider>>) -> bool {
        let mut gate = lock(&self.gate);
        riders.append(&mut gate.joining);
        gate.is_over = gate.riding == 0;
        let goes_on = !gate.is_over;
        drop(gate);
        riders.retain(|rider| lock(&rider.place).is_riding);
        goes_on
    }
}

/// The number of an item that is for all.
fn number(reach: Reach) -> Option<u64> {
    match reach {
        Reach::All(number) | Reach::Quiet(number) => Some(number),
        Reach::Own => None,
    }
}

/// What came together.
struct Batch {
    items: Vec<Item<Rendering>>,
    /// The work that these took, and what came after them.
    work: u64,
    /// What came after these cannot be sent to all: each who rides meets it again, by itself.
    is_last: bool,
}

async fn batch<F: Follower>(mut ready: Ready<Rendering>, follower: &mut F) -> Batch {
    let mut items = Vec::new();
    let (mut size, mut work) = (0, 0_u64);
    loop {
        if let Ready::Item(item) = &ready {
            work = work.saturating_add(item.work);
        }
        let batch = |items, is_last| Batch { items, work, is_last };
        match ready {
            Ready::Item(item) if number(item.reach).is_some() && item.rendering.verdict == Verdict::Sound => {
                size += item.rendering.size();
                items.push(item);
            }
            Ready::Nothing => return batch(items, false),
            Ready::Item(_) | Ready::End => return batch(items, true),
        }
        if items.len() == BATCH || size >= BATCH_BYTES {
            return batch(items, false);
        }
        ready = follower.ready().await;
    }
}

/// Whether a subscription that has come to a number has no use for an item any more.
fn is_known(reach: Reach, position: u64) -> bool {
    match reach {
        Reach::All(number) => number <= position,
        // It says where the log stands, which must not seem to go back.
        Reach::Quiet(number) => number < position,
        Reach::Own => true,
    }
}

/// Writes a batch to everybody.
async fn publish(batch: &[Item<Rendering>], riders: &mut Vec<Arc<Rider>>) {
    let last = batch.last().and_then(|item| number(item.reach)).unwrap_or_default();
    let mut bytes = Vec::new();
    // The same for connections that do not take all of it, which share it.
    let mut shared: Option<Bytes> = None;
    // For whom the bytes are: the envelope, and how many of the batch they leave out.
    let mut made_for: Option<(Envelope, usize)> = None;
    let mut have_left = false;
    let runtime = Handle::current().metrics();
    for (nth, rider) in (1_usize..).zip(riders.iter()) {
        let others_wait = || nth.is_multiple_of(TURN) && runtime.global_queue_depth() > 0;
        if nth.is_multiple_of(LONG_TURN) || others_wait() {
            tokio::task::yield_now().await;
        }
        let mut place = lock(&rider.place);
        if !place.is_riding || rider.seat.is_hushed.load(Ordering::Acquire) {
            have_left |= !place.is_riding;
            continue;
        }
        let known = batch
            .iter()
            .take_while(|item| is_known(item.reach, place.position))
            .count();
        if known == batch.len() {
            continue;
        }
        let envelope = &rider.seat.envelope;
        if made_for
            .as_ref()
            .is_none_or(|(other, left_out)| other != envelope || *left_out != known)
        {
            bytes.clear();
            shared = None;
            for item in &batch[known..] {
                let payload = Payload {
                    json: item.rendering.json.clone(),
                    cursor: Some(Arc::clone(&item.cursor)),
                };
                envelope.next(&payload, &mut bytes);
            }
            made_for = Some((envelope.clone(), known));
        }
        let kept = || shared.get_or_insert_with(|| Bytes::copy_from_slice(&bytes)).clone();
        match rider.seat.wire.offer(&bytes, kept) {
            Offered::Taken => place.position = last.max(place.position),
            Offered::Behind if seeded(Bug::DropWhenSlow) => place.position = last.max(place.position),
            Offered::Behind | Offered::Closed => {
                leave_behind(rider, &mut place);
                have_left = true;
            }
        }
    }
    if have_left {
        riders.retain(|rider| lock(&rider.place).is_riding);
    }
}

fn leave_behind(rider: &Rider, place: &mut Place) {
    place.is_riding = false;
    rider.left_behind.notify_one();
}

#[cfg(test)]
mod tests;
