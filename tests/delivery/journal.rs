//! What happened in a run, and the first thing that must not happen.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// How many lines of what happened are kept: some ten seconds of a busy run.
const KEPT: usize = 4000;
/// How far back a violation tells of what happened to everybody.
const BEFORE: Duration = Duration::from_secs(12);

/// In which way the promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An event came again, or after one that follows it.
    Repeated,
    /// An event came before one that precedes it.
    Skipped,
    /// Something that was committed did not come in time.
    Late,
    /// A subscriber was reset although nothing was pruned that it had not seen.
    WrongReset,
    /// A heartbeat stands where its subscriber does not.
    WrongHeartbeat,
    /// What came is not what the log holds under that number.
    WrongContent,
    /// One call wrote twice.
    WrittenTwice,
    /// An acknowledged change is not in the log.
    WriteLost,
    /// The log has a hole, or holds numbers past its head.
    LogBroken,
    /// An answer that no fault explains.
    Refused,
    /// A node did not start, or not stop in good order.
    NodeFailed,
}

/// What broke the promise.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    /// Who met it.
    pub(crate) who: String,
    /// What was expected, and what came.
    pub(crate) what: String,
    pub(crate) at: Duration,
    /// The journal around it.
    around: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            kind,
            who,
            what,
            at,
            around,
        } = self;
        write!(f, "{kind:?} at {:.3} s: {who}: {what}\n{around}", at.as_secs_f64())
    }
}

struct Line {
    at: Duration,
    who: String,
    what: String,
}

/// The journal of a run. Faults and rounds are told by `world`, the rest by those it happens to.
pub(crate) struct Journal {
    began: Instant,
    lines: Mutex<VecDeque<Line>>,
    /// How often something that is worth counting happened.
    counts: Mutex<BTreeMap<String, usize>>,
    violation: Mutex<Option<Violation>>,
    broken: CancellationToken,
}

/// Who tells of what happens to everybody.
pub(crate) const WORLD: &str = "world";

impl Journal {
    pub(crate) fn new() -> Journal {
        Journal {
            began: Instant::now(),
            lines: Mutex::default(),
            counts: Mutex::default(),
            violation: Mutex::default(),
            broken: CancellationToken::new(),
        }
    }

    /// Since the run began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn tell(&self, who: &str, what: impl Into<String>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_back(Line {
            at: self.elapsed(),
            who: who.to_owned(),
            what: what.into(),
        });
        if lines.len() > KEPT {
            lines.pop_front();
        }
    }

    pub(crate) fn count(&self, what: String) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(what).or_default() += 1;
    }

    /// What was counted, one a line.
    pub(crate) fn counts(&self) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|(what, count)| format!("  {count:6} × {what}\n"))
            .collect()
    }

    /// The promise is broken. The first to say so ends the run.
    pub(crate) fn violate(&self, kind: Kind, who: &str, what: impl Into<String>) {
        let mut violation = self.violation.lock().unwrap_or_else(PoisonError::into_inner);
        violation.get_or_insert_with(|| Violation {
            kind,
            who: who.to_owned(),
            what: what.into(),
            at: self.elapsed(),
            around: self.around(who),
        });
        drop(violation);
        self.broken.cancel();
    }

    /// Ends with the first violation.
    pub(crate) async fn broken(&self) {
        self.broken.cancelled().await;
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.violation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn around(&self, who: &str) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.elapsed().saturating_sub(BEFORE);
        let told = lines
            .iter()
            .filter(|line| line.at >= since && (line.who == who || line.who == WORLD))
            .map(|line| format!("  {:8.3}  {}: {}", line.at.as_secs_f64(), line.who, line.what));
        told.collect::<Vec<_>>().join("\n")
    }
}
