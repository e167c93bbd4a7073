//! The newest entries of one page, by number, for each audience. Pure: no task, no database.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::audience::Audience;
use crate::store::log::{Entry, Extent, Span};

/// How many entries a ring keeps. Real pages change a few times a minute on their worst day, so this is hours; a
/// reader that is further behind reads the log.
pub(super) const CAPACITY: usize = 1024;

/// Bytes that those may have together, but for the newest: 16 MiB, four times what a thousand have that carry an incident of
/// a few updates. An incident of some hundred long ones is a megabyte in each of its events.
const MOST_BYTES: usize = 16 << 20;

/// What comes after a position.
#[derive(Debug)]
pub(super) enum Next {
    /// This entry, with its number in the audience's stream.
    Entry(u64, Arc<Entry>),
    /// The ring has moved on: the log has it.
    Gone,
    /// Nothing yet.
    Wait,
}

/// One audience's stream: entries numbered from just after `floor`, without a gap, to `tail`.
#[derive(Debug)]
struct Strand {
    floor: u64,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    capacity: usize,
}

impl Strand {
    fn tail(&self) -> u64 {
        self.floor + self.entries.len() as u64
    }

    fn push(&mut self, entry: &Arc<Entry>) {
        self.entries.push_back(Arc::clone(entry));
        self.bytes += entry.size;
        while self.is_too_much()
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.size;
            self.floor += 1;
        }
    }

    fn is_too_much(&self) -> bool {
        let count = self.entries.len();
        count > self.capacity || (count > 1 && self.bytes > MOST_BYTES)
    }

    fn after(&self, position: u64) -> Next {
        if position < self.floor {
            return Next::Gone;
        }
        let index = usize::try_from(position - self.floor).unwrap_or(usize::MAX);
        match self.entries.get(index) {
            Some(entry) => Next::Entry(position + 1, Arc::clone(entry)),
            None => Next::Wait,
        }
    }
}

/// The ring of one page.
#[derive(Debug)]
pub(super) struct Ring {
    public: Strand,
    staff: Strand,
}

impl Ring {
    /// A ring of the newest entries of a log that goes so far, both read at the same moment. What does not lead up to
    /// the head without a gap is left out.
    pub(super) fn begin(extent: &Extent, newest: &[Arc<Entry>]) -> Ring {
        Ring::of_capacity(CAPACITY, extent, newest)
    }

    /// The same for a ring that keeps another number of entries of each stream.
    pub(super) fn of_capacity(capacity: usize, extent: &Extent, newest: &[Arc<Entry>]) -> Ring {
        let mut first = extent.staff.head;
        let joined = newest.iter().rev().take_while(|entry| {
            let is_joined = entry.staff_number == first;
            first = first.saturating_sub(u64::from(is_joined));
            is_joined
        });
        let joined = &newest[newest.len() - joined.count()..];
        let public_count = joined.iter().filter(|entry| entry.public_number.is_some()).count();
        let strand = |floor| Strand {
            floor,
            entries: VecDeque::new(),
            bytes: 0,
            capacity,
        };
        let mut ring = Ring {
            public: strand(extent.public.head.saturating_sub(public_count as u64)),
            staff: strand(extent.staff.head.saturating_sub(joined.len() as u64)),
        };
        for entry in joined {
            ring.push(entry);
        }
        ring
    }

    /// From just after which number to which it has a stream's entries.
    pub(super) fn span(&self, audience: Audience) -> Span {
        let strand = self.strand(audience);
        Span {
            floor: strand.floor,
            head: strand.tail(),
        }
    }

    /// How many bytes an entry has, in the mean.
    pub(super) fn size(&self) -> usize {
        self.staff.bytes / self.staff.entries.len().max(1)
    }

    /// Adds what the log has after the tail, in its order, as far as no number is missing; an entry that is known
    /// already is passed over. Tells whether that is all of it: otherwise something between was pruned before it was
    /// read.
    pub(super) fn extend(&mut self, entries: &[Arc<Entry>]) -> bool {
        for entry in entries {
            self.push(entry);
        }
        entries.last().is_none_or(|last| last.staff_number <= self.staff.tail())
    }

    fn push(&mut self, entry: &Arc<Entry>) {
        if entry.staff_number != self.staff.tail() + 1 {
            return;
        }
        if entry.public_number.is_some() {
            self.public.push(entry);
        }
        self.staff.push(entry);
    }

    const fn strand(&self, audience: Audience) -> &Strand {
        match audience {
            Audience::Public => &self.public,
            Audience::Staff => &self.staff,
        }
    }

    /// What comes after a position of an audience's stream.
    pub(super) fn after(&self, audience: Audience, position: u64) -> Next {
        self.strand(audience).after(position)
    }
}

#[cfg(test)]
mod tests;
