//! Measures what delivered messages and reads cost Allclear, beside other servers that send the same.

#![expect(clippy::print_stdout, reason = "what was measured is printed")]
#![expect(clippy::print_stderr, reason = "how far it has come is told meanwhile")]

mod contender;
mod database;
mod document;
mod figures;
mod http;
mod load;
mod machine;
mod process;
mod query;
mod scenario;

use anyhow::Context;
use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use contender::{Contender, Programs, Served};
use scenario::{all, attack, attack_reads, back_to_back, big_page, fanout, herd, memory, reads, storm};

#[derive(Parser)]
#[command(about = "Measures what delivered messages and reads cost Allclear, beside other servers that send the same.")]
struct Cli {
    #[command(flatten)]
    programs: Programs,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// One event at a time to many subscribers: processor time per message, latency, memory.
    Fanout(fanout::Args),
    /// What a subscriber that hears nothing costs, before and after it has heard something.
    Memory(memory::Args),
    /// All subscribers are cut at once and resume from their cursors while events go on.
    Storm(storm::Args),
    /// Events as fast as all subscribers keep up.
    BackToBack(back_to_back::Args),
    /// Two attackers send documents past the limits: how long `/healthz` takes meanwhile.
    Attack(attack::Args),
    /// The query of a status page: processor time and requests per second, cached, uncached, as of a time, and 304.
    Reads(reads::Args),
    /// One address sends the dearest queries it can find: what others notice, and what the queries cost.
    AttackReads(attack_reads::Args),
    /// Thousands of readers send the same query right after an event.
    Herd(herd::Args),
    /// Fills a database with the big page.
    BigPage(big_page::Args),
    /// Everything that BENCHMARKS.md shows.
    All(all::Args),
    /// Is one of the servers. The bench starts it.
    #[command(hide = true)]
    Serve { contender: Contender },
    /// Is one of the servers that answer the query of a status page. The bench starts it.
    #[command(hide = true)]
    ServePage {
        #[command(subcommand)]
        served: Served,
    },
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    raise_open_files()?;
    match cli.scenario {
        Scenario::Fanout(args) => fanout::run(&args, &cli.programs),
        Scenario::Memory(args) => memory::run(&args, &cli.programs),
        Scenario::Storm(args) => storm::run(&args, &cli.programs),
        Scenario::BackToBack(args) => back_to_back::run(&args, &cli.programs),
        Scenario::Attack(args) => attack::run(&args, &cli.programs),
        Scenario::Reads(args) => reads::run(&args, &cli.programs),
        Scenario::AttackReads(args) => attack_reads::run(&args, &cli.programs),
        Scenario::Herd(args) => herd::run(&args, &cli.programs),
        Scenario::BigPage(args) => big_page::run(&args, &cli.programs),
        Scenario::All(args) => all::run(&args, &cli.programs),
        Scenario::Serve { contender } => contender.serve(),
        Scenario::ServePage { served } => served.serve(),
    }
}

/// Ten thousand sockets are ten thousand open files, here and in the servers, which inherit it.
fn raise_open_files() -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the limit of open files")
}
