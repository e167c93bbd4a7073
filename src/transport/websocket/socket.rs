//! A WebSocket that never waits for its peer without an end.

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use tokio::time::timeout;

use super::message::Close;
use crate::transport::WebSocketConfig;
use crate::transport::server::Progress;

/// Why a message did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// The peer is gone.
    Lost,
    /// The peer takes nothing.
    Stalled,
}

/// What came in.
#[derive(Debug)]
pub(super) enum Received {
    Text(axum::extract::ws::Utf8Bytes),
    /// A sign of life.
    Frame,
    /// Nothing more will come that could be answered.
    Gone,
    Fault(Close),
}

pub(super) struct Socket {
    inner: WebSocket,
    progress: Progress,
    config: WebSocketConfig,
}

impl Socket {
    pub(super) fn new(inner: WebSocket, progress: Progress, config: WebSocketConfig) -> Socket {
        Socket {
            inner,
            progress,
            config,
        }
    }

    pub(super) fn config(&self) -> &WebSocketConfig {
        &self.config
    }

    /// Waits for the next frame; may be cancelled.
    pub(super) async fn receive(&mut self) -> Received {
        match self.inner.recv().await {
            Some(Ok(Message::Text(text))) if text.len() > self.config.message_limit => Received::Fault(Close::TOO_BIG),
            Some(Ok(Message::Text(text))) => Received::Text(text),
            Some(Ok(Message::Binary(_))) => Received::Fault(Close::invalid("Invalid message: binary, not text")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Received::Frame,
            // axum does not say what the error is but in words.
            Some(Err(error)) if error.to_string().contains("too long") => Received::Fault(Close::TOO_BIG),
            Some(Err(_)) => Received::Fault(Close::PROTOCOL_ERROR),
            Some(Ok(Message::Close(_))) | None => Received::Gone,
        }
    }

    pub(super) async fn send_text(&mut self, text: String) -> Result<(), Unsent> {
        self.send(Message::Text(text.into())).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), Unsent> {
        self.send(Message::Ping(Bytes::new())).await
    }

    /// Sends a message, however slowly, for as long as the peer takes some of it now and then.
    async fn send(&mut self, message: Message) -> Result<(), Unsent> {
        let sending = self.inner.send(message);
        tokio::pin!(sending);
        loop {
            let taken = self.progress.taken();
            match timeout(self.config.send_timeout, &mut sending).await {
                Ok(sent) => return sent.map_err(|_| Unsent::Lost),
                Err(_) if self.progress.taken() == taken => return Err(Unsent::Stalled),
                Err(_) => {}
            }
        }
    }

    /// Says why the socket is closed, and gives the peer a while to close it too: a socket that is shut while the
    /// peer still sends is reset, and the reason lost.
    pub(super) async fn close(mut self, close: &Close) {
        tracing::debug!(code = close.code, reason = %close.reason, "closing");
        let frame = CloseFrame {
            code: close.code,
            reason: close.reason.as_ref().into(),
        };
        let closing_time = self.config.closing_time;
        let farewell = async {
            if self.inner.send(Message::Close(Some(frame))).await.is_ok() {
                self.drain().await;
            }
        };
        // A peer that does not answer in time is left.
        timeout(closing_time, farewell).await.unwrap_or_default();
    }

    /// Answers the peer's close.
    pub(super) async fn closed(mut self) {
        timeout(self.config.closing_time, self.drain())
            .await
            .unwrap_or_default();
    }

    async fn drain(&mut self) {
        while let Some(Ok(_)) = self.inner.recv().await {}
    }
}
