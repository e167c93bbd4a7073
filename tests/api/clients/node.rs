//! A second node, which stops while a client is at it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use allclear::access::Access;
use allclear::app::{App, Settings};
use allclear::store::{Options, Store};
use allclear::transport::{Config, Stop};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::script::{Environment, shop};
use crate::support::database::{ADMIN, Test};

/// So long that only what is done ends the wait.
const GRACE: Duration = Duration::from_secs(10);

/// A node on the database of a test.
pub(super) struct Node {
    address: SocketAddr,
    pub(super) stop: Stop,
    serving: JoinHandle<()>,
}

impl Node {
    pub(super) async fn beside(test: &Test) -> Node {
        let options = Options {
            url: test.url.clone(),
            connections: 4,
            listen_url: None,
        };
        let store = Arc::new(Store::open(&options).await.expect("the database opens"));
        let (access, _) = Access::open(&store, Some(ADMIN)).await.expect("the token is the same");
        let app = App::new(store, access, test.app.clock.clone(), Settings::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = Stop::default();
        let serving = tokio::spawn(allclear::server::run(
            app,
            listener,
            Config::default(),
            stop.clone(),
            GRACE,
        ));
        Node { address, stop, serving }
    }

    /// Makes a page, and tells a script to begin here and to go on at the test's own server.
    pub(super) async fn environment(&self, test: &Test) -> Environment {
        let mut environment = shop(test).await;
        // The later of two of one name counts.
        environment.push(("ALLCLEAR_ADDRESS", self.address.to_string()));
        environment.push(("ALLCLEAR_NEXT", test.address.to_string()));
        environment
    }

    /// Waits until it has stopped.
    pub(super) async fn ended(self) {
        self.serving.await.expect("it does not panic");
    }
}
