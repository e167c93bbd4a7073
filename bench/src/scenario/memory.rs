//! What a subscriber that hears nothing costs: before it has heard anything, and after.

use anyhow::Context;
use clap::Args as ClapArgs;

use super::fanout::{ALL, taking_part};
use super::stage::Stage;
use super::{PATIENCE, PAYLOAD};
use crate::contender::{Contender, Programs};
use crate::figures::{Spread, shown, table};
use crate::load::{Load, Transport};

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 10_000)]
    pub(crate) subscribers: usize,
    /// Events between the two looks.
    #[arg(long, default_value_t = 10)]
    pub(crate) events: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) repeats: usize,
    /// Who is measured; all that speak the transport unless given.
    #[arg(long, value_delimiter = ',')]
    pub(crate) contenders: Vec<Contender>,
    #[arg(long, default_value = "ws")]
    pub(crate) transport: Transport,
}

/// KiB of a subscriber: resident, and in the kernel.
type Each = (f64, f64);

pub(crate) struct Outcome {
    contender: Contender,
    fresh: Vec<Each>,
    used: Vec<Each>,
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    println!("{}", report(&measure(args, programs)?));
    Ok(())
}

pub(crate) fn measure(args: &Args, programs: &Programs) -> anyhow::Result<Vec<Outcome>> {
    let wished: &[Contender] = if args.contenders.is_empty() {
        &ALL
    } else {
        &args.contenders
    };
    let mut outcomes: Vec<Outcome> = taking_part(wished, args.transport)
        .into_iter()
        .map(|contender| Outcome {
            contender,
            fresh: Vec::new(),
            used: Vec::new(),
        })
        .collect();
    for turn in 1..=args.repeats {
        for outcome in &mut outcomes {
            let name = outcome.contender.name();
            let (fresh, used) = one(outcome.contender, args, programs).context(name)?;
            eprintln!(
                "{turn}/{} {name}: {:.2} KiB, then {:.2} KiB",
                args.repeats, fresh.0, used.0
            );
            outcome.fresh.push(fresh);
            outcome.used.push(used);
        }
    }
    Ok(outcomes)
}

fn one(contender: Contender, args: &Args, programs: &Programs) -> anyhow::Result<(Each, Each)> {
    let mut stage = Stage::set(contender, programs, args.transport, PAYLOAD, args.events)?;
    let before = stage.memory()?;
    let mut load = Load::open(stage.plan(args.subscribers, args.transport))?;
    load.live(PATIENCE)?;
    let fresh = stage.memory()?.more_than(before, args.subscribers);

    for turn in 1..=args.events {
        stage.publish(&mut load, (turn * args.subscribers) as u64)?;
    }
    let used = stage.memory()?.more_than(before, args.subscribers);
    load.stop()?;
    Ok((fresh, used))
}

impl Outcome {
    pub(crate) fn is(&self, contender: Contender) -> bool {
        self.contender == contender
    }

    /// Resident memory per idle subscriber as a multiple of another's, turn by turn.
    pub(crate) fn resident_against(&self, other: &Outcome) -> Option<Spread> {
        let pairs = self.fresh.iter().zip(&other.fresh);
        Spread::of(&pairs.map(|(own, other)| own.0 / other.0).collect::<Vec<_>>())
    }
}

pub(crate) fn report(outcomes: &[Outcome]) -> String {
    let head = [
        "server",
        "resident per idle subscriber, KiB",
        "first row ÷ this",
        "resident once it has heard something, KiB",
        "kernel per socket, KiB",
    ];
    let Some(first) = outcomes.first() else {
        return "Nobody took part.".to_owned();
    };
    let spread = |each: &[Each], of: fn(&Each) -> f64| Spread::of(&each.iter().map(of).collect::<Vec<_>>());
    let rows: Vec<Vec<String>> = outcomes
        .iter()
        .map(|outcome| {
            vec![
                outcome.contender.name().to_owned(),
                shown(spread(&outcome.fresh, |each| each.0)),
                shown(first.resident_against(outcome)),
                shown(spread(&outcome.used, |each| each.0)),
                shown(spread(&outcome.used, |each| each.1)),
            ]
        })
        .collect();
    table(&head, &rows)
}
