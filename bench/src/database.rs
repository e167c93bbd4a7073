//! Databases to read from: the demo's page or a big page, as a SQLite file or in a private PostgreSQL cluster.

pub(crate) mod big_page;
mod postgres;

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use tempfile::TempDir;

use crate::contender::{self, Programs};
use big_page::Size;
use postgres::Cluster;

/// Which database system holds the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum System {
    Sqlite,
    Postgres,
}

/// What the database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Content {
    /// The page that `allclear serve --demo` makes.
    Demo,
    /// A page with a long history, see [`big_page`].
    BigPage,
}

/// A filled database. It is removed with this value.
pub(crate) struct Database {
    pub(crate) url: String,
    cluster: Option<Cluster>,
    /// The SQLite file, and the files to import.
    _folder: TempDir,
}

impl System {
    pub(crate) fn name(self) -> &'static str {
        match self {
            System::Sqlite => "SQLite",
            System::Postgres => "PostgreSQL",
        }
    }
}

impl Content {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Content::Demo => "demo page",
            Content::BigPage => "big page",
        }
    }

    /// The slug of its page.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Content::Demo => "healthwise",
            Content::BigPage => big_page::SLUG,
        }
    }
}

impl Database {
    /// Makes a database and fills it with Allclear's own program.
    pub(crate) fn make(system: System, content: Content, size: &Size, programs: &Programs) -> anyhow::Result<Database> {
        let folder = programs.folder()?;
        let (url, cluster) = match system {
            System::Sqlite => (
                format!("sqlite://{}?mode=rwc", folder.path().join("bench.db").display()),
                None,
            ),
            System::Postgres => {
                let cluster = Cluster::start(programs)?;
                (cluster.url(), Some(cluster))
            }
        };
        match content {
            // The page is there once the server is ready; then the server is killed.
            Content::Demo => drop(contender::allclear_on(programs, &url, &["--demo"])?),
            Content::BigPage => import(size, programs, &url)?,
        }
        Ok(Database {
            url,
            cluster,
            _folder: folder,
        })
    }

    /// The processor time that PostgreSQL has used so far; none for SQLite, which runs inside the server.
    pub(crate) fn cpu(&self) -> anyhow::Result<Option<Duration>> {
        self.cluster.as_ref().map(Cluster::cpu).transpose()
    }
}

/// Writes a big page as files of a Statuspage page and imports them into a database.
pub(crate) fn import(size: &Size, programs: &Programs, url: &str) -> anyhow::Result<()> {
    let folder = programs.folder()?;
    big_page::write(size, folder.path())?;
    let status = Command::new(contender::allclear_program(programs)?)
        .args(["import", "statuspage", "--page", big_page::SLUG, "--database-url", url])
        .arg(folder.path())
        .env("ALLCLEAR_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("cannot start the import")?;
    ensure!(status.success(), "the import failed: {status}");
    Ok(())
}
