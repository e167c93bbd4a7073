//! `allclear import`: reads what another system knows into a page.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Database;

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
        drop((folder, page, database));
        anyhow::bail!("not yet")
    }
}
