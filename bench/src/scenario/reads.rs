//! The query of a status page, answered by Allclear in several ways and by other servers, on the same database with the same
//! answer: processor time and requests per second.

mod reader;
mod report;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::SecondsFormat;
use clap::Args as ClapArgs;
use serde_json::Value;

use super::micros;
use crate::contender::Programs;
use crate::database::{Content, Database, System, big_page};
use crate::figures;
use crate::http::Http;
use crate::machine;
use crate::query;
use reader::{Reader, Running};

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    /// Who is measured; the order is that of the table.
    #[arg(long, value_delimiter = ',', default_values_t = Reader::ALL)]
    pub(crate) readers: Vec<Reader>,
    #[arg(long, value_delimiter = ',', default_value = "sqlite,postgres")]
    pub(crate) systems: Vec<System>,
    #[arg(long, value_delimiter = ',', default_value = "demo,big-page")]
    pub(crate) contents: Vec<Content>,
    #[command(flatten)]
    pub(crate) size: big_page::Size,
    /// How many of the newest incidents the query asks for.
    #[arg(long, default_value_t = 10)]
    pub(crate) newest: usize,
    #[arg(long, default_value_t = 5)]
    pub(crate) repeats: usize,
    /// How long each server is measured in each turn, after half as long to warm up.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Connections, each from an address of its own. Each has one request under way at any time.
    #[arg(long, default_value_t = 16)]
    pub(crate) connections: u8,
}

/// What one reader gave in one turn.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Requests in a second.
    rate: f64,
    /// Processor time of the server for a request, in µs.
    cpu: f64,
    /// Processor time of PostgreSQL for a request, in µs; it is counted in steps of 10 ms.
    database: Option<f64>,
}

/// What was measured on one database.
struct Outcome {
    system: System,
    content: Content,
    /// Bytes of the answer.
    bytes: usize,
    /// In turns.
    rows: Vec<(Reader, Vec<Sample>)>,
    /// Readers that were left out, and why.
    absent: Vec<String>,
}

/// The answer that all give, and how it is asked for.
struct Expected {
    document: String,
    as_of: String,
    json: Value,
    /// As Allclear writes it, in a file.
    file: tempfile::NamedTempFile,
    bytes: usize,
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    println!("## The query of a status page\n\n{}\n", figures::command());
    let mut outcomes = Vec::new();
    for &content in &args.contents {
        for &system in &args.systems {
            let outcome = measure(args, programs, system, content);
            let outcome = outcome.with_context(|| format!("{} on {}", content.name(), system.name()))?;
            println!("{}", report::table_of(&outcome));
            outcomes.push(outcome);
        }
    }
    println!("### What issue 11 asks for\n\n{}", report::goals(&outcomes));
    Ok(())
}

fn measure(args: &Args, programs: &Programs, system: System, content: Content) -> anyhow::Result<Outcome> {
    eprintln!("making the {} on {}", content.name(), system.name());
    let database = Database::make(system, content, &args.size, programs)?;
    let expected = expect(args, programs, content, &database)?;
    let mut absent = Vec::new();
    let mut rows: Vec<(Reader, Vec<Sample>)> = Vec::new();
    for &reader in &args.readers {
        match reader.absent(system, programs, &database, &expected)? {
            Some(reason) => absent.push(format!("{}: {reason}", reader.name())),
            None => rows.push((reader, Vec::new())),
        }
    }
    for turn in 1..=args.repeats {
        for (reader, samples) in &mut rows {
            let sample = one(args, programs, *reader, &database, &expected);
            let sample = sample.with_context(|| reader.name().to_owned())?;
            eprintln!(
                "{turn}/{} {}: {:.0} requests a second, {:.1} µs",
                args.repeats,
                reader.name(),
                sample.rate,
                sample.cpu
            );
            samples.push(sample);
        }
    }
    Ok(Outcome {
        system,
        content,
        bytes: expected.bytes,
        rows,
        absent,
    })
}

/// Asks Allclear for the answer that all have to give.
fn expect(args: &Args, programs: &Programs, content: Content, database: &Database) -> anyhow::Result<Expected> {
    let document = query::page(content.slug(), args.newest, None);
    let server = Reader::Cached.allclear(programs, database)?;
    let request = query::post(server.address, &document, &Value::Null, &[]);
    let (status, body) = Http::connect(server.address)?.exchange(&request)?;
    ensure!(status == 200, "the query of the page is answered with {status}: {body}");
    let json: Value = serde_json::from_str(&body)?;
    ensure!(json["data"]["page"].is_object(), "there is no page: {body}");
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), &body)?;
    // Nothing changes any more, so the page as it was now is the page as it stands.
    let as_of = machine::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    Ok(Expected {
        document,
        as_of: query::page(content.slug(), args.newest, Some(&as_of)),
        json,
        bytes: body.len(),
        file,
    })
}

fn one(
    args: &Args,
    programs: &Programs,
    reader: Reader,
    database: &Database,
    expected: &Expected,
) -> anyhow::Result<Sample> {
    let mut running = reader.start(programs, database, expected)?;
    let mut connections = running.connect(args.connections)?;
    let seconds = Duration::from_secs_f64(args.seconds);
    drive(&mut running, &mut connections, seconds / 2)?;
    let (cpu, database_cpu) = (running.server.process.cpu()?, database.cpu()?);
    let began = Instant::now();
    let requests = drive(&mut running, &mut connections, seconds)?;
    let took = began.elapsed();
    let each = |more: Duration| micros(more) / requests as f64;
    let database = match (database_cpu, database.cpu()?) {
        (Some(before), Some(after)) if reader.reads_database() => Some(each(after.saturating_sub(before))),
        _ => None,
    };
    Ok(Sample {
        rate: requests as f64 / took.as_secs_f64(),
        cpu: each(running.server.process.cpu()? - cpu),
        database,
    })
}

/// Keeps a request under way on each connection for a time, on this one thread; returns how many were answered.
fn drive(running: &mut Running, connections: &mut [Http], time: Duration) -> anyhow::Result<u64> {
    let until = Instant::now() + time;
    for connection in &mut *connections {
        connection.send(running.request())?;
    }
    let mut answered = 0;
    loop {
        let is_last = Instant::now() >= until;
        for connection in &mut *connections {
            running.check(&connection.receive()?)?;
            answered += 1;
            if !is_last {
                connection.send(running.request())?;
            }
        }
        if is_last {
            return Ok(answered);
        }
    }
}
