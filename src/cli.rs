//! The command line: flags and environment variables are the whole configuration.

mod audit;
mod backup;
mod import;
mod serve;
mod token;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::store::{Options, Store};

/// A self-hosted incident and status backend: a GraphQL API with live delivery, in one binary.
#[derive(Debug, Parser)]
#[command(name = "allclear", version)]
struct Cli {
    /// What is logged to standard error: `error`, `warn`, `info`, `debug`, `trace`, or directives such as
    /// `info,allclear=debug`.
    #[arg(
        long,
        env = "ALLCLEAR_LOG",
        default_value = "info,sea_orm_migration=warn",
        global = true
    )]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until SIGTERM or ctrl-c.
    Serve(Box<serve::Serve>),
    /// Bring the database's tables up to date, and stop. `serve` does so too.
    Migrate(Database),
    /// Print the schema of the API.
    Schema,
    /// Read what another system knows into a page.
    Import(import::Import),
    /// Hold the audit against its hashes.
    Audit(audit::Audit),
    /// Hand out tokens for the API, list them, or take them back.
    Token(token::Tokens),
    /// Copy a SQLite database into a new file, while a server may go on writing to it.
    Backup(backup::Backup),
    /// Put a backup in the place of a SQLite database. Clients that come back are given the page afresh.
    Restore(backup::Restore),
    /// Name the history of a database anew.
    Epoch(backup::Epoch),
}

/// Where the database is.
#[derive(Args, Clone, Debug)]
struct Database {
    /// `sqlite://PATH?mode=rwc`, or `postgres://USER:PASSWORD@HOST/NAME`.
    #[arg(
        long,
        env = "ALLCLEAR_DATABASE_URL",
        default_value = "sqlite://allclear.db?mode=rwc",
        hide_env_values = true
    )]
    database_url: String,
    /// The most connections to the database (on SQLite: those for reading; one more writes).
    #[arg(long, env = "ALLCLEAR_DATABASE_CONNECTIONS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    database_connections: u32,
}

impl Database {
    async fn open(&self) -> anyhow::Result<Store> {
        self.open_and_listen(None).await
    }

    /// Opens the database, to be listened to at another URL where one is given.
    async fn open_and_listen(&self, listen_url: Option<String>) -> anyhow::Result<Store> {
        Store::open(&self.options(listen_url))
            .await
            .context("cannot open the database")
    }

    fn options(&self, listen_url: Option<String>) -> Options {
        Options {
            url: self.database_url.clone(),
            connections: self.database_connections,
            listen_url,
        }
    }
}

/// Runs the program; what it returns is the process's exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere left to say that this could not be said.
            let _ = writeln!(std::io::stderr(), "allclear: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Bytes of stack of each thread: 8 MiB, of which only what is used takes memory. Resolvers of selections that stand in one
/// another are called by one another: a document as deep as may be needs a quarter of this, without optimisation all of it.
const STACK: usize = 8 << 20;

fn run(cli: Cli) -> anyhow::Result<()> {
    crate::telemetry::start(&cli.log).context("`--log` cannot be read")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .context("cannot start")?;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => serve.run().await,
            Command::Migrate(database) => {
                database.open().await?.close().await;
                say("The database is up to date.")
            }
            Command::Schema => say(crate::graphql::sdl().trim_end()),
            Command::Import(import) => import.run().await,
            Command::Audit(audit) => audit.run().await,
            Command::Token(tokens) => tokens.run().await,
            Command::Backup(backup) => backup.run().await,
            Command::Restore(restore) => restore.run().await,
            Command::Epoch(epoch) => epoch.run().await,
        }
    });
    // Executions that the shutdown has given up are not waited for: one that does not yield cannot be cancelled.
    runtime.shutdown_background();
    done
}

/// Tells the person at the terminal.
fn say(text: impl AsRef<str>) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", text.as_ref()).context("cannot write to standard output")
}
