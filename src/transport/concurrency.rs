//! How many executions one account, or one address without a token, may have at the same time.
//!
//! Each execution may hold a connection to the database. Without this bound one client could take all of them, and everybody
//! else would wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::RequestError;
use super::throttle::{Payer, RETRY_AFTER};

/// The code of answers to requests that found too many others of the same client running and waiting.
pub(super) const TOO_MANY_REQUESTS: &str = "TOO_MANY_REQUESTS";

/// When to retry, in seconds: executions are short.
const RETRY_SECONDS: u64 = 1;

/// How long the start of a subscription may wait. Readers who come back at once after a restart, thousands behind one
/// address, are no attack; each waits on a socket that is counted elsewhere.
const SUBSCRIPTION_PATIENCE: Duration = Duration::from_secs(30);

/// How many executions of one client run, and how many wait.
#[derive(Clone, Copy, Debug)]
pub struct ExecutionLimit {
    /// Executions that run at the same time; at least one.
    pub running: usize,
    /// Requests that wait for one of them to end.
    pub waiting: usize,
    /// How long each waits at most.
    pub patience: Duration,
}

/// What is to be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// A query or a mutation. The queue is short.
    Request,
    /// The start of a subscription. As many wait as have sockets and streams.
    Subscription,
}

/// The executions of every client.
#[derive(Debug)]
pub(super) struct Executions {
    /// None where nothing is limited.
    limit: Option<ExecutionLimit>,
    clients: Mutex<HashMap<Payer, Client>>,
}

/// One client that runs or waits for something; forgotten when nothing is left.
#[derive(Debug)]
struct Client {
    running: Arc<Semaphore>,
    /// Requests that run or wait.
    requests: usize,
}

/// Permission to execute, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    /// Given back first, so that a client is forgotten only when nothing of it runs.
    _running: Option<OwnedSemaphorePermit>,
    _entry: Option<Entry>,
}

/// A request that is counted, until it is dropped.
#[derive(Debug)]
struct Entry {
    executions: Arc<Executions>,
    payer: Payer,
}

impl Executions {
    pub(super) fn new(limit: Option<ExecutionLimit>) -> Arc<Executions> {
        Arc::new(Executions {
            limit,
            clients: Mutex::default(),
        })
    }

    /// Waits until another execution of a client may begin.
    ///
    /// # Errors
    /// `TOO_MANY_REQUESTS` if too many wait already, or this one waited for too long.
    pub(super) async fn admit(self: &Arc<Self>, payer: Payer, queue: Queue) -> Result<Permit, RequestError> {
        let Some(limit) = self.limit else {
            return Ok(Permit {
                _running: None,
                _entry: None,
            });
        };
        let (entry, running) = self.enter(payer, &limit, queue)?;
        let patience = match queue {
            Queue::Request => limit.patience,
            Queue::Subscription => SUBSCRIPTION_PATIENCE,
        };
        match timeout(patience, running.acquire_owned()).await {
            Ok(permit) => Ok(Permit {
                _running: Some(permit.expect("the semaphore is never closed")),
                _entry: Some(entry),
            }),
            Err(_) => Err(too_many(&limit)),
        }
    }

    fn enter(
        self: &Arc<Self>,
        payer: Payer,
        limit: &ExecutionLimit,
        queue: Queue,
    ) -> Result<(Entry, Arc<Semaphore>), RequestError> {
        let mut clients = self.clients();
        let client = clients.entry(payer).or_insert_with(|| Client {
            running: Arc::new(Semaphore::new(limit.running.max(1))),
            requests: 0,
        });
        if queue == Queue::Request && client.requests >= limit.running.saturating_add(limit.waiting) {
            return Err(too_many(limit));
        }
        client.requests += 1;
        let running = Arc::clone(&client.running);
        let executions = Arc::clone(self);
        Ok((Entry { executions, payer }, running))
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Payer, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut clients = self.executions.clients();
        if let Some(client) = clients.get_mut(&self.payer) {
            client.requests -= 1;
            if client.requests == 0 {
                clients.remove(&self.payer);
            }
        }
    }
}

fn too_many(limit: &ExecutionLimit) -> RequestError {
    let message = format!(
        "You have too many requests at the same time: {} are executed, and {} wait. Try again shortly.",
        limit.running, limit.waiting
    );
    RequestError::new(TOO_MANY_REQUESTS, StatusCode::TOO_MANY_REQUESTS, message)
        .with("max", limit.running)
        .with(RETRY_AFTER, RETRY_SECONDS)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    const LIMIT: ExecutionLimit = ExecutionLimit {
        running: 2,
        waiting: 1,
        patience: Duration::from_secs(1),
    };

    fn payer(last: u8) -> Payer {
        Payer::of(None, IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)).into())
    }

    fn code(begun: Result<Permit, RequestError>) -> (&'static str, u16) {
        let error = begun.expect_err("there are too many");
        (error.code, error.status.as_u16())
    }

    #[tokio::test]
    async fn requests_past_the_limit_wait_and_those_past_the_queue_are_refused() {
        let executions = Executions::new(Some(LIMIT));
        let begin = || executions.admit(payer(1), Queue::Request);

        let one = begin().await.expect("the first");
        let _two = begin().await.expect("the second");
        let mut third = Box::pin(begin());
        assert!((&mut third).now_or_never().is_none());
        assert_eq!(code(begin().await), ("TOO_MANY_REQUESTS", 429));
        executions
            .admit(payer(2), Queue::Request)
            .await
            .expect("another client");
        drop(one);

        third.await.expect("it had waited");
    }

    #[tokio::test]
    async fn a_request_that_waits_for_too_long_is_refused() {
        let executions = Executions::new(Some(ExecutionLimit {
            patience: Duration::ZERO,
            ..LIMIT
        }));
        let _running = join_all((0..2).map(|_| executions.admit(payer(1), Queue::Request))).await;

        let waited = executions.admit(payer(1), Queue::Request).await;

        assert_eq!(code(waited), ("TOO_MANY_REQUESTS", 429));
    }

    #[tokio::test]
    async fn any_number_of_subscriptions_waits_to_start() {
        let executions = Executions::new(Some(LIMIT));

        let started = join_all((0..100).map(|_| async {
            let permit = executions.admit(payer(1), Queue::Subscription).await;
            tokio::task::yield_now().await;
            permit.map(drop)
        }))
        .await;

        assert!(started.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_gives_its_places_back_and_is_forgotten() {
        let executions = Executions::new(Some(LIMIT));
        let running: Vec<_> = join_all((0..2).map(|_| executions.admit(payer(1), Queue::Request))).await;
        let mut waiting = Box::pin(executions.admit(payer(1), Queue::Request));
        assert!((&mut waiting).now_or_never().is_none());

        drop((running, waiting));

        assert!(executions.clients().is_empty());
        executions.admit(payer(1), Queue::Request).await.expect("there is room");
    }

    #[tokio::test]
    async fn nothing_waits_where_nothing_is_limited() {
        let executions = Executions::new(None);
        let begun = join_all((0..1_000).map(|_| executions.admit(payer(1), Queue::Request))).await;

        assert!(begun.iter().all(Result::is_ok));
    }
}
