//! `allclear backup`, `allclear restore` and `allclear epoch renew`: keeping a copy of what is known, and going on from one.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{Database, say};
use crate::store::{self, Contents};

#[derive(Args, Debug)]
pub(super) struct Backup {
    /// The file to make; one that is there is left as it is.
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

#[derive(Args, Debug)]
pub(super) struct Restore {
    /// A file that `backup` made.
    file: PathBuf,
    /// Put it in the place of the database that is there, which is lost.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    database: Database,
}

#[derive(Args, Debug)]
pub(super) struct Epoch {
    #[command(subcommand)]
    what: Renewal,
}

#[derive(Debug, Subcommand)]
enum Renewal {
    /// Do so after a database was restored by other means, such as `pg_restore`, and before a server is started on it: what
    /// clients have seen may not have happened in it, and with this they are given the page afresh.
    Renew(Database),
}

impl Backup {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let file = self.file.display();
        let made = store::backup(&self.database.database_url, &self.file).await;
        let contents = made.with_context(|| format!("cannot back up to {file}"))?;
        say(format!("{file} holds {}.", told(contents)))
    }
}

impl Restore {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let file = self.file.display();
        let restored = store::restore(&self.database.database_url, &self.file, self.replace).await;
        let contents = restored.with_context(|| format!("cannot restore {file}"))?;
        say(format!(
            "Restored {}. Clients that come back are given the page afresh.",
            told(contents)
        ))
    }
}

impl Epoch {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Renewal::Renew(database) = self.what;
        let renewed = store::renew_epoch(&database.options(None)).await;
        let contents = renewed.context("cannot renew the epoch")?;
        say(format!(
            "The database holds {}, and has a new epoch. Clients that come back are given the page afresh.",
            told(contents)
        ))
    }
}

fn told(contents: Contents) -> String {
    let Contents { pages, events } = contents;
    format!("{pages} pages and {events} events, all there")
}
