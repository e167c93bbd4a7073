//! Documents that clients have sent, as many as there is room for: those that were asked for last.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Hash;

/// Remembers documents by their hash.
#[derive(Debug)]
pub(super) struct Memory {
    max_entries: usize,
    max_bytes: usize,
    bytes: usize,
    /// With the moment in which each was last asked for.
    entries: HashMap<Hash, (u64, Arc<str>)>,
    /// The same by these moments, the longest ago first.
    order: BTreeMap<u64, Hash>,
    now: u64,
}

impl Memory {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Memory {
        Memory {
            max_entries,
            max_bytes,
            bytes: 0,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            now: 0,
        }
    }

    pub(super) fn get(&mut self, hash: &Hash) -> Option<Arc<str>> {
        self.now += 1;
        let (asked, text) = self.entries.get_mut(hash)?;
        self.order.remove(asked);
        *asked = self.now;
        self.order.insert(self.now, *hash);
        Some(Arc::clone(text))
    }

    /// Keeps a document, and forgets what there is no room for any more. One that would fill it alone is not kept.
    pub(super) fn insert(&mut self, hash: Hash, text: Arc<str>) {
        if text.len() > self.max_bytes || self.get(&hash).is_some() {
            return;
        }
        self.now += 1;
        self.bytes += text.len();
        self.order.insert(self.now, hash);
        self.entries.insert(hash, (self.now, text));
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            if let Some((_, text)) = self.entries.remove(&oldest) {
                self.bytes -= text.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(number: u8) -> Hash {
        [number; 32]
    }

    #[test]
    fn what_was_not_asked_for_longest_is_forgotten_first() {
        let mut memory = Memory::new(2, 1_000);
        memory.insert(hash(1), "one".into());
        memory.insert(hash(2), "two".into());
        memory.get(&hash(1));

        memory.insert(hash(3), "three".into());

        let kept = [1, 2, 3].map(|number| memory.get(&hash(number)).is_some());
        assert_eq!(kept, [true, false, true]);
    }

    #[test]
    fn a_document_larger_than_all_the_room_pushes_nothing_out() {
        let mut memory = Memory::new(10, 5);
        memory.insert(hash(1), "small".into());

        memory.insert(hash(2), "larger".into());

        assert!(memory.get(&hash(1)).is_some() && memory.get(&hash(2)).is_none());
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_it_may(steps in prop::collection::vec((0_u8..20, 0_usize..30, any::<bool>()), 0..200)) {
            let mut memory = Memory::new(5, 60);
            for (number, length, inserts) in steps {
                match inserts {
                    true => memory.insert(hash(number), "x".repeat(length).into()),
                    false => {
                        memory.get(&hash(number));
                    }
                }
                let bytes: usize = memory.entries.values().map(|(_, text)| text.len()).sum();
                prop_assert!(memory.entries.len() <= 5 && bytes <= 60);
                prop_assert_eq!(memory.bytes, bytes);
                prop_assert_eq!(memory.order.len(), memory.entries.len());
            }
        }
    }
}
