//! Events as fast as all subscribers keep up: several publishers post at once, and none runs ahead of the subscribers
//! by more than a few events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args as ClapArgs;

use super::fanout::taking_part;
use super::stage::Stage;
use super::{PATIENCE, PAYLOAD};
use crate::contender::{Contender, Programs, Publisher};
use crate::figures::{Spread, shown, table};
use crate::load::{Counters, Load, Transport};

/// How far publishers may be ahead of the subscribers: a fraction of what the bare servers' channel holds.
const AHEAD: u64 = 64;

/// Events of one run at most; Allclear's incidents have to hold them.
const MAX_EVENTS: usize = 15_000;

/// How long a publisher that is ahead waits before it looks again.
const PAUSE: Duration = Duration::from_micros(500);

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 1000)]
    pub(crate) subscribers: usize,
    /// How long events are posted.
    #[arg(long, default_value_t = 5)]
    pub(crate) seconds: u64,
    /// How many post at the same time.
    #[arg(long, default_value_t = 4)]
    pub(crate) publishers: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) repeats: usize,
    /// Who is measured.
    #[arg(long, value_delimiter = ',', default_value = "allclear,bare,floor,stock")]
    pub(crate) contenders: Vec<Contender>,
}

pub(crate) struct Outcome {
    contender: Contender,
    /// Events per second that came to all.
    rates: Vec<f64>,
    /// Processor time of the server per message, in µs.
    cpu: Vec<f64>,
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    println!("{}", report(&measure(args, programs)?));
    Ok(())
}

pub(crate) fn measure(args: &Args, programs: &Programs) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = taking_part(&args.contenders, Transport::Ws)
        .into_iter()
        .map(|contender| Outcome {
            contender,
            rates: Vec::new(),
            cpu: Vec::new(),
        })
        .collect();
    for turn in 1..=args.repeats {
        for outcome in &mut outcomes {
            let name = outcome.contender.name();
            let (rate, cpu) = one(outcome.contender, args, programs).context(name)?;
            eprintln!("{turn}/{} {name}: {rate:.0} events a second", args.repeats);
            outcome.rates.push(rate);
            outcome.cpu.push(cpu);
        }
    }
    Ok(outcomes)
}

/// One run: events per second, and processor time per message.
fn one(contender: Contender, args: &Args, programs: &Programs) -> anyhow::Result<(f64, f64)> {
    let mut stage = Stage::set(contender, programs, Transport::Ws, PAYLOAD, MAX_EVENTS)?;
    let subscribers = args.subscribers as u64;
    let mut load = Load::open(stage.plan(args.subscribers, Transport::Ws))?;
    load.live(PATIENCE)?;
    stage.publish(&mut load, subscribers)?;

    let publishers: anyhow::Result<Vec<Publisher>> = (0..args.publishers).map(|_| stage.server.publisher()).collect();
    let pace = Pace {
        counters: load.counters(),
        subscribers,
        taken: AtomicU64::new(1),
        first: stage.number,
        filler: stage.filler,
        is_over: AtomicBool::new(false),
    };
    let cpu = stage.server.process.cpu()?;
    let began = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let running: Vec<_> = publishers?
            .into_iter()
            .map(|publisher| scope.spawn(|| pace.run(publisher)))
            .collect();
        std::thread::sleep(Duration::from_secs(args.seconds));
        pace.is_over.store(true, Ordering::SeqCst);
        running
            .into_iter()
            .try_for_each(|publisher| publisher.join().expect("a publisher does not panic"))
    })?;
    let events = pace.taken.into_inner();
    let ended = load.wait_for(events * subscribers, PATIENCE)?;
    let cpu = stage.server.process.cpu()? - cpu;

    for (index, seen) in load.stop()?.iter().enumerate() {
        ensure!(
            seen.events == events,
            "subscriber {index} got {} of {events}",
            seen.events
        );
    }
    let rate = (events - 1) as f64 / (ended - began).as_secs_f64();
    let messages = ((events - 1) * subscribers) as f64;
    Ok((rate, super::micros(cpu) / messages))
}

/// What the publishers share.
struct Pace {
    counters: Arc<Counters>,
    subscribers: u64,
    /// Events that somebody has taken on to post; the first is there already.
    taken: AtomicU64,
    /// The number of that one.
    first: u64,
    filler: usize,
    is_over: AtomicBool,
}

impl Pace {
    fn run(&self, mut publisher: Publisher) -> anyhow::Result<()> {
        while !self.is_over.load(Ordering::SeqCst) {
            let delivered = self.counters.received() / self.subscribers;
            if self.taken.load(Ordering::SeqCst) >= delivered + AHEAD {
                std::thread::sleep(PAUSE);
                continue;
            }
            let turn = self.taken.fetch_add(1, Ordering::SeqCst);
            ensure!(turn < MAX_EVENTS as u64, "more events than the run is made for");
            publisher.publish(self.first + turn, self.filler)?;
        }
        Ok(())
    }
}

impl Outcome {
    pub(crate) fn is(&self, contender: Contender) -> bool {
        self.contender == contender
    }

    /// The rate as a multiple of another's, turn by turn.
    pub(crate) fn rate_against(&self, other: &Outcome) -> Option<Spread> {
        let pairs = self.rates.iter().zip(&other.rates);
        Spread::of(&pairs.map(|(own, other)| own / other).collect::<Vec<_>>())
    }
}

pub(crate) fn report(outcomes: &[Outcome]) -> String {
    let head = [
        "server",
        "events a second that all get",
        "first row ÷ this",
        "CPU per message, µs",
    ];
    let Some(first) = outcomes.first() else {
        return "Nobody took part.".to_owned();
    };
    let rows: Vec<Vec<String>> = outcomes
        .iter()
        .map(|outcome| {
            vec![
                outcome.contender.name().to_owned(),
                shown(Spread::of(&outcome.rates)),
                shown(first.rate_against(outcome)),
                shown(Spread::of(&outcome.cpu)),
            ]
        })
        .collect();
    table(&head, &rows)
}
