//! The newest entries of one page, by number, for each audience. Pure: no task, no database.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::audience::Audience;
use crate::store::log::Entry;

/// How many entries a ring keeps. Real pages change a few times a minute on their worst day, so this is hours; a
/// reader that is further behind reads the log.
pub(super) const CAPACITY: usize = 1024;

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
}

impl Strand {
    fn tail(&self) -> u64 {
        self.floor + self.entries.len() as u64
    }

    fn push(&mut self, entry: &Arc<Entry>) {
        self.entries.push_back(Arc::clone(entry));
        if self.entries.len() > CAPACITY {
            self.entries.pop_front();
            self.floor += 1;
        }
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
    /// A ring that begins after the heads its streams have now.
    pub(super) fn new(public_head: u64, staff_head: u64) -> Ring {
        let strand = |floor| Strand {
            floor,
            entries: VecDeque::new(),
        };
        Ring {
            public: strand(public_head),
            staff: strand(staff_head),
        }
    }

    /// The number of the staff's stream up to which the ring has read the log.
    pub(super) fn tail(&self) -> u64 {
        self.staff.tail()
    }

    /// Adds what the log has after the tail, in its order; an entry that is known already is passed over.
    pub(super) fn push(&mut self, entry: &Arc<Entry>) {
        if entry.staff_number != self.staff.tail() + 1 {
            return;
        }
        if entry.public_number.is_some() {
            self.public.push(entry);
        }
        self.staff.push(entry);
    }

    /// What comes after a position of an audience's stream.
    pub(super) fn after(&self, audience: Audience, position: u64) -> Next {
        match audience {
            Audience::Public => self.public.after(position),
            Audience::Staff => self.staff.after(position),
        }
    }
}

#[cfg(test)]
mod tests;
