//! Finished answers to queries, kept in memory for as long as they are right.
//!
//! The key is the request as it was sent, beside what its sender may see: a repeated request is answered before anything of it is
//! parsed. What an answer depends on (`Validity`) comes from the engine. Concurrent requests for an answer that is not there
//! wait for the first of them, which executes it for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, EntryAction, EntryResult, PlaceholderGuard};
use tokio::time::timeout;

use super::cached::CachedAnswer;
use super::http::Media;

/// Requests longer than this are not looked up: front ends send the same few documents, of a few kilobytes.
const MAX_REQUEST: usize = 16 << 10;

/// An answer that takes more than this share of the cache is not kept: it would push out all that is asked for often.
const LARGEST_SHARE: usize = 8;

/// How long it is remembered that the answer to a request cannot be kept. Until then such requests do not wait for one another. It is
/// short, as the first answer about a page is made before the page is held in memory, and the next ones can be kept.
const UNFIT_FOR: Duration = Duration::from_millis(250);

/// How long a request waits for another one that makes the same answer. That takes a few milliseconds; if it takes longer, each is
/// better off by itself, and is told in time that the database is away.
const WAIT_FOR: Duration = Duration::from_millis(250);

/// Bytes that an entry takes beside its key and its answer.
const ENTRY_BYTES: usize = 512;

/// Bytes of an answer by which the number of entries is estimated.
const USUAL_BYTES: usize = 8 << 10;

/// What makes two requests the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// What the sender may see, as the access module names it.
    pub(super) view: Box<[u8]>,
    pub(super) media: Media,
    pub(super) request: Raw,
}

/// A request as it was sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Raw {
    /// The body of a POST.
    Body(Bytes),
    /// The query string of a GET.
    Query(Box<str>),
}

impl Raw {
    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Raw::Body(body) => body.len(),
            Raw::Query(query) => query.len(),
        }
    }
}

#[derive(Clone)]
enum Kept {
    Answer(Arc<CachedAnswer>),
    /// The answer cannot be kept.
    Unfit(Instant),
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Kept> for Weight {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        let answer = match kept {
            Kept::Answer(answer) => answer.size(),
            Kept::Unfit(_) => 0,
        };
        (key.view.len() + key.request.len() + answer + ENTRY_BYTES) as u64
    }
}

/// The answers.
pub(super) struct ReadCache {
    /// `None` if nothing is kept.
    answers: Option<Cache<Key, Kept, Weight>>,
    max_answer: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What became of looking for an answer.
pub(super) enum Found<'a> {
    Hit(Arc<CachedAnswer>),
    /// The caller is to make the answer. Others who ask for the same wait until the vacancy is filled or dropped.
    Vacant(Vacancy<'a>),
    /// The answer is to be made and not kept.
    Unfit,
}

/// The place of an answer that is being made.
pub(super) struct Vacancy<'a> {
    guard: PlaceholderGuard<
        'a,
        Key,
        Kept,
        Weight,
        quick_cache::DefaultHashBuilder,
        quick_cache::sync::DefaultLifecycle<Key, Kept>,
    >,
    max_answer: usize,
}

impl Vacancy<'_> {
    /// Keeps the answer, unless it is too large.
    pub(super) fn fill(self, answer: &Arc<CachedAnswer>) {
        if answer.size() > self.max_answer {
            return self.give_up();
        }
        let _ = self.guard.insert(Kept::Answer(Arc::clone(answer)));
    }

    /// Remembers that the answer cannot be kept.
    pub(super) fn give_up(self) {
        let _ = self.guard.insert(Kept::Unfit(Instant::now() + UNFIT_FOR));
    }
}

impl ReadCache {
    /// A cache of so many bytes; 0 keeps nothing.
    pub(super) fn new(max_bytes: usize) -> ReadCache {
        let entries = (max_bytes / USUAL_BYTES).max(32);
        ReadCache {
            answers: (max_bytes > 0).then(|| Cache::with_weighter(entries, max_bytes as u64, Weight)),
            max_answer: max_bytes / LARGEST_SHARE,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Whether a request of this length may be looked up.
    pub(super) const fn takes(&self, length: usize) -> bool {
        self.answers.is_some() && length <= MAX_REQUEST
    }

    /// Looks for the answer to a request.
    pub(super) async fn find(&self, key: &Key) -> Found<'_> {
        let Some(answers) = &self.answers else {
            return Found::Unfit;
        };
        // A look that changes nothing needs no exclusive lock.
        if let Some(kept) = answers.get(key)
            && let Some(found) = self.current(&kept)
        {
            return found;
        }
        let looked = answers.entry_async(key, |_, kept| match self.current(kept) {
            Some(found) => EntryAction::Retain(found),
            None => EntryAction::ReplaceWithGuard,
        });
        match timeout(WAIT_FOR, looked).await {
            Ok(EntryResult::Retained(found)) => found,
            Ok(EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _)) => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                Found::Vacant(Vacancy {
                    guard,
                    max_answer: self.max_answer,
                })
            }
            Ok(EntryResult::Removed(..) | EntryResult::Timeout) | Err(_) => Found::Unfit,
        }
    }

    fn current(&self, kept: &Kept) -> Option<Found<'static>> {
        match kept {
            Kept::Answer(answer) => answer.is_current().then(|| {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Found::Hit(Arc::clone(answer))
            }),
            Kept::Unfit(until) => (Instant::now() < *until).then_some(Found::Unfit),
        }
    }
}

/// Tells the operator, once the server stops, what the cache was good for.
impl Drop for ReadCache {
    fn drop(&mut self) {
        let (hits, misses) = (*self.hits.get_mut(), *self.misses.get_mut());
        if self.answers.is_some() {
            tracing::info!(hits, misses, "read cache");
        }
    }
}
