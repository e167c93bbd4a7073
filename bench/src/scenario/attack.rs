//! Attackers send documents past the limits as fast as they please, and somebody asks meanwhile whether the server is well.
//! Once as the server comes, which soon tells attackers to wait, and once with no limit to how much a sender may ask for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args as ClapArgs;
use serde_json::json;

use super::millis;
use crate::contender::{self, Programs};
use crate::figures::{quantile, table};
use crate::http::Http;

/// Connections of one attacker, all of them kept alive: one could send the next document only once the last was answered.
const CONNECTIONS: u32 = 8;

/// The pause between two questions of whether the server is well. Each comes over a connection of its own, as those of
/// supervisors do.
const PROBE: Duration = Duration::from_millis(5);

/// Within what time 99 of 100 such questions are to be answered (issue 4).
const WELL: f64 = 50.0;

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 2)]
    pub(crate) attackers: u32,
    /// Documents of each attacker in a second.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) rate: u32,
    #[arg(long, default_value_t = 20)]
    pub(crate) seconds: u64,
}

/// What one run gave.
struct Sample {
    /// How long answers of `/healthz` took from when they were due to be asked for, in ms, in order.
    health: Vec<f64>,
    /// Documents answered, by status.
    statuses: BTreeMap<u16, u64>,
    /// Documents answered in a second, of all attackers together.
    rate: f64,
    /// Processors in use, of all there are.
    processors: f64,
    /// Resident memory before and after, in MiB.
    resident: (f64, f64),
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    let quiet = Args {
        attackers: 0,
        ..args.clone()
    };
    let mut rows = Vec::new();
    let mut is_well = true;
    for (name, args, options) in [
        ("nobody attacks", &quiet, [].as_slice()),
        ("as it comes", args, &[]),
        ("`--rate-limit 0`", args, &["--rate-limit", "0"]),
    ] {
        let sample = one(args, programs, options).context(name)?;
        eprintln!("{name}: {:.0} documents a second", sample.rate);
        is_well &= sample.share(0.99) < WELL;
        rows.push(sample.row(name));
    }
    let head = [
        "limit",
        "answers a second",
        "by status",
        "`/healthz` p50, ms",
        "p99, ms",
        "slowest, ms",
        "processors in use",
        "resident before, MiB",
        "after, MiB",
    ];
    println!("{}", table(&head, &rows));
    ensure!(is_well, "/healthz took longer than {WELL} ms");
    Ok(())
}

impl Sample {
    fn share(&self, share: f64) -> f64 {
        quantile(&self.health, share).unwrap_or(f64::INFINITY)
    }

    fn row(&self, name: &str) -> Vec<String> {
        let statuses: Vec<String> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{count} × {status}"))
            .collect();
        vec![
            name.to_owned(),
            format!("{:.0}", self.rate),
            statuses.join(", "),
            format!("{:.2}", self.share(0.5)),
            format!("{:.2}", self.share(0.99)),
            format!("{:.2}", self.share(1.0)),
            format!("{:.2}", self.processors),
            format!("{:.1}", self.resident.0),
            format!("{:.1}", self.resident.1),
        ]
    }
}

fn one(args: &Args, programs: &Programs, options: &[&str]) -> anyhow::Result<Sample> {
    let server = contender::as_it_comes(programs, options)?;
    let address = server.address;
    let requests = requests(address);
    ensure_refused(address, &requests)?;
    let before = server.process.resident()?;
    let cpu = server.process.cpu()?;
    let began = Instant::now();
    let until = began + Duration::from_secs(args.seconds);

    let (health, statuses) = thread::scope(|scope| {
        let attack = (0..args.attackers * CONNECTIONS).map(|number| {
            let requests = &requests;
            let pause = Duration::from_secs(1) * CONNECTIONS / args.rate;
            // Apart from one another, as they would be.
            let from = began + pause * number / (args.attackers * CONNECTIONS);
            scope.spawn(move || attack(address, requests, number as usize, from, pause, until))
        });
        let attackers: Vec<_> = attack.collect();
        let health = probe(address, began, until);
        let mut statuses = BTreeMap::new();
        for attacker in attackers {
            let counts = attacker.join().expect("an attacker does not panic")?;
            for (status, count) in counts {
                *statuses.entry(status).or_default() += count;
            }
        }
        anyhow::Ok((health?, statuses))
    })?;

    let took = began.elapsed().as_secs_f64();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(Sample {
        health,
        rate: statuses.values().sum::<u64>() as f64 / took,
        statuses,
        processors: (server.process.cpu()? - cpu).as_secs_f64() / took,
        resident: (mib(before), mib(server.process.resident()?)),
    })
}

/// Requests that are refused for what their documents, or their variables, ask for, each past another limit.
fn requests(address: SocketAddr) -> Vec<Vec<u8>> {
    const KIB_64: usize = 64 << 10;
    let aliases: String = (0..330).map(|number| format!("a{number}: __typename ")).collect();
    let doubling: String = (1..60)
        .map(|number| format!("fragment f{number} on Query {{ ...f{0} ...f{0} }} ", number - 1))
        .collect();
    let long = "x".repeat(KIB_64 - 400);
    let documents = [
        // Just short of 64 KiB, which the preflight reads to its end or to the limit.
        ("{ a ".repeat(KIB_64 / 4 - 1), json!({})),
        (format!("{{ {} }}", "__typename ".repeat(KIB_64 / 11 - 2)), json!({})),
        (format!("{{ # {long}\n {} }}", "{ a ".repeat(33)), json!({})),
        (format!("{{ page(slug: \"{long}\") {{ {} }} }}", "a { ".repeat(40)), json!({})),
        // Past it.
        (format!("{{ __typename }} # {}", "x".repeat(KIB_64)), json!({})),
        // Within the limit of tokens, so that all of it is walked through.
        (format!("{{ {aliases} }}"), json!({})),
        (
            format!("{{ ...f59 }} fragment f0 on Query {{ __typename }} {doubling}"),
            json!({}),
        ),
        (
            "{ pages(first: 100) { nodes { incidents(first: 100) { nodes { updates(first: 100) { nodes { id } } } } } } }"
                .to_owned(),
            json!({}),
        ),
        // The variables instead.
        ("query($x: JSON) { __typename }".to_owned(), json!({ "x": vec![1; 30_000] })),
        (
            "query($x: JSON) { __typename }".to_owned(),
            json!({ "x": (0..60).fold(json!(1), |inner, _| json!([inner])) }),
        ),
    ];
    let request = |(document, variables): &(String, serde_json::Value)| {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        (head + &body).into_bytes()
    };
    documents.iter().map(request).collect()
}

/// What is sent is what it is meant to be.
fn ensure_refused(address: SocketAddr, requests: &[Vec<u8>]) -> anyhow::Result<()> {
    let mut http = Http::connect(address)?;
    for (number, request) in requests.iter().enumerate() {
        let (status, body) = http.exchange(request)?;
        let is_refused = status == 400 && body.contains("DOCUMENT_TOO_COMPLEX");
        ensure!(is_refused, "document {number} is not past a limit: {status} {body}");
    }
    Ok(())
}

/// Sends requests one after the other, each when it is due or, where that is past, at once; returns how often it was answered
/// with which status.
fn attack(
    address: SocketAddr,
    requests: &[Vec<u8>],
    first: usize,
    from: Instant,
    pause: Duration,
    until: Instant,
) -> anyhow::Result<BTreeMap<u16, u64>> {
    let mut http = Http::connect(address)?;
    let mut statuses = BTreeMap::new();
    let mut due = from;
    for request in requests.iter().cycle().skip(first) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if Instant::now() >= until {
            break;
        }
        let (status, _) = http.exchange(request)?;
        *statuses.entry(status).or_default() += 1;
        due += pause;
    }
    Ok(statuses)
}

/// Asks whether the server is well until the end; returns how long each answer took, in ms, from when it was due to be asked
/// for, in order.
fn probe(address: SocketAddr, from: Instant, until: Instant) -> anyhow::Result<Vec<f64>> {
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
    let mut took = Vec::new();
    let mut due = from;
    while due < until {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let (status, body) = Http::connect(address)?.exchange(&request)?;
        ensure!(status == 200, "/healthz answers {status}: {body}");
        took.push(millis(due.elapsed()));
        due += PROBE;
    }
    took.sort_by(f64::total_cmp);
    Ok(took)
}
