//! A disk as a power cut finds it.
//!
//! What a program was told to be on the disk (`fsync`) is there. Of what was done to a file since then, each write and
//! each truncation may be there or not, whatever their order; a write may be there in some of its sectors only; and where
//! one is not there, the file may be as long as if it were, with zeros in its place. Files keep out of one another's way: one
//! may be on the disk further than another. Names appear and go by the folder's journal: those of the folder's last `fsync`
//! stand, and of what was done to names since then some first part.
//!
//! This is harsher than disks are, where a sector that was written twice never has the second without the first.

use std::collections::BTreeMap;

use super::trace::{Effect, Record, Trace};
use crate::random::Random;

/// What a disk writes whole, or not at all.
const SECTOR: usize = 512;

/// A file, whatever its name.
#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    /// Since the last `fsync`, each with what must be there of it.
    pending: Vec<Effect>,
}

/// A change of names: whom a name leads to from now on.
type Naming = (String, Option<usize>);

/// The files, and how far each is on the disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// As the program sees them.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<Naming>,
}

/// Files by their names.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// How much of what is not yet on the disk a power cut leaves of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    Everything,
    /// The first so many in a hundred, as if in order.
    First(usize),
    /// So many in a hundred, in no order.
    Some(usize),
    /// So many sectors in a hundred, in no order.
    Torn(usize),
}

impl Left {
    fn choose(random: &mut Random) -> Left {
        let part = 1 + random.below(99);
        match random.below(8) {
            0 => Left::Nothing,
            1 => Left::Everything,
            2 | 3 => Left::First(part),
            4 | 5 => Left::Some(part),
            _ => Left::Torn(part),
        }
    }
}

impl Disk {
    /// What the program does next.
    pub(crate) fn take(&mut self, record: &Record, trace: &Trace) {
        let name = &record.name;
        match &record.effect {
            Effect::Create => {
                let id = self.files.len();
                self.files.push(File::default());
                self.name(name.clone(), Some(id));
            }
            Effect::Remove => self.name(name.clone(), None),
            Effect::Rename(new) => {
                let id = self.id(name);
                self.name(new.clone(), Some(id));
                self.name(name.clone(), None);
            }
            Effect::SyncFolder => {
                self.durable_names.clone_from(&self.names);
                self.pending_names.clear();
            }
            Effect::Sync => {
                let id = self.id(name);
                let file = &mut self.files[id];
                for effect in std::mem::take(&mut file.pending) {
                    put(&mut file.durable, &effect, trace);
                }
            }
            effect => {
                let id = self.id(name);
                self.files[id].pending.push(effect.clone());
            }
        }
    }

    fn id(&self, name: &str) -> usize {
        *self.names.get(name).unwrap_or_else(|| panic!("{name} was never made"))
    }

    fn name(&mut self, name: String, id: Option<usize>) {
        lead(&mut self.names, &name, id);
        self.pending_names.push((name, id));
    }

    /// What a program finds that goes on.
    pub(crate) fn files(&self, trace: &Trace) -> Files {
        let whole = |id: usize| {
            let mut bytes = self.files[id].durable.clone();
            for effect in &self.files[id].pending {
                put(&mut bytes, effect, trace);
            }
            bytes
        };
        self.names.iter().map(|(name, id)| (name.clone(), whole(*id))).collect()
    }

    /// What a program finds that begins after the power was cut, and how much was left of which file.
    pub(crate) fn cut(&self, trace: &Trace, random: &mut Random) -> (Files, Vec<(String, Left)>) {
        let mut names = self.durable_names.clone();
        let journalled = random.below(self.pending_names.len() + 1);
        for (name, id) in &self.pending_names[..journalled] {
            lead(&mut names, name, *id);
        }
        let (mut files, mut how) = (Files::new(), Vec::new());
        for (name, id) in names {
            let file = &self.files[id];
            let left = Left::choose(random);
            files.insert(name.clone(), file.cut(trace, left, random));
            if !file.pending.is_empty() {
                how.push((name, left));
            }
        }
        (files, how)
    }
}

fn lead(names: &mut BTreeMap<String, usize>, name: &str, id: Option<usize>) {
    match id {
        Some(id) => names.insert(name.to_owned(), id),
        None => names.remove(name),
    };
}

impl File {
    fn cut(&self, trace: &Trace, left: Left, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let first = match left {
            Left::First(part) => self.pending.len() * part / 100,
            _ => 0,
        };
        // Whether the length of a file may be on the disk without what made it so long.
        let is_sized = random.percent(25);
        for (number, effect) in self.pending.iter().enumerate() {
            let is_there = |random: &mut Random| match left {
                Left::Nothing => false,
                Left::Everything => true,
                Left::First(_) => number < first,
                Left::Some(part) | Left::Torn(part) => random.percent(part),
            };
            match (left, effect) {
                (Left::Torn(_), Effect::Write(at, data)) => {
                    for sector in sectors(*at, data.len()) {
                        if is_there(random) {
                            let data = data.start + sector.start - at..data.start + sector.end - at;
                            put(&mut bytes, &Effect::Write(sector.start, data), trace);
                        }
                    }
                }
                _ if is_there(random) => put(&mut bytes, effect, trace),
                (_, Effect::Write(at, data)) if is_sized && bytes.len() < at + data.len() => {
                    bytes.resize(at + data.len(), 0);
                }
                _ => {}
            }
        }
        bytes
    }
}

/// A range of a file in parts that lie in one sector each.
fn sectors(begin: usize, length: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let end = begin + length;
    let mut at = begin;
    std::iter::from_fn(move || {
        let next = end.min((at / SECTOR + 1) * SECTOR);
        let sector = at..next;
        at = next;
        (!sector.is_empty()).then_some(sector)
    })
}

fn put(bytes: &mut Vec<u8>, effect: &Effect, trace: &Trace) {
    match effect {
        Effect::Write(at, data) => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(&trace.bytes[data.clone()]);
        }
        Effect::Truncate(length) => bytes.resize(*length, 0),
        other => unreachable!("{other:?} is no change of a file's bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A file of 1,024 bytes of ones that are on the disk, then twos and threes over them that are not.
    fn disk() -> (Disk, Trace) {
        let bytes: Vec<u8> = [1, 2, 3].into_iter().flat_map(|byte| [byte; 1024]).collect();
        let record = |name: &str, effect| Record {
            name: name.to_owned(),
            effect,
            end: 0,
        };
        let write = |at, from: usize| Effect::Write(at, from..from + 1024);
        let records = vec![
            record("a", Effect::Create),
            record("a", write(0, 0)),
            record("a", Effect::Sync),
            record(".", Effect::SyncFolder),
            record("a", write(256, 1024)),
            record("a", write(1024, 2048)),
            record("b", Effect::Create),
        ];
        let trace = Trace { bytes, records };
        let mut disk = Disk::default();
        for record in &trace.records {
            disk.take(record, &trace);
        }
        (disk, trace)
    }

    #[test]
    fn what_was_synced_is_there_and_what_was_not_may_be_in_any_part() {
        let (disk, trace) = disk();

        let mut seen = HashSet::new();
        for seed in 0..2000 {
            let (files, _) = disk.cut(&trace, &mut Random::new(seed));
            let bytes = &files["a"];
            assert!(bytes[..256].iter().all(|byte| *byte == 1), "{bytes:?}");
            let at = |place: usize| bytes.get(place).copied();
            // One of each sector that may be torn, the length, and whether the other has a name.
            seen.insert((at(256), at(512), at(1024), at(1279), at(1536), files.contains_key("b")));
        }

        let twos = |first, second| move |(a, b, ..): &(Option<u8>, Option<u8>, _, _, _, _)| *a == first && *b == second;
        assert!(seen.iter().any(twos(Some(1), Some(2))), "the later sector alone");
        assert!(seen.iter().any(twos(Some(2), Some(1))), "the earlier sector alone");
        for (third, name) in [(None, true), (Some(0), false), (Some(3), true)] {
            assert!(
                seen.iter().any(|found| found.4 == third && found.5 == name),
                "{third:?}"
            );
        }
        assert!(
            seen.iter().any(|found| found.0 == Some(1) && found.4 == Some(3)),
            "the later write alone"
        );
    }

    #[test]
    fn who_goes_on_finds_everything() {
        let (disk, trace) = disk();

        let files = disk.files(&trace);

        let mut bytes = vec![1; 256];
        bytes.extend([2; 768]);
        bytes.extend([3; 1024]);
        assert_eq!(files["a"], bytes);
        assert_eq!(files["b"], b"");
    }
}
