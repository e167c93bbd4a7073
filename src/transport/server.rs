//! Takes connections, and stops in good order.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the kernel holds of what a client has not taken yet: 64 KiB, or a stalled client would cost megabytes.
const SEND_BUFFER: usize = 64 << 10;

/// The sockets of a server: each WebSocket of it, which outlives the HTTP request it began as.
#[derive(Clone, Debug)]
pub struct Connections {
    shutdown: CancellationToken,
    sockets: TaskTracker,
}

impl Connections {
    /// Once `shutdown` is cancelled, sockets close.
    pub fn new(shutdown: CancellationToken) -> Connections {
        Connections {
            shutdown,
            sockets: TaskTracker::new(),
        }
    }

    pub(super) fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    pub(super) fn track<F: Future>(&self, socket: F) -> impl Future<Output = F::Output> + use<F> {
        self.sockets.track_future(socket)
    }
}

/// Serves until the shutdown, then lets requests and sockets end: as a whole, for no longer than `grace`.
///
/// `connections` are those that the router was made with.
pub async fn serve(listener: TcpListener, router: Router, connections: Connections, grace: Duration) -> io::Result<()> {
    let shutdown = connections.shutdown.clone();
    let serving = axum::serve(
        Tuned(listener),
        router.into_make_service_with_connect_info::<Progress>(),
    )
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

/// A listener whose connections send at once, hold little, and count what is taken.
struct Tuned(TcpListener);

impl Listener for Tuned {
    type Io = Metered;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Metered, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // A connection without these is slower or larger, and still works.
        if let Err(error) = stream
            .set_nodelay(true)
            .and(SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER))
        {
            tracing::debug!(%error, "a connection could not be tuned");
        }
        (
            Metered {
                stream,
                progress: Progress::default(),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// How much a peer has taken of what was sent to it.
///
/// The one way to tell a slow peer from one that is stuck: a message is sent as a whole or not, as far as a WebSocket
/// tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes so far.
    pub(super) fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.0.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
    }
}

impl Connected<IncomingStream<'_, Tuned>> for Progress {
    fn connect_info(stream: IncomingStream<'_, Tuned>) -> Progress {
        stream.io().progress.clone()
    }
}

struct Metered {
    stream: TcpStream,
    progress: Progress,
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.progress.add(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.progress.add(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
