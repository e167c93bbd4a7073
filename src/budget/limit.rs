//! The limits of a budget, and how it is told that one was exceeded.

use std::time::Duration;

/// What one execution may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fields to resolve, counted where lists are expanded: 100,000, twice what the static cost admits, since fields
    /// below nested lists are counted once more for each level above them.
    pub fields: u64,
    /// Rows to read from the database: 50,000. An ordinary page of 50 incidents with their timelines needs about 3,000.
    pub rows: u64,
    /// Bytes of texts to read and to show, each: 12 MiB. A page of 50 incidents with ten updates of a kilobyte has
    /// 1 MiB, once as Markdown and once as HTML. An answer exists three times while it is sent: as the rows, as values
    /// and as JSON, which must stay below 64 MiB together.
    pub bytes: u64,
    /// From the start to the end of the execution: 5 s.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            fields: 100_000,
            rows: 50_000,
            bytes: 12 << 20,
            time: Duration::from_secs(5),
        }
    }
}

/// A limit of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Fields,
    Rows,
    Bytes,
    Time,
}

impl Limit {
    /// Its stable name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Limit::Fields => "fields",
            Limit::Rows => "rows",
            Limit::Bytes => "bytes",
            Limit::Time => "time",
        }
    }
}

/// An execution needed more than its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request needs more than one execution may use: its {} may be at most {max}", .limit.as_str())]
pub struct Exceeded {
    pub limit: Limit,
    /// Fields, rows, bytes, or milliseconds.
    pub max: u64,
}
