//! Operations that run on a connection that lasts, side by side: over WebSocket, as events, in parts.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Response;
use async_graphql::parser::types::OperationType;
use futures_util::future::{AbortHandle, BoxFuture};
use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};
use tokio::time::sleep;

use super::access::Authenticate;
use super::answer::Answer;
use super::apart::apart;
use super::concurrency::{Executions, Queue};
use super::engine::{Engine, Executed, Follower, Subscription};
use super::envelope::Envelope;
use super::fanout::{Fanouts, Seat};
use super::payers::{Payers, Share};
use super::preflight::Checked;
use super::rendering::{Payload, Rendering, Verdict};
use super::throttle::{Charge, Throttle};
use super::{RequestError, RequestId};
use crate::item::{Item, Ready};
use crate::seeded::{self, Bug};

/// After which time a subscription looks again that has caught up with the ring, and is behind those it could ride with.
const AGAIN: Duration = Duration::from_millis(5);

/// Names an operation for as long as its connection lives. A client's id may be used again once it is free, and what
/// an older operation still had to say must not be taken for the new one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) u64);

/// What becomes of an operation.
#[derive(Debug)]
pub(super) enum Event {
    Next(Payload),
    /// It failed to start, for these errors, a JSON list; nothing follows.
    Error(String),
    /// It ended; nothing follows.
    Complete,
    /// The token that it was started with opens nothing any more; nothing follows.
    Revoked,
    /// A resolver panicked; nothing follows.
    Panicked,
    /// An item could not be made, for the database is away: what follows would leave a gap.
    Unavailable,
}

impl Event {
    /// Whether it is the last of its operation.
    pub(super) fn is_last(&self) -> bool {
        !matches!(self, Event::Next(_))
    }

    /// Appends what the client is told; `false` where nothing can be said but by ending the connection.
    pub(super) fn write(&self, envelope: &Envelope, out: &mut Vec<u8>) -> bool {
        match self {
            Event::Next(payload) => envelope.next(payload, out),
            Event::Error(errors) => envelope.error(errors, out),
            Event::Complete | Event::Revoked => envelope.complete(out),
            Event::Panicked | Event::Unavailable => return false,
        }
        true
    }
}

/// All that run on a connection.
///
/// They are asked in the connection's own task, in the order in which they have something, so none starves the others; and
/// only when the last message was taken, so nothing piles up. What they wait for goes on meanwhile (`apart`), to the next
/// thing that they have to say. Dropping one cancels it: commands run on tasks of their own, and are not stopped half way
/// by that.
#[derive(Default)]
pub(super) struct Operations {
    running: SelectAll<BoxStream<'static, (Key, Event)>>,
    handles: HashMap<Key, Handle>,
}

/// What ends an operation.
struct Handle {
    ty: OperationType,
    seat: Seat,
    abort: AbortHandle,
}

impl Handle {
    fn stop(&self) {
        self.seat.hush();
        self.abort.abort();
    }
}

impl Operations {
    /// Runs an operation that passed the preflight.
    pub(super) fn start<E: Engine, A: Authenticate>(&mut self, key: Key, start: Start<E, A>, checked: Checked) {
        let (ty, seat) = (checked.operation, start.seat.clone());
        let (events, abort) = stream::abortable(start.run(checked).map(move |event| (key, event)));
        self.handles.insert(key, Handle { ty, seat, abort });
        self.running.push(events.boxed());
    }

    pub(super) fn stop(&mut self, key: Key) {
        if let Some(handle) = self.handles.remove(&key) {
            handle.stop();
        }
    }

    /// Ends what would never end by itself.
    pub(super) fn stop_subscriptions(&mut self) {
        let subscriptions = |_: &Key, handle: &mut Handle| handle.ty == OperationType::Subscription;
        for (_, handle) in self.handles.extract_if(subscriptions) {
            handle.stop();
        }
    }

    /// The next event of any of them; none when nothing runs.
    pub(super) async fn next(&mut self) -> Option<(Key, Event)> {
        // One that was stopped has nothing more to say: its stream looks at that first.
        let (key, event) = self.running.next().await?;
        if event.is_last() {
            self.handles.remove(&key);
        }
        Some((key, event))
    }
}

/// What an operation needs beside its request.
pub(super) struct Start<E: Engine, A: Authenticate> {
    pub(super) engine: E,
    pub(super) access: A,
    pub(super) sender: Arc<A::Sender>,
    pub(super) request_id: RequestId,
    pub(super) fanouts: Arc<Fanouts>,
    pub(super) executions: Arc<Executions>,
    pub(super) throttle: Arc<Throttle>,
    /// What was charged for it.
    pub(super) charge: Charge,
    pub(super) payers: Arc<Payers>,
    /// Where its results go.
    pub(super) seat: Seat,
    /// Where a subscription resumes, if the client says so beside the request.
    pub(super) after: Option<String>,
}

impl<E: Engine, A: Authenticate> Start<E, A> {
    fn run(self, checked: Checked) -> BoxStream<'static, Event> {
        let request_id = self.request_id.clone();
        // Apart, as a subscription that runs holds nothing of how it was started.
        let events = apart(self.events(checked)).flatten_stream();
        let caught = AssertUnwindSafe(events).catch_unwind().map(move |event| {
            event.unwrap_or_else(|_| {
                tracing::error!(%request_id, "a resolver panicked");
                Event::Panicked
            })
        });
        caught.boxed()
    }

    async fn events(self, checked: Checked) -> BoxStream<'static, Event> {
        let ty = checked.operation;
        let admitted = Box::pin(self.access.admit(&self.sender, &self.request_id, checked.request));
        let request = match admitted.await {
            Ok(request) => request,
            Err(refused) => {
                let errors = Answer::refusal(RequestError::from(refused)).errors_to_json();
                return stream::once(async { Event::Error(errors) }).boxed();
            }
        };
        let ended = match ty {
            OperationType::Subscription => self.access.ended(&self.sender),
            OperationType::Query | OperationType::Mutation => None,
        };
        let responses: BoxStream<'static, Executed> = match ty {
            OperationType::Subscription => {
                let permit = match self.executions.admit(self.charge.payer(), Queue::Subscription).await {
                    Ok(permit) => permit,
                    Err(refused) => {
                        self.throttle.settle(self.charge, Some(0));
                        let errors = Answer::refusal(refused).errors_to_json();
                        return stream::once(async { Event::Error(errors) }).boxed();
                    }
                };
                // Apart, as what it takes is not needed any more once it runs.
                let subscription = Box::pin(self.engine.subscribe(request, self.after)).await;
                drop(permit);
                match subscription {
                    Subscription::Alone(responses) => each_apart(responses),
                    Subscription::Shared(follower) => match self.payers.join(follower.selection(), self.charge.payer())
                    {
                        Ok(share) => {
                            let seat = self.seat.paid_by(share.account());
                            return until(ended, shared(follower, self.fanouts, seat, Some(share)));
                        }
                        Err(error) => return stream::once(async move { error_event(error) }).boxed(),
                    },
                }
            }
            OperationType::Query | OperationType::Mutation => {
                let (engine, executions) = (self.engine, self.executions);
                let (throttle, charge) = (self.throttle, self.charge);
                let executing = async move {
                    // On the task of its own: while a client does not take its answers, its permits must come free.
                    let permit = match executions.admit(charge.payer(), Queue::Request).await {
                        Ok(permit) => permit,
                        Err(refused) => {
                            throttle.settle(charge, Some(0));
                            return Response::from_errors(vec![refused.into()]).into();
                        }
                    };
                    let executed = engine.execute(request).await;
                    drop(permit);
                    throttle.settle(charge, executed.work);
                    executed
                };
                stream::once(apart(executing)).boxed()
            }
        };
        let (request_id, mut manner) = (self.request_id, checked.manner);
        if ty == OperationType::Subscription {
            // What it cost to start says nothing of each item.
            manner.cost = None;
        }
        let (payers, payer) = (self.payers, self.charge.payer());
        let answers = responses
            .map(move |executed| {
                let paid = match (ty, executed.work) {
                    (OperationType::Subscription, Some(work)) => payers.charge(payer, work),
                    _ => Ok(()),
                };
                match paid {
                    Ok(()) => Answer::new(executed.response, manner, &request_id),
                    Err(error) => Answer::refusal(error),
                }
            })
            .boxed();
        until(ended, alone(ty, answers))
    }
}

/// The same, each brought by a task of its own.
fn each_apart(responses: BoxStream<'static, Executed>) -> BoxStream<'static, Executed> {
    let each = stream::unfold(responses, |mut responses| {
        apart(async move { responses.next().await.map(|response| (response, responses)) })
    });
    each.boxed()
}

/// The events of a subscription until the token ends that it was started with.
fn until(ended: Option<BoxFuture<'static, ()>>, events: BoxStream<'static, Event>) -> BoxStream<'static, Event> {
    let Some(ended) = ended else {
        return events;
    };
    let events = stream::unfold(Some((ended, events)), |state| async move {
        let (mut ended, mut events) = state?;
        tokio::select! {
            // First, or a stream that always has something would keep it from being heard.
            biased;
            () = &mut ended => Some((Event::Revoked, None)),
            event = events.next() => event.map(|event| (event, Some((ended, events)))),
        }
    });
    events.boxed()
}

/// What to tell of the answers of one operation.
fn alone(ty: OperationType, answers: BoxStream<'static, Answer>) -> BoxStream<'static, Event> {
    let events = stream::unfold(Some((answers, true)), move |state| async move {
        let (mut answers, first) = state?;
        Some(match answers.next().await {
            None => (Event::Complete, None),
            // The client would take it for the item; cut off, it comes back and resumes after the last one it handled.
            Some(answer) if ty == OperationType::Subscription && answer.has_code("UNAVAILABLE") => {
                (Event::Unavailable, None)
            }
            // A subscription that cannot start is refused as a document is: there is no stream that the error could
            // be an item of.
            Some(answer) if answer.refused || (ty == OperationType::Subscription && first && answer.is_failure()) => {
                (Event::Error(answer.errors_to_json()), None)
            }
            Some(answer) => (Event::Next(answer.into_json().await.into()), Some((answers, false))),
        })
    });
    events.boxed()
}

/// What to tell of a subscription that others share: by itself what it is behind with, then whatever its fan-out does not
/// send past this.
///
/// What is made for it alone is paid for by its share; where that cannot pay, the subscription ends with `RATE_LIMITED`.
pub(super) fn shared<F: Follower>(
    follower: F,
    fanouts: Arc<Fanouts>,
    seat: Seat,
    share: Option<Share>,
) -> BoxStream<'static, Event> {
    let share = share.map(Arc::new);
    // One pointer, wherever the follower is held while it waits.
    let events = stream::unfold(Some(Box::new(follower)), move |follower| {
        let (fanouts, seat, share) = (Arc::clone(&fanouts), seat.clone(), share.clone());
        async move {
            let mut follower = follower?;
            let event = loop {
                let (there, ready) = apart(async move {
                    let ready = follower.ready().await;
                    (follower, ready)
                })
                .await;
                follower = there;
                let work = match &ready {
                    Ready::Item(item) => item.work,
                    Ready::Nothing | Ready::End => 0,
                };
                if let Some(Err(error)) = share.as_ref().map(|share| share.charge(work)) {
                    break error_event(error);
                }
                match ready {
                    Ready::Item(item) => break event(item),
                    Ready::End => break Event::Complete,
                    Ready::Nothing => {
                        seeded::dawdle(Bug::RejoinEarly).await;
                        match fanouts.join(&*follower, &seat) {
                            Some(ride) => follower.seek(ride.until_left_behind().await),
                            // Those of the fan-out began further on in the log than the ring is, where this will have it in
                            // a moment; or, where the log cannot be read, who knows when.
                            None => sleep(AGAIN).await,
                        }
                    }
                }
            };
            let rest = (!event.is_last()).then_some(follower);
            Some((event, rest))
        }
    });
    events.boxed()
}

fn error_event(error: RequestError) -> Event {
    Event::Error(Answer::refusal(error).errors_to_json())
}

fn event(item: Item<Rendering>) -> Event {
    match item.rendering.verdict {
        Verdict::Sound => Event::Next(Payload {
            json: item.rendering.json,
            cursor: Some(item.cursor),
        }),
        Verdict::Unavailable => Event::Unavailable,
        Verdict::Ended => Event::Error(String::from_utf8_lossy(&item.rendering.json).into_owned()),
        Verdict::Panicked => Event::Panicked,
    }
}
