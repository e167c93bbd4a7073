//! What was read of one page's log lately, for all who catch up at about the same time. Pure: no task, no database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::audience::Audience;
use crate::store::log::{Entry, Extent};

/// How many entries one read brings. A read may come every 100 ms (`desk.rs`), so this is 5,000 entries a second for
/// everybody together; a longer read would hold up those who wait for the next one.
pub(super) const SEGMENT: u64 = 500;

/// How many entries are kept of a page: eight reads. Who comes back after a storm stands at few different places, and
/// an incident that is carried whole has a few kilobytes.
pub(super) const MOST: usize = 8 * SEGMENT as usize;

/// Bytes that one read is to bring at most, as far as the size of what it brings can be foreseen. A thousand usual entries
/// have half as much.
const READ_BYTES: usize = 8 << 20;

/// Bytes that those may have together that are kept of a page, but for the newest read: eight reads, again.
const MOST_BYTES: usize = 8 * READ_BYTES;

/// How long a segment stays that nobody reads: longer than a socket may take to swallow a full buffer.
const UNUSED: Duration = Duration::from_secs(5);

/// How many entries a read is to bring where one has so many bytes: fewer where they are large.
pub(super) fn at_once(size: usize) -> u64 {
    let fitting = READ_BYTES / size.max(1);
    u64::try_from(fitting).unwrap_or(SEGMENT).clamp(1, SEGMENT)
}

/// What one read of the log brought; all of it of one moment.
#[derive(Debug)]
pub(super) struct Read {
    /// How far the streams went.
    pub(super) extent: Extent,
    pub(super) audience: Audience,
    pub(super) after: u64,
    /// How many it was to bring at most.
    pub(super) limit: u64,
    pub(super) entries: Vec<Arc<Entry>>,
}

/// What follows a position, as far as reads of the log tell.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// The entry with the next number.
    Entry(Arc<Entry>),
    /// The next number was pruned; the stream went to `head` when that was seen.
    Lost { head: u64 },
    /// The log goes no further.
    Nothing,
}

/// Entries of a stream, numbered from just after a number without a gap.
#[derive(Debug)]
struct Segment {
    audience: Audience,
    after: u64,
    entries: Vec<Arc<Entry>>,
    used: Instant,
}

/// The segments of one page, the least lately read first, and what is known of its streams.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    segments: Vec<Segment>,
    extent: Extent,
}

impl Shelf {
    /// Takes note of how far the streams go. Neither floors nor heads ever sink, so the higher of two is the later.
    pub(super) fn know(&mut self, extent: Extent) {
        for (known, seen) in [
            (&mut self.extent.public, extent.public),
            (&mut self.extent.staff, extent.staff),
        ] {
            known.floor = known.floor.max(seen.floor);
            known.head = known.head.max(seen.head);
        }
    }

    /// How far the streams go, as far as is known.
    pub(super) const fn extent(&self) -> &Extent {
        &self.extent
    }

    /// Puts what was read where others find it. Returns the position after which it lacks an entry that should be there.
    ///
    /// The floor and the entries must be of one moment: pruning leaves the newest event of each thing below the floor,
    /// so that numbers without a gap do not prove that nothing is missing.
    pub(super) fn keep(&mut self, read: Read, now: Instant) -> Option<u64> {
        self.know(read.extent);
        let span = read.extent.of(read.audience);
        if read.after < span.floor {
            return None;
        }
        let mut entries = read.entries;
        let joined = (read.after + 1..)
            .zip(&entries)
            .take_while(|(number, entry)| entry.number(read.audience) == Some(*number))
            .count();
        let is_whole = joined == entries.len();
        entries.truncate(joined);
        let end = read.after + joined as u64;
        if joined > 0 {
            self.segments.push(Segment {
                audience: read.audience,
                after: read.after,
                entries,
                used: now,
            });
        }
        while self.is_too_much() {
            self.segments.remove(0);
        }
        (!is_whole || ((joined as u64) < read.limit && end < span.head)).then_some(end)
    }

    /// What follows a position, if reads have told. A segment is true for ever, also when the log has let go of it.
    pub(super) fn look(&mut self, audience: Audience, position: u64, now: Instant) -> Option<Found> {
        let covers = |segment: &Segment| {
            segment.audience == audience
                && (segment.after..segment.after + segment.entries.len() as u64).contains(&position)
        };
        if let Some(at) = self.segments.iter().rposition(covers) {
            let mut segment = self.segments.remove(at);
            segment.used = now;
            let index = usize::try_from(position - segment.after).unwrap_or(usize::MAX);
            let found = segment.entries.get(index).cloned();
            self.segments.push(segment);
            return found.map(Found::Entry);
        }
        let span = self.extent.of(audience);
        (position < span.floor).then_some(Found::Lost { head: span.head })
    }

    /// Lets go of what nobody reads any more.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.segments
            .retain(|segment| now.saturating_duration_since(segment.used) < UNUSED);
    }

    fn is_too_much(&self) -> bool {
        self.len() > MOST
            || (self.segments.len() > 1 && self.entries().map(|entry| entry.size).sum::<usize>() > MOST_BYTES)
    }

    fn len(&self) -> usize {
        self.entries().count()
    }

    fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.segments.iter().flat_map(|segment| &segment.entries)
    }
}

#[cfg(test)]
mod tests;
