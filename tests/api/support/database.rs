//! A server over each kind of database, whole: HTTP and WebSocket on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use allclear::access::Access;
use allclear::access::issuer::{self, Trust};
use allclear::app::{App, Settings};
use allclear::clock::Clock;
use allclear::domain::time::Timestamp;
use allclear::store::{Options, Store};
use allclear::transport::Config;
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::issuer::Issuer;
use super::postgres::Cluster;
use super::require;

/// The admin token of every test server.
pub(crate) const ADMIN: &str = "test-admin-token-of-at-least-32-characters";

/// Connections to the database that a test server has.
pub(crate) const CONNECTIONS: u32 = 8;

/// When every test begins.
pub(crate) fn noon() -> Timestamp {
    Timestamp::parse("2026-03-02T12:00:00.000Z").expect("an instant")
}

/// A running server on one database.
pub(crate) struct Test {
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    trust: Option<Trust>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    _folder: Option<Arc<TempDir>>,
}

/// Runs a test on SQLite, then on PostgreSQL (skipped, and said so, where there is none).
pub(crate) async fn for_each_database<F: AsyncFn(&Test)>(body: F) {
    for_each_database_with(Settings::default(), Config::default(), body).await;
}

/// The same with no page held in memory, so that every query reads the database.
pub(crate) async fn for_each_database_unheld<F: AsyncFn(&Test)>(body: F) {
    let settings = Settings {
        page_memory: 0,
        ..Settings::default()
    };
    for_each_database_with(settings, Config::default(), body).await;
}

/// The same with no limit of what a document costs or how much is asked for, for tests whose queries show everything, again and again.
pub(crate) async fn for_each_database_at_any_cost<F: AsyncFn(&Test)>(body: F) {
    let mut config = Config {
        rate: None,
        ..Config::default()
    };
    config.limits.cost = u64::MAX;
    for_each_database_with(Settings::default(), config, body).await;
}

/// The same with settings of its own.
pub(crate) async fn for_each_database_with<F: AsyncFn(&Test)>(settings: Settings, config: Config, body: F) {
    for place in places().await {
        // Apart, or the future of each test would hold all of these.
        let test = Box::pin(Test::start(place, settings.clone(), config.clone())).await;
        Box::pin(body(&test)).await;
        test.stop().await;
    }
}

/// The same with an issuer whose JWTs let in; what the server is told of it can be changed before.
pub(crate) async fn for_each_database_trusting<F: AsyncFn(&Test, &mut Issuer)>(change: impl Fn(&mut Trust), body: F) {
    for place in places().await {
        let mut issuer = Issuer::start().await;
        let mut trust = issuer.trust();
        change(&mut trust);
        let test = Box::pin(Test::start_trusting(place, Config::default(), trust)).await;
        Box::pin(body(&test, &mut issuer)).await;
        test.stop().await;
    }
}

/// An empty database: its URL, and the folder that holds it.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) folder: Option<Arc<TempDir>>,
}

/// An empty database of each kind.
pub(crate) async fn places() -> Vec<Place> {
    let folder = TempDir::with_prefix("allclear-").expect("a temporary folder");
    let file = folder.path().join("allclear.db");
    let mut places = vec![Place {
        url: format!("sqlite://{}?mode=rwc", file.display()),
        folder: Some(Arc::new(folder)),
    }];
    match Cluster::shared() {
        Ok(cluster) => places.push(Place {
            url: fresh_postgres(cluster).await,
            folder: None,
        }),
        Err(why) => require::lacking("postgres", why),
    }
    places
}

/// An empty database of a cluster: its URL.
pub(crate) async fn fresh_postgres(cluster: &Cluster) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = Database::connect(cluster.url("postgres"))
        .await
        .expect("the cluster answers");
    admin
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .expect("a new database");
    admin.close().await.expect("the connection closes");
    cluster.url(&name)
}

impl Test {
    /// Starts a server over a database, with a clock that stands at noon.
    pub(crate) async fn start(place: Place, settings: Settings, config: Config) -> Test {
        Test::start_at(place, settings, config, Clock::standing(noon())).await
    }

    /// Starts a server with a clock of its own.
    pub(crate) async fn start_at(place: Place, settings: Settings, config: Config, clock: Clock) -> Test {
        Test::start_listening(place, None, None, settings, config, clock).await
    }

    /// Starts a server that lets in who has a JWT of an issuer.
    pub(crate) async fn start_trusting(place: Place, config: Config, trust: Trust) -> Test {
        let clock = Clock::standing(noon());
        Test::start_listening(place, None, Some(trust), Settings::default(), config, clock).await
    }

    /// The same where the database is listened to at another URL, and an issuer trusted.
    async fn start_listening(
        place: Place,
        listen_url: Option<String>,
        trust: Option<Trust>,
        settings: Settings,
        config: Config,
        clock: Clock,
    ) -> Test {
        let options = Options {
            url: place.url.clone(),
            connections: CONNECTIONS,
            listen_url,
        };
        let store = Arc::new(Store::open(&options).await.expect("the database opens"));
        let (access, _) = Access::open(&store, Some(ADMIN))
            .await
            .expect("the token is long enough");
        let access = match trust.clone() {
            Some(trust) => access.trusting(issuer::Issuer::new(trust).expect("it can be trusted")),
            None => access,
        };
        let app = App::new(store, access, clock, settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let grace = Duration::from_secs(10);
        let serving = tokio::spawn(allclear::server::run(
            Arc::clone(&app),
            listener,
            config,
            stop.clone(),
            grace,
        ));
        let http = reqwest::Client::new();
        Test {
            app,
            address,
            http,
            url: place.url,
            trust,
            stop,
            serving,
            _folder: place.folder,
        }
    }

    /// Whether it runs on PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// A second server on the same database.
    pub(crate) async fn another(&self) -> Test {
        self.another_listening(None).await
    }

    /// The same where the database is listened to at another URL.
    pub(crate) async fn another_listening(&self, listen_url: Option<String>) -> Test {
        let place = Place {
            url: self.url.clone(),
            folder: self._folder.clone(),
        };
        Test::start_listening(
            place,
            listen_url,
            self.trust.clone(),
            self.app.settings.clone(),
            Config::default(),
            self.app.clock.clone(),
        )
        .await
    }

    /// The URL of a database of the same server that no other test uses, and so hears nothing.
    pub(crate) fn elsewhere(&self) -> String {
        Cluster::shared().expect("this test runs on it").url("postgres")
    }

    /// Stops it as a signal would, and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.expect("the server does not panic");
    }
}
