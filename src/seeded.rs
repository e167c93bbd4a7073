//! Bugs that can be switched on, one at a time, so that the checkers of delivery (`tests/delivery`) and of power cuts
//! (`tests/program/crash.rs`) are known to see. Without the feature `seeded-bugs` each of these questions is a constant
//! `false`, and nothing of them is in the program.

use std::time::Duration;

use crate::domain::code::coded_enum;

/// How late what comes late does.
const LATE: Duration = Duration::from_millis(100);

coded_enum! {
    /// A way to break the promise of delivery (DESIGN.md, 2), or that of a commit. Its word is what `ALLCLEAR_SEEDED_BUG` says.
    pub enum Bug {
        /// Numbers are taken by a statement of their own, so that they become visible out of order.
        NumberBeforeLock = "number-before-lock",
        /// A change is acknowledged before it is committed.
        AcknowledgedEarly = "acknowledged-early",
        /// The answer to an idempotency key is not kept.
        IdempotencyForgotten = "idempotency-forgotten",
        /// The doorbell rings before the commit, and nobody looks again.
        BellBeforeCommit = "bell-before-commit",
        /// A node that hears others again does not look for what it missed, and nobody looks again.
        ReconnectWithoutRead = "reconnect-without-read",
        /// The log is read before a place at the ring is taken, and nobody looks for what was committed in between.
        ReadBeforeWatch = "read-before-watch",
        /// From the log to the ring one is skipped.
        SeamOffByOne = "seam-off-by-one",
        /// Who resumes gets the event of its cursor again.
        ResumeInclusive = "resume-inclusive",
        /// Who comes back from before the floor is not told that something is gone.
        LostSkipped = "lost-skipped",
        /// What a connection cannot take at once is dropped.
        DropWhenSlow = "drop-when-slow",
        /// Who was left behind joins the others again before it has caught up.
        RejoinEarly = "rejoin-early",
        /// What was rendered for one audience is shown to the other.
        AudienceForgotten = "audience-forgotten",
        /// A change is acknowledged before it is on SQLite's disk, as `synchronous=NORMAL` has it.
        CommitNotOnDisk = "commit-not-on-disk",
    }
}

#[cfg(not(feature = "seeded-bugs"))]
pub(crate) const fn seeded(_: Bug) -> bool {
    false
}

/// Whether this process runs with a bug.
#[cfg(feature = "seeded-bugs")]
pub(crate) fn seeded(bug: Bug) -> bool {
    use std::sync::LazyLock;

    static CHOSEN: LazyLock<Option<Bug>> = LazyLock::new(|| {
        let word = std::env::var("ALLCLEAR_SEEDED_BUG").ok()?;
        Some(Bug::from_word(&word).expect("ALLCLEAR_SEEDED_BUG is one of the bugs"))
    });
    *CHOSEN == Some(bug)
}

/// Whether nobody looks at the log unless a bell rings: with a look every half second, a bell that is lost is no bug.
pub(crate) fn is_deaf_between_bells() -> bool {
    [Bug::BellBeforeCommit, Bug::ReconnectWithoutRead, Bug::ReadBeforeWatch]
        .into_iter()
        .any(seeded)
}

/// Takes its time where a bug shows only if something else happens meanwhile.
pub(crate) async fn dawdle(bug: Bug) {
    if seeded(bug) {
        tokio::time::sleep(LATE).await;
    }
}

/// Lets something happen later than it should.
pub(crate) async fn late<T>(what: impl Future<Output = T>) -> T {
    tokio::time::sleep(LATE).await;
    what.await
}
