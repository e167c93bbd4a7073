//! The load: many subscribers on one thread, which counts what comes and reads as little of it as it can.

pub(crate) mod frame;
mod subscriber;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use clap::ValueEnum;
use mio::{Events, Interest, Poll, Token, Waker};

pub(crate) use subscriber::Seen;
use subscriber::Subscriber;

/// How many subscribers are between connecting and their first message at a time: fewer than the shortest queue of a
/// listener here (128, of the standard library's), or connecting would wait for its retries.
const OPENING: usize = 100;

/// The same where all come back at once: tokio's listeners have a queue of 1,024.
const RESUMING: usize = 1000;

/// How long a subscriber that was sent away waits before it comes back: graphql-ws waits a second at first.
const BACK_AFTER: Duration = Duration::from_secs(1);

/// What is read of a socket at once: many messages, so that a busy one costs few reads.
const READ_BUFFER: usize = 256 << 10;

/// Events of the poll that are taken at once.
const BATCH: usize = 1024;

/// Not a subscriber, but the bench.
const ORDERS: Token = Token(usize::MAX);

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    Ws,
    Sse,
}

/// Whether subscribers call their operation the same. Real clients do not; a server that encodes a frame once for all
/// must cope with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ids {
    Same,
    Distinct,
}

/// Who subscribes to what.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) subscribers: usize,
    pub(crate) transport: Transport,
    pub(crate) ids: Ids,
    /// How many different selections are asked for.
    pub(crate) selections: usize,
    /// Whether a single selection is one of those that several would be made of.
    pub(crate) variants: bool,
    /// Whether cursors and numbers are read, so that a subscriber can resume and says what it missed.
    pub(crate) reads: bool,
}

enum Order {
    /// Cut all connections, and resume each.
    Cut,
    Stop,
}

enum Report {
    /// All subscribers are live.
    Live(Instant),
    /// So many events have come.
    Received(u64, Instant),
}

/// What has come to all subscribers together.
#[derive(Default)]
pub(crate) struct Counters {
    received: AtomicU64,
    bytes: AtomicU64,
    /// When this many have come, that is reported; 0 asks for nothing.
    target: AtomicU64,
}

impl Counters {
    /// Events.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }
}

/// Subscribers that run.
pub(crate) struct Load {
    counters: Arc<Counters>,
    orders: Sender<Order>,
    waker: Waker,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<anyhow::Result<Vec<Seen>>>>,
}

impl Load {
    /// Begins to open subscribers; [`Load::live`] waits for them.
    pub(crate) fn open(plan: Plan) -> anyhow::Result<Load> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), ORDERS)?;
        let counters = Arc::new(Counters::default());
        let (orders, taken) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        let work = Work {
            subscribers: (0..plan.subscribers).map(Subscriber::new).collect(),
            plan,
            poll,
            counters: Arc::clone(&counters),
            orders: taken,
            reports: report,
            waiting: VecDeque::new(),
            opening: 0,
            live: 0,
        };
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(|| work.run())?;
        Ok(Load {
            counters,
            orders,
            waker,
            reports,
            thread: Some(thread),
        })
    }

    /// Waits until all subscribers are live.
    pub(crate) fn live(&mut self, patience: Duration) -> anyhow::Result<Instant> {
        let deadline = Instant::now() + patience;
        loop {
            if let Report::Live(at) = self.report(deadline).context("not all subscribers could begin")? {
                return Ok(at);
            }
        }
    }

    /// Waits a while for all subscribers to be live.
    pub(crate) fn is_live(&mut self, patience: Duration) -> anyhow::Result<Option<Instant>> {
        match self.reports.recv_timeout(patience) {
            Ok(Report::Live(at)) => Ok(Some(at)),
            Ok(Report::Received(..)) | Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => self.join().map(|_| None),
        }
    }

    /// Waits until so many events have come in all, and tells when the last of them did.
    pub(crate) fn wait_for(&mut self, events: u64, patience: Duration) -> anyhow::Result<Instant> {
        let deadline = Instant::now() + patience;
        self.counters.target.store(events, Ordering::SeqCst);
        if self.received() >= events {
            return Ok(Instant::now());
        }
        loop {
            let report = self.report(deadline);
            match report.with_context(|| format!("{} of {events} events came", self.received()))? {
                Report::Received(count, at) if count >= events => return Ok(at),
                Report::Received(..) | Report::Live(_) => {}
            }
        }
    }

    /// Events that have come to all subscribers together.
    pub(crate) fn received(&self) -> u64 {
        self.counters.received()
    }

    /// The same for other threads.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Bytes that live subscribers have read.
    pub(crate) fn bytes(&self) -> u64 {
        self.counters.bytes.load(Ordering::SeqCst)
    }

    /// Cuts all connections, and lets each resume; [`Load::live`] waits for the last.
    pub(crate) fn cut(&mut self) -> anyhow::Result<()> {
        self.order(Order::Cut)
    }

    /// Ends, and tells what each subscriber has seen.
    pub(crate) fn stop(mut self) -> anyhow::Result<Vec<Seen>> {
        self.order(Order::Stop)?;
        self.join()
    }

    fn order(&mut self, order: Order) -> anyhow::Result<()> {
        if self.orders.send(order).is_err() {
            self.join()?;
        }
        Ok(self.waker.wake()?)
    }

    fn report(&mut self, deadline: Instant) -> anyhow::Result<Report> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.reports.recv_timeout(left) {
            Ok(report) => Ok(report),
            Err(RecvTimeoutError::Timeout) => Err(anyhow!("that took too long")),
            Err(RecvTimeoutError::Disconnected) => {
                self.join()?;
                Err(anyhow!("the load has ended"))
            }
        }
    }

    fn join(&mut self) -> anyhow::Result<Vec<Seen>> {
        let thread = self.thread.take().context("the load has ended")?;
        thread.join().map_err(|_| anyhow!("the load panicked"))?
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if self.thread.is_some() && self.order(Order::Stop).is_ok() {
            // Whoever drops it has a fault to tell already.
            let _ = self.join();
        }
    }
}

/// The thread's own part.
struct Work {
    plan: Plan,
    poll: Poll,
    subscribers: Vec<Subscriber>,
    counters: Arc<Counters>,
    orders: Receiver<Order>,
    reports: Sender<Report>,
    /// Who is to be opened, and when; the earliest comes first.
    waiting: VecDeque<(Instant, usize)>,
    /// How many are between connecting and their first message, and how many are past it.
    opening: usize,
    live: usize,
}

impl Work {
    fn run(mut self) -> anyhow::Result<Vec<Seen>> {
        let mut events = Events::with_capacity(BATCH);
        let mut buffer = vec![0; READ_BUFFER];
        self.open_all_again();
        loop {
            let pause = self.open_some()?;
            match self.poll.poll(&mut events, pause) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let (mut received, mut bytes) = (0, 0);
            let mut ordered = false;
            for event in &events {
                if event.token() == ORDERS {
                    ordered = true;
                    continue;
                }
                let subscriber = &mut self.subscribers[event.token().0];
                let news = subscriber.read(&self.plan, &mut buffer)?;
                received += news.events;
                bytes += news.bytes;
                if news.became_live {
                    self.opening -= 1;
                    self.live += 1;
                }
                if news.was_sent_away {
                    self.sent_away(event.token().0, news.was_live);
                }
                if news.became_live && self.live == self.subscribers.len() {
                    // Nobody may listen any more, which is nothing to us.
                    let _ = self.reports.send(Report::Live(Instant::now()));
                }
            }
            self.count(received, bytes);
            if ordered {
                while let Ok(order) = self.orders.try_recv() {
                    match order {
                        Order::Cut => self.cut()?,
                        Order::Stop => return Ok(self.subscribers.into_iter().map(|one| one.seen).collect()),
                    }
                }
            }
        }
    }

    /// Opens who is to be opened by now, and tells how long there is nothing to do in that respect.
    fn open_some(&mut self) -> anyhow::Result<Option<Duration>> {
        let at_once = if self.plan.reads { RESUMING } else { OPENING };
        while self.opening < at_once
            && let Some(&(due, index)) = self.waiting.front()
        {
            let pause = due.saturating_duration_since(Instant::now());
            if !pause.is_zero() {
                return Ok(Some(pause));
            }
            self.waiting.pop_front();
            let stream = self.subscribers[index].open(&self.plan)?;
            self.poll
                .registry()
                .register(stream, Token(index), Interest::READABLE)?;
            self.opening += 1;
        }
        Ok(None)
    }

    fn open_all_again(&mut self) {
        let now = Instant::now();
        self.waiting = (0..self.subscribers.len()).map(|index| (now, index)).collect();
        (self.opening, self.live) = (0, 0);
    }

    /// Comes back later, as clients do.
    fn sent_away(&mut self, index: usize, was_live: bool) {
        match was_live {
            true => self.live -= 1,
            false => self.opening -= 1,
        }
        self.waiting.push_back((Instant::now() + BACK_AFTER, index));
    }

    fn count(&self, received: u64, bytes: u64) {
        self.counters.bytes.fetch_add(bytes, Ordering::SeqCst);
        if received == 0 {
            return;
        }
        let all = self.counters.received.fetch_add(received, Ordering::SeqCst) + received;
        let target = self.counters.target.load(Ordering::SeqCst);
        let reached = target != 0 && all >= target;
        // Reported once for each target.
        if reached
            && self
                .counters
                .target
                .compare_exchange(target, 0, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        {
            let _ = self.reports.send(Report::Received(all, Instant::now()));
        }
    }

    fn cut(&mut self) -> anyhow::Result<()> {
        ensure!(self.plan.reads, "who does not read cursors cannot resume");
        self.subscribers.iter_mut().for_each(Subscriber::cut);
        self.open_all_again();
        Ok(())
    }
}
