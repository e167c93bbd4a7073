//! One address without a token sends the dearest queries it can find to a server with its default limits. What other clients
//! notice of it, what it costs the server, and what each query costs beside what it is charged.

mod attacker;
mod cost;
mod generate;
mod kind;
mod others;
mod report;

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args as ClapArgs, ValueEnum};
use serde_json::Value;

use crate::contender::{self, Programs, Server};
use crate::database::{Content, Database, System, big_page};
use crate::figures;
use crate::http::Http;
use crate::query;
use attacker::{Attack, Counts};
use kind::{Facts, Form, Kind};
use others::{Met, Others};

/// The option that limits the read cache; with 0 nothing is cached.
const CACHE_OPTION: &str = "--read-cache-mib";

/// How long it is watched what others meet when nobody attacks.
const QUIET: Duration = Duration::from_secs(10);

/// Newest incidents that the other readers ask for.
const NEWEST: usize = 10;

/// The network of the attackers; each attack comes from another address, so that each begins with its whole allowance.
const ATTACKERS: [u8; 2] = [127, 66];

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// All kinds of requests at once.
    Mix,
    /// Each kind by itself, one after the other.
    Each,
    /// One request at a time without limits: what each kind costs.
    Cost,
}

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    #[arg(long, value_delimiter = ',', default_value = "mix,cost")]
    modes: Vec<Mode>,
    #[arg(long, value_enum, default_value = "sqlite")]
    system: System,
    /// How long each attack lasts.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The attacker's connections for requests. Each of its sockets has one more.
    #[arg(long, default_value_t = 12)]
    connections: u32,
    /// Requests in a second at most, of all connections together.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// Only kinds of requests whose name contains this text.
    #[arg(long)]
    only: Option<String>,
    /// Without kinds of requests whose name contains this text.
    #[arg(long)]
    without: Option<String>,
    /// What the server charges for each request beside the cost that it reports (`REQUEST` in `transport/throttle.rs`).
    #[arg(long, default_value_t = 10)]
    request_cost: u32,
    /// Print the requests, and end.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    size: big_page::Size,
}

/// What one attack came to.
struct Sample {
    name: String,
    counts: Counts,
    met: Met,
    /// Processors in use by the server and by PostgreSQL, for the others' requests too.
    processors: f64,
    /// The most resident memory, in MiB.
    peak: f64,
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    eprintln!("making the big page on {}", args.system.name());
    let database = Database::make(args.system, Content::BigPage, &args.size, programs)?;
    let mut server = contender::allclear_on(programs, &database.url, &[])?;
    let facts = Facts::read(server.address, Content::BigPage.slug())?;
    let mut kinds = Kind::all(&facts)?;
    kinds.retain(|kind| {
        let contains = |text: &Option<String>| text.as_ref().map(|text| kind.name.contains(text));
        contains(&args.only) != Some(false) && contains(&args.without) != Some(true)
    });
    if args.list {
        for kind in &kinds {
            println!("{}\n    {}", kind.name, kind.shown());
        }
        return Ok(());
    }
    println!("## One address sends the dearest queries\n\n{}\n", figures::command());
    let document = query::page(Content::BigPage.slug(), NEWEST, None);
    let answer = answer(&server, &document)?;
    let others = |server: &Server| Others {
        server: server.address,
        facts: &facts,
        document: &document,
        answer: &answer,
    };

    let mut failures = Vec::new();
    if args.modes.iter().any(|mode| *mode != Mode::Cost) {
        let mut samples = vec![quiet(&server, &database, &others(&server))?];
        let all: Vec<&Kind> = kinds.iter().collect();
        let mut attacks: Vec<(String, Vec<&Kind>)> = Vec::new();
        if args.modes.contains(&Mode::Mix) {
            attacks.push((format!("all {} kinds", all.len()), all.clone()));
        }
        if args.modes.contains(&Mode::Each) {
            attacks.extend(all.iter().map(|kind| (kind.name.clone(), vec![*kind])));
        }
        for (number, (name, kinds)) in attacks.into_iter().enumerate() {
            let sample = attack(args, number, &name, &kinds, &server, &database, &others(&server));
            match sample {
                Ok(sample) => samples.push(sample),
                Err(error) => failures.push(format!("{error:#}")),
            }
            if !server.process.is_running()? {
                failures.push(format!("the server ended during attack {number}"));
                server = contender::allclear_on(programs, &database.url, &[])?;
            }
        }
        println!("### Attacks\n\n{}", report::table_of(&samples));
        failures.extend(report::failures(&samples));
    }
    drop(server);
    if args.modes.contains(&Mode::Cost) {
        let (table, is_within, lost) = costs(args, programs, &database, &kinds)?;
        println!("### CPU per unit of cost\n\n{table}");
        failures.extend(lost);
        if !is_within {
            failures.push("CPU per unit of cost is not within a factor of 10 of the ordinary page's".to_owned());
        }
    }
    for failure in &failures {
        println!("- Not reached: {failure}");
    }
    ensure!(failures.is_empty(), "{} figures are not reached", failures.len());
    Ok(())
}

/// The right answer to the ordinary query.
fn answer(server: &Server, document: &str) -> anyhow::Result<Value> {
    let request = query::post(server.address, document, &Value::Null, &[]);
    let (status, body) = Http::connect(server.address)?.exchange(&request)?;
    ensure!(status == 200, "the ordinary query is answered with {status}: {body}");
    Ok(serde_json::from_str(&body)?)
}

fn quiet(server: &Server, database: &Database, others: &Others<'_>) -> anyhow::Result<Sample> {
    sample(
        "nobody attacks",
        server,
        database,
        Instant::now() + QUIET,
        others,
        Counts::new,
    )
}

fn attack(
    args: &Args,
    number: usize,
    name: &str,
    kinds: &[&Kind],
    server: &Server,
    database: &Database,
    others: &Others<'_>,
) -> anyhow::Result<Sample> {
    eprintln!("attack {number}: {name}");
    let [a, b] = ATTACKERS;
    let until = Instant::now() + Duration::from_secs(args.seconds);
    let attack = Attack {
        server: server.address,
        from: Ipv4Addr::new(a, b, (number / 250) as u8, (number % 250) as u8 + 1),
        kinds,
        connections: args.connections,
        rate: args.rate,
        until,
    };
    sample(name, server, database, until, others, || attack.run())
}

/// Lets the others send what they send, and an attack run beside.
fn sample(
    name: &str,
    server: &Server,
    database: &Database,
    until: Instant,
    others: &Others<'_>,
    attack: impl FnOnce() -> Counts + Send,
) -> anyhow::Result<Sample> {
    let cpu = || -> anyhow::Result<Duration> { Ok(server.process.cpu()? + database.cpu()?.unwrap_or_default()) };
    server.process.forget_peak()?;
    let before = cpu()?;
    let began = Instant::now();
    let (counts, met) = thread::scope(|scope| {
        let attack = scope.spawn(attack);
        let met = others.run(until);
        (attack.join().expect("the attack does not panic"), met)
    });
    let processors = (cpu().with_context(|| format!("the server, during: {name}"))? - before).as_secs_f64();
    Ok(Sample {
        name: name.to_owned(),
        counts,
        met,
        processors: processors / began.elapsed().as_secs_f64(),
        peak: server.process.peak()? as f64 / f64::from(1 << 20),
    })
}

/// The table of costs, whether it is within the limits, and which kinds got no answer.
fn costs(
    args: &Args,
    programs: &Programs,
    database: &Database,
    kinds: &[Kind],
) -> anyhow::Result<(String, bool, Vec<String>)> {
    let mut options = vec!["--rate-limit", "0"];
    if programs.has_option(CACHE_OPTION)? {
        options.extend([CACHE_OPTION, "0"]);
    }
    let start = || contender::allclear_on(programs, &database.url, &options);
    let mut server = start()?;
    let (mut priced, mut lost) = (Vec::new(), Vec::new());
    for kind in kinds {
        eprintln!("cost: {}", kind.name);
        match cost::measure(&server, kind, args.request_cost) {
            Ok(measured) => priced.extend(measured),
            Err(error) => {
                lost.push(format!("{}: no answer ({error:#})", kind.name));
                // It may still be busy with it, or have ended.
                server = start()?;
            }
        }
    }
    let (table, is_within) = cost::report(priced);
    Ok((table, is_within, lost))
}

impl Kind {
    /// What it sends, shortened.
    fn shown(&self) -> String {
        const LONGEST: usize = 300;
        let text = match &self.form {
            Form::Post(body) => body.as_str(),
            Form::Socket(documents) => documents.first().map_or("", String::as_str),
        };
        text.chars().take(LONGEST).collect()
    }
}
