//! What a running server consists of, handed to every command, query and resolver.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::access::Access;
use crate::budget;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::live::{self, Live};
use crate::markdown::{ImageHosts, Renderer};
use crate::store::Store;

/// The numbers that an operator may set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How much of a partial outage counts as down (DOMAIN.md, 7).
    pub partial_outage_weight: f64,
    /// How often a quiet subscription hears where the log stands, in milliseconds.
    pub heartbeat_millis: u64,
    /// How long events are kept, in milliseconds (DESIGN.md, 2).
    pub retention_millis: i64,
    /// How often watched pages are looked at in case a bell was lost, in milliseconds. The promise of 600 ms rests on it:
    /// only tests change it.
    pub poll_millis: u64,
    /// Bytes of memory that the present states of pages may take together, by estimate; 0 keeps none, and every query reads the
    /// database.
    pub page_memory: usize,
    /// Whose images bodies may show.
    pub image_hosts: ImageHosts,
    /// What one execution may use.
    pub execution: budget::Limits,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            partial_outage_weight: crate::domain::uptime::PARTIAL_OUTAGE_WEIGHT,
            heartbeat_millis: 30_000,
            retention_millis: 30 * 24 * 60 * 60 * 1000,
            poll_millis: live::POLL_MILLIS,
            page_memory: live::PAGE_MEMORY,
            image_hosts: ImageHosts::default(),
            execution: budget::Limits::default(),
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct App {
    pub store: Arc<Store>,
    pub live: Arc<Live>,
    pub access: Access,
    pub clock: Clock,
    pub settings: Settings,
    /// Makes HTML of bodies.
    pub markdown: Renderer,
    /// Commands that run: a shutdown waits for them.
    tasks: TaskTracker,
    /// The idempotency keys of calls that run on this node.
    pub(crate) running_keys: Mutex<HashSet<(String, String)>>,
}

impl App {
    /// Puts a server together.
    pub fn new(store: Arc<Store>, access: Access, clock: Clock, settings: Settings) -> Arc<App> {
        let poll = Duration::from_millis(settings.poll_millis);
        let live = Live::new(Arc::clone(&store), poll, settings.page_memory);
        let markdown = Renderer::with_images_of(settings.image_hosts.clone());
        let (tasks, running_keys) = (TaskTracker::new(), Mutex::default());
        Arc::new(App {
            store,
            live,
            access,
            clock,
            settings,
            markdown,
            tasks,
            running_keys,
        })
    }

    /// Runs a command on a task of its own: a client that hangs up during the commit must not cancel it half way
    /// (DESIGN.md, 3).
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        command: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        if self.tasks.is_closed() {
            return Err(Error::ShuttingDown);
        }
        match self.tasks.spawn(command.in_current_span()).await {
            Ok(result) => result,
            Err(error) => Err(Error::Panicked(error.to_string())),
        }
    }

    /// How many commands run.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }

    /// Takes no further commands, and waits for those that run.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
