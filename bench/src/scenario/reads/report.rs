//! The tables of the read benchmark.

use super::reader::Reader;
use super::{Outcome, Sample};
use crate::database::{Content, System};
use crate::figures::{Spread, shown, table};

/// A limit of issue 11.
struct Goal {
    figure: &'static str,
    system: System,
    /// On which pages it holds.
    contents: &'static [Content],
    of: Reader,
    against: Reader,
    by: fn(&Sample) -> f64,
    limit: Limit,
}

#[derive(Clone, Copy)]
enum Limit {
    Least(f64),
    Most(f64),
}

const BOTH: &[Content] = &[Content::Demo, Content::BigPage];

const GOALS: [Goal; 6] = [
    Goal {
        figure: "CPU, uncached ÷ async-graphql-axum + sea-orm",
        system: System::Sqlite,
        contents: BOTH,
        of: Reader::Uncached,
        against: Reader::Stock,
        by: |sample| sample.cpu,
        limit: Limit::Most(0.3),
    },
    Goal {
        figure: "requests per second, uncached ÷ Mercurius",
        system: System::Postgres,
        contents: BOTH,
        of: Reader::Uncached,
        against: Reader::Mercurius,
        by: |sample| sample.rate,
        limit: Limit::Least(2.0),
    },
    Goal {
        figure: "requests per second, cached ÷ bare axum",
        system: System::Sqlite,
        contents: BOTH,
        of: Reader::Cached,
        against: Reader::Bare,
        by: |sample| sample.rate,
        limit: Limit::Least(0.9),
    },
    Goal {
        figure: "requests per second, 304 ÷ bare axum's 304",
        system: System::Sqlite,
        contents: BOTH,
        of: Reader::NotModified,
        against: Reader::BareNotModified,
        by: |sample| sample.rate,
        limit: Limit::Least(0.95),
    },
    Goal {
        figure: "CPU, as of a time ÷ now",
        system: System::Sqlite,
        contents: &[Content::BigPage],
        of: Reader::AsOf,
        against: Reader::Uncached,
        by: |sample| sample.cpu,
        limit: Limit::Most(5.0),
    },
    Goal {
        figure: "CPU and PostgreSQL's CPU, as of a time ÷ now",
        system: System::Postgres,
        contents: &[Content::BigPage],
        of: Reader::AsOf,
        against: Reader::Uncached,
        by: |sample| sample.cpu + sample.database.unwrap_or(0.0),
        limit: Limit::Most(5.0),
    },
];

pub(super) fn table_of(outcome: &Outcome) -> String {
    let head = [
        "server",
        "requests per second",
        "first row ÷ this",
        "CPU per request, µs",
        "first row ÷ this",
        "CPU of PostgreSQL per request, µs",
    ];
    let first = outcome
        .rows
        .first()
        .map(|(_, samples)| samples.as_slice())
        .unwrap_or_default();
    let rows: Vec<Vec<String>> = outcome
        .rows
        .iter()
        .map(|(reader, samples)| {
            let database: Vec<f64> = samples.iter().filter_map(|sample| sample.database).collect();
            vec![
                reader.name().to_owned(),
                shown(spread(samples, |sample| sample.rate)),
                shown(ratio(first, samples, |sample| sample.rate)),
                shown(spread(samples, |sample| sample.cpu)),
                shown(ratio(first, samples, |sample| sample.cpu)),
                shown(Spread::of(&database)),
            ]
        })
        .collect();
    let mut text = format!(
        "### The {} on {}, an answer of {} bytes\n\n{}",
        outcome.content.name(),
        outcome.system.name(),
        outcome.bytes,
        table(&head, &rows)
    );
    for absent in &outcome.absent {
        text.push_str(&format!("\nNot measured: {absent}.\n"));
    }
    text
}

/// The limits of issue 11 beside what was reached.
pub(super) fn goals(outcomes: &[Outcome]) -> String {
    let mut rows = Vec::new();
    for goal in &GOALS {
        for &content in goal.contents {
            let outcome = outcomes
                .iter()
                .find(|outcome| (outcome.system, outcome.content) == (goal.system, content));
            let reached =
                outcome.and_then(|outcome| ratio(outcome.samples(goal.of)?, outcome.samples(goal.against)?, goal.by));
            rows.push(goal.row(content, reached));
        }
    }
    let head = ["figure", "must reach", "median (lowest–highest)", "reached"];
    table(&head, &rows)
}

impl Goal {
    fn row(&self, content: Content, reached: Option<Spread>) -> Vec<String> {
        let (limit, is_reached) = match self.limit {
            Limit::Least(limit) => (format!("≥ {limit}"), reached.map(|spread| spread.median >= limit)),
            Limit::Most(limit) => (format!("≤ {limit}"), reached.map(|spread| spread.median <= limit)),
        };
        let answer = is_reached.map(|is_reached| if is_reached { "yes" } else { "no" });
        vec![
            format!("{}, {}, {}", self.figure, self.system.name(), content.name()),
            limit,
            shown(reached),
            shown(answer),
        ]
    }
}

impl Outcome {
    fn samples(&self, reader: Reader) -> Option<&[Sample]> {
        let row = self.rows.iter().find(|(other, _)| *other == reader);
        row.map(|(_, samples)| samples.as_slice())
    }
}

fn spread(samples: &[Sample], of: fn(&Sample) -> f64) -> Option<Spread> {
    Spread::of(&samples.iter().map(of).collect::<Vec<_>>())
}

/// The ratio of two readers in each turn.
fn ratio(one: &[Sample], other: &[Sample], of: fn(&Sample) -> f64) -> Option<Spread> {
    let ratios: Vec<f64> = one.iter().zip(other).map(|(one, other)| of(one) / of(other)).collect();
    Spread::of(&ratios)
}
