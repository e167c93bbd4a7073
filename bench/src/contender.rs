//! Who is measured. Each is a server in a process of its own, and all are used in the same way: subscribers come over
//! `/graphql/ws` or `/graphql`, and what is to be sent comes in over HTTP.

mod allclear;
mod bare;
mod bare_page;
mod bare_sse;
mod floor;
mod mercurius;
mod page;
mod stock;
mod stock_page;
mod yoga;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::document;
use crate::http::Http;
use crate::load::Transport;
use crate::process::Process;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// Allclear.
    Allclear,
    /// A bare axum broadcaster with small buffers: the yardstick.
    Bare,
    /// The same with axum's default buffers.
    BareStock,
    /// A loop that writes to every socket and blocks: the floor.
    Floor,
    /// async-graphql with its axum integration, as it comes.
    Stock,
    /// A bare axum broadcaster of server-sent events.
    BareSse,
    /// graphql-yoga with JIT over graphql-ws.
    Yoga,
}

/// Where the programs are.
#[derive(Args, Clone, Debug)]
pub(crate) struct Programs {
    /// Allclear's program; the one built beside this one unless given.
    #[arg(long, global = true)]
    allclear: Option<PathBuf>,
    /// Where Allclear's database is made; the system's temporary folder unless given.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
}

impl Programs {
    /// Whether `allclear serve` knows an option.
    pub(crate) fn has_option(&self, option: &str) -> anyhow::Result<bool> {
        let mut help = Command::new(allclear::program(self)?);
        let help = help
            .args(["serve", "--help"])
            .output()
            .context("cannot start Allclear")?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        Ok(help.split_whitespace().any(|word| word == option))
    }

    /// A temporary folder where databases may be made.
    pub(crate) fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(match &self.data {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        })
    }
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    publishing: Publishing,
    /// Removed with the server.
    _folder: Option<tempfile::TempDir>,
}

/// How a server is told what to send.
#[derive(Clone)]
enum Publishing {
    Plain,
    Allclear(allclear::Desk),
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Contender::Allclear => "Allclear",
            Contender::Bare => "bare axum, small buffers",
            Contender::BareStock => "bare axum, default buffers",
            Contender::Floor => "blocking write loop",
            Contender::Stock => "async-graphql-axum",
            Contender::BareSse => "bare axum SSE",
            Contender::Yoga => "graphql-yoga with JIT",
        }
    }

    /// Why it cannot take part, where it cannot.
    pub(crate) fn absent(self) -> Option<String> {
        match self {
            Contender::Yoga => yoga::absent(),
            _ => None,
        }
    }

    /// Whether it can speak a transport.
    pub(crate) fn speaks(self, transport: Transport) -> bool {
        match self {
            Contender::Allclear => true,
            Contender::BareSse => transport == Transport::Sse,
            _ => transport == Transport::Ws,
        }
    }

    /// Starts a server that will be told of so many events.
    pub(crate) fn start(self, programs: &Programs, events: usize) -> anyhow::Result<Server> {
        let started = match self {
            Contender::Allclear => allclear::start(programs, events),
            Contender::Yoga => Server::plain(yoga::command()),
            contender => contender.itself().and_then(Server::plain),
        };
        started.with_context(|| format!("cannot start {}", self.name()))
    }

    /// This program again, as a server.
    fn itself(self) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        let value = self.to_possible_value().expect("no contender is hidden");
        command.args(["serve", value.get_name()]);
        Ok(command)
    }

    /// Serves in this process, until it is killed.
    pub(crate) fn serve(self) -> anyhow::Result<()> {
        match self {
            Contender::Bare => bare::serve(bare::Buffers::Small),
            Contender::BareStock => bare::serve(bare::Buffers::Default),
            Contender::Floor => floor::serve(),
            Contender::Stock => stock::serve(),
            Contender::BareSse => bare_sse::serve(),
            Contender::Allclear | Contender::Yoga => anyhow::bail!("it is a program of its own"),
        }
    }
}

impl Server {
    fn plain(command: Command) -> anyhow::Result<Server> {
        let (process, address) = Process::start(command, None)?;
        Ok(Server {
            process,
            address,
            publishing: Publishing::Plain,
            _folder: None,
        })
    }

    /// A connection to publish over.
    pub(crate) fn publisher(&self) -> anyhow::Result<Publisher> {
        Ok(Publisher {
            http: Http::connect(self.address)?,
            publishing: self.publishing.clone(),
        })
    }
}

/// Publishes over one connection.
pub(crate) struct Publisher {
    http: Http,
    publishing: Publishing,
}

impl Publisher {
    /// Publishes an event; `filler` is how much its body is filled up with.
    pub(crate) fn publish(&mut self, number: u64, filler: usize) -> anyhow::Result<()> {
        let body = document::body(number, filler);
        match &self.publishing {
            Publishing::Plain => self.http.post("/publish", &[], &body).map(|_| ()),
            Publishing::Allclear(desk) => desk.post(&mut self.http, number, &body),
        }
        .with_context(|| format!("event {number} could not be published"))
    }
}

/// Allclear as it comes, on a fresh database; with these options beside.
pub(crate) fn as_it_comes(programs: &Programs, options: &[&str]) -> anyhow::Result<Server> {
    allclear::as_it_comes(programs, options).context("cannot start Allclear")
}

/// Allclear on a database, with these options.
pub(crate) fn allclear_on(programs: &Programs, url: &str, options: &[&str]) -> anyhow::Result<Server> {
    allclear::on(programs, url, options).context("cannot start Allclear")
}

pub(crate) use allclear::{mutate, program as allclear_program};
pub(crate) use page::{PageServer, Served};

/// Says where a server listens, for the bench to read.
fn say_address(address: SocketAddr) {
    println!("http://{address}/");
}
