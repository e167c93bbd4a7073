//! A schema with one of each thing that the edge must carry.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use allclear::transport::{Authenticate, Refused, RequestId};
use async_graphql::{Context, Error, ErrorExtensions, Object, Request, Result, Schema, Subscription};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::{Semaphore, broadcast};

pub(crate) type Toy = Schema<Query, Mutation, Live>;

/// What tests look at, and push.
#[derive(Clone)]
pub(crate) struct State {
    /// How often the mutation ran.
    pub(crate) ran: Arc<AtomicUsize>,
    /// Permits for `wait` to go on.
    pub(crate) gate: Arc<Semaphore>,
    /// One permit for each `wait`, `hold`, `never`, `told` and `bulk` that began, and each `hold` and stream of `never` that
    /// ended.
    pub(crate) begun: Arc<Semaphore>,
    pub(crate) ended: Arc<Semaphore>,
    /// One permit for each stream of `flood` that ended.
    pub(crate) flooded: Arc<Semaphore>,
    /// What streams of `told` and `bulk` are told.
    pub(crate) told: broadcast::Sender<i32>,
}

pub(crate) fn schema() -> (Toy, State) {
    let state = State {
        ran: Arc::default(),
        gate: Arc::new(Semaphore::new(0)),
        begun: Arc::new(Semaphore::new(0)),
        ended: Arc::new(Semaphore::new(0)),
        flooded: Arc::new(Semaphore::new(0)),
        told: broadcast::Sender::new(16),
    };
    (Schema::build(Query, Mutation, Live).data(state.clone()).finish(), state)
}

fn coded(code: &'static str) -> Error {
    Error::new("no").extend_with(|_, extensions| extensions.set("code", code))
}

pub(crate) struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "world"
    }
    async fn sender(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<Sender>().0.clone()
    }
    async fn request_id(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<RequestId>().to_string()
    }
    /// What makes a page, and a name that is nearly spelt right.
    async fn list(&self, first: usize) -> Vec<Item> {
        (0..first).map(|_| Item).collect()
    }
    async fn year(&self, at: DateTime<Utc>) -> String {
        at.to_rfc3339()
    }
    async fn big(&self, bytes: usize) -> String {
        "x".repeat(bytes)
    }
    async fn fail(&self, code: String) -> Result<Option<i32>> {
        Err(Error::new("no").extend_with(|_, extensions| extensions.set("code", code)))
    }
    async fn maybe(&self) -> Option<Result<i32>> {
        Some(Err(coded("FORBIDDEN")))
    }
    async fn secret(&self) -> Result<i32> {
        Err(Error::new("the password is swordfish"))
    }
    /// Runs until the test opens the gate, or until it is cancelled.
    async fn hold(&self, ctx: &Context<'_>) -> bool {
        let state = ctx.data_unchecked::<State>();
        let _ended = Ended(state.ended.clone());
        state.begun.add_permits(1);
        state.gate.acquire().await.expect("the gate is never closed").forget();
        true
    }
    async fn panic(&self) -> i32 {
        "no number".parse().expect("a resolver that panics")
    }
}

pub(crate) struct Item;

#[Object]
impl Item {
    async fn name(&self, long: Option<String>) -> usize {
        long.map_or(0, |long| long.len())
    }
}

pub(crate) struct Mutation;

#[Object]
impl Mutation {
    async fn run(&self, ctx: &Context<'_>) -> usize {
        ctx.data_unchecked::<State>().ran.fetch_add(1, Ordering::SeqCst) + 1
    }
    /// Runs until it is let go.
    async fn wait(&self, ctx: &Context<'_>) -> bool {
        let state = ctx.data_unchecked::<State>();
        state.begun.add_permits(1);
        state.gate.acquire().await.expect("the gate is never closed").forget();
        true
    }
}

pub(crate) struct Live;

#[Subscription]
impl Live {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }
    async fn never(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let state = ctx.data_unchecked::<State>();
        state.begun.add_permits(1);
        let ended = Ended(state.ended.clone());
        stream::pending::<i32>().map(move |item| {
            let _ = &ended;
            item
        })
    }
    /// As much as one takes.
    async fn flood(&self, ctx: &Context<'_>) -> impl Stream<Item = String> {
        let ended = Ended(ctx.data_unchecked::<State>().flooded.clone());
        stream::repeat("x".repeat(100_000)).map(move |item| {
            let _ = &ended;
            item
        })
    }
    /// Small items, without pause.
    async fn hot(&self) -> impl Stream<Item = String> {
        stream::repeat("x".repeat(600))
    }
    /// What the test tells.
    async fn told(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        told(ctx)
    }
    /// As many bytes as the test tells.
    async fn bulk(&self, ctx: &Context<'_>) -> impl Stream<Item = String> {
        told(ctx).map(|bytes| "x".repeat(bytes.try_into().expect("it is not negative")))
    }
    async fn refused(&self) -> Result<stream::Pending<i32>> {
        Err(coded("CURSOR_INVALID"))
    }
    async fn secret(&self) -> Result<stream::Pending<i32>> {
        Err(Error::new("the password is swordfish"))
    }
    /// One item, then one that fails, then one more.
    async fn stumble(&self) -> impl Stream<Item = Result<i32>> {
        stream::iter([Ok(1), Err(coded("FORBIDDEN")), Ok(3)])
    }
    /// As many items as asked for, then one for which the database would be needed, then one more.
    async fn away(&self, after: i32) -> impl Stream<Item = Result<i32>> {
        stream::iter((1..=after).map(Ok).chain([Err(coded("UNAVAILABLE")), Ok(9)]))
    }
    async fn panic(&self) -> impl Stream<Item = i32> {
        stream::iter([1]).map(|_| panic!("a stream that panics"))
    }
}

fn told(ctx: &Context<'_>) -> impl Stream<Item = i32> + use<> {
    let state = ctx.data_unchecked::<State>();
    let told = state.told.subscribe();
    state.begun.add_permits(1);
    stream::unfold(told, async |mut told| Some((told.recv().await.ok()?, told)))
}

struct Ended(Arc<Semaphore>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// `good` is the one token there is; `later` is one that stops being good after the socket's init.
#[derive(Clone)]
pub(crate) struct Access;

pub(crate) struct Sender(pub(crate) String);

impl Authenticate for Access {
    type Sender = String;

    async fn authenticate(&self, bearer: Option<&str>, _from: Option<IpAddr>) -> Result<String, Refused> {
        match bearer {
            None => Ok("public".to_owned()),
            Some("good") => Ok("good".to_owned()),
            Some("later") => Ok("later".to_owned()),
            Some("away") => Err(Refused::Unavailable),
            Some(_) => Err(Refused::Unauthenticated),
        }
    }

    fn account<'a>(&self, sender: &'a String) -> Option<&'a [u8]> {
        (sender != "public").then_some(sender.as_bytes())
    }

    async fn admit(&self, sender: &String, request_id: &RequestId, request: Request) -> Result<Request, Refused> {
        match sender.as_str() {
            "later" => Err(Refused::Unauthenticated),
            name => Ok(request.data(Sender(name.to_owned())).data(request_id.clone())),
        }
    }
}
