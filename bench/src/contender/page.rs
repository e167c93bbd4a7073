//! Servers that answer the query of a status page: the yardsticks of the read benchmark. Each is a process of its own.

use std::path::Path;

use clap::Subcommand;

use super::{Server, bare_page, mercurius, stock_page};

/// A yardstick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageServer {
    /// A bare axum handler that returns bytes it was given.
    Bare,
    /// async-graphql-axum with sea-orm.
    Stock,
    /// Mercurius with JIT, on PostgreSQL.
    Mercurius,
}

/// What this program serves when it is started as a yardstick.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Served {
    /// The bytes of a file, with an entity tag.
    Bare { file: std::path::PathBuf },
    /// A database, by async-graphql-axum and sea-orm.
    Stock { url: String },
}

impl Served {
    /// Serves until the process is killed.
    pub(crate) fn serve(&self) -> anyhow::Result<()> {
        match self {
            Served::Bare { file } => bare_page::serve(file),
            Served::Stock { url } => stock_page::serve(url),
        }
    }
}

impl PageServer {
    /// Why it cannot take part, if it cannot.
    pub(crate) fn absent(self) -> Option<String> {
        match self {
            PageServer::Mercurius => mercurius::absent(),
            PageServer::Bare | PageServer::Stock => None,
        }
    }

    /// Starts it. `answer` is a file with the bytes that the bare handler returns; the others read the database.
    pub(crate) fn start(self, url: &str, answer: &Path) -> anyhow::Result<Server> {
        let mut command = match self {
            PageServer::Mercurius => mercurius::command(url),
            PageServer::Bare | PageServer::Stock => std::process::Command::new(std::env::current_exe()?),
        };
        match self {
            PageServer::Bare => command.args(["serve-page", "bare"]).arg(answer),
            PageServer::Stock => command.args(["serve-page", "stock", url]),
            PageServer::Mercurius => &mut command,
        };
        Server::plain(command)
    }
}
