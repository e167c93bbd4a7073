//! The table of the attacks, and what of issue 11 is not reached.

use super::Sample;
use super::attacker::Counts;
use crate::figures::table;

/// The limits of issue 11: processors that one address may use, memory in MiB, and latencies of others in ms at p99.
const PROCESSORS: f64 = 0.25;
const MEMORY: f64 = 300.0;
const ORDINARY: f64 = 100.0;
const HEALTH: f64 = 50.0;

pub(super) fn table_of(samples: &[Sample]) -> String {
    let quiet = samples.first().map_or(0.0, |sample| sample.processors);
    let rows: Vec<Vec<String>> = samples
        .iter()
        .map(|sample| {
            let met = &sample.met;
            let pair = |series: &super::others::Series| format!("{:.1} / {:.1}", series.share(0.5), series.share(0.99));
            let wrong = met.known.wrong + met.new.wrong;
            vec![
                sample.name.clone(),
                counts(&sample.counts),
                format!("{:.2}", sample.processors),
                format!("{:.2}", sample.processors - quiet),
                format!("{:.0}", sample.peak),
                pair(&met.known),
                pair(&met.new),
                wrong.to_string(),
                pair(&met.health),
                met.health.wrong.to_string(),
                pair(&met.ready),
                met.ready.wrong.to_string(),
                pair(&met.change),
                met.change.wrong.to_string(),
            ]
        })
        .collect();
    let head = [
        "attack",
        "the attacker's answers",
        "processors in use",
        "more than without attack",
        "peak memory, MiB",
        "ordinary query p50 / p99, ms",
        "in a new document",
        "wrong",
        "`/healthz` p50 / p99, ms",
        "refused",
        "`/readyz` p50 / p99, ms",
        "refused",
        "mutation p50 / p99, ms",
        "failed",
    ];
    table(&head, &rows)
}

fn counts(counts: &Counts) -> String {
    let shown: Vec<String> = counts.iter().map(|(what, count)| format!("{count} × {what}")).collect();
    shown.join(", ")
}

/// What is not reached, in words.
pub(super) fn failures(samples: &[Sample]) -> Vec<String> {
    let quiet = samples.first().map_or(0.0, |sample| sample.processors);
    let mut failures = Vec::new();
    for sample in samples {
        let met = &sample.met;
        let mut most = |figure: &str, value: f64, limit: f64| {
            if value > limit {
                failures.push(format!("{}: {figure} is {value:.2}, and may be {limit}", sample.name));
            }
        };
        let of = |is_it: fn(&str) -> bool| -> f64 {
            let counts = sample.counts.iter().filter(|(what, _)| is_it(what));
            counts.map(|(_, count)| *count as f64).sum()
        };
        most("processors in use", sample.processors - quiet, PROCESSORS);
        most("answers with 5xx", of(|what| what.starts_with('5')), 0.0);
        most("requests without an answer", of(|what| what == "no answer"), 0.0);
        most("peak memory in MiB", sample.peak, MEMORY);
        most("p99 of the ordinary query in ms", met.known.share(0.99), ORDINARY);
        most(
            "p99 of the ordinary query in a new document in ms",
            met.new.share(0.99),
            ORDINARY,
        );
        most("p99 of /healthz in ms", met.health.share(0.99), HEALTH);
        let series = [
            ("wrong answers to others", &met.known),
            ("wrong answers to others' new documents", &met.new),
            ("failures of /healthz", &met.health),
            ("failures of /readyz", &met.ready),
            ("failed mutations", &met.change),
        ];
        for (figure, series) in series {
            most(figure, series.wrong as f64, 0.0);
        }
        for (figure, series) in series {
            if let Some(example) = &series.example {
                failures.push(format!("{}: the first of the {figure}: {example}", sample.name));
            }
        }
    }
    failures
}
