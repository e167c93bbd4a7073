//! A page's log, ring and shelf in memory, with what the tailer, writers and pruning do to them; the steps of a
//! follower are the real ones.

mod interleaving;
mod seam;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use tokio::sync::watch;

use super::*;
use crate::domain::audience::Audience;
use crate::live::ring::Ring;
use crate::live::shelf::{Read, Shelf};
use crate::store::log::{Extent, Span};

/// The most events that a log in these tests has.
const MOST: u64 = 40;

/// The n-th event of every log here. Every third is the staff's alone.
fn entry(staff_number: u64) -> Arc<Entry> {
    static ENTRIES: OnceLock<Vec<Arc<Entry>>> = OnceLock::new();
    let entries = ENTRIES.get_or_init(|| {
        let entry = |number| {
            let public_number = (number % 3 != 0).then_some(public(number));
            Arc::new(Entry::sample(number, public_number))
        };
        (0..=MOST).map(entry).collect()
    });
    let index = usize::try_from(staff_number).expect("a small number");
    Arc::clone(&entries[index])
}

/// How many of so many events the public hears.
const fn public(staff_number: u64) -> u64 {
    staff_number - staff_number / 3
}

/// A log as the database has it: which events are left, and where its streams begin and end.
#[derive(Debug, Default)]
struct Log {
    left: Vec<Arc<Entry>>,
    floor: u64,
    head: u64,
}

impl Log {
    fn extent(&self) -> Extent {
        Extent {
            public: Span {
                floor: public(self.floor),
                head: public(self.head),
            },
            staff: Span {
                floor: self.floor,
                head: self.head,
            },
        }
    }

    fn after(&self, audience: Audience, position: u64, limit: usize) -> Vec<Arc<Entry>> {
        let is_later = |entry: &&Arc<Entry>| entry.number(audience).is_some_and(|number| number > position);
        self.left.iter().filter(is_later).take(limit).cloned().collect()
    }
}

/// One page of a node.
struct Node {
    log: Mutex<Log>,
    ring: Mutex<Ring>,
    shelf: Mutex<Shelf>,
    changed: watch::Sender<()>,
    capacity: usize,
    batch: usize,
    /// Where another task may come in between.
    pause: fn(),
}

impl Node {
    /// A log of so many events, and a ring that begins with the newest of them.
    fn new(head: u64, newest: usize, capacity: usize, batch: usize, pause: fn()) -> Arc<Node> {
        let log = Log {
            left: (1..=head).map(entry).collect(),
            floor: 0,
            head,
        };
        let ring = Node::begin(&log, newest, capacity);
        Arc::new(Node {
            log: Mutex::new(log),
            ring: Mutex::new(ring),
            shelf: Mutex::default(),
            changed: watch::Sender::new(()),
            capacity,
            batch,
            pause,
        })
    }

    fn begin(log: &Log, newest: usize, capacity: usize) -> Ring {
        let after = log.floor.max(log.head.saturating_sub(newest as u64));
        Ring::of_capacity(capacity, &log.extent(), &log.after(Audience::Staff, after, newest))
    }

    /// Locks briefly: no other task comes in while it is held.
    fn with<T, R>(&self, what: &Mutex<T>, look: impl FnOnce(&mut T) -> R) -> R {
        (self.pause)();
        look(&mut what.lock().expect("nobody panics with it"))
    }

    /// A change commits, and rings.
    fn append(&self) {
        self.with(&self.log, |log| {
            log.head += 1;
            log.left.push(entry(log.head));
        });
    }

    /// Takes events up to a number out of the log; of those, the last and every fourth stay, as the newest of their
    /// things.
    fn prune(&self, floor: u64) {
        self.with(&self.log, |log| {
            log.floor = log.floor.max(floor.min(log.head));
            let floor = log.floor;
            log.left
                .retain(|entry| entry.staff_number >= floor || entry.staff_number % 4 == 0);
        });
    }

    fn floor(&self, audience: Audience) -> u64 {
        self.with(&self.log, |log| log.extent().of(audience).floor)
    }

    /// What the tailer does when the bell rings.
    fn advance(&self) {
        loop {
            let tail = self.with(&self.ring, |ring| ring.span(Audience::Staff).head);
            let entries = self.with(&self.log, |log| log.after(Audience::Staff, tail, self.batch));
            if entries.is_empty() {
                return;
            }
            let is_whole = self.with(&self.ring, |ring| {
                let is_whole = ring.extend(&entries);
                let last = entries.last().map(|last| last.staff_number);
                assert!(
                    !is_whole || last <= Some(ring.span(Audience::Staff).head),
                    "all is there"
                );
                is_whole
            });
            if !is_whole {
                let begun = self.with(&self.log, |log| Node::begin(log, self.capacity, self.capacity));
                self.with(&self.ring, |ring| *ring = begun);
            }
            self.changed.send_replace(());
            if !is_whole || entries.len() < self.batch {
                return;
            }
        }
    }
}

/// A follower's place.
struct Place {
    node: Arc<Node>,
    audience: Audience,
    changed: watch::Receiver<()>,
}

impl Place {
    fn at(node: &Arc<Node>, audience: Audience) -> Place {
        Place {
            node: Arc::clone(node),
            audience,
            changed: node.changed.subscribe(),
        }
    }
}

impl Source for Place {
    fn hear(&mut self) {
        (self.node.pause)();
        self.changed.mark_unchanged();
    }

    fn ring(&self, position: u64) -> Next {
        self.node
            .with(&self.node.ring, |ring| ring.after(self.audience, position))
    }

    async fn log(&self, position: u64) -> Result<Found> {
        let (node, audience, now) = (&self.node, self.audience, Instant::now());
        let look = |shelf: &mut Shelf| shelf.look(audience, position, now);
        if let Some(found) = node.with(&node.shelf, look) {
            return Ok(found);
        }
        let read = node.with(&node.log, |log| Read {
            extent: log.extent(),
            audience,
            after: position,
            limit: node.batch as u64,
            entries: log.after(audience, position, node.batch),
        });
        let found = node.with(&node.shelf, |shelf| {
            shelf.keep(read, now);
            look(shelf)
        });
        Ok(found.unwrap_or(Found::Nothing))
    }

    async fn news(&mut self) {
        (self.node.pause)();
        let _ = self.changed.changed().await;
    }
}

/// One who follows a stream, and holds every step against the promise.
struct Reader {
    place: Place,
    position: Position,
    lost: usize,
}

impl Reader {
    fn new(node: &Arc<Node>, audience: Audience, after: u64) -> Reader {
        Reader {
            place: Place::at(node, audience),
            position: Position(after),
            lost: 0,
        }
    }

    /// Every number in order, each once; and a loss only where the next number was pruned, which then is passed over.
    fn check(&mut self, before: u64, step: &Step) {
        let floor = self.place.node.floor(self.place.audience);
        match step {
            Step::Entry(number, entry) => {
                assert_eq!(*number, before + 1, "the next number");
                assert_eq!(entry.number(self.place.audience), Some(*number), "its entry");
            }
            Step::Lost => {
                assert!(before < floor, "{before} was lost while the log began at {floor}");
                assert!(self.position.0 > before, "a loss moves on");
                self.lost += 1;
            }
        }
    }

    /// Follows until it has a number.
    async fn follow(&mut self, until: u64) {
        while self.position.0 < until {
            let before = self.position.0;
            let step = self.position.next(&mut self.place).await.expect("this log can be read");
            self.check(before, &step);
        }
    }
}
