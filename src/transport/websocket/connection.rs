//! The life of one socket: one task that reads, runs operations, sends, and ends it.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;

use async_graphql::Request;
use axum::http::StatusCode;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, OptionFuture};
use tokio::time::{Instant, sleep, timeout};

use super::frame;
use super::message::Close;
use super::protocol::{Action, Protocol};
use super::socket::{Received, Socket};
use crate::transport::access::{Authenticate, Credentials};
use crate::transport::answer::Answer;
use crate::transport::engine::Engine;
use crate::transport::fanout::Seat;
use crate::transport::operation::{Event, Key, Operations};
use crate::transport::place::Place;
use crate::transport::preflight::Checked;
use crate::transport::router::Edge;
use crate::transport::throttle::{Payer, REFUSED};
use crate::transport::wire::Unsent;
use crate::transport::{RequestError, RequestId};

/// How a socket ends.
enum End {
    /// We close it.
    Close(Close),
    /// The peer closed it, or is gone.
    Gone,
}

impl From<Unsent> for End {
    fn from(unsent: Unsent) -> End {
        match unsent {
            Unsent::Lost => End::Gone,
            Unsent::Stalled => End::Close(Close::TRY_AGAIN_LATER),
        }
    }
}

type Flow = ControlFlow<End>;

pub(super) struct Connection<E, A: Authenticate> {
    edge: Edge<E, A>,
    socket: Socket,
    protocol: Protocol,
    operations: Operations,
    /// What the upgrade said, for a client that gives no token when it initialises. It is looked at once, and not kept.
    credentials: Credentials,
    /// Known from the acknowledgement on, with who pays for what is asked.
    sender: Option<(Arc<A::Sender>, Payer)>,
    /// Comes when their token opens nothing any more, whether or not anything runs that would notice. Who has none is not
    /// waited for, and pays two words.
    ended: OptionFuture<BoxFuture<'static, ()>>,
    /// Taken for as long as the socket is open.
    _place: Place,
}

impl<E: Engine, A: Authenticate> Connection<E, A> {
    pub(super) fn new(edge: Edge<E, A>, socket: Socket, credentials: Credentials, place: Place) -> Connection<E, A> {
        let protocol = Protocol::new(socket.config().max_operations);
        Connection {
            edge,
            socket,
            protocol,
            operations: Operations::default(),
            credentials,
            sender: None,
            ended: None.into(),
            _place: place,
        }
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "an async function holds what it is given twice, for as long as it runs"
    )]
    pub(super) fn serve(mut self) -> impl Future<Output = ()> + Send {
        async move {
            match self.run().await {
                End::Close(close) => {
                    drop(self.operations);
                    Box::pin(self.socket.close(&close)).await;
                }
                End::Gone => {
                    drop(self.operations);
                    Box::pin(self.socket.closed()).await;
                }
            }
        }
    }

    async fn run(&mut self) -> End {
        let shutdown = self.edge.connections.stop().token().clone();
        let (ping_every, patience) = (self.socket.config().ping_every, self.socket.config().send_timeout);
        let wire = Arc::clone(self.socket.wire());
        // By when the peer has to initialise; from then on, when it is asked whether it is there.
        let mut alarm = pin!(sleep(self.socket.config().init_timeout));
        let mut heard = true;
        let mut unfinished = None;
        loop {
            let flow = tokio::select! {
                () = shutdown.cancelled() => return Box::pin(self.finish()).await,
                received = self.socket.receive() => {
                    heard = true;
                    let was_initialised = self.protocol.is_initialised();
                    // Apart, as a socket that says nothing holds nothing of it; so are those below.
                    let flow = Box::pin(self.receive(received)).await;
                    if !was_initialised && self.protocol.is_initialised() {
                        alarm.as_mut().reset(Instant::now() + ping_every);
                    }
                    flow
                }
                unsent = wire.tend(patience) => return unsent.into(),
                Some(()) = &mut self.ended => return End::Close(Close::FORBIDDEN),
                Some((key, event)) = self.operations.next() => Box::pin(self.tell(key, event)).await,
                () = alarm.as_mut() => {
                    // What came while something was sent for long was not looked at yet.
                    let received = self.socket.receive().now_or_never();
                    let heard = std::mem::replace(&mut heard, false) || received.is_some();
                    // Nor is a text heard that does not end: what has come of it is held for as long as it lasts.
                    let before = std::mem::replace(&mut unfinished, self.socket.unfinished());
                    let heard = heard && (unfinished.is_none() || unfinished != before);
                    let flow = Box::pin(self.ring(heard, received)).await;
                    // Time spent on sending is no silence of the peer's.
                    alarm.as_mut().reset(Instant::now() + ping_every);
                    flow
                }
            };
            if let ControlFlow::Break(end) = flow {
                return end;
            }
        }
    }

    /// Asks a peer whether it is still there, unless it has been silent for too long already.
    async fn ring(&mut self, heard: bool, received: Option<Received>) -> Flow {
        if let Some(received) = received {
            let flow = self.receive(received).await;
            if flow.is_break() {
                return flow;
            }
        }
        if !self.protocol.is_initialised() {
            return ControlFlow::Break(End::Close(Close::INIT_TIMEOUT));
        }
        match heard {
            true => sent(self.socket.send(frame::ping()).await),
            false => ControlFlow::Break(End::Close(Close::TRY_AGAIN_LATER)),
        }
    }

    async fn receive(&mut self, received: Received) -> Flow {
        let text = match received {
            Received::Text(text) => text,
            Received::Ping(payload) => return sent(self.socket.send(frame::pong(&payload)).await),
            Received::Pong => return ControlFlow::Continue(()),
            Received::Closing | Received::Gone => return ControlFlow::Break(End::Gone),
            Received::Fault(close) => return ControlFlow::Break(End::Close(close)),
        };
        match self.protocol.receive(&text) {
            Action::Nothing => ControlFlow::Continue(()),
            Action::Send(text) => sent(self.socket.send_text(&text).await),
            Action::Authenticate(token) => self.authenticate(token).await,
            Action::Start(key, request) => match self.check(*request) {
                Ok((paying, checked)) => {
                    let envelope = self.protocol.envelope(key).expect("the operation was just begun");
                    let seat = Seat::new(self.socket.wire(), envelope);
                    let start = self.edge.start(paying, RequestId::fresh(), seat);
                    self.operations.start(key, start, checked);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    self.tell(key, Event::Error(Answer::refusal(error).errors_to_json()))
                        .await
                }
            },
            Action::Stop(key) => {
                self.operations.stop(key);
                ControlFlow::Continue(())
            }
            Action::Close(close) => ControlFlow::Break(End::Close(close)),
        }
    }

    /// Whether an operation may be started, for whom, and who pays.
    fn check(&self, request: Request) -> Result<((Arc<A::Sender>, Payer), Checked), RequestError> {
        let (sender, payer) = self.sender.as_ref().expect("the socket was acknowledged");
        let checked = self.edge.check(request);
        let cost = checked.as_ref().map_or(REFUSED, |checked| checked.cost);
        self.edge.throttle.charge(*payer, cost)?;
        Ok(((Arc::clone(sender), *payer), checked?))
    }

    async fn authenticate(&mut self, token: Option<String>) -> Flow {
        let credentials = std::mem::take(&mut self.credentials).or_rather(token);
        match self.edge.let_in(&credentials).await {
            Ok((sender, payer)) => {
                self.ended = self.edge.access.ended(&sender).into();
                self.sender = Some((Arc::new(sender), payer));
                let acknowledgement = self.protocol.acknowledge();
                sent(self.socket.send_text(acknowledgement).await)
            }
            Err(error) if error.status == StatusCode::UNAUTHORIZED => ControlFlow::Break(End::Close(Close::FORBIDDEN)),
            Err(_) => ControlFlow::Break(End::Close(Close::TRY_AGAIN_LATER)),
        }
    }

    /// Tells the client what became of an operation.
    async fn tell(&mut self, key: Key, event: Event) -> Flow {
        let envelope = match event.is_last() {
            true => self.protocol.free(key),
            false => self.protocol.envelope(key).cloned(),
        };
        if matches!(event, Event::Revoked) {
            return ControlFlow::Break(End::Close(Close::FORBIDDEN));
        }
        // None if the client has ended it.
        let Some(envelope) = envelope else {
            return ControlFlow::Continue(());
        };
        let mut frames = Vec::new();
        if event.write(&envelope, &mut frames) {
            return sent(self.socket.send(frames).await);
        }
        ControlFlow::Break(End::Close(match event {
            Event::Unavailable => Close::TRY_AGAIN_LATER,
            _ => Close::INTERNAL,
        }))
    }

    /// The server stops: queries and mutations under way may still be answered, subscriptions end.
    async fn finish(&mut self) -> End {
        self.operations.stop_subscriptions();
        let closing_time = self.socket.config().closing_time;
        let finished = timeout(closing_time, async {
            while let Some((key, event)) = self.operations.next().await {
                if let ControlFlow::Break(end) = self.tell(key, event).await {
                    return Some(end);
                }
            }
            None
        });
        let end = finished.await.ok().flatten();
        end.unwrap_or(End::Close(match self.edge.connections.stop().is_restart() {
            true => Close::SERVICE_RESTART,
            false => Close::GOING_AWAY,
        }))
    }
}

fn sent(result: Result<(), Unsent>) -> Flow {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(unsent) => ControlFlow::Break(unsent.into()),
    }
}
