//! One event at a time to many subscribers: processor time per message, latency, memory.

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args as ClapArgs;

use super::stage::Stage;
use super::{PATIENCE, PAYLOAD, micros, millis};
use crate::contender::{Contender, Programs};
use crate::figures::{Spread, quantile, shown, table};
use crate::load::{Ids, Load, Transport};
use crate::process;

/// Events before anything is measured: buffers grow to their size, caches fill.
const WARM_UP: usize = 3;

/// Everybody; the first is compared with the others.
pub(super) const ALL: [Contender; 7] = [
    Contender::Allclear,
    Contender::Bare,
    Contender::BareStock,
    Contender::Floor,
    Contender::Stock,
    Contender::BareSse,
    Contender::Yoga,
];

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 1000)]
    pub(crate) subscribers: usize,
    /// Events of a run; 100 for 1,000 subscribers unless given, and in proportion, but 20 at least.
    #[arg(long)]
    pub(crate) events: Option<usize>,
    #[arg(long, default_value_t = 5)]
    pub(crate) repeats: usize,
    /// Who is measured; all that speak the transport unless given.
    #[arg(long, value_delimiter = ',')]
    pub(crate) contenders: Vec<Contender>,
    #[arg(long, default_value = "ws")]
    pub(crate) transport: Transport,
    /// Whether subscribers call their operation the same.
    #[arg(long, default_value = "same", value_delimiter = ',')]
    pub(crate) ids: Vec<Ids>,
    /// How many different selections there are; several values are measured beside one another.
    #[arg(long, default_value = "1", value_delimiter = ',')]
    pub(crate) selections: Vec<usize>,
    /// Bytes of a message's payload.
    #[arg(long, default_value_t = PAYLOAD)]
    pub(crate) payload: usize,
    /// A pause after each event.
    #[arg(long, default_value_t = 0)]
    pub(crate) gap_millis: u64,
}

/// One thing that is measured, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Case {
    contender: Contender,
    ids: Ids,
    selections: usize,
}

/// What one run gave.
struct Sample {
    /// Processor time of the server per message, in µs.
    cpu: f64,
    /// The same without what publishing costs.
    delivery: f64,
    /// From publishing to the last subscriber, in ms, sorted.
    latencies: Vec<f64>,
    resident: f64,
    sockets: f64,
    bytes: f64,
    /// Processor time of the bench itself per message, in µs: what it takes away from the server.
    load: f64,
}

/// What all runs of one case gave.
pub(crate) struct Outcome {
    case: Case,
    label: String,
    samples: Vec<Sample>,
    /// Why it was left out after that.
    fault: Option<String>,
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    let outcomes = measure(args, programs)?;
    println!("{}", report(&outcomes));
    match outcomes.iter().find_map(|outcome| outcome.fault.as_ref()) {
        Some(fault) => bail!("{fault}"),
        None => Ok(()),
    }
}

/// Measures every case, interleaved, so that what the machine does meanwhile meets all alike. One that fails is left
/// out from then on, and the others go on.
pub(crate) fn measure(args: &Args, programs: &Programs) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = cases(args)
        .into_iter()
        .map(|case| Outcome {
            case,
            label: label(case, args),
            samples: Vec::new(),
            fault: None,
        })
        .collect();
    for turn in 1..=args.repeats {
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.fault.is_none()) {
            let sample = match one(outcome.case, args, programs) {
                Ok(sample) => sample,
                Err(error) => {
                    let fault = format!("{}: {error:#}", outcome.label);
                    eprintln!("{turn}/{} {fault}", args.repeats);
                    outcome.fault = Some(fault);
                    continue;
                }
            };
            let latency = shown(quantile(&sample.latencies, 0.5).map(|median| format!("{median:.2}")));
            eprintln!(
                "{turn}/{} {}: {:.2} µs a message, {latency} ms to the last",
                args.repeats, outcome.label, sample.cpu
            );
            outcome.samples.push(sample);
        }
    }
    Ok(outcomes)
}

/// Whoever of these speaks a transport and is there.
pub(super) fn taking_part(wished: &[Contender], transport: Transport) -> Vec<Contender> {
    let is_there = |contender: &Contender| match contender.absent() {
        Some(reason) => {
            eprintln!("{} is left out: {reason}", contender.name());
            false
        }
        None => true,
    };
    let speaking = wished.iter().copied().filter(|contender| contender.speaks(transport));
    speaking.filter(is_there).collect()
}

fn cases(args: &Args) -> Vec<Case> {
    let wished: &[Contender] = if args.contenders.is_empty() {
        &ALL
    } else {
        &args.contenders
    };
    let mut cases = Vec::new();
    for contender in taking_part(wished, args.transport) {
        for &ids in &args.ids {
            for &selections in &args.selections {
                cases.push(Case {
                    contender,
                    ids,
                    selections,
                });
            }
        }
    }
    cases.retain(|case| case.makes_sense());
    cases
}

impl Case {
    /// The floor writes one frame to all; who selects nothing has no selections to differ in.
    fn makes_sense(self) -> bool {
        let selects = matches!(self.contender, Contender::Allclear | Contender::Stock | Contender::Yoga);
        (self.ids == Ids::Same || self.contender != Contender::Floor) && (self.selections == 1 || selects)
    }
}

fn label(case: Case, args: &Args) -> String {
    let mut label = case.contender.name().to_owned();
    if args.ids.len() > 1 || case.ids == Ids::Distinct {
        label.push_str(match case.ids {
            Ids::Same => ", same ids",
            Ids::Distinct => ", ids of their own",
        });
    }
    if args.selections.len() > 1 || case.selections > 1 {
        label.push_str(&format!(", selections: {}", case.selections));
    }
    label
}

/// One run of one case, with a server of its own.
fn one(case: Case, args: &Args, programs: &Programs) -> anyhow::Result<Sample> {
    let events = args
        .events
        .unwrap_or((100_000 / args.subscribers.max(1)).clamp(20, 100));
    let Case {
        contender,
        ids,
        selections,
    } = case;
    let mut stage = Stage::set(contender, programs, args.transport, args.payload, events + WARM_UP)?;
    let before = stage.memory()?;

    let mut plan = stage.plan(args.subscribers, args.transport);
    plan.ids = ids;
    plan.selections = selections;
    plan.variants = args.selections.len() > 1;
    let mut load = Load::open(plan)?;
    load.live(PATIENCE)?;
    let (resident, sockets) = stage.memory()?.more_than(before, args.subscribers);

    let mut target = load.received();
    let mut publish = |stage: &mut Stage, load: &mut Load| {
        target += args.subscribers as u64;
        stage.publish(load, target)
    };
    for _ in 0..WARM_UP {
        publish(&mut stage, &mut load)?;
    }
    let (cpu, bytes) = (stage.server.process.cpu()?, load.bytes());
    let own_cpu = process::own_cpu()?;
    let mut latencies = Vec::with_capacity(events);
    for _ in 0..events {
        latencies.push(millis(publish(&mut stage, &mut load)?));
        std::thread::sleep(Duration::from_millis(args.gap_millis));
    }
    let cpu = stage.server.process.cpu()? - cpu;
    let own_cpu = process::own_cpu()? - own_cpu;
    let messages = (events * args.subscribers) as f64;
    let bytes = (load.bytes() - bytes) as f64 / messages;

    for (index, seen) in load.stop()?.iter().enumerate() {
        let wished = (events + WARM_UP) as u64;
        ensure!(
            seen.events == wished,
            "subscriber {index} got {} of {wished} events",
            seen.events
        );
    }
    latencies.sort_by(f64::total_cmp);
    Ok(Sample {
        cpu: micros(cpu) / messages,
        delivery: (micros(cpu) - micros(stage.publishing) * events as f64) / messages,
        latencies,
        resident,
        sockets,
        bytes,
        load: micros(own_cpu) / messages,
    })
}

impl Outcome {
    pub(crate) fn is(&self, contender: Contender) -> bool {
        self.case.contender == contender
    }

    pub(crate) fn has_selections(&self, selections: usize) -> bool {
        self.case.selections == selections
    }

    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(&self.samples.iter().map(figure).collect::<Vec<_>>())
    }

    /// The processor time per message as a multiple of another's, turn by turn.
    pub(crate) fn cpu_against(&self, other: &Outcome) -> Option<Spread> {
        self.against(other, |sample| sample.cpu)
    }

    /// The same without what publishing costs either.
    pub(crate) fn delivery_against(&self, other: &Outcome) -> Option<Spread> {
        self.against(other, |sample| sample.delivery)
    }

    fn against(&self, other: &Outcome, figure: fn(&Sample) -> f64) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&other.samples);
        Spread::of(
            &pairs
                .map(|(own, other)| figure(own) / figure(other))
                .collect::<Vec<_>>(),
        )
    }

    /// The median time to the last subscriber as a multiple of another's, turn by turn.
    pub(crate) fn latency_against(&self, other: &Outcome) -> Option<Spread> {
        let median = |sample: &Sample| quantile(&sample.latencies, 0.5);
        let pairs = self.samples.iter().zip(&other.samples);
        let ratios: Option<Vec<f64>> = pairs.map(|(own, other)| Some(median(own)? / median(other)?)).collect();
        Spread::of(&ratios?)
    }

    fn latency(&self, share: f64) -> Option<String> {
        let mut all: Vec<f64> = self
            .samples
            .iter()
            .flat_map(|sample| sample.latencies.clone())
            .collect();
        all.sort_by(f64::total_cmp);
        Some(format!("{:.1}", quantile(&all, share)?))
    }
}

/// All as a table; the first case is the one that the others are compared with.
pub(crate) fn report(outcomes: &[Outcome]) -> String {
    let head = [
        "server",
        "CPU per message, µs",
        "without publishing, µs",
        "first row ÷ this",
        "to the last, ms: median",
        "p99",
        "first row ÷ this",
        "resident per idle subscriber, KiB",
        "kernel per socket, KiB",
        "bytes on the wire",
        "CPU of the bench per message, µs",
    ];
    let Some(first) = outcomes.first() else {
        return "Nobody took part.".to_owned();
    };
    let rows: Vec<Vec<String>> = outcomes
        .iter()
        .map(|outcome| {
            vec![
                outcome.label.clone(),
                shown(outcome.spread(|sample| sample.cpu)),
                shown(outcome.spread(|sample| sample.delivery)),
                shown(first.cpu_against(outcome)),
                shown(outcome.latency(0.5)),
                shown(outcome.latency(0.99)),
                shown(first.latency_against(outcome)),
                shown(outcome.spread(|sample| sample.resident)),
                shown(outcome.spread(|sample| sample.sockets)),
                shown(outcome.spread(|sample| sample.bytes).map(|bytes| bytes.median.round())),
                shown(outcome.spread(|sample| sample.load)),
            ]
        })
        .collect();
    let mut report = table(&head, &rows);
    for fault in outcomes.iter().filter_map(|outcome| outcome.fault.as_ref()) {
        report.push_str(&format!("\nLeft out after a fault: {fault}\n"));
    }
    report
}
