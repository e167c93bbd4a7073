//! Is the checker known to see? Each seeded bug is run under a schedule that suits it, and must be reported in the way
//! that it should be seen.

use std::time::Duration;

use allclear::seeded::Bug;

use crate::journal::Kind;
use crate::run::{Place, Plan, run};
use crate::schedule::{Card, Shape};
use crate::{TRANSPORTS, seed};

/// In how long a time a bug must be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(60);
/// Faults end before that, so that the last calm is over too.
const LENGTH: Duration = Duration::from_secs(45);

/// What makes a bug show.
struct Suit {
    place: Place,
    deck: &'static [Card],
    /// The ways in which it may be reported.
    kinds: &'static [Kind],
}

const fn suit(bug: Bug) -> Suit {
    use Card::{
        Burst, ClientForgotten, CutListeners, Kill, Prune, Reset, RestartPostgres, Return, Roll, ServerForgotten, Stall,
    };
    use Place::{Postgres, Sqlite};
    match bug {
        Bug::NumberBeforeLock => Suit {
            place: Postgres,
            deck: &[Burst, Burst, Reset],
            // A number that a failed change took is a hole.
            kinds: &[Kind::WrongReset, Kind::Skipped, Kind::LogBroken],
        },
        Bug::AcknowledgedEarly => Suit {
            place: Sqlite,
            deck: &[Kill],
            kinds: &[Kind::WriteLost],
        },
        Bug::IdempotencyForgotten => Suit {
            place: Sqlite,
            deck: &[Reset, ServerForgotten, ClientForgotten],
            // A repeated call that resolves is refused where it is not known again.
            kinds: &[Kind::WrittenTwice, Kind::Refused],
        },
        Bug::BellBeforeCommit => Suit {
            place: Sqlite,
            deck: &[Reset],
            kinds: &[Kind::Late],
        },
        // What was committed while nothing was heard must be the last of its page: so it is when the database's return
        // ends the round.
        Bug::ReconnectWithoutRead => Suit {
            place: Postgres,
            deck: &[RestartPostgres, CutListeners],
            kinds: &[Kind::Late],
        },
        // The same of what was committed while a node began.
        Bug::ReadBeforeWatch => Suit {
            place: Sqlite,
            deck: &[Kill, Roll],
            kinds: &[Kind::Late],
        },
        // The log must have grown past what a node that starts takes into memory.
        Bug::SeamOffByOne => Suit {
            place: Sqlite,
            deck: &[Burst, Burst, Kill, Return, Return],
            kinds: &[Kind::Skipped],
        },
        Bug::ResumeInclusive => Suit {
            place: Sqlite,
            deck: &[Reset, Return],
            kinds: &[Kind::Repeated],
        },
        Bug::LostSkipped => Suit {
            place: Sqlite,
            deck: &[Prune],
            kinds: &[Kind::Skipped],
        },
        Bug::DropWhenSlow => Suit {
            place: Sqlite,
            deck: &[Stall, Burst],
            kinds: &[Kind::Skipped],
        },
        Bug::RejoinEarly => Suit {
            place: Sqlite,
            deck: &[Reset, Stall, Burst],
            kinds: &[Kind::Skipped],
        },
        Bug::AudienceForgotten => Suit {
            place: Sqlite,
            deck: &[Reset],
            kinds: &[Kind::WrongContent],
        },
    }
}

#[expect(clippy::print_stderr, reason = "a run tells what it saw")]
async fn is_seen(bug: Bug) {
    let Suit { place, deck, kinds } = suit(bug);
    let plan = Plan {
        place,
        seed: seed(),
        length: LENGTH,
        shape: Shape {
            deck: deck.to_vec(),
            faults: 4,
            round: Duration::from_secs(3),
            rate: 25,
        },
        transports: TRANSPORTS,
        bug: Some(bug.as_str()),
    };
    let Some(outcome) = run(plan).await else { return };
    let Some(violation) = outcome.violation else {
        panic!("{bug} was not seen:\n{}", outcome.story);
    };
    eprintln!(
        "{bug} was seen after {:.1} s: {violation}",
        outcome.elapsed.as_secs_f64()
    );
    assert!(
        kinds.contains(&violation.kind),
        "{bug} was seen as something else: {violation}"
    );
    assert!(outcome.elapsed < SEEN_WITHIN, "{bug} was seen late: {violation}");
}

/// One test for each bug, so that several run side by side.
macro_rules! seen {
    ($($name:ident: $bug:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                is_seen(Bug::$bug).await;
            }
        )+

        #[test]
        fn every_bug_is_run() {
            assert_eq!(Bug::ALL, [$(Bug::$bug),+]);
        }
    };
}

seen! {
    numbers_taken_before_the_lock_are_seen: NumberBeforeLock,
    changes_acknowledged_before_their_commit_are_seen: AcknowledgedEarly,
    forgotten_idempotency_keys_are_seen: IdempotencyForgotten,
    a_bell_before_the_commit_is_seen: BellBeforeCommit,
    a_reconnect_without_a_read_is_seen: ReconnectWithoutRead,
    a_read_before_the_watch_is_seen: ReadBeforeWatch,
    a_seam_that_is_off_by_one_is_seen: SeamOffByOne,
    a_resumption_that_repeats_is_seen: ResumeInclusive,
    a_loss_that_nobody_is_told_of_is_seen: LostSkipped,
    a_message_dropped_for_a_slow_reader_is_seen: DropWhenSlow,
    a_slow_reader_that_rejoins_too_early_is_seen: RejoinEarly,
    an_audience_that_is_forgotten_is_seen: AudienceForgotten,
}
