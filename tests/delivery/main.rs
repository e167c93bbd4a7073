//! The promise of delivery, held against a world in which everything goes wrong: README.md beside this file tells how
//! it works, and how to run it for longer.

mod database;
mod feed;
mod journal;
mod node;
mod pause;
#[path = "../api/support/postgres.rs"]
mod postgres;
mod proxy;
mod random;
mod record;
#[path = "../api/support/require.rs"]
mod require;
mod run;
mod schedule;
#[cfg(feature = "seeded-bugs")]
mod seeded;
mod subscriber;
mod world;
mod writer;

use std::time::Duration;

use feed::Transport;
use run::{Place, Plan, run};
use schedule::{Card, Shape};

/// How long a run is unless `ALLCLEAR_DELIVERY_SECONDS` says otherwise: enough for each kind of fault once.
const SECONDS: u64 = 20;

/// From which length on a run has room for what takes a quarter of a minute.
const LONG: Duration = Duration::from_secs(45);

/// What is served so far.
const TRANSPORTS: &[Transport] = Transport::ALL;

fn length() -> Duration {
    let seconds = std::env::var("ALLCLEAR_DELIVERY_SECONDS").ok();
    let seconds = seconds.map(|seconds| seconds.parse().expect("ALLCLEAR_DELIVERY_SECONDS is a number"));
    Duration::from_secs(seconds.unwrap_or(SECONDS))
}

/// The seed that is asked for, or a fresh one.
fn seed() -> u64 {
    match std::env::var("ALLCLEAR_DELIVERY_SEED") {
        Ok(seed) => {
            let digits = seed.trim_start_matches("0x");
            u64::from_str_radix(digits, 16).expect("ALLCLEAR_DELIVERY_SEED is hexadecimal")
        }
        Err(_) => u64::from_le_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().expect("16 bytes")),
    }
}

/// Everything that can happen, mixed.
fn everything(place: Place) -> Plan {
    let mut deck = Card::ALONE.to_vec();
    if place == Place::Postgres {
        deck.extend(Card::SHARED);
    }
    let length = length();
    if length >= LONG {
        deck.push(Card::Hang);
    }
    Plan {
        place,
        seed: seed(),
        length,
        shape: Shape {
            faults: deck.len().div_ceil(2),
            deck,
            round: Duration::from_secs(6),
            rate: 25,
        },
        transports: TRANSPORTS,
        bug: None,
    }
}

#[expect(clippy::print_stderr, reason = "a run tells its seed, schedule and figures")]
async fn keeps_the_promise(plan: Plan) {
    let seed = plan.seed;
    let Some(outcome) = run(plan).await else { return };
    eprintln!("{}", outcome.story);
    eprintln!(
        "{} deliveries checked, {} resets, {:.1} s",
        outcome.delivered,
        outcome.resets,
        outcome.elapsed.as_secs_f64()
    );
    if let Some(violation) = outcome.violation {
        panic!("{violation}\nagain with ALLCLEAR_DELIVERY_SEED={seed:#x}");
    }
    assert!(outcome.delivered > 0, "nothing was delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_on_sqlite_delivers_every_change_once_and_in_order_whatever_befalls_it() {
    keeps_the_promise(everything(Place::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_on_postgres_deliver_every_change_once_and_in_order_whatever_befalls_them() {
    keeps_the_promise(everything(Place::Postgres)).await;
}
