//! What came of the newest events of a selection. Bounded, for one and for all together.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Rendered;

/// As many events as the ring keeps: what is further back is read from the log, and asked for in the order of the log.
const MOST: usize = 1024;

/// Bytes that all selections of a server may remember: 64 MiB. Beyond that, an event is rendered for each who meets it.
const MOST_BYTES: usize = 64 << 20;

/// For how long a failure stands for all who ask for the same: so that not each of thousands waits for a database that
/// is away.
const FAILURE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Memo<R> {
    kept: HashMap<u64, R>,
    /// In the order in which they were made.
    order: VecDeque<u64>,
    failed: Option<(u64, Instant, R)>,
    bytes: usize,
    /// Bytes that all memos take.
    all: Arc<AtomicUsize>,
}

impl<R: Rendered> Memo<R> {
    pub(super) fn new(all: Arc<AtomicUsize>) -> Memo<R> {
        Memo {
            kept: HashMap::new(),
            order: VecDeque::new(),
            failed: None,
            bytes: 0,
            all,
        }
    }

    /// What came of an event.
    pub(super) fn get(&self, number: u64, now: Instant) -> Option<R> {
        let failed = self
            .failed
            .as_ref()
            .filter(|(other, at, _)| *other == number && now.duration_since(*at) < FAILURE)
            .map(|(_, _, rendered)| rendered);
        self.kept.get(&number).or(failed).cloned()
    }

    /// Remembers what came of an event, if there is room, in place of the one that was remembered longest.
    pub(super) fn keep(&mut self, number: u64, rendered: &R, now: Instant) {
        if !rendered.is_lasting() {
            self.failed = Some((number, now, rendered.clone()));
            return;
        }
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
            && let Some(forgotten) = self.kept.remove(&oldest)
        {
            self.release(forgotten.size());
        }
        let size = rendered.size();
        if self.all.fetch_add(size, Ordering::Relaxed) + size > MOST_BYTES {
            self.all.fetch_sub(size, Ordering::Relaxed);
            return;
        }
        self.bytes += size;
        if self.kept.insert(number, rendered.clone()).is_none() {
            self.order.push_back(number);
        }
    }
}

impl<R> Memo<R> {
    fn release(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.all.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl<R> Drop for Memo<R> {
    fn drop(&mut self) {
        self.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Response;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Text(usize, bool);

    impl Rendered for Text {
        async fn of(_: Response) -> Text {
            Text(0, true)
        }
        fn ended(_: Response) -> Text {
            Text(0, true)
        }
        fn panicked() -> Text {
            Text(0, false)
        }
        fn is_lasting(&self) -> bool {
            self.1
        }
        fn size(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn the_newest_are_remembered() {
        let (all, now) = (Arc::default(), Instant::now());
        let mut memo = Memo::new(Arc::clone(&all));

        for number in 1..=MOST as u64 + 1 {
            memo.keep(number, &Text(10, true), now);
        }

        assert_eq!(memo.get(1, now), None);
        assert_eq!(memo.get(2, now), Some(Text(10, true)));
        assert_eq!(all.load(Ordering::Relaxed), MOST * 10);
        drop(memo);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn there_is_room_for_so_much_in_all_of_them() {
        let (all, now) = (Arc::default(), Instant::now());
        let (mut one, mut other) = (Memo::new(Arc::clone(&all)), Memo::new(Arc::clone(&all)));

        one.keep(1, &Text(MOST_BYTES, true), now);
        other.keep(1, &Text(1, true), now);

        assert_eq!(other.get(1, now), None);
        drop(one);
        other.keep(1, &Text(1, true), now);
        assert_eq!(other.get(1, now), Some(Text(1, true)));
    }

    #[test]
    fn a_failure_is_remembered_for_a_moment() {
        let (mut memo, now) = (Memo::new(Arc::default()), Instant::now());

        memo.keep(1, &Text(0, false), now);

        assert_eq!((memo.get(1, now), memo.get(2, now)), (Some(Text(0, false)), None));
        assert_eq!(memo.get(1, now + FAILURE), None);
    }
}
