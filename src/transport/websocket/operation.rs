//! The operations of one socket, running side by side.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Response};
use futures_util::future::AbortHandle;
use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};

use super::protocol::Key;
use crate::transport::access::Authenticate;
use crate::transport::answer::Answer;
use crate::transport::preflight::Checked;
use crate::transport::{RequestError, RequestId};

/// What becomes of an operation; payloads are JSON text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Next(String),
    /// It failed to start; nothing follows.
    Error(String),
    /// It ended; nothing follows.
    Complete,
    /// A resolver panicked; nothing follows.
    Panicked,
    /// An item could not be made, for the database is away: what follows would leave a gap.
    Unavailable,
}

/// All that run on a socket.
///
/// They run in the socket's own task and are asked in the order in which they have something, so none starves the
/// others; and only when the last message was taken, so nothing piles up. Dropping one cancels it: commands run on
/// tasks of their own, and are not stopped half way by that.
#[derive(Default)]
pub(super) struct Operations {
    running: SelectAll<BoxStream<'static, (Key, Event)>>,
    handles: HashMap<Key, (OperationType, AbortHandle)>,
}

impl Operations {
    pub(super) fn start(&mut self, key: Key, ty: OperationType, events: BoxStream<'static, Event>) {
        let (events, handle) = stream::abortable(events.map(move |event| (key, event)));
        self.handles.insert(key, (ty, handle));
        self.running.push(events.boxed());
    }

    pub(super) fn stop(&mut self, key: Key) {
        if let Some((_, handle)) = self.handles.remove(&key) {
            handle.abort();
        }
    }

    /// Ends what would never end by itself.
    pub(super) fn stop_subscriptions(&mut self) {
        self.handles.retain(|_, (ty, handle)| {
            if *ty == OperationType::Subscription {
                handle.abort();
            }
            *ty != OperationType::Subscription
        });
    }

    /// The next event of any of them; none when nothing runs.
    pub(super) async fn next(&mut self) -> Option<(Key, Event)> {
        // One that was stopped has nothing more to say: its stream looks at that first.
        let (key, event) = self.running.next().await?;
        if !matches!(event, Event::Next(_)) {
            self.handles.remove(&key);
        }
        Some((key, event))
    }
}

/// Runs an operation that passed the preflight.
pub(super) fn run<E: Executor, A: Authenticate>(
    executor: E,
    access: A,
    sender: Arc<A::Sender>,
    checked: Checked,
) -> BoxStream<'static, Event> {
    let request_id = RequestId::fresh();
    let ty = checked.operation;
    let answers = {
        let request_id = request_id.clone();
        async move {
            match access.admit(&sender, &request_id, checked.request).await {
                Err(refused) => stream::once(async move { Answer::refusal(RequestError::from(refused)) }).boxed(),
                Ok(request) => {
                    let responses: BoxStream<'static, Response> = match ty {
                        OperationType::Subscription => executor.execute_stream(request, None),
                        OperationType::Query | OperationType::Mutation => {
                            stream::once(async move { executor.execute(request).await }).boxed()
                        }
                    };
                    responses
                        .map(move |response| Answer::new(response, checked.compound, &request_id))
                        .boxed()
                }
            }
        }
    };
    events(ty, answers.flatten_stream().boxed(), request_id)
}

/// What to tell of the answers of one operation.
fn events(ty: OperationType, answers: BoxStream<'static, Answer>, request_id: RequestId) -> BoxStream<'static, Event> {
    let states = stream::unfold(Some((answers, true)), move |state| async move {
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
            Some(answer) => (Event::Next(answer.to_json()), Some((answers, false))),
        })
    });
    let caught = AssertUnwindSafe(states).catch_unwind().map(move |event| {
        event.unwrap_or_else(|_| {
            tracing::error!(%request_id, "a resolver panicked");
            Event::Panicked
        })
    });
    caught.boxed()
}
