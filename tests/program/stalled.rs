//! Many readers that stop reading: all are closed in time, what they took is given back, and nobody else waits for them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::running::command;
use crate::serving::{Client, TURN, open_files, start_as};

/// How many stop reading.
const STALLED: usize = 500;

/// How many go on.
const WATCHING: usize = 5;

/// How many changes are timed, without and with readers that have stopped.
const CHANGES: usize = 40;

/// Within what time who stops reading is closed.
const CLOSED: Duration = Duration::from_secs(15);

/// How much more memory the program may have in the end than in the beginning: for the newest events and how they are
/// shown, which it remembers, and for what lies between pieces that are in use: 11 MB were seen. Those who stop reading take
/// more than twice this each time, as each has most of a change left over, and the next one.
const KEPT: u64 = 24 << 20;

/// The most that each of those who stop reading may take, in bytes: the rest of one change, and another.
const EACH: u64 = 2 * (TIMES * (TEXT + 50)) as u64;

/// How often each text is asked for by those who stop reading, so that a few changes fill the kernel's buffers.
const TIMES: usize = 150;

/// Bytes of each text: few, as the program remembers events for those who come back, and that is not what is measured.
const TEXT: usize = 800;

struct Reader(WebSocketStream<TcpStream>);

impl Reader {
    /// Subscribes, and reads the snapshot.
    async fn subscribe(client: &Client, selection: &str) -> Reader {
        let address = client
            .graphql
            .trim_start_matches("http://")
            .trim_end_matches("/graphql");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(32 << 10).expect("a buffer");
        let stream = socket.connect(address.parse().expect("an address")).await;
        let opened = client_async(client.socket_request(), stream.expect("a connection")).await;
        let mut reader = Reader(opened.expect("it opens").0);
        reader.send(&json!({ "type": "connection_init" })).await;
        assert_eq!(reader.next().await["type"], "connection_ack");
        let document = format!(
            "subscription {{ pageEvents(page: \"shop\") {{ __typename ... on IncidentUpdatePosted {{ {selection} }} }} }}"
        );
        reader
            .send(&json!({ "id": "1", "type": "subscribe", "payload": { "query": document } }))
            .await;
        let snapshot = reader.next().await;
        assert_eq!(snapshot["payload"]["data"]["pageEvents"]["__typename"], "PageSnapshot");
        reader
    }

    async fn send(&mut self, message: &Value) {
        let sent = self.0.send(Message::text(message.to_string())).await;
        sent.expect("it is sent");
    }

    async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.expect("not the end").expect("a message") {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    if message["payload"]["data"]["pageEvents"]["__typename"] != "Heartbeat" {
                        return message;
                    }
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a message: {other:?}"),
            }
        }
    }
}

/// From each change's being sent until the last of the watchers has it: the median.
async fn delay(client: &Client, page: &str, watchers: &mut [Reader]) -> Duration {
    let mut delays = Vec::new();
    let input = json!({ "page": page, "title": "Checkout fails", "body": "We are looking into it." });
    let incident = client.make("incidentOpen", input, "incident").await;
    join_all(watchers.iter_mut().map(Reader::next)).await;
    for _ in 0..CHANGES {
        let input = json!({ "incident": incident, "body": "x".repeat(TEXT) });
        let began = Instant::now();
        let posting = client.mutate("incidentUpdatePost", input, "update { id }");
        let hearing = async {
            join_all(watchers.iter_mut().map(Reader::next)).await;
            began.elapsed()
        };
        let (posted, heard) = tokio::join!(posting, hearing);
        posted.expect("it runs");
        delays.push(heard);
    }
    delays.sort();
    delays[CHANGES / 2]
}

/// A process's memory, in bytes.
fn memory(id: u32) -> u64 {
    status(id, "VmRSS:")
}

/// The most memory that a process has had since it was last forgotten, in bytes.
fn most_memory(id: u32) -> u64 {
    status(id, "VmHWM:")
}

/// Has the kernel take what a process has now for the most it has had (proc(5), `clear_refs`).
fn forget_most_memory(id: u32) {
    std::fs::write(format!("/proc/{id}/clear_refs"), "5").expect("it is ours");
}

fn status(id: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|text| text.parse::<u64>().ok()).expect("a number") * 1024
}

/// Looks again and again until something is so, and says how long that took.
async fn until(is_so: impl Fn() -> bool, patience: Duration, what: impl Fn() -> String) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < patience, "{}", what());
        // allow-sleep: nobody is told what becomes of another process.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

/// What came of readers that stopped.
#[derive(Debug)]
struct Round {
    /// How long a change took without them, and beside them.
    alone: Duration,
    beside: Duration,
    /// When all were closed, from before the first change that they did not read.
    closed: Duration,
    /// Bytes of memory; of `meanwhile`, the most.
    before: u64,
    meanwhile: u64,
    after: u64,
}

async fn stall(client: &Client, id: u32, page: &str, watchers: &mut [Reader]) -> Round {
    let alone = delay(client, page, watchers).await;
    let (before, open_before) = (memory(id), open_files(id));
    let heavy: String = (0..TIMES).map(|time| format!("a{time}: update {{ body }} ")).collect();
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        stalled.push(Reader::subscribe(client, &heavy).await);
    }
    assert!(open_files(id) >= open_before + STALLED);

    let began = Instant::now();
    forget_most_memory(id);
    let beside = delay(client, page, watchers).await;
    let all_closed = || open_files(id) <= open_before + 5;
    until(all_closed, CLOSED, || {
        format!("{} are open", open_files(id) - open_before)
    })
    .await;
    let closed = began.elapsed();
    let meanwhile = most_memory(id);
    let without = delay(client, page, watchers).await;
    Round {
        alone: alone.max(without),
        beside,
        closed,
        before,
        meanwhile,
        after: memory(id),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_os = "linux")]
#[expect(clippy::print_stderr, reason = "it tells its figures")]
async fn readers_that_stop_reading_are_closed_in_time_and_cost_nobody_anything() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    // glibc's allocator would keep most of what it was given back.
    let mut program = command(folder.path());
    program.env("MALLOC_MMAP_THRESHOLD_", "65536");
    let (mut child, client, _) = start_as(program, folder.path(), &[]).await;
    let id = child.id().expect("it runs");
    let page = client
        .make("pageCreate", json!({ "slug": "shop", "name": "Shop" }), "page")
        .await;
    let mut watchers = Vec::new();
    for _ in 0..WATCHING {
        watchers.push(Reader::subscribe(&client, "update { number }").await);
    }
    let first = stall(&client, id, &page, &mut watchers).await;
    let second = stall(&client, id, &page, &mut watchers).await;

    eprintln!(
        "{STALLED} readers stopped, twice: all closed after {:?} and {:?}; a change took {:?} without them, {:?} beside them; \
         memory {} MB before and {} MB at most beside them, {} MB after the first time, {} MB at most and {} MB after the second",
        first.closed,
        second.closed,
        second.alone,
        second.beside,
        first.before >> 20,
        first.meanwhile >> 20,
        first.after >> 20,
        second.meanwhile >> 20,
        second.after >> 20,
    );
    for round in [&first, &second] {
        assert!(round.closed < CLOSED, "{round:?}");
    }
    // Whatever else this machine does may spoil one of them, but no luck makes a slow way fast.
    let is_quick = |round: &Round| round.beside < 2 * round.alone;
    assert!(is_quick(&first) || is_quick(&second), "{first:?}, {second:?}");
    for round in [&first, &second] {
        assert!(round.meanwhile > round.before + 2 * KEPT, "it is seen: {round:?}");
        assert!(
            round.meanwhile < round.before + STALLED as u64 * EACH + KEPT,
            "{round:?}"
        );
    }
    assert!(second.after < first.before + KEPT, "{first:?}, {second:?}");
    child.kill().await.expect("it can be killed");
}
