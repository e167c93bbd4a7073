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
    /// How many faults one round has, and in how many milliseconds they begin. Short rounds are for what shows at their end.
    faults: usize,
    round_millis: u64,
    /// Changes a second.
    rate: usize,
    /// The ways in which it may be reported.
    kinds: &'static [Kind],
}

const SUIT: Suit = Suit {
    place: Place::Sqlite,
    deck: &[Card::Reset],
    faults: 4,
    round_millis: 3000,
    rate: 25,
    kinds: &[Kind::Late],
};

const fn suit(bug: Bug) -> Suit {
    use Card::{Burst, ClientForgotten, CutListeners, Kill, Prune, Reset, Return, Roll, ServerForgotten, Stall};
    match bug {
        Bug::NumberBeforeLock => Suit {
            place: Place::Postgres,
            deck: &[Burst, Burst, Reset],
            // A number that a failed change took is a hole, and nobody gets past one. Two changes that come after the same
            // one in the audit's chain cannot both be kept.
            kinds: &[
                Kind::WrongReset,
                Kind::Skipped,
                Kind::LogBroken,
                Kind::Late,
                Kind::Refused,
            ],
            ..SUIT
        },
        Bug::AcknowledgedEarly => Suit {
            deck: &[Kill],
            // What is said of an incident that is lost is refused.
            kinds: &[Kind::WriteLost, Kind::Refused],
            ..SUIT
        },
        Bug::IdempotencyForgotten => Suit {
            deck: &[Reset, ServerForgotten, ClientForgotten],
            // A repeated call that resolves is refused where it is not known again.
            kinds: &[Kind::WrittenTwice, Kind::Refused],
            ..SUIT
        },
        Bug::BellBeforeCommit => SUIT,
        // What was committed while nothing was heard must be the last of its page: so it is when the cut ends the round.
        Bug::ReconnectWithoutRead => Suit {
            place: Place::Postgres,
            deck: &[CutListeners],
            faults: 1,
            round_millis: 800,
            ..SUIT
        },
        // The same of what was committed while a node began.
        Bug::ReadBeforeWatch => Suit {
            deck: &[Kill, Roll],
            faults: 1,
            round_millis: 800,
            ..SUIT
        },
        Bug::SeamOffByOne => Suit {
            deck: &[Kill, Return],
            kinds: &[Kind::Skipped],
            ..SUIT
        },
        Bug::ResumeInclusive => Suit {
            deck: &[Reset, Return],
            kinds: &[Kind::Repeated],
            ..SUIT
        },
        // What a node has in memory is not lost to those who come back: it must start after the pruning.
        Bug::LostSkipped => Suit {
            deck: &[Burst, Prune, Kill, Return],
            kinds: &[Kind::Skipped],
            ..SUIT
        },
        Bug::DropWhenSlow => Suit {
            deck: &[Stall, Burst],
            rate: 40,
            // The next thing to come may be a heartbeat.
            kinds: &[Kind::Skipped, Kind::WrongHeartbeat],
            ..SUIT
        },
        Bug::RejoinEarly => Suit {
            deck: &[Reset, Stall, Burst],
            kinds: &[Kind::Skipped, Kind::WrongHeartbeat],
            ..SUIT
        },
        Bug::AudienceForgotten => Suit {
            kinds: &[Kind::WrongContent],
            ..SUIT
        },
        Bug::CommitNotOnDisk => panic!("nothing shows it here"),
    }
}

#[expect(clippy::print_stderr, reason = "a run tells what it saw")]
async fn is_seen(bug: Bug) {
    let Suit {
        place,
        deck,
        faults,
        round_millis,
        rate,
        kinds,
    } = suit(bug);
    let plan = Plan {
        place,
        seed: seed(),
        length: LENGTH,
        shape: Shape {
            deck: deck.to_vec(),
            faults,
            round: Duration::from_millis(round_millis),
            rate,
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
            // A process that is killed loses nothing of what the system has; a power cut shows it (tests/program/crash.rs).
            assert_eq!(Bug::ALL, [$(Bug::$bug,)+ Bug::CommitNotOnDisk]);
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
