//! What may be kept in memory for readers: the flags for it.

use clap::Args;

use crate::app::Settings;
use crate::live::PAGE_MEMORY;
use crate::transport::Config;

/// Bytes of a MiB.
const MIB: usize = 1 << 20;

/// The most that a flag takes, in MiB: 1 TiB.
const MOST: u64 = 1 << 20;

#[derive(Args, Debug)]
#[command(next_help_heading = "Memory for readers")]
pub(super) struct ReadMemory {
    /// MiB of memory for the present states of pages. Queries about a page that is held need no database. 0 holds none.
    #[arg(long, env = "ALLCLEAR_PAGE_MEMORY_MIB", value_name = "MIB", default_value_t = (PAGE_MEMORY / MIB) as u64, value_parser = clap::value_parser!(u64).range(..=MOST))]
    page_memory_mib: u64,
    /// MiB of memory for finished answers to queries. A repeated query is answered from it until its page changes. 0 keeps
    /// none.
    #[arg(long, env = "ALLCLEAR_READ_CACHE_MIB", value_name = "MIB", default_value_t = (Config::default().read_cache_bytes / MIB) as u64, value_parser = clap::value_parser!(u64).range(..=MOST))]
    read_cache_mib: u64,
}

impl ReadMemory {
    pub(super) fn apply(&self, settings: &mut Settings, config: &mut Config) {
        settings.page_memory = bytes(self.page_memory_mib);
        config.read_cache_bytes = bytes(self.read_cache_mib);
    }
}

fn bytes(mib: u64) -> usize {
    usize::try_from(mib).unwrap_or(usize::MAX).saturating_mul(MIB)
}
