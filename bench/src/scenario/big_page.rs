//! Fills a database with the big page, for measurements by hand.

use clap::Args as ClapArgs;

use crate::contender::Programs;
use crate::database::{self, big_page};

#[derive(ClapArgs, Clone, Debug)]
pub(crate) struct Args {
    /// The database: `sqlite://PATH?mode=rwc` or `postgres://…`. Its tables are created if there are none.
    #[arg(long)]
    database_url: String,
    #[command(flatten)]
    size: big_page::Size,
}

pub(crate) fn run(args: &Args, programs: &Programs) -> anyhow::Result<()> {
    database::import(&args.size, programs, &args.database_url)?;
    println!("The page is `{}`.", big_page::SLUG);
    Ok(())
}
