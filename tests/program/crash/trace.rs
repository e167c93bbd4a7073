//! What the recorder (`recorder.c`) wrote down: the effects on the files of a folder, in their order.

use std::ops::Range;
use std::path::Path;

/// The length of what stands in front of a record's name: its kind, the length of the name, a place, a length.
const HEAD: usize = 4 + 4 + 8 + 8;

/// What was done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Create,
    /// These bytes of the trace, at a place in the file.
    Write(usize, Range<usize>),
    /// To a length.
    Truncate(usize),
    /// What was done to the file so far is on the disk.
    Sync,
    Remove,
    Rename(String),
    /// What was done to names so far is on the disk.
    SyncFolder,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) effect: Effect,
    /// How long the trace was when this had been written down.
    pub(crate) end: u64,
}

/// All of it. Its bytes are read once and pointed to.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Record>,
}

impl Trace {
    pub(crate) fn read(path: &Path) -> Trace {
        let bytes = std::fs::read(path).expect("the recorder wrote a trace");
        let (mut records, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let record = record(&bytes, at).expect("a trace ends with a whole record");
            at = usize::try_from(record.end).expect("it is in memory");
            records.push(record);
        }
        Trace { bytes, records }
    }
}

fn record(bytes: &[u8], begin: usize) -> Option<Record> {
    let (kind, rest) = bytes.get(begin..)?.split_first_chunk()?;
    let (name, rest) = rest.split_first_chunk()?;
    let (place, rest) = rest.split_first_chunk()?;
    let (length, _) = rest.split_first_chunk()?;
    let kind = u32::from_ne_bytes(*kind);
    let name_length = usize::try_from(u32::from_ne_bytes(*name)).ok()?;
    let place = usize::try_from(u64::from_ne_bytes(*place)).ok()?;
    let length = usize::try_from(u64::from_ne_bytes(*length)).ok()?;
    let name = begin + HEAD..begin + HEAD + name_length;
    let data = name.end..name.end + length;
    let text = |range: &Range<usize>| String::from_utf8(bytes.get(range.clone())?.to_vec()).ok();
    bytes.get(data.clone())?;
    Some(Record {
        name: text(&name)?,
        end: data.end as u64,
        // As `enum kind` in recorder.c.
        effect: match kind {
            1 => Effect::Create,
            2 => Effect::Write(place, data),
            3 => Effect::Truncate(place),
            4 => Effect::Sync,
            5 => Effect::Remove,
            6 => Effect::Rename(text(&data)?),
            7 => Effect::SyncFolder,
            _ => return None,
        },
    })
}
