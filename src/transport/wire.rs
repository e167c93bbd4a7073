//! One connection, which two write to: hyper, and once hyper has nothing more to say, whoever has something for the peer.
//!
//! Writing straight to the socket is what makes a delivered message cost little more than the system call (DESIGN.md, 4).
//! The connection is never written by both: a WebSocket is taken out of hyper, and a streamed answer is written past it
//! only after hyper has flushed its head ([`Wire::until_ours`]).

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use socket2::SockRef;
#[cfg(any(target_os = "linux", target_os = "android"))]
use tokio::io::Interest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, timeout_at};

use super::slot::Slot;

/// What the kernel holds of what a client has not taken yet: 64 KiB, or a stalled client would cost megabytes.
const SEND_BUFFER: usize = 64 << 10;

/// How long a peer may leave what it was sent without an acknowledgement: 30 s. One that vanished without a word is sent a sign
/// of life every 20 s, and would be waited for up to a quarter of an hour (tcp(7), `tcp_retries2`) before a stream to it ends.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How much is read at once, on the stack: nothing is held for a connection that says nothing.
const READ: usize = 8 << 10;

/// Hyper writes.
const HYPERS: u8 = 0;
/// Hyper writes what it has, and nothing after that.
const ASKED_FOR: u8 = 1;
/// Hyper has written all of it.
const OURS: u8 = 2;

/// Why something did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// The peer is gone.
    Lost,
    /// The peer takes nothing.
    Stalled,
}

/// What became of something that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It is sent, or will be before anything else.
    Taken,
    /// Nothing of it was sent: the peer has not taken what came before.
    Behind,
    /// Nothing can be sent any more.
    Closed,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    outgoing: Mutex<Outgoing>,
    /// Wakes who tends the connection: something is left over.
    left_over: Notify,
    whose: AtomicU8,
    handed_over: Notify,
    /// Given back after the stream is closed.
    slot: Slot,
}

#[derive(Debug, Default)]
struct Outgoing {
    /// What the kernel did not take. Empty, and without memory, for almost all.
    rest: VecDeque<Bytes>,
    /// Since when the kernel takes nothing of the rest.
    blocked: Option<Instant>,
    is_closed: bool,
}

impl Outgoing {
    /// Sends of the rest what the kernel takes; whether nothing is left.
    fn advance(&mut self, stream: &TcpStream) -> io::Result<bool> {
        while let Some(first) = self.rest.front_mut() {
            match stream.try_write(first) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    drop(first.split_to(sent));
                    if first.is_empty() {
                        self.rest.pop_front();
                    }
                    self.blocked = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        *self = Outgoing {
            is_closed: self.is_closed,
            ..Outgoing::default()
        };
        Ok(true)
    }
}

impl Wire {
    /// Takes a connection that was accepted: it sends at once, and holds little.
    pub(super) fn new(stream: TcpStream, slot: Slot) -> Arc<Wire> {
        // A connection without these is slower or larger, and still works.
        if let Err(error) = tune(&stream) {
            tracing::debug!(%error, "a connection could not be tuned");
        }
        Arc::new(Wire {
            stream,
            outgoing: Mutex::default(),
            left_over: Notify::new(),
            whose: AtomicU8::new(HYPERS),
            handed_over: Notify::new(),
            slot,
        })
    }

    /// The connection's slot, which knows what the connection is doing.
    pub(super) const fn slot(&self) -> &Slot {
        &self.slot
    }

    fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends something if all before it is sent, without waiting. Whoever tends the connection sends what the kernel
    /// does not take of it; for that `kept` gives the same bytes, in a form that others can share.
    pub(super) fn offer(&self, bytes: &[u8], kept: impl FnOnce() -> Bytes) -> Offered {
        let mut outgoing = self.outgoing();
        if outgoing.is_closed {
            return Offered::Closed;
        }
        if !outgoing.rest.is_empty() {
            return Offered::Behind;
        }
        match self.stream.try_write(bytes) {
            Ok(sent) if sent == bytes.len() => Offered::Taken,
            Ok(sent) => {
                outgoing.rest.push_back(kept().slice(sent..));
                self.left_over.notify_one();
                Offered::Taken
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Offered::Behind,
            Err(_) => Offered::Closed,
        }
    }

    /// Sends something after all before it, however slowly, for as long as the peer takes some of it now and then.
    ///
    /// # Errors
    /// `Stalled` when the peer takes nothing for `patience`.
    pub(super) async fn send(&self, bytes: Bytes, patience: Duration) -> Result<(), Unsent> {
        match self.offer(&bytes, || bytes.clone()) {
            Offered::Taken => {}
            Offered::Behind => self.outgoing().rest.push_back(bytes),
            Offered::Closed => return Err(Unsent::Lost),
        }
        self.flush(patience).await
    }

    /// Sends what is left over.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub(super) async fn flush(&self, patience: Duration) -> Result<(), Unsent> {
        loop {
            let blocked = {
                let mut outgoing = self.outgoing();
                if outgoing.advance(&self.stream).map_err(|_| Unsent::Lost)? {
                    return Ok(());
                }
                *outgoing.blocked.get_or_insert_with(Instant::now)
            };
            match timeout_at(blocked + patience, self.stream.writable()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Unsent::Lost),
                Err(_) => return Err(Unsent::Stalled),
            }
        }
    }

    /// Sends what others leave over, until that fails. It can be dropped at any time and called again.
    pub(super) async fn tend(&self, patience: Duration) -> Unsent {
        loop {
            // Apart, as there is nothing left over for almost all.
            if self.has_rest()
                && let Err(unsent) = Box::pin(self.flush(patience)).await
            {
                return unsent;
            }
            self.left_over.notified().await;
        }
    }

    fn has_rest(&self) -> bool {
        !self.outgoing().rest.is_empty()
    }

    /// Waits until there is something to read.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Hands what was received to `take`; whether there will be more. Nothing may have come after all.
    pub(super) fn read(&self, take: impl FnOnce(&[u8])) -> io::Result<bool> {
        let mut bytes = [0; READ];
        match self.stream.try_read(&mut bytes) {
            Ok(0) => Ok(false),
            Ok(read) => {
                take(&bytes[..read]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes nothing more to be sent, from whomever, and ends the connection, for both sides.
    pub(super) fn hang_up(&self) {
        *self.outgoing() = Outgoing {
            is_closed: true,
            ..Outgoing::default()
        };
        // It may be gone already.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
    }

    /// Has hyper's part end with what it was given before. It must not be given more.
    pub(super) fn ask_for(&self) {
        self.whose.store(ASKED_FOR, Ordering::Release);
    }

    /// Waits until hyper has written what it was given before the connection was asked for.
    pub(super) async fn until_ours(&self) {
        while self.whose.load(Ordering::Acquire) != OURS {
            self.handed_over.notified().await;
        }
    }

    /// Waits until the client hangs up, whether or not all that it sent was read.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) async fn until_gone(&self) {
        // tokio reports the end of the peer's side with this interest and not the arrival of data, which nobody may read
        // for as long as a request is executed. An error is an end too.
        let _ = self.stream.ready(Interest::PRIORITY).await;
    }

    /// Waits until the client hangs up. If it has sent its next request already, that is not noticed until something is sent.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) async fn until_gone(&self) {
        // Not read: the next request is read by whoever serves it.
        if let Ok(1..) = self.stream.peek(&mut [0]).await {
            std::future::pending::<()>().await;
        }
    }

    /// Gives the connection back to hyper.
    pub(super) fn hand_back(&self) {
        self.slot.waiting();
        self.whose.store(HYPERS, Ordering::Release);
    }

    /// Hyper has nothing left to write.
    fn is_flushed(&self) {
        self.slot.flushed();
        let given = self
            .whose
            .compare_exchange(ASKED_FOR, OURS, Ordering::AcqRel, Ordering::Acquire);
        if given.is_ok() {
            self.handed_over.notify_one();
        }
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.set_send_buffer_size(SEND_BUFFER)
}

/// A connection as hyper reads and writes it. Hyper itself waits for ever for a peer that takes nothing.
#[derive(Debug)]
pub(super) struct Carrier {
    wire: Arc<Wire>,
    patience: Duration,
    /// While the peer takes nothing: ends when that has lasted for too long.
    blocked: Option<Pin<Box<Sleep>>>,
}

impl Carrier {
    /// Gives a peer up that takes nothing of an answer for `patience`.
    pub(super) fn new(wire: Arc<Wire>, patience: Duration) -> Carrier {
        Carrier {
            wire,
            patience,
            blocked: None,
        }
    }

    pub(super) fn into_wire(self) -> Arc<Wire> {
        self.wire
    }

    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let stream = &self.wire.stream;
        while let Poll::Ready(is_ready) = stream.poll_write_ready(cx) {
            is_ready?;
            match write(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => {
                    self.blocked = None;
                    return Poll::Ready(done);
                }
            }
        }
        let patience = self.patience;
        let blocked = self.blocked.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(blocked.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Carrier {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &self.wire.stream;
        loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read(buf.initialize_unfilled()) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is held back here. Hyper comes by when its own buffer is empty.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.is_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.wire.stream).shutdown(Shutdown::Write))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
