//! Measures what a delivered message costs Allclear, beside bare servers that send the same bytes.

#![expect(clippy::print_stdout, reason = "what was measured is printed")]
#![expect(clippy::print_stderr, reason = "how far it has come is told meanwhile")]

mod contender;
mod document;
mod figures;
mod http;
mod load;
mod machine;
mod process;
mod scenario;

use anyhow::Context;
use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use contender::{Contender, Programs};
use scenario::{all, attack, back_to_back, fanout, memory, storm};

#[derive(Parser)]
#[command(about = "Measures what a delivered message costs Allclear, beside bare servers that send the same bytes.")]
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
    /// Everything that BENCHMARKS.md shows.
    All(all::Args),
    /// Is one of the servers. The bench starts it.
    #[command(hide = true)]
    Serve { contender: Contender },
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
        Scenario::All(args) => all::run(&args, &cli.programs),
        Scenario::Serve { contender } => contender.serve(),
    }
}

/// Ten thousand sockets are ten thousand open files, here and in the servers, which inherit it.
fn raise_open_files() -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the limit of open files")
}
