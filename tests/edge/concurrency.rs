//! How many executions one client may have at the same time, and what the others get.

use std::time::Duration;

use allclear::transport::{Config, ExecutionLimit};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::server::{Server, answer};
use crate::socket::Socket;

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(3_600);

/// A server on which two requests of a client run, and one waits.
async fn server() -> Server {
    Server::with(Config {
        executions: Some(ExecutionLimit {
            running: 2,
            waiting: 1,
            patience: LONG,
        }),
        rate_limit_delay: Duration::ZERO,
        ..Config::default()
    })
    .await
}

async fn begun(server: &Server, count: u32) {
    let begun = server.state.begun.acquire_many(count).await;
    begun.expect("it is never closed").forget();
}

#[tokio::test]
async fn a_client_has_a_few_executions_at_a_time_and_the_rest_waits_or_is_429() {
    let server = server().await;
    let wait = || tokio::spawn(answer(server.query("mutation { wait }")));

    let running = [wait(), wait()];
    begun(&server, 2).await;
    let hello = || answer(server.query("{ hello }"));
    // One of them waits, whichever comes first.
    let mut others: FuturesUnordered<_> = [hello(), hello(), hello()].into_iter().collect();
    let refused = others.next().await.expect("there are three");
    let refused_too = others.next().await.expect("there are two");

    assert_eq!((refused.status, refused_too.status), (429, 429));
    assert_eq!(refused.code(), "TOO_MANY_REQUESTS");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.json()["errors"][0]["extensions"]["max"], 2);
    assert_eq!(answer(server.query("{ hello }").bearer_auth("good")).await.status, 200);
    assert_eq!(answer(server.get("/readyz")).await.status, 200);
    server.state.gate.add_permits(2);
    assert_eq!(others.next().await.expect("the last").status, 200);
    for one in running {
        assert_eq!(one.await.expect("it ran").status, 200);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_gives_its_executions_back() {
    let server = server().await;
    let wait = || tokio::spawn(answer(server.query("mutation { wait }")));
    let running = [wait(), wait()];
    begun(&server, 2).await;

    for one in running {
        one.abort();
    }

    assert_eq!(answer(server.query("{ hello }")).await.status, 200);
}

#[tokio::test]
async fn operations_on_a_socket_count_too_and_subscriptions_that_run_do_not() {
    let server = server().await;
    let mut socket = Socket::initialised(&server).await;
    for id in ["a", "b", "c", "d"] {
        socket.subscribe(id, "subscription { never }").await;
    }
    begun(&server, 4).await;

    for id in ["1", "2", "3", "4"] {
        socket.subscribe(id, "mutation { wait }").await;
    }
    let refused = socket.receive().await;

    assert_eq!(refused["type"], "error");
    assert_eq!(refused["payload"][0]["extensions"]["code"], "TOO_MANY_REQUESTS");
    server.state.gate.add_permits(3);
    let mut completed = 0;
    for _ in 0..6 {
        completed += usize::from(socket.receive().await["type"] == "complete");
    }
    assert_eq!(completed, 3);
}
