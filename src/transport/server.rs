//! Takes connections, and stops in good order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::wire::{Carrier, Wire};

/// Stops a server, and says what for: clients of one that makes way for another come back at once.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    token: CancellationToken,
    is_restart: Arc<AtomicBool>,
}

impl Stop {
    /// Stops the server; it goes away.
    pub fn shut_down(&self) {
        self.token.cancel();
    }

    /// Stops the server; another takes its place.
    pub fn restart(&self) {
        self.is_restart.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Is cancelled when the server stops.
    pub const fn token(&self) -> &CancellationToken {
        &self.token
    }

    pub(super) fn is_restart(&self) -> bool {
        self.is_restart.load(Ordering::Acquire)
    }
}

impl From<CancellationToken> for Stop {
    fn from(token: CancellationToken) -> Stop {
        Stop {
            token,
            is_restart: Arc::default(),
        }
    }
}

/// The sockets of a server, which outlive the HTTP requests they began as.
#[derive(Clone, Debug)]
pub struct Connections {
    stop: Stop,
    sockets: TaskTracker,
}

impl Connections {
    /// Once the server stops, sockets close.
    pub fn new(stop: impl Into<Stop>) -> Connections {
        Connections {
            stop: stop.into(),
            sockets: TaskTracker::new(),
        }
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Runs what a socket does for as long as it lives.
    pub(super) fn spawn(&self, socket: impl Future<Output = ()> + Send + 'static) {
        self.sockets.spawn(socket);
    }
}

/// Serves until the shutdown, then lets requests and sockets end: as a whole, for no longer than `grace`.
///
/// `connections` are those that the router was made with.
pub async fn serve(listener: TcpListener, router: Router, connections: Connections, grace: Duration) -> io::Result<()> {
    let shutdown = connections.stop.token.clone();
    let serving = axum::serve(Wired(listener), router.into_make_service_with_connect_info::<Link>())
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let ended = async {
        serving.await?;
        connections.sockets.close();
        connections.sockets.wait().await;
        Ok(())
    };
    let too_late = async {
        shutdown.cancelled().await;
        sleep(grace).await;
    };
    tokio::select! {
        result = ended => result,
        () = too_late => {
            tracing::warn!(sockets = connections.sockets.len(), "stopping with connections still open");
            Ok(())
        }
    }
}

/// A listener whose connections can be written to past hyper.
struct Wired(TcpListener);

impl Listener for Wired {
    type Io = Carrier;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Carrier, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Carrier(Wire::new(stream)), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// The connection that a request came by.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) wire: Arc<Wire>,
    pub(super) peer: SocketAddr,
}

impl Connected<IncomingStream<'_, Wired>> for Link {
    fn connect_info(stream: IncomingStream<'_, Wired>) -> Link {
        Link {
            wire: Arc::clone(&stream.io().0),
            peer: *stream.remote_addr(),
        }
    }
}
