use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::*;
use crate::transport::envelope::{Form, Framing};
use crate::transport::operation;
use crate::transport::slot::Slot;

const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a message: so many that a connection that is not read is full after some dozens.
const LENGTH: usize = 4_000;

/// A log of numbers that grows; some are for each follower alone, and some for nobody.
#[derive(Clone)]
struct Log {
    head: watch::Sender<u64>,
    own: Arc<BTreeSet<u64>>,
    passed: Arc<BTreeSet<u64>>,
    /// After this number nothing comes.
    end: u64,
    /// How often somebody looked at what is there.
    looks: Arc<AtomicUsize>,
}

impl Log {
    fn new(own: &[u64], passed: &[u64]) -> Log {
        Log {
            head: watch::Sender::new(0),
            own: Arc::new(own.iter().copied().collect()),
            passed: Arc::new(passed.iter().copied().collect()),
            end: u64::MAX,
            looks: Arc::default(),
        }
    }

    fn follow(&self, position: u64) -> Reader {
        Reader {
            log: self.clone(),
            changed: self.head.subscribe(),
            position,
        }
    }

    /// What a subscriber that began at a position must be sent when the log has come to a number.
    fn all(&self, from: u64, to: u64) -> Vec<u64> {
        (from + 1..=to).filter(|number| !self.passed.contains(number)).collect()
    }
}

struct Reader {
    log: Log,
    changed: watch::Receiver<u64>,
    position: u64,
}

impl Follower for Reader {
    fn selection(&self) -> u64 {
        1
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn seek(&mut self, number: u64) {
        self.position = number;
    }

    fn fork(&self) -> Reader {
        self.log.follow(self.position)
    }

    async fn ready(&mut self) -> Ready<Rendering> {
        self.log.looks.fetch_add(1, Ordering::Relaxed);
        while self.position < *self.changed.borrow_and_update() {
            if self.position == self.log.end {
                return Ready::End;
            }
            self.position += 1;
            let number = self.position;
            if self.log.passed.contains(&number) {
                continue;
            }
            return Ready::Item(Item {
                work: 0,
                rendering: Rendering::of_text(format!("{number} {}", "x".repeat(LENGTH))),
                cursor: number.to_string().into(),
                reach: match self.log.own.contains(&number) {
                    true => Reach::Own,
                    false => Reach::All(number),
                },
            });
        }
        Ready::Nothing
    }

    async fn next(&mut self) -> Ready<Rendering> {
        loop {
            match self.ready().await {
                Ready::Nothing => self.changed.changed().await.expect("the log lives"),
                found => return found,
            }
        }
    }
}

async fn connection() -> (Arc<Wire>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (server, _) = accepted.expect("a connection");
    (
        Wire::new(server, Slot::unbounded(address.ip())),
        client.expect("a connection"),
    )
}

/// A subscriber's side of the server, which runs until it is aborted; and its client.
async fn subscribe(log: &Log, fanouts: &Arc<Fanouts>, from: u64) -> (JoinHandle<()>, TcpStream) {
    let (wire, client) = connection().await;
    let envelope = Form::Distinct(Framing::Bare).only();
    let seat = Seat::new(&wire, &envelope);
    let mut events = operation::shared(log.follow(from), Arc::clone(fanouts), seat, None);
    let serving = tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                unsent = wire.tend(PATIENCE) => panic!("the client reads in the end: {unsent:?}"),
            };
            let Some(event) = event else { return };
            let mut bytes = Vec::new();
            event.write(&envelope, &mut bytes);
            wire.send(bytes.into(), PATIENCE)
                .await
                .expect("the client reads in the end");
        }
    });
    (serving, client)
}

/// The numbers that a client is sent, up to one.
async fn read(client: TcpStream, last: u64) -> Vec<u64> {
    let mut lines = BufReader::new(client).lines();
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        let line = lines.next_line().await.expect("text").expect("not the end");
        if let Some(data) = line.strip_prefix("data: ") {
            let number = data.split(' ').next().expect("a word");
            numbers.push(number.parse().expect("a number"));
        }
    }
    numbers
}

/// Lets a log grow by pieces of all sizes, with pauses for others in between.
async fn grow(log: &Log, to: u64) {
    let mut head = *log.head.borrow();
    while head < to {
        head = (head + 1 + head % 7).min(to);
        log.head.send_replace(head);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everybody_is_sent_everything_once_and_in_order_and_nobody_waits_for_who_does_not_read() {
    let log = Log::new(&[100, 700, 701], &[5, 300, 301, 302, 999]);
    let (fanouts, gate) = (Arc::default(), Arc::new(Semaphore::new(0)));
    let (mut fast, mut slow) = (Vec::new(), Vec::new());
    log.head.send_replace(50);

    for index in 0..40_u64 {
        let from = index % 8 * 7;
        let (_serving, client) = subscribe(&log, &fanouts, from).await;
        let (log, gate) = (log.clone(), Arc::clone(&gate));
        if index % 4 == 0 {
            slow.push(tokio::spawn(async move {
                gate.acquire().await.expect("it opens").forget();
                assert_eq!(read(client, 1_000).await, log.all(from, 1_000));
            }));
        } else {
            fast.push(tokio::spawn(async move {
                assert_eq!(read(client, 1_000).await, log.all(from, 1_000));
            }));
        }
    }
    grow(&log, 1_000).await;

    for reader in fast {
        reader.await.expect("all of it");
    }
    gate.add_permits(slow.len());
    for reader in slow {
        reader.await.expect("all of it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_joins_while_others_are_sent_something_misses_nothing() {
    let log = Log::new(&[], &[]);
    let fanouts = Arc::default();
    let growing = tokio::spawn({
        let log = log.clone();
        async move { grow(&log, 3_000).await }
    });

    let mut readers = Vec::new();
    for _ in 0..60 {
        let from = *log.head.borrow();
        let (_serving, client) = subscribe(&log, &fanouts, from).await;
        let log = log.clone();
        readers.push(tokio::spawn(async move {
            assert_eq!(read(client, 3_001).await, log.all(from, 3_001));
        }));
    }
    growing.await.expect("it grows");
    log.head.send_replace(3_001);

    for reader in readers {
        reader.await.expect("all of it");
    }
}

#[tokio::test]
async fn what_ends_ends_for_everybody() {
    let mut log = Log::new(&[], &[]);
    log.end = 3;
    let fanouts = Arc::default();
    let (serving, client) = subscribe(&log, &fanouts, 0).await;

    grow(&log, 4).await;

    assert_eq!(read(client, 3).await, [1, 2, 3]);
    serving.await.expect("it ends");
}

#[tokio::test]
async fn a_fanout_that_everybody_has_left_is_gone() {
    let log = Log::new(&[], &[]);
    let fanouts: Arc<Fanouts> = Arc::default();
    let (serving, client) = subscribe(&log, &fanouts, 0).await;
    grow(&log, 1).await;
    assert_eq!(read(client, 1).await, [1]);
    assert_eq!(lock(&fanouts.running).len(), 1);

    serving.abort();

    while !lock(&fanouts.running).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_hushed_is_sent_nothing() {
    let (wire, client) = connection().await;
    let envelope = Form::Distinct(Framing::Bare).only();
    let (hushed, heard) = (Seat::new(&wire, &envelope), Seat::new(&wire, &envelope));
    let rider = |seat: &Seat| {
        Arc::new(Rider {
            seat: seat.clone(),
            place: Mutex::new(Place {
                position: 0,
                is_riding: true,
            }),
            left_behind: Notify::new(),
        })
    };
    let log = Log::new(&[], &[]);
    log.head.send_replace(1);
    let Ready::Item(item) = log.follow(0).ready().await else {
        panic!("there is one")
    };

    hushed.hush();
    // So that there is room for certain.
    wire.send(Bytes::from_static(b"\n"), PATIENCE)
        .await
        .expect("it is sent");
    publish(&[item], &mut vec![rider(&hushed), rider(&heard)]).await;
    wire.hang_up();

    let mut lines = BufReader::new(client).lines();
    let mut items = 0;
    while let Some(line) = lines.next_line().await.expect("text") {
        items += usize::from(line.starts_with("data: "));
    }
    assert_eq!(items, 1);
}

#[tokio::test]
async fn who_is_behind_those_it_could_ride_with_waits_for_the_log_and_does_not_spin() {
    let (log, fanouts) = (Log::new(&[], &[]), Arc::default());
    let (wire, _client) = connection().await;
    let seat = Seat::new(&wire, &Form::Distinct(Framing::Bare).only());
    // It began with the page as it stands, of which the ring does not know yet.
    let _ahead = Fanouts::join(&fanouts, &log.follow(5), &seat).expect("it is the first");

    let (_serving, client) = subscribe(&log, &fanouts, 0).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }

    let looks = log.looks.load(Ordering::Relaxed);
    assert!(looks < 100, "{looks}");
    log.head.send_replace(7);
    assert_eq!(read(client, 7).await, log.all(0, 7));
}
