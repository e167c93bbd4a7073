//! Results one after the other in the body of one response: as server-sent events by `graphql-sse`, in parts by Apollo's
//! `subscriptionSpec`.
//!
//! Hyper sends the head of the response. What follows is a `Session`, which writes straight to the connection (`takeover`).

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Version, header};
use axum::response::Response;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::accept::StreamMedia;
use crate::transport::access::Authenticate;
use crate::transport::address::Address;
use crate::transport::answer::Answer;
use crate::transport::engine::Engine;
use crate::transport::envelope::{Envelope, Form, Framing};
use crate::transport::fanout::Seat;
use crate::transport::operation::{Event, Key, Operations};
use crate::transport::place::Place;
use crate::transport::preflight::Checked;
use crate::transport::router::Edge;
use crate::transport::takeover::{self, Stream, Takeover};
use crate::transport::throttle::Payer;
use crate::transport::wire::{Unsent, Wire};
use crate::transport::{RequestError, RequestId};

/// What a stream is told to do, and by whom.
pub(super) enum Command<S> {
    Start(Box<Started<S>>),
    /// Ends the operation that the client calls so.
    Stop(String),
}

/// An operation to run.
pub(super) struct Started<S> {
    /// What the client calls it; empty where there is but one.
    pub(super) id: String,
    /// Who sent it, and who pays.
    pub(super) sender: (Arc<S>, Payer),
    pub(super) request_id: RequestId,
    pub(super) checked: Result<Checked, RequestError>,
    /// Where a subscription resumes.
    pub(super) after: Option<String>,
}

/// One streamed response.
pub(super) struct Session<E, A: Authenticate> {
    edge: Edge<E, A>,
    wire: Arc<Wire>,
    takeover: Arc<Takeover>,
    /// The connection ends with it.
    is_last: bool,
    /// Among all that are open.
    _place: Place,
    form: Form,
    media: StreamMedia,
    operations: Operations,
    running: HashMap<Key, (String, Envelope)>,
    last: u64,
}

impl<E: Engine, A: Authenticate> Session<E, A> {
    /// A response to one operation.
    pub(super) fn only(
        edge: &Edge<E, A>,
        parts: &Parts,
        address: Address,
        media: StreamMedia,
        request_id: &RequestId,
    ) -> Result<Session<E, A>, RequestError> {
        let form = match media {
            StreamMedia::Events => Form::Distinct,
            StreamMedia::Multipart => Form::Multipart,
        };
        Session::new(edge, parts, address, media, form, request_id)
    }

    /// A response to many operations, each of which has a name.
    pub(super) fn single(
        edge: &Edge<E, A>,
        parts: &Parts,
        address: Address,
        request_id: &RequestId,
    ) -> Result<Session<E, A>, RequestError> {
        Session::new(edge, parts, address, StreamMedia::Events, Form::Single, request_id)
    }

    fn new(
        edge: &Edge<E, A>,
        parts: &Parts,
        address: Address,
        media: StreamMedia,
        form: fn(Framing) -> Form,
        request_id: &RequestId,
    ) -> Result<Session<E, A>, RequestError> {
        let framing = match parts.version {
            Version::HTTP_11 => Framing::Chunked,
            _ => Framing::Bare,
        };
        let link = super::link(parts, request_id)?;
        Ok(Session {
            edge: edge.clone(),
            wire: link.wire,
            takeover: link.takeover,
            is_last: framing == Framing::Bare || super::names(&parts.headers, header::CONNECTION, "close"),
            _place: edge.places.take(address)?,
            form: form(framing),
            media,
            operations: Operations::default(),
            running: HashMap::new(),
            last: 0,
        })
    }

    /// Runs one operation, and ends with it.
    pub(super) fn run_only(
        self,
        sender: (Arc<A::Sender>, Payer),
        request_id: &RequestId,
        checked: Result<Checked, RequestError>,
        after: Option<String>,
    ) -> Response {
        let (commands, received) = mpsc::channel(1);
        let started = Started {
            id: String::new(),
            sender,
            request_id: request_id.clone(),
            checked,
            after,
        };
        // There is room for it, and nothing else is sent.
        let _ = commands.try_send(Command::Start(Box::new(started)));
        drop(commands);
        self.respond(received, |_| {})
    }

    /// Runs what commands say, until nothing runs and no more commands can come; tells of each operation that ended.
    pub(super) fn respond(
        self,
        commands: mpsc::Receiver<Command<A::Sender>>,
        ended: impl Fn(&str) + Send + Sync + 'static,
    ) -> Response {
        let media = self.media;
        let (wire, takeover) = (Arc::clone(&self.wire), Arc::clone(&self.takeover));
        let stream = Stream {
            is_last: self.is_last,
            answer: Box::pin(self.run(commands, ended)),
        };
        let mut response = Response::new(Body::new(takeover::Body::new(stream, takeover, wire)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, media.content_type());
        // nginx holds answers back otherwise.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }

    async fn run(
        mut self,
        commands: mpsc::Receiver<Command<A::Sender>>,
        ended: impl Fn(&str) + Send + Sync,
    ) -> io::Result<()> {
        // Let go of with the last: what it keeps room for is a kilobyte.
        let mut commands = Some(commands);
        let shutdown = self.edge.connections.stop().token().clone();
        let config = &self.edge.config.websocket;
        let (patience, closing_time) = (config.send_timeout, config.closing_time);
        let wire = Arc::clone(&self.wire);
        let mut keep_alives = interval_at(Instant::now() + config.ping_every, config.ping_every);
        keep_alives.set_missed_tick_behavior(MissedTickBehavior::Delay);

        self.send(self.form.opening(), patience).await?;
        while commands.is_some() || !self.running.is_empty() {
            tokio::select! {
                () = shutdown.cancelled() => {
                    // What cannot be finished in time is cut off: clients come back.
                    return timeout(closing_time, self.finish(patience, &ended)).await.unwrap_or_else(|_| Err(cut_off()));
                }
                unsent = wire.tend(patience) => return Err(lost(unsent)),
                command = next(&mut commands) => match command {
                    Some(command) => self.obey(command, patience, &ended).await?,
                    None => commands = None,
                },
                Some((key, event)) = self.operations.next() => self.tell(key, &event, patience, &ended).await?,
                _ = keep_alives.tick() => self.send(self.form.keep_alive(), patience).await?,
            }
        }
        self.end(patience).await
    }

    async fn obey(
        &mut self,
        command: Command<A::Sender>,
        patience: Duration,
        ended: &(impl Fn(&str) + Send + Sync),
    ) -> io::Result<()> {
        let started = match command {
            Command::Start(started) => *started,
            Command::Stop(id) => return self.stop(&id, patience, ended).await,
        };
        self.last += 1;
        let key = Key(self.last);
        let envelope = match started.id.as_str() {
            "" => self.form.only(),
            id => self.form.envelope(id),
        };
        self.running.insert(key, (started.id, envelope.clone()));
        match started.checked {
            Ok(checked) => {
                let seat = Seat::new(&self.wire, &envelope);
                let mut start = self.edge.start(started.sender, started.request_id, seat);
                start.after = started.after;
                self.operations.start(key, start, checked);
                Ok(())
            }
            Err(error) => {
                let event = Event::Error(Answer::refusal(error).errors_to_json());
                self.tell(key, &event, patience, ended).await
            }
        }
    }

    /// The client ends an operation; it is told when that has happened.
    async fn stop(&mut self, id: &str, patience: Duration, ended: &(impl Fn(&str) + Send + Sync)) -> io::Result<()> {
        let found = self.running.iter().find(|(_, (other, _))| other == id);
        let Some(key) = found.map(|(&key, _)| key) else {
            return Ok(());
        };
        self.operations.stop(key);
        self.tell(key, &Event::Complete, patience, ended).await
    }

    async fn tell(
        &mut self,
        key: Key,
        event: &Event,
        patience: Duration,
        ended: &(impl Fn(&str) + Send + Sync),
    ) -> io::Result<()> {
        let Some((id, envelope)) = self.running.get(&key) else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        if !event.write(envelope, &mut bytes) {
            return Err(cut_off());
        }
        if event.is_last() {
            ended(id);
            self.running.remove(&key);
        }
        self.send(bytes, patience).await
    }

    /// The server stops: queries and mutations under way may still be answered.
    async fn finish(&mut self, patience: Duration, ended: &(impl Fn(&str) + Send + Sync)) -> io::Result<()> {
        self.operations.stop_subscriptions();
        while let Some((key, event)) = self.operations.next().await {
            self.tell(key, &event, patience, ended).await?;
        }
        // A subscription that only ends here is not said to be complete: whoever follows it comes back.
        match self.running.is_empty() {
            true => self.end(patience).await,
            false => Err(cut_off()),
        }
    }

    async fn end(&mut self, patience: Duration) -> io::Result<()> {
        self.send(self.form.closing(), patience).await
    }

    async fn send(&mut self, bytes: Vec<u8>, patience: Duration) -> io::Result<()> {
        self.wire.send(bytes.into(), patience).await.map_err(lost)
    }
}

/// The next command, for as long as any may come.
async fn next<S>(commands: &mut Option<mpsc::Receiver<Command<S>>>) -> Option<Command<S>> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

fn cut_off() -> io::Error {
    io::Error::other("the stream is cut off")
}

fn lost(unsent: Unsent) -> io::Error {
    match unsent {
        Unsent::Lost => io::ErrorKind::BrokenPipe.into(),
        Unsent::Stalled => io::ErrorKind::TimedOut.into(),
    }
}
