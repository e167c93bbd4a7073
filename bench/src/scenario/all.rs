//! Everything that BENCHMARKS.md shows, and at its end what issue 3 asks for beside what was reached.

use std::time::Instant;

use clap::Args as ClapArgs;

use super::{back_to_back, fanout, memory, storm};
use crate::contender::{Contender, Programs};
use crate::figures::{Spread, shown, table};
use crate::load::{Ids, Transport};
use crate::machine;
use crate::scenario::PAYLOAD;

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    /// Few repeats and fewer subscribers: whether everything runs, not how fast.
    #[arg(long)]
    quick: bool,
}

/// How much is done.
struct Size {
    repeats: usize,
    /// The repeats of what takes long.
    few: usize,
    some: usize,
    many: usize,
    events: Option<usize>,
    seconds: u64,
}

/// A full run takes about ten minutes on two cores.
const FULL: Size = Size {
    repeats: 5,
    few: 3,
    some: 1000,
    many: 10_000,
    events: None,
    seconds: 5,
};

const QUICK: Size = Size {
    repeats: 1,
    few: 1,
    some: 500,
    many: 2000,
    events: Some(20),
    seconds: 1,
};

/// One line of the table of issue 3: what is asked for, and what was reached.
struct Goal {
    figure: String,
    limit: f64,
    /// Whether more is better.
    is_least: bool,
    reached: Option<Spread>,
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    let size = if args.quick { QUICK } else { FULL };
    let began = Instant::now();
    let mut goals = Vec::new();
    println!("## The machine\n\n{}", machine::description());
    sockets(&size, programs, &mut goals);
    streams(&size, programs, &mut goals);
    selections(&size, programs, &mut goals);
    ids(&size, programs);
    idle(&size, programs, &mut goals);
    storms(&size, programs, &mut goals);
    rates(&size, programs, &mut goals);
    println!("## What issue 3 asks for\n\n{}", report(&goals));
    eprintln!("It took {} s.", began.elapsed().as_secs());
    Ok(())
}

/// One measurement with its heading and the command that repeats it. A fault is told, and the others go on.
fn section<T>(title: &str, command: &str, measured: anyhow::Result<T>, show: impl Fn(&T) -> String) -> Option<T> {
    println!("## {title}\n\n`cargo run --release -p bench -- {command}`\n");
    match measured {
        Ok(outcome) => {
            println!("{}", show(&outcome));
            Some(outcome)
        }
        Err(error) => {
            println!("It failed: {error:#}\n");
            None
        }
    }
}

fn fanout_args(size: &Size, subscribers: usize, contenders: &[Contender]) -> fanout::Args {
    fanout::Args {
        subscribers,
        events: size.events,
        repeats: size.repeats,
        contenders: contenders.to_vec(),
        transport: Transport::Ws,
        ids: vec![Ids::Same],
        selections: vec![1],
        payload: PAYLOAD,
        gap_millis: 0,
    }
}

fn sockets(size: &Size, programs: &Programs, goals: &mut Vec<Goal>) {
    let some = [
        Contender::Allclear,
        Contender::Bare,
        Contender::BareStock,
        Contender::Floor,
        Contender::Stock,
        Contender::Yoga,
    ];
    let many = [Contender::Allclear, Contender::Bare, Contender::Floor, Contender::Stock];
    let mut more = fanout_args(size, size.many, &many);
    more.repeats = size.few;
    for args in [fanout_args(size, size.some, &some), more] {
        let title = format!("WebSocket, {} subscribers with the same selection", args.subscribers);
        let names = "allclear,bare,floor,stock";
        let command = match args.contenders.len() == many.len() {
            true => format!(
                "fanout --subscribers {} --repeats {} --contenders {names}",
                args.subscribers, args.repeats
            ),
            false => format!("fanout --subscribers {} --repeats {}", args.subscribers, args.repeats),
        };
        let measured = fanout::measure(&args, programs);
        let Some(outcomes) = section(&title, &command, measured, |outcomes| fanout::report(outcomes)) else {
            continue;
        };
        let count = args.subscribers;
        let against = |other| pair(&outcomes, other).and_then(|(own, other)| own.cpu_against(other));
        let delivery = |other| pair(&outcomes, other).and_then(|(own, other)| own.delivery_against(other));
        for (limit, other) in [
            (0.9, Contender::Bare),
            (1.3, Contender::Floor),
            (0.2, Contender::Stock),
            (0.3, Contender::Yoga),
        ] {
            if args.contenders.contains(&other) {
                let figure = format!("CPU per message, {count} sockets, against {}", other.name());
                goals.push(Goal::at_most(figure.clone(), limit, against(other)));
                goals.push(Goal::at_most(
                    format!("{figure}, without publishing"),
                    limit,
                    delivery(other),
                ));
            }
        }
        if args.contenders.len() == many.len() {
            let latency = pair(&outcomes, Contender::Bare).and_then(|(own, bare)| own.latency_against(bare));
            let figure = format!("publish to last of {count}, against {}", Contender::Bare.name());
            goals.push(Goal::at_most(figure, 0.9, latency));
        }
    }
}

/// Allclear's outcome and another's.
fn pair(outcomes: &[fanout::Outcome], other: Contender) -> Option<(&fanout::Outcome, &fanout::Outcome)> {
    let of = |contender| outcomes.iter().find(|outcome| outcome.is(contender));
    Some((of(Contender::Allclear)?, of(other)?))
}

fn streams(size: &Size, programs: &Programs, goals: &mut Vec<Goal>) {
    for (count, repeats) in [(size.some, size.repeats), (size.many, size.few)] {
        let mut args = fanout_args(size, count, &[Contender::Allclear, Contender::BareSse]);
        args.transport = Transport::Sse;
        args.repeats = repeats;
        let title = format!("Server-sent events, {count} subscribers");
        let command = format!("fanout --transport sse --subscribers {count} --repeats {repeats}");
        let measured = fanout::measure(&args, programs);
        let Some(outcomes) = section(&title, &command, measured, |outcomes| fanout::report(outcomes)) else {
            continue;
        };
        let pair = pair(&outcomes, Contender::BareSse);
        let figure = format!(
            "SSE, CPU per message, {count} streams, against {}",
            Contender::BareSse.name()
        );
        let (all, delivery) = (
            pair.and_then(|(own, bare)| own.cpu_against(bare)),
            pair.and_then(|(own, bare)| own.delivery_against(bare)),
        );
        goals.push(Goal::at_most(figure.clone(), 0.8, all));
        goals.push(Goal::at_most(format!("{figure}, without publishing"), 0.8, delivery));
    }
}

fn selections(size: &Size, programs: &Programs, goals: &mut Vec<Goal>) {
    const MANY: usize = 50;
    let mut args = fanout_args(size, size.some, &[Contender::Allclear]);
    args.selections = vec![MANY, 1];
    let title = format!("{} subscribers with {MANY} selections, and with one", args.subscribers);
    let command = format!(
        "fanout --contenders allclear --selections {MANY},1 --subscribers {} --repeats {}",
        args.subscribers, args.repeats
    );
    let measured = fanout::measure(&args, programs);
    let outcomes = section(&title, &command, measured, |outcomes| fanout::report(outcomes));
    let reached = outcomes.and_then(|outcomes| {
        let of = |count| outcomes.iter().find(|outcome| outcome.has_selections(count));
        of(MANY)?.cpu_against(of(1)?)
    });
    let figure = format!("CPU per message, {MANY} selections, against one");
    goals.push(Goal::at_most(figure, 1.3, reached));
}

fn ids(size: &Size, programs: &Programs) {
    let mut args = fanout_args(size, size.some, &[Contender::Allclear, Contender::Bare]);
    args.ids = vec![Ids::Distinct, Ids::Same];
    args.repeats = size.few;
    let title = format!(
        "{} subscribers that each call their operation as they like",
        args.subscribers
    );
    let command = format!(
        "fanout --contenders allclear,bare --ids distinct,same --subscribers {} --repeats {}",
        args.subscribers, args.repeats
    );
    let measured = fanout::measure(&args, programs);
    section(&title, &command, measured, |outcomes| fanout::report(outcomes));
}

fn idle(size: &Size, programs: &Programs, goals: &mut Vec<Goal>) {
    for (transport, contenders) in [
        (Transport::Ws, [Contender::Allclear, Contender::Bare]),
        (Transport::Sse, [Contender::Allclear, Contender::BareSse]),
    ] {
        let args = memory::Args {
            subscribers: size.many,
            events: 10,
            repeats: size.few,
            contenders: contenders.to_vec(),
            transport,
        };
        let (title, names) = match transport {
            Transport::Ws => ("WebSockets", "ws --contenders allclear,bare"),
            Transport::Sse => ("event streams", "sse"),
        };
        let title = format!("Memory of {} {title}", args.subscribers);
        let command = format!(
            "memory --subscribers {} --repeats {} --transport {names}",
            args.subscribers, args.repeats
        );
        let measured = memory::measure(&args, programs);
        let outcomes = section(&title, &command, measured, |outcomes| memory::report(outcomes));
        if transport == Transport::Ws {
            let reached = outcomes.and_then(|outcomes| {
                let of = |contender| outcomes.iter().find(|outcome| outcome.is(contender));
                of(Contender::Allclear)?.resident_against(of(Contender::Bare)?)
            });
            let figure = format!("resident per idle subscriber, against {}", Contender::Bare.name());
            goals.push(Goal::at_most(figure, 1.0, reached));
        }
    }
}

fn storms(size: &Size, programs: &Programs, goals: &mut Vec<Goal>) {
    let args = storm::Args {
        subscribers: size.many,
        repeats: size.few,
        gap_millis: storm::GAP_MILLIS,
    };
    let title = format!("{} subscribers cut at once", args.subscribers);
    let command = format!("storm --subscribers {} --repeats {}", args.subscribers, args.repeats);
    let measured = storm::measure(&args, programs);
    let outcome = section(&title, &command, measured, storm::Outcome::report);
    let seconds = outcome.as_ref().and_then(storm::Outcome::seconds);
    let lost = outcome.map(|outcome| outcome.lost() as f64);
    goals.push(Goal::at_most(
        format!("{} cut, all resumed, s", args.subscribers),
        30.0,
        seconds,
    ));
    goals.push(Goal::at_most(
        "lost, doubled or out of order in it".to_owned(),
        0.0,
        lost.and_then(|lost| Spread::of(&[lost])),
    ));
}

fn rates(size: &Size, programs: &Programs, goals: &mut Vec<Goal>) {
    let args = back_to_back::Args {
        subscribers: size.some,
        seconds: size.seconds,
        publishers: 4,
        repeats: size.few,
        contenders: vec![Contender::Allclear, Contender::Bare, Contender::Floor],
    };
    let title = format!("Back to back, {} subscribers", args.subscribers);
    let command = format!(
        "back-to-back --contenders allclear,bare,floor --subscribers {} --repeats {}",
        args.subscribers, args.repeats
    );
    let measured = back_to_back::measure(&args, programs);
    let outcomes = section(&title, &command, measured, |outcomes| back_to_back::report(outcomes));
    let reached = outcomes.and_then(|outcomes| {
        let of = |contender| outcomes.iter().find(|outcome| outcome.is(contender));
        of(Contender::Allclear)?.rate_against(of(Contender::Bare)?)
    });
    let figure = format!("rate at which all keep up, against {}", Contender::Bare.name());
    goals.push(Goal::at_least(figure, 1.0, reached));
}

impl Goal {
    fn at_most(figure: String, limit: f64, reached: Option<Spread>) -> Goal {
        Goal {
            figure,
            limit,
            is_least: false,
            reached,
        }
    }

    fn at_least(figure: String, limit: f64, reached: Option<Spread>) -> Goal {
        Goal {
            is_least: true,
            ..Goal::at_most(figure, limit, reached)
        }
    }

    /// By the median.
    fn is_reached(&self) -> Option<bool> {
        let median = self.reached?.median;
        Some(match self.is_least {
            true => median >= self.limit,
            false => median <= self.limit,
        })
    }
}

fn report(goals: &[Goal]) -> String {
    let rows: Vec<Vec<String>> = goals
        .iter()
        .map(|goal| {
            let sign = if goal.is_least { "≥" } else { "≤" };
            let is_reached = match goal.is_reached() {
                Some(true) => "yes",
                Some(false) => "no",
                None => "not measured",
            };
            vec![
                goal.figure.clone(),
                format!("{sign} {}", goal.limit),
                shown(goal.reached),
                is_reached.to_owned(),
            ]
        })
        .collect();
    table(&["figure", "must reach", "median (lowest–highest)", "reached"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_by_the_median_on_its_own_side() {
        let goal = |limit, is_least, values: &[f64]| Goal {
            figure: String::new(),
            limit,
            is_least,
            reached: Spread::of(values),
        };

        assert_eq!(goal(1.0, false, &[0.5, 0.9, 2.0]).is_reached(), Some(true));
        assert_eq!(goal(1.0, true, &[0.5, 0.9, 2.0]).is_reached(), Some(false));
        assert_eq!(goal(1.0, true, &[1.0]).is_reached(), Some(true));
        assert_eq!(goal(1.0, true, &[]).is_reached(), None);
    }
}
