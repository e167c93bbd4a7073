//! The doorbell: rings after a commit with the page that changed, here and, where there is more than one node, on all.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions, Connection, Error, Executor};
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::connect::{AWAY_AFTER, ConnectError};

/// What nodes send one another bells through; each database has channels of its own.
pub(super) const CHANNEL: &str = "allclear_log";

/// How many commits a reader of the doorbell may be behind before it is told to look at every page.
const DOORBELL_DEPTH: usize = 1024;

/// How long to wait before bells are sent again that could not be: other nodes look by themselves every half second.
const AGAIN: Duration = Duration::from_millis(250);

/// How long the last bells may take: whoever waits for a node to stop must not wait for these.
const LAST: Duration = Duration::from_secs(1);

/// One bell as nodes send it: the page that changed, and the node that rings, which has heard of it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ring {
    /// The nil one in a node's test of its own hearing.
    pub(super) page: Uuid,
    pub(super) node: Option<Uuid>,
}

impl Ring {
    pub(super) fn parse(text: &str) -> Option<Ring> {
        let (page, node) = text.split_once(' ').unwrap_or((text, ""));
        Some(Ring {
            page: Uuid::from_str(page).ok()?,
            node: Uuid::from_str(node).ok(),
        })
    }
}

/// What rings.
#[derive(Clone, Debug)]
pub(super) struct Bell {
    here: broadcast::Sender<Uuid>,
    nodes: Option<Arc<Nodes>>,
}

/// The way to the other nodes.
#[derive(Debug)]
struct Nodes {
    outbox: Arc<Outbox>,
    stop: CancellationToken,
    sending: Mutex<Option<JoinHandle<()>>>,
}

/// When nobody can ring any more, nothing is left to be sent.
impl Drop for Nodes {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bell {
    /// A bell for the only node.
    pub(super) fn local() -> Bell {
        Bell {
            here: broadcast::Sender::new(DOORBELL_DEPTH),
            nodes: None,
        }
    }

    /// A bell for all nodes on a PostgreSQL database. It is rung on a connection of its own, made with the first ring:
    /// inside of the transactions it would halve the rate at which they can be written (DESIGN.md, 3).
    pub(super) fn between_nodes(url: &str) -> Result<Bell, ConnectError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| ConnectError::Url)?;
        let outbox = Arc::new(Outbox::default());
        let stop = CancellationToken::new();
        let sender = Sender {
            options: options.application_name("allclear-notify").disable_statement_logging(),
            outbox: Arc::clone(&outbox),
            connection: None,
        };
        let sending = tokio::spawn(sender.run(stop.clone()));
        let nodes = Nodes {
            outbox,
            stop,
            sending: Mutex::new(Some(sending)),
        };
        Ok(Bell {
            nodes: Some(Arc::new(nodes)),
            ..Bell::local()
        })
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Uuid> {
        self.here.subscribe()
    }

    /// Rings for a page on this node.
    pub(super) fn ring_here(&self, page: Uuid) {
        // No receiver means that nobody watches.
        let _ = self.here.send(page);
    }

    /// Rings for a page on every node.
    pub(super) fn ring(&self, page: Uuid) {
        self.ring_here(page);
        self.ring_others(page);
    }

    /// Rings on the other nodes; the bell comes back to this one as well.
    pub(super) fn ring_others(&self, page: Uuid) {
        if let Some(nodes) = &self.nodes {
            nodes.outbox.put(page);
        }
    }

    /// The name of this node in its bells.
    pub(super) fn node(&self) -> Option<Uuid> {
        self.nodes.as_ref().map(|nodes| nodes.outbox.node)
    }

    /// Sends what is due and lets the connection go.
    pub(super) async fn close(&self) {
        let Some(nodes) = &self.nodes else { return };
        nodes.stop.cancel();
        let sending = nodes.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sending) = sending {
            // A bell that is not sent in time is made up for by the other nodes' own looks.
            let _ = tokio::time::timeout(LAST, sending).await;
        }
    }
}

/// Which pages are to be rung for. However often a page changes while bells are under way, it is rung for once more.
#[derive(Debug)]
struct Outbox {
    node: Uuid,
    due: Mutex<HashSet<Uuid>>,
    news: Notify,
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox {
            node: Uuid::new_v4(),
            due: Mutex::default(),
            news: Notify::new(),
        }
    }
}

impl Outbox {
    fn put(&self, page: Uuid) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).insert(page);
        self.news.notify_one();
    }

    fn take(&self) -> HashSet<Uuid> {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put_back(&self, pages: HashSet<Uuid>) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).extend(pages);
    }

    /// One statement for all pages, so that all of them go with one commit. Without parameters: a pooler that gives each
    /// transaction another connection takes it too.
    fn statement(&self, pages: &HashSet<Uuid>) -> String {
        let node = self.node;
        let one = |page: &Uuid| format!("NOTIFY {CHANNEL}, '{page} {node}';");
        pages.iter().map(one).collect()
    }
}

/// The task that sends bells.
struct Sender {
    options: PgConnectOptions,
    outbox: Arc<Outbox>,
    connection: Option<PgConnection>,
}

impl Sender {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let is_last = tokio::select! {
                () = self.outbox.news.notified() => false,
                () = stop.cancelled() => true,
            };
            let sent = self.send().await;
            if is_last {
                break;
            }
            if let Err(error) = sent {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "other nodes cannot be rung; trying again"
                );
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = stop.cancelled() => {}
                }
                self.outbox.news.notify_one();
            }
        }
        if let Some(connection) = self.connection {
            // The database notices by itself where this fails.
            let _ = connection.close().await;
        }
    }

    /// Sends what is due. A connection that fails or hangs is let go, and its bells are due again.
    async fn send(&mut self) -> Result<(), Error> {
        let pages = self.outbox.take();
        if pages.is_empty() {
            return Ok(());
        }
        let sent = tokio::time::timeout(AWAY_AFTER, async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => PgConnection::connect_with(&self.options).await?,
            };
            connection.execute(AssertSqlSafe(self.outbox.statement(&pages))).await?;
            Ok(connection)
        });
        match sent.await.unwrap_or(Err(Error::PoolTimedOut)) {
            Ok(connection) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                self.outbox.put_back(pages);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_changes_often_while_bells_are_under_way_is_rung_for_once() {
        let outbox = Outbox::default();
        let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
        for _ in 0..100 {
            outbox.put(one);
        }
        outbox.put(other);

        let statement = outbox.statement(&outbox.take());

        let bells: Vec<&str> = statement.split_terminator(';').collect();
        assert_eq!(bells.len(), 2, "{statement}");
        for page in [one, other] {
            let bell = format!("NOTIFY allclear_log, '{page} {}'", outbox.node);
            assert!(bells.contains(&bell.as_str()), "{statement}");
        }
        assert!(outbox.take().is_empty());
    }

    #[test]
    fn a_bell_is_read_back_and_noise_is_none() {
        let (page, node) = (Uuid::new_v4(), Uuid::new_v4());
        let ring = |node| Some(Ring { page, node });

        assert_eq!(Ring::parse(&format!("{page} {node}")), ring(Some(node)));
        assert_eq!(Ring::parse(&page.to_string()), ring(None));
        for noise in ["", " ", "page", &format!(" {page}"), &format!("{page},{node}")] {
            assert_eq!(Ring::parse(noise), None, "{noise}");
        }
    }
}
