//! Streamed answers, which go on without hyper once it has sent their head.
//!
//! What follows is written straight to the connection (`wire`), so all that hyper would do is to keep its buffers, 16 KiB of
//! them, for as long as the stream lasts. At the end of a stream another hyper takes the connection, for the next request.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::Notify;

use super::wire::Wire;

/// A streamed answer.
pub(super) struct Stream {
    /// Sends all of it that follows the head; an error where it cannot be sent to its end.
    pub(super) answer: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
    /// The connection ends with it.
    pub(super) is_last: bool,
}

/// Where the streamed answers of a connection wait until hyper has sent their heads.
#[derive(Default)]
pub(super) struct Takeover {
    waiting: Mutex<Option<Stream>>,
    came: Notify,
}

impl Takeover {
    fn waiting(&self) -> MutexGuard<'_, Option<Stream>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a streamed answer whose head hyper has sent. From then on hyper must be given nothing to do; until then it
    /// must be kept going. It can be dropped only together with the connection.
    pub(super) async fn taken(&self, wire: &Wire) -> Stream {
        let stream = loop {
            let waiting = self.waiting().take();
            if let Some(stream) = waiting {
                break stream;
            }
            self.came.notified().await;
        };
        wire.until_ours().await;
        stream
    }
}

impl Stream {
    /// Sends it, for as long as the client is there; whether the connection may serve another request.
    pub(super) async fn send(self, wire: &Wire) -> bool {
        let sent = tokio::select! {
            sent = self.answer => sent,
            () = wire.until_gone() => return false,
        };
        if let Err(error) = &sent {
            tracing::debug!(%error, "a stream is cut off");
        }
        sent.is_ok() && !self.is_last
    }
}

/// The body of a streamed answer as hyper has it, of which nothing ever comes: what there is goes past it.
pub(super) struct Body {
    stream: Option<Stream>,
    takeover: Arc<Takeover>,
    wire: Arc<Wire>,
}

impl Body {
    pub(super) fn new(stream: Stream, takeover: Arc<Takeover>, wire: Arc<Wire>) -> Body {
        Body {
            stream: Some(stream),
            takeover,
            wire,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    /// Hyper asks for the body once it has the head, and then sends what it has.
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(stream) = self.stream.take() {
            self.wire.ask_for();
            *self.takeover.waiting() = Some(stream);
            self.takeover.came.notify_one();
        }
        Poll::Pending
    }
}
