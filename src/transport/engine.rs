//! What executes: the schema, as the edge sees it, and what of its subscriptions many can share.

use std::future::Future;
use std::sync::Arc;

use async_graphql::{Executor, Request, Response};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::rendering::Rendering;
use crate::item::Ready;

/// Executes operations that passed the preflight.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Follows a subscription that others may share.
    type Follower: Follower;

    /// Answers a query or a mutation.
    fn execute(&self, request: Request) -> impl Future<Output = Executed> + Send;

    /// Starts a subscription; `after` is where a client that knows nothing of arguments resumes (`Last-Event-ID`).
    fn subscribe(
        &self,
        request: Request,
        after: Option<String>,
    ) -> impl Future<Output = Subscription<Self::Follower>> + Send;
}

/// What an execution answered, and what it did for that.
pub struct Executed {
    pub response: Response,
    /// The work that was measured, in units of cost ([`Limits::cost`](super::preflight::Limits)); `None` if nothing was
    /// measured, in which case the static cost stands.
    pub work: Option<u64>,
    /// Until when others who send the same request, and may see the same, can be given the same answer; `None` if that cannot be
    /// told.
    pub validity: Option<Arc<dyn Validity>>,
}

/// Tells whether an answer that is kept is still right.
pub trait Validity: Send + Sync + 'static {
    /// Whether the same request would get the same answer now. It is asked for each request: it must take next to no time.
    fn is_current(&self) -> bool;
}

impl From<Response> for Executed {
    fn from(response: Response) -> Executed {
        Executed {
            response,
            work: None,
            validity: None,
        }
    }
}

/// A subscription that has started.
pub enum Subscription<F> {
    /// It is executed for one subscriber.
    Alone(BoxStream<'static, Executed>),
    /// Each item is executed once for all who follow the same selection.
    Shared(F),
}

/// One subscriber's place in what a selection shows.
///
/// Followers of one selection hand out the same items for the same numbers. So one of them can serve as the source of
/// all (`fanout`), for as long as they stand at the same place.
pub trait Follower: Send + 'static {
    /// Names what is selected: the same for all followers that hand out the same items.
    fn selection(&self) -> u64;

    /// The number up to which everything was handed out, or passed over.
    fn position(&self) -> u64;

    /// Goes on after another number.
    fn seek(&mut self, number: u64);

    /// Another follower of the same selection, at the same place.
    fn fork(&self) -> Self;

    /// What comes next, if it is there already. It can be dropped at any time and called again: nothing is lost.
    fn ready(&mut self) -> impl Future<Output = Ready<Rendering>> + Send;

    /// What comes next, whenever it comes; never [`Ready::Nothing`]. It can be dropped as [`Follower::ready`] can.
    fn next(&mut self) -> impl Future<Output = Ready<Rendering>> + Send;
}

/// An executor none of whose subscriptions are shared.
#[derive(Clone)]
pub struct Unshared<E>(pub E);

impl<E: Executor> Engine for Unshared<E> {
    type Follower = Nobody;

    async fn execute(&self, request: Request) -> Executed {
        self.0.execute(request).await.into()
    }

    async fn subscribe(&self, request: Request, _after: Option<String>) -> Subscription<Nobody> {
        Subscription::Alone(self.0.execute_stream(request, None).map(Executed::from).boxed())
    }
}

/// The follower of what is not shared: there is none.
#[derive(Clone, Copy, Debug)]
pub enum Nobody {}

impl Follower for Nobody {
    fn selection(&self) -> u64 {
        match *self {}
    }

    fn position(&self) -> u64 {
        match *self {}
    }

    fn seek(&mut self, _number: u64) {
        match *self {}
    }

    fn fork(&self) -> Nobody {
        *self
    }

    async fn ready(&mut self) -> Ready<Rendering> {
        match *self {}
    }

    async fn next(&mut self) -> Ready<Rendering> {
        match *self {}
    }
}
