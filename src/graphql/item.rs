//! The budgets of the items of a subscription that is executed for one subscriber.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_graphql::Response;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};

use super::execution::over_budget;
use crate::budget::{Budget, Limits};

/// The budget of the item that comes next. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Items(Arc<Mutex<Next>>);

#[derive(Debug)]
struct Next {
    limits: Limits,
    budget: Budget,
    /// Set when the item is there and is being resolved: waiting for it takes no time of its budget.
    deadline: Option<Instant>,
}

impl Items {
    pub(super) fn new(limits: Limits) -> Items {
        let budget = Budget::new(limits);
        Items(Arc::new(Mutex::new(Next {
            limits,
            budget,
            deadline: None,
        })))
    }

    /// The budget of the item that comes next, or is being resolved.
    pub(super) fn budget(&self) -> Budget {
        let mut next = self.lock();
        // A selection, which executes the items of its followers itself, has ended that of the last one.
        if next.budget.has_ended() {
            next.budget = Budget::new(next.limits);
        }
        next.budget.clone()
    }

    /// The item is there, and is going to be resolved.
    pub(super) fn start(&self) {
        let mut next = self.lock();
        next.deadline = Some(next.budget.start());
    }

    /// The item was resolved: the next one has a budget of its own.
    fn renew(&self) {
        let mut next = self.lock();
        next.budget.end();
        next.budget = Budget::new(next.limits);
        next.deadline = None;
    }

    fn lock(&self) -> MutexGuard<'_, Next> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the item that is being resolved when the subscription is dropped.
struct EndOnDrop(Items);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.budget().end();
    }
}

/// The answers of a subscription, each with the work that it took. An item that exceeds its budget is answered by one
/// error, `EXECUTION_LIMIT`, and ends the subscription.
pub(super) fn bounded(items: Items, answers: BoxStream<'static, Response>) -> BoxStream<'static, (Response, u64)> {
    let end = EndOnDrop(items);
    let mut answers = Some(answers);
    let mut alarm: Option<Pin<Box<Sleep>>> = None;
    let bounded = stream::poll_fn(move |context| {
        let items = &end.0;
        let Some(running) = &mut answers else {
            return Poll::Ready(None);
        };
        let budget = items.budget();
        let polled = budget.measured(|| running.poll_next_unpin(context));
        let deadline = items.lock().deadline;
        let mut exceeded = budget.check().err();
        if let (Poll::Pending, None, Some(deadline)) = (&polled, exceeded, deadline) {
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            exceeded = alarm.poll_unpin(context).is_ready().then(|| budget.run_late());
        }
        if let Some(exceeded) = exceeded {
            answers = None;
            return Poll::Ready(Some((over_budget(exceeded, None), budget.work())));
        }
        polled.map(|answer| {
            alarm = None;
            items.renew();
            answer.map(|answer| (answer, budget.work()))
        })
    });
    bounded.boxed()
}
