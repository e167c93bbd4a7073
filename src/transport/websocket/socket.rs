//! A WebSocket that never waits for its peer without an end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::frame::{self, Decoder, Message};
use super::message::Close;
use crate::transport::wire::{Unsent, Wire};
use crate::transport::{Config, WebSocketConfig};

/// What frames are counted in.
const SECOND: Duration = Duration::from_secs(1);

/// What came in.
#[derive(Debug)]
pub(super) enum Received {
    Text(String),
    Ping(Vec<u8>),
    /// A sign of life.
    Pong,
    /// The peer closes the socket.
    Closing,
    /// Nothing more will come that could be answered.
    Gone,
    Fault(Close),
}

pub(super) struct Socket {
    wire: Arc<Wire>,
    decoder: Decoder,
    /// All of it: one pointer for each socket, where a copy would be many words.
    config: Arc<Config>,
    /// Of this second: when it began, and how many frames have come.
    second: (Instant, u32),
}

impl Socket {
    /// A socket whose peer may have sent something already.
    pub(super) fn new(wire: Arc<Wire>, received: &[u8], config: Arc<Config>) -> Socket {
        let mut decoder = Decoder::new(config.websocket.message_limit);
        decoder.feed(received);
        Socket {
            wire,
            decoder,
            config,
            second: (Instant::now(), 0),
        }
    }

    pub(super) fn config(&self) -> &WebSocketConfig {
        &self.config.websocket
    }

    pub(super) fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    /// Waits for the next message; may be cancelled.
    pub(super) async fn receive(&mut self) -> Received {
        loop {
            let next = self.decoder.next();
            if self.is_too_fast() {
                return Received::Fault(Close::TOO_MANY_FRAMES);
            }
            match next {
                Ok(Some(Message::Text(text))) => return Received::Text(text),
                Ok(Some(Message::Ping(payload))) => return Received::Ping(payload),
                Ok(Some(Message::Pong)) => return Received::Pong,
                Ok(Some(Message::Close)) => return Received::Closing,
                Ok(None) => {}
                Err(close) => return Received::Fault(close),
            }
            if self.wire.readable().await.is_err() {
                return Received::Gone;
            }
            match self.wire.read(|bytes| self.decoder.feed(bytes)) {
                Ok(true) => {}
                Ok(false) | Err(_) => return Received::Gone,
            }
        }
    }

    /// Whether a text has begun to come and not ended ([`Decoder::unfinished`]).
    pub(super) fn unfinished(&self) -> Option<u32> {
        self.decoder.unfinished()
    }

    /// Whether frames come faster than they may.
    fn is_too_fast(&mut self) -> bool {
        let frames = self.decoder.take_frames();
        if frames == 0 {
            return false;
        }
        let (began, count) = &mut self.second;
        if began.elapsed() >= SECOND {
            (*began, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(frames);
        *count > self.config().frames_per_second
    }

    /// Sends bytes that are whole frames, however slowly, for as long as the peer takes some of them now and then.
    pub(super) async fn send(&self, frames: Vec<u8>) -> Result<(), Unsent> {
        self.wire.send(frames.into(), self.config().send_timeout).await
    }

    pub(super) async fn send_text(&self, text: &str) -> Result<(), Unsent> {
        let mut out = Vec::with_capacity(text.len() + 10);
        frame::whole(&mut out, text);
        self.send(out).await
    }

    /// Says why the socket is closed, and gives the peer a while to close it too: a socket that is shut while the
    /// peer still sends is reset, and the reason lost.
    pub(super) async fn close(mut self, close: &Close) {
        tracing::debug!(code = close.code, reason = %close.reason, "closing");
        let closing_time = self.config().closing_time;
        // A peer that took nothing for so long may still take all of it now, and learn why.
        let patience = self.config().send_timeout + closing_time;
        let farewell = async {
            if self.wire.send(frame::close(close).into(), patience).await.is_ok() {
                self.drain().await;
            }
        };
        // A peer that does not answer in time is left.
        timeout(closing_time, farewell).await.unwrap_or_default();
        self.wire.hang_up();
    }

    /// Answers the peer's close. The connection is then ours to end.
    pub(super) async fn closed(self) {
        let answer = frame::close_in_answer();
        // It may be gone.
        let _ = timeout(self.config().closing_time, self.send(answer)).await;
        self.wire.hang_up();
    }

    /// Reads until the peer closes the socket too.
    async fn drain(&mut self) {
        loop {
            match self.receive().await {
                Received::Text(_) | Received::Ping(_) | Received::Pong => {}
                Received::Closing | Received::Gone => return,
                // What cannot be read is not read for its meaning any more.
                Received::Fault(_) => self.decoder = Decoder::new(self.config().message_limit),
            }
        }
    }
}
