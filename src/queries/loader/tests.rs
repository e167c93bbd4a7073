//! Tests of the loader: how often it reads, and what.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join, join_all};

use super::*;
use crate::error::Error;

/// Where keys are read from: the square of each key below 100, nothing for others.
#[derive(Default)]
struct Shelf {
    reads: AtomicUsize,
    keys: AtomicUsize,
}

impl Shelf {
    async fn read(&self, keys: Vec<u64>) -> Result<HashMap<u64, u64>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.keys.fetch_add(keys.len(), Ordering::SeqCst);
        // As a database would, it lets others go on while it reads.
        tokio::task::yield_now().await;
        Ok(keys
            .into_iter()
            .filter(|key| *key < 100)
            .map(|key| (key, key * key))
            .collect())
    }

    fn counts(&self) -> (usize, usize) {
        (self.reads.load(Ordering::SeqCst), self.keys.load(Ordering::SeqCst))
    }
}

fn found(result: Result<u64>) -> u64 {
    result.expect("the shelf does not fail")
}

#[tokio::test]
async fn keys_that_are_asked_for_at_the_same_time_are_read_in_one_go() {
    let (shelf, loader) = (Shelf::default(), Loader::default());

    let values = join_all((0..50).map(|key| loader.load(key, |keys| shelf.read(keys)))).await;

    let values: Vec<u64> = values.into_iter().map(found).collect();
    assert_eq!(values, (0..50).map(|key| key * key).collect::<Vec<_>>());
    assert_eq!(shelf.counts(), (1, 50));
}

#[tokio::test]
async fn a_key_that_is_asked_for_often_is_read_once() {
    let (shelf, loader) = (Shelf::default(), Loader::default());

    let values = join_all((0..50).map(|index| loader.load(index % 5, |keys| shelf.read(keys)))).await;
    let later = loader.load(3, |keys| shelf.read(keys)).await;

    assert_eq!(values.into_iter().map(found).sum::<u64>(), 10 * (1 + 4 + 9 + 16));
    assert_eq!(found(later), 9);
    assert_eq!(shelf.counts(), (1, 5));
}

#[tokio::test]
async fn what_is_known_is_not_read_again_with_what_is_not() {
    let (shelf, loader) = (Shelf::default(), Loader::default());
    found(loader.load(1, |keys| shelf.read(keys)).await);

    let (known, new) = join(
        loader.load(1, |keys| shelf.read(keys)),
        loader.load(2, |keys| shelf.read(keys)),
    )
    .await;

    assert_eq!((found(known), found(new)), (1, 4));
    assert_eq!(shelf.counts(), (2, 2));
}

#[tokio::test]
async fn a_key_that_the_read_leaves_out_has_the_default_value() {
    let (shelf, loader) = (Shelf::default(), Loader::default());

    let first = loader.load(100, |keys| shelf.read(keys)).await;
    let again = loader.load(100, |keys| shelf.read(keys)).await;

    assert_eq!((found(first), found(again)), (0, 0));
    assert_eq!(shelf.counts(), (1, 1));
}

#[tokio::test]
async fn an_error_is_not_kept_and_fails_only_who_read() {
    let (shelf, loader) = (Shelf::default(), Loader::default());
    let away = || async { Err(Error::BadUserInput("away".to_owned())) };

    let (failed, beside) = join(loader.load(1, |_| away()), loader.load(2, |keys| shelf.read(keys))).await;
    let again = loader.load(1, |keys| shelf.read(keys)).await;

    assert_eq!(failed.map_err(|error| error.code()), Err("BAD_USER_INPUT"));
    assert_eq!((found(beside), found(again)), (4, 1));
    assert_eq!(shelf.counts(), (2, 2));
}

#[tokio::test]
async fn a_reader_that_is_dropped_half_way_leaves_its_keys_to_the_next() {
    let (shelf, loader) = (Shelf::default(), Loader::default());
    let stuck = loader.load(1, |_| std::future::pending());
    let dropped = futures_util::future::select(Box::pin(stuck), Box::pin(wait_twice())).await;
    drop(dropped);

    let value = loader.load(1, |keys| shelf.read(keys)).await;

    assert_eq!(found(value), 1);
    assert_eq!(shelf.counts(), (1, 1));
}

/// Long enough for another future of the same task to begin its read.
async fn wait_twice() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}
