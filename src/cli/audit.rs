//! `allclear audit`: holds the audit against its hashes.

use anyhow::bail;
use clap::{Args, Subcommand};

use super::{Database, say};

#[derive(Args, Debug)]
pub(super) struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read the whole audit, and fail where an entry was changed or taken out.
    Verify {
        #[command(flatten)]
        database: Database,
    },
}

impl Audit {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let What::Verify { database } = self.what;
        let store = database.open().await?;
        let verified = store.verify_audit().await;
        store.close().await;
        let verified = verified?;
        for fault in &verified.faults {
            let chain = match fault.chain {
                crate::store::audit::SERVER => "the server".to_owned(),
                page => format!("page {page}"),
            };
            say(format!("{chain}: entry {} {}", fault.number, fault.what))?;
        }
        if verified.outside > 0 {
            let outside = verified.outside;
            say(format!(
                "{outside} entries are older than the chains, and cannot be verified"
            ))?;
        }
        if !verified.faults.is_empty() {
            bail!("the audit is not as it was written");
        }
        say(format!(
            "{} entries in {} chains are as they were written",
            verified.entries, verified.chains
        ))
    }
}
