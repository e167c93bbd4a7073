//! Fairness: an operation that always has more to say leaves the others of its socket their turns.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::server::Server;
use crate::socket::Socket;

/// With the hot one they are twenty.
const QUIET: usize = 19;

/// The longest that an item of one of them may be on its way.
const LIMIT: Duration = Duration::from_millis(100);

/// After how long one that has not had its turn never will.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often each of them has something to say in one measurement.
const TURNS: usize = 20;

/// How long the longest of an item's ways was, from where it was made to the client, and what the hot one said meanwhile.
async fn measure(server: &Server, socket: &mut Socket) -> (Duration, usize) {
    let (mut longest, mut hot) = (Duration::ZERO, 0);
    for _ in 0..TURNS {
        let told = Instant::now();
        server.state.told.send(1).expect("they listen");
        let mut heard = HashMap::new();
        while heard.len() < QUIET {
            assert!(told.elapsed() < PATIENCE, "{} of {QUIET} have their turn", heard.len());
            let message = socket.receive().await;
            match message["id"].as_str() {
                Some("hot") => hot += 1,
                id => drop(heard.insert(id.map(ToOwned::to_owned), told.elapsed())),
            }
        }
        longest = longest.max(heard.into_values().max().unwrap_or_default());
    }
    (longest, hot)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_operations_on_one_socket_none_waits_longer_than_100_ms_though_one_never_pauses() {
    let server = Server::start().await;
    let mut socket = Socket::initialised(&server).await;
    for index in 0..QUIET {
        socket.subscribe(&index.to_string(), "subscription { told }").await;
    }
    server
        .state
        .begun
        .acquire_many(QUIET as u32)
        .await
        .expect("they began")
        .forget();
    socket.subscribe("hot", "subscription { hot }").await;
    assert_eq!(socket.receive().await["id"], "hot");

    // The best of three: whatever else this machine does may spoil one, but no luck gives turns to who gets none.
    let mut best = (Duration::MAX, 0);
    for _ in 0..3 {
        best = best.min(measure(&server, &mut socket).await);
        if best.0 <= LIMIT {
            break;
        }
    }

    let (longest, hot) = best;
    assert!(longest <= LIMIT, "{longest:?}");
    // How many times more depends on when the others are woken.
    assert!(
        hot > TURNS,
        "the hot one says no more than each of the others: {hot} items"
    );
}
