//! Hearing the bells of other nodes, on a connection of its own. What is not heard the tailer's own looks make up for,
//! so this may fail, as long as it says so and tries again.

use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, ConnectOptions};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Store;
use super::bell::{CHANNEL, Ring};
use super::connect::{AWAY_AFTER, ConnectError, Options};
use crate::seeded::{self, Bug};

/// How long a node waits for the bell it rings itself before it says that it hears none.
const SILENCE: Duration = Duration::from_secs(2);

/// How often a node that hears tests it again: a connection that hangs is silent like one on which nothing happens.
const TEST: Duration = Duration::from_secs(10);

/// From one connection that failed to the next: at first at once, then less and less often.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Whether this node hears the bells of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// No; only its own looks tell it what others have changed. So it is on SQLite, which has one node.
    No,
    /// Yes, on its n-th connection. What changed before it was made may have rung for nobody: whoever watches looks at
    /// everything once when this number rises.
    Yes(u64),
}

/// Where bells are heard.
#[derive(Debug)]
pub(super) struct Ear {
    options: Option<PgConnectOptions>,
    hearing: watch::Sender<Hearing>,
}

/// Why nothing is heard any more.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error("the database cannot be listened to")]
    Connect(#[source] sqlx::Error),
    #[error("the database does not answer in time")]
    Slow,
    #[error("the connection was lost")]
    Lost(#[source] Option<sqlx::Error>),
    #[error("the bell that this node rang itself has not come")]
    Silent,
}

impl Ear {
    pub(super) fn new(options: &Options) -> Result<Ear, ConnectError> {
        let is_postgres = options.url.starts_with("postgres");
        let url = options.listen_url.as_ref().unwrap_or(&options.url);
        let options = is_postgres
            .then(|| PgConnectOptions::from_str(url).map_err(|_| ConnectError::ListenUrl))
            .transpose()?
            .map(|options| options.application_name("allclear-listen").disable_statement_logging());
        Ok(Ear {
            options,
            hearing: watch::Sender::new(Hearing::No),
        })
    }

    /// Says how it hears from now on, where that is news; tells whether it was.
    fn now(&self, now: Hearing) -> bool {
        self.hearing.send_if_modified(|hearing| {
            let is_news = *hearing != now;
            *hearing = now;
            is_news
        })
    }
}

impl Store {
    /// Whether this node hears the bells of others.
    pub fn hearing(&self) -> watch::Receiver<Hearing> {
        self.ear.hearing.subscribe()
    }

    /// Passes the bells of other nodes on to this one's doorbell, until `stop`.
    pub async fn listen(&self, stop: CancellationToken) {
        let Some(options) = &self.ear.options else { return };
        let mut connections = 0;
        let mut failures = 0;
        loop {
            let mut listening = Listening {
                store: self,
                connection: connections + 1,
            };
            let ended = listening.until(options, &stop).await;
            let had_heard = self.ear.now(Hearing::No);
            let Err(deaf) = ended else { return };
            seeded::dawdle(Bug::ReconnectWithoutRead).await;
            if had_heard {
                (connections, failures) = (connections + 1, 0);
            }
            if failures == 0 {
                tracing::warn!(
                    error = &deaf as &dyn std::error::Error,
                    "this node does not hear what other nodes change, and looks by itself every half second; behind a \
                     pooler, give a direct URL with --database-listen-url (ALLCLEAR_DATABASE_LISTEN_URL); trying again"
                );
            }
            let pause = PAUSES.get(failures).or(PAUSES.last()).copied().unwrap_or_default();
            failures += 1;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// One connection that listens.
struct Listening<'a> {
    store: &'a Store,
    connection: u64,
}

impl Listening<'_> {
    /// Listens until `stop`, or until nothing is heard any more.
    async fn until(&mut self, options: &PgConnectOptions, stop: &CancellationToken) -> Result<(), Deaf> {
        // A pool, because a listener is made of one; of one connection, whose loss ends it: a listener that connects
        // again by itself does not tell what it has missed.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(AWAY_AFTER)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.clone());
        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            deaf = self.hear(&pool) => Err(deaf),
        };
        // The listener gives its connection back before it can be closed; one that hangs is left to the database.
        let _ = tokio::time::timeout(SILENCE / 2, pool.close()).await;
        ended
    }

    /// Hears, until that fails.
    async fn hear(&mut self, pool: &PgPool) -> Deaf {
        let connecting = tokio::time::timeout(AWAY_AFTER, async {
            let mut listener = PgListener::connect_with(pool).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        });
        let mut listener = match connecting.await {
            Ok(Ok(listener)) => listener,
            Ok(Err(error)) => return Deaf::Connect(error),
            Err(_) => return Deaf::Slow,
        };
        let bell = self.store.bell();
        // The test goes the way of every bell.
        bell.ring_others(Uuid::nil());
        let mut is_tested = false;
        let mut deadline = Instant::now() + SILENCE;
        loop {
            let heard = tokio::select! {
                heard = listener.try_recv() => heard,
                () = tokio::time::sleep_until(deadline) => {
                    if !is_tested {
                        return Deaf::Silent;
                    }
                    bell.ring_others(Uuid::nil());
                    (is_tested, deadline) = (false, Instant::now() + SILENCE);
                    continue;
                }
            };
            let notification = match heard {
                Ok(Some(notification)) => notification,
                Ok(None) => return Deaf::Lost(None),
                Err(error) => return Deaf::Lost(Some(error)),
            };
            let Some(ring) = Ring::parse(notification.payload()) else {
                continue;
            };
            let is_own = ring.node.is_some() && ring.node == bell.node();
            if is_own && ring.page.is_nil() {
                (is_tested, deadline) = (true, Instant::now() + TEST);
                self.proven();
            } else if !is_own && !ring.page.is_nil() {
                self.store.ring(ring.page);
            }
        }
    }

    /// A bell has come.
    fn proven(&mut self) {
        if self.store.ear.now(Hearing::Yes(self.connection)) {
            tracing::info!("hearing what other nodes change");
        }
    }
}
