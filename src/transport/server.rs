//! Takes connections, and stops in good order.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
// Accepts until it can: what ails one connection, or a moment without file descriptors, does not end it.
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::slot::Slots;
use super::takeover::{Stream, Takeover};
use super::wire::{Carrier, Wire};
use super::{Proxies, exchange};

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
    slots: Arc<Slots>,
    /// Is cancelled when the server has waited long enough for requests and sockets after the shutdown.
    cut: CancellationToken,
}

impl Connections {
    /// Once the server stops, sockets close. There are `most` connections at a time, of any kind; none for as many as come.
    /// The connections of one of `proxies` do not count as those of one address when there are too many.
    pub fn new(stop: impl Into<Stop>, most: Option<usize>, proxies: Proxies) -> Connections {
        Connections {
            stop: stop.into(),
            sockets: TaskTracker::new(),
            slots: Arc::new(Slots::new(most).behind(proxies)),
            cut: CancellationToken::new(),
        }
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Runs what a socket does for as long as it lives.
    pub(super) fn spawn(&self, socket: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.sockets.spawn(async move {
            // What it executes ends with it.
            cut.run_until_cancelled_owned(socket).await;
        });
    }
}

/// Bytes that hyper reads ahead of a connection, and holds of a head: 128 KiB. A URL has 64 KiB at most (crate `http`).
const BUFFER: usize = 128 << 10;

/// How long a server waits, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the head of a request.
    pub head: Duration,
    /// For a client to take anything of what it is sent.
    pub send: Duration,
    /// For requests and sockets to end after the shutdown: all of them together.
    pub end: Duration,
}

/// Serves until the shutdown, then lets requests and sockets end. Connections that wait for a request or for the rest of one
/// are closed at once; executions that run at the end of `patience.end` are cancelled.
///
/// `connections` are those that the router was made with.
pub async fn serve(mut listener: TcpListener, router: Router, connections: Connections, patience: Patience) {
    let shutdown = connections.stop.token.clone();
    let requests = TaskTracker::new();
    let ended = async {
        let slots = &connections.slots;
        let next = async |listener: &mut TcpListener| {
            let (stream, peer) = Listener::accept(listener).await;
            (stream, peer, slots.take(peer.ip()).await)
        };
        while let Some((stream, peer, slot)) = shutdown.run_until_cancelled(next(&mut listener)).await {
            let link = Link {
                wire: Wire::new(stream, slot),
                takeover: Arc::default(),
                peer: peer.ip(),
            };
            let conversation = converse(link, router.clone(), patience, shutdown.clone());
            let cut = connections.cut.clone();
            requests.spawn(async move {
                cut.run_until_cancelled_owned(conversation).await;
            });
        }
        // Whoever comes now is refused, and may ask another node.
        drop(listener);
        requests.close();
        requests.wait().await;
        connections.sockets.close();
        connections.sockets.wait().await;
    };
    let too_late = async {
        shutdown.cancelled().await;
        sleep(patience.end).await;
    };
    tokio::select! {
        () = ended => {}
        () = too_late => {
            let (requests, sockets) = (requests.len(), connections.sockets.len());
            tracing::warn!(requests, sockets, "the grace is over: connections are cut, and what they execute is cancelled");
        }
    }
    connections.cut.cancel();
}

/// Answers the requests of one connection, until the client ends it, or, after the shutdown, the request that runs is
/// answered.
async fn converse(link: Link, router: Router, patience: Patience, shutdown: CancellationToken) {
    let wire = Arc::clone(&link.wire);
    // Apart, as a stream that lasts holds nothing of it.
    while let Some(stream) = Box::pin(speak_http(link.clone(), router.clone(), patience, &shutdown)).await {
        let goes_on = stream.send(&wire).await;
        if !goes_on || shutdown.is_cancelled() {
            wire.hang_up();
            return;
        }
        wire.hand_back();
    }
}

/// Has hyper speak HTTP on a connection, until that has ended, or until what it answers goes on without it.
async fn speak_http(link: Link, router: Router, patience: Patience, shutdown: &CancellationToken) -> Option<Stream> {
    let (wire, takeover) = (Arc::clone(&link.wire), Arc::clone(&link.takeover));
    let link = ConnectInfo(link);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let wire = Arc::clone(&link.0.wire);
        let mut request = exchange::request(&wire, request);
        request.extensions_mut().insert(link.clone());
        let answer = router.call(request);
        async move { answer.await.map(|response| exchange::response(wire, response)) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(BUFFER);
    let connection = http
        .serve_connection(TokioIo::new(Carrier::new(Arc::clone(&wire), patience.send)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut taken = pin!(takeover.taken(&wire));
    let mut gone = pin!(wire.until_gone());
    let mut is_ending = false;
    loop {
        tokio::select! {
            // hyper first: it reads what has arrived before anything is decided about a connection that waits.
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
                return None;
            }
            stream = taken.as_mut() => return Some(stream),
            // hyper does not notice while it holds bytes of a next request. What is executed ends with the connection.
            () = gone.as_mut() => return None,
            () = shutdown.cancelled(), if !is_ending => {
                if wire.slot().is_waiting() {
                    return None;
                }
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = wire.slot().told_to_leave() => {
                if wire.slot().is_waiting() {
                    return None;
                }
            }
        }
    }
}

/// The connection that a request came by.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) wire: Arc<Wire>,
    pub(super) takeover: Arc<Takeover>,
    /// Who is at its other end: a client, or a proxy.
    pub(super) peer: IpAddr,
}
