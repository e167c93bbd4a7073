//! Thousands of readers ask for the page right after an event, each from an address of its own. The server should make the
//! answer once and send it to all.

use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::Args as ClapArgs;
use serde_json::{Value, json};

use super::{micros, millis};
use crate::contender::{self, PageServer, Programs, Server};
use crate::database::{Content, Database, System, big_page};
use crate::figures::{self, Spread, shown, table};
use crate::http::Http;
use crate::query;

/// The addresses that readers come from: 127.10.0.0/16.
const NETWORK: [u8; 2] = [127, 10];

/// Readers of one /24 of them.
const OF_NETWORK: usize = 250;

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 5_000)]
    readers: usize,
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    #[arg(long, value_enum, default_value = "sqlite")]
    system: System,
    #[arg(long, value_enum, default_value = "big-page")]
    content: Content,
    #[command(flatten)]
    size: big_page::Size,
    /// How many of the newest incidents the query asks for.
    #[arg(long, default_value_t = 10)]
    newest: usize,
    /// The name of a counter that `/metrics` shows, of executions for example. Its increase is reported.
    #[arg(long)]
    metric: Option<String>,
}

/// What one herd gave.
struct Sample {
    /// Until the last reader had its answer, in ms.
    last: f64,
    /// Processor time of the server for each reader, in µs.
    cpu: f64,
    /// Readers that got anything but 200.
    refused: f64,
    /// Answers made before the event.
    old: f64,
    /// The increase of the counter.
    counted: Option<f64>,
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    eprintln!("making the {} on {}", args.content.name(), args.system.name());
    let database = Database::make(args.system, args.content, &args.size, programs)?;
    let document = query::page(args.content.slug(), args.newest, None);
    let server = contender::allclear_on(programs, &database.url, &[])?;
    let page = page(&server, args.content)?;
    let mut http = Http::connect(server.address)?;
    let mut number = 0;
    // The page's name is part of every answer, so an answer tells whether it was made after the event.
    let mut rename = || -> anyhow::Result<String> {
        number += 1;
        let name = format!("Herd {number:04}");
        let rename =
            "mutation($input: PageAmendInput!) { pageAmend(input: $input) { page { id } userErrors { message } } }";
        contender::mutate(&mut http, rename, &json!({ "page": page, "name": name }))?;
        Ok(name)
    };
    rename()?;
    let (status, answer) = ask(&server, &document)?;
    ensure!(status == 200, "the query is answered with {status}: {answer}");
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), &answer)?;
    let bare = PageServer::Bare.start(&database.url, file.path())?;

    let (mut fresh, mut known, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=args.repeats {
        let mut herd = gather(args, &server)?;
        let name = rename()?;
        fresh.push(stampede(args, &server, &mut herd, &document, Some(&name))?);
        known.push(stampede(args, &server, &mut herd, &document, Some(&name))?);
        drop(herd);
        let mut herd = gather(args, &bare)?;
        floor.push(stampede(args, &bare, &mut herd, &document, None)?);
        eprintln!(
            "{turn}/{}: {:.0} ms right after an event",
            args.repeats,
            fresh[turn - 1].last
        );
    }
    let head = [
        "readers",
        "to the last, ms",
        "CPU of the server per reader, µs",
        "refused",
        "older than the event",
        "counted",
    ];
    let rows = [
        ("right after an event", &fresh),
        ("once more", &known),
        ("bare axum", &floor),
    ];
    let rows = rows.map(|(name, samples)| {
        let spread = |of: fn(&Sample) -> Option<f64>| Spread::of(&samples.iter().filter_map(of).collect::<Vec<_>>());
        vec![
            format!("{} {name}", args.readers),
            shown(spread(|sample| Some(sample.last))),
            shown(spread(|sample| Some(sample.cpu))),
            shown(spread(|sample| Some(sample.refused))),
            shown(spread(|sample| Some(sample.old))),
            shown(spread(|sample| sample.counted)),
        ]
    });
    println!(
        "## {} readers right after an event, {} on {}\n\n{}\n\n{}",
        args.readers,
        args.content.name(),
        args.system.name(),
        figures::command(),
        table(&head, &rows)
    );
    let failed: f64 = fresh
        .iter()
        .chain(&known)
        .map(|sample| sample.refused + sample.old)
        .sum();
    ensure!(failed == 0.0, "{failed} readers got no answer or an old one");
    Ok(())
}

fn page(server: &Server, content: Content) -> anyhow::Result<String> {
    let (_, answer) = ask(server, &format!("{{ page(slug: \"{}\") {{ id }} }}", content.slug()))?;
    let answer: Value = serde_json::from_str(&answer)?;
    let id = answer["data"]["page"]["id"].as_str();
    Ok(id.with_context(|| format!("no page: {answer}"))?.to_owned())
}

fn ask(server: &Server, document: &str) -> anyhow::Result<(u16, String)> {
    let request = query::post(server.address, document, &Value::Null, &[]);
    Http::connect(server.address)?.exchange(&request)
}

/// The readers' connections.
fn gather(args: &Args, server: &Server) -> anyhow::Result<Vec<Http>> {
    let [a, b] = NETWORK;
    let address = |number: usize| Ipv4Addr::new(a, b, (number / OF_NETWORK) as u8, (number % OF_NETWORK) as u8 + 1);
    (0..args.readers)
        .map(|number| Http::connect_from(address(number), server.address))
        .collect()
}

/// Every reader sends the query, and then every reader waits for its answer.
fn stampede(
    args: &Args,
    server: &Server,
    herd: &mut [Http],
    document: &str,
    name: Option<&str>,
) -> anyhow::Result<Sample> {
    let request = query::post(server.address, document, &Value::Null, &[]);
    let counted = counter(args, server)?;
    let cpu = server.process.cpu()?;
    let began = Instant::now();
    for reader in &mut *herd {
        reader.send(&request)?;
    }
    let (mut refused, mut old) = (0, 0);
    for reader in &mut *herd {
        let answer = reader.receive()?;
        let contains = |name: &str| memchr::memmem::find(&answer.body, name.as_bytes()).is_some();
        if answer.status != 200 {
            refused += 1;
        } else if !name.is_none_or(contains) {
            old += 1;
        }
    }
    let last = millis(began.elapsed());
    let cpu = micros(server.process.cpu()? - cpu) / herd.len().max(1) as f64;
    let counted = counter(args, server)?
        .zip(counted)
        .map(|(after, before)| after - before);
    Ok(Sample {
        last,
        cpu,
        refused: f64::from(refused),
        old: f64::from(old),
        counted,
    })
}

/// The value of the counter, if one is asked for and the server shows it.
fn counter(args: &Args, server: &Server) -> anyhow::Result<Option<f64>> {
    let Some(metric) = &args.metric else { return Ok(None) };
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    let (status, text) = Http::connect(server.address)?.exchange(request.as_bytes())?;
    let line = text.lines().find_map(|line| line.strip_prefix(metric.as_str()));
    let value = line.and_then(|rest| rest.rsplit(' ').next()?.parse().ok());
    Ok(value.filter(|_| status == 200))
}
