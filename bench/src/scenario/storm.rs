//! All subscribers are cut at once and come back with their cursors while events go on. Each must get every event,
//! once and in order, as if nothing had happened.

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args as ClapArgs;

use super::stage::Stage;
use super::{PATIENCE, PAYLOAD, millis};
use crate::contender::{Contender, Programs};
use crate::figures::{Spread, shown, table};
use crate::load::{Load, Seen, Transport};

/// Events before the cut, which everybody has.
const BEFORE: u64 = 3;

/// Events after all are back, to see that they go on.
const AFTER: u64 = 3;

/// A page in trouble says something every few minutes; this is two a second.
pub(super) const GAP_MILLIS: u64 = 500;

/// Events of one storm at most: more than are posted within the patience.
const MAX_EVENTS: usize = 2000;

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 10_000)]
    pub(crate) subscribers: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) repeats: usize,
    /// The pause between two events. Many events a second to 10,000 subscribers are more than two cores deliver, storm
    /// or not.
    #[arg(long, default_value_t = GAP_MILLIS)]
    pub(crate) gap_millis: u64,
}

/// What one storm gave.
struct Sample {
    /// From the cut until every subscriber had its first message again, in ms.
    back: f64,
    /// From the cut until every subscriber had everything that was posted until then.
    caught_up: f64,
    /// Events that were posted while subscribers were away.
    posted: u64,
    /// Processor time of the server for each subscriber that came back, in µs.
    cpu: f64,
    /// Events that did not come, of all subscribers together; those that came twice; those out of order.
    lost: u64,
    doubles: u64,
    stepped_over: u64,
    /// How often a subscriber was sent away, to come back later.
    sent_away: u64,
}

pub(crate) struct Outcome(Vec<Sample>);

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    let outcome = measure(args, programs)?;
    println!("{}", outcome.report());
    anyhow::ensure!(outcome.lost() == 0, "events were lost or came twice");
    Ok(())
}

pub(crate) fn measure(args: &Args, programs: &Programs) -> anyhow::Result<Outcome> {
    let mut samples = Vec::new();
    for turn in 1..=args.repeats {
        let sample = one(args, programs).context("the storm")?;
        eprintln!(
            "{turn}/{} storm: all back after {:.0} ms, all caught up after {:.0} ms, {} lost",
            args.repeats, sample.back, sample.caught_up, sample.lost
        );
        samples.push(sample);
    }
    Ok(Outcome(samples))
}

fn one(args: &Args, programs: &Programs) -> anyhow::Result<Sample> {
    let mut stage = Stage::set(Contender::Allclear, programs, Transport::Ws, PAYLOAD, MAX_EVENTS)?;
    let mut plan = stage.plan(args.subscribers, Transport::Ws);
    plan.reads = true;
    let subscribers = args.subscribers as u64;
    let mut load = Load::open(plan)?;
    load.live(PATIENCE)?;
    let first = stage.number + 1;
    for turn in 1..=BEFORE {
        stage.publish(&mut load, turn * subscribers)?;
    }

    let cpu = stage.server.process.cpu()?;
    let cut = Instant::now();
    load.cut()?;
    let mut posted = 0;
    let back = loop {
        stage.post()?;
        posted += 1;
        if let Some(back) = load.is_live(Duration::from_millis(args.gap_millis))? {
            break back;
        }
        anyhow::ensure!(cut.elapsed() < PATIENCE, "not all came back");
    };
    // Whoever misses one never gets there; the patience then ends it, and what is lost is told below.
    let whole = |number: u64| (number + 1 - first) * subscribers;
    let caught_up = load.wait_for(whole(stage.number), PATIENCE);
    let cpu = stage.server.process.cpu()? - cpu;
    if caught_up.is_ok() {
        for _ in 0..AFTER {
            let target = whole(stage.number + 1);
            stage.publish(&mut load, target)?;
        }
    }

    let seen = load.stop()?;
    let wished = whole(stage.number);
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
    let doubles = sum(|seen| seen.doubles);
    Ok(Sample {
        back: millis(back - cut),
        caught_up: caught_up.map_or(f64::INFINITY, |at| millis(at - cut)),
        posted,
        cpu: cpu.as_secs_f64() * 1e6 / args.subscribers as f64,
        lost: wished.saturating_sub(sum(|seen| seen.events) - doubles),
        doubles,
        stepped_over: sum(|seen| seen.missed),
        sent_away: sum(|seen| seen.sent_away),
    })
}

impl Outcome {
    /// Events that were lost, came twice, or came out of order.
    pub(crate) fn lost(&self) -> u64 {
        let faults = self
            .0
            .iter()
            .map(|sample| sample.lost + sample.doubles + sample.stepped_over);
        faults.sum()
    }

    /// Seconds until all had everything.
    pub(crate) fn seconds(&self) -> Option<Spread> {
        self.spread(|sample| sample.caught_up / 1e3)
    }

    fn spread(&self, of: fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(&self.0.iter().map(of).collect::<Vec<_>>())
    }

    pub(crate) fn report(&self) -> String {
        let total = |of: fn(&Sample) -> u64| self.0.iter().map(of).sum::<u64>().to_string();
        let row = vec![
            Contender::Allclear.name().to_owned(),
            shown(self.spread(|sample| sample.back)),
            shown(self.spread(|sample| sample.caught_up)),
            shown(self.spread(|sample| sample.posted as f64)),
            shown(self.spread(|sample| sample.cpu)),
            total(|sample| sample.lost),
            total(|sample| sample.doubles),
            total(|sample| sample.stepped_over),
            total(|sample| sample.sent_away),
        ];
        let head = [
            "server",
            "all back, ms",
            "all caught up, ms",
            "events meanwhile",
            "CPU per subscriber, µs",
            "lost",
            "doubles",
            "gaps",
            "sent away",
        ];
        table(&head, &[row])
    }
}
