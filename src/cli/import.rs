//! `allclear import`: reads what another system knows into a page.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use super::{Database, say};
use crate::access::Access;
use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::commands;
use crate::statuspage::Capture;
use crate::store::Author;

#[derive(Args, Debug)]
pub(super) struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// A folder of Statuspage v2 files: `summary.json`, `components.json`, `incidents.json`,
    /// `scheduled_maintenances.json`, with or without each. Reading it again changes nothing.
    Statuspage {
        /// The folder.
        folder: PathBuf,
        /// The slug of the page to read it into; the page is made where there is none.
        #[arg(long)]
        page: String,
        #[command(flatten)]
        database: Database,
    },
}

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let From::Statuspage { folder, page, database } = self.from;
        let capture = Capture::read(&folder).with_context(|| format!("cannot import {}", folder.display()))?;
        let store = Arc::new(database.open().await?);
        let app = App::new(Arc::clone(&store), Access::closed(), Clock::System, Settings::default());
        let context = commands::Context {
            app,
            author: Author::server("import"),
        };

        let bar = ProgressBar::new(capture.len() as u64);
        let report = commands::import::statuspage(&context, &capture, &page, |progress| {
            bar.set_position(progress.done as u64);
        })
        .await;
        bar.finish_and_clear();
        store.close().await;
        let report = report.context("the import broke off; what it had taken stays, and running it again goes on")?;
        say(report.to_string().trim_end())
    }
}
