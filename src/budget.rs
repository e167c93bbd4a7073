//! What one execution may use (fields, rows, bytes, time) and what it has used.
//!
//! A budget is checked while an execution runs, so that nothing much larger than the budget is ever allocated. All
//! views of one answer share one budget.

mod limit;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use rustix::thread::ClockId;
use tokio::time::{Instant, sleep_until};

pub use limit::{Exceeded, Limit, Limits};

/// How long one poll of an execution may run before [`Budget::breathe`] yields: 2 ms. What runs between two calls of
/// `breathe` comes on top, and no poll may take more than 5 ms.
const POLL_TIME: Duration = Duration::from_millis(2);

/// CPU time of one unit of work: 5 µs, about what resolving ten scalar fields takes.
const UNIT: Duration = Duration::from_micros(5);

/// CPU time that the database is assumed to spend on one row: 1 µs. It is added to what is measured, since the thread or
/// process of the database is measured only in long statements, if at all.
const ROW: Duration = Duration::from_micros(1);

/// The budget of one execution. Clones are the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    fields: AtomicU64,
    rows: AtomicU64,
    /// Bytes of texts that were read.
    read: AtomicU64,
    /// Bytes of texts that are shown.
    shown: AtomicU64,
    exceeded: OnceLock<Exceeded>,
    /// CPU time that was measured, in nanoseconds.
    cpu: AtomicU64,
    /// What the two below count from.
    origin: Instant,
    /// The CPU time of its thread when the current poll began, in nanoseconds; 0 outside of a measured poll.
    polled_at: AtomicU64,
    /// When the execution has to end, in nanoseconds after `origin`.
    deadline: AtomicU64,
    /// Held by the one that does long work apart.
    turn: tokio::sync::Mutex<()>,
    /// How many of its futures pause.
    paused: AtomicU64,
    /// The execution ended or was dropped: its statements have to end too.
    has_ended: AtomicBool,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::new(Limits::default())
    }
}

/// A future that pauses, until this is dropped.
struct Pause<'a>(&'a Inner);

impl Pause<'_> {
    fn begin(inner: &Inner) -> Pause<'_> {
        inner.paused.fetch_add(1, Ordering::Relaxed);
        Pause(inner)
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.paused.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Marks an execution as ended when it is dropped, however that comes.
struct EndOnDrop<'a>(&'a Budget);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Budget {
    /// A budget of which nothing has been used.
    pub fn new(limits: Limits) -> Budget {
        Budget(Arc::new(Inner {
            limits,
            fields: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            read: AtomicU64::new(0),
            shown: AtomicU64::new(0),
            exceeded: OnceLock::new(),
            cpu: AtomicU64::new(0),
            origin: Instant::now(),
            polled_at: AtomicU64::new(0),
            deadline: AtomicU64::new(nanos(limits.time)),
            turn: tokio::sync::Mutex::new(()),
            paused: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
        }))
    }

    /// Charges fields that are about to be resolved.
    ///
    /// # Errors
    /// `Exceeded` when these, or anything before, were too much.
    pub fn fields(&self, count: u64) -> Result<(), Exceeded> {
        self.charge(&self.0.fields, count, Limit::Fields, self.0.limits.fields)
    }

    /// Charges rows that were read, or are about to be.
    ///
    /// # Errors
    /// As [`Budget::fields`].
    pub fn rows(&self, count: usize) -> Result<(), Exceeded> {
        self.charge(&self.0.rows, count as u64, Limit::Rows, self.0.limits.rows)
    }

    /// Charges bytes of texts that are about to be read.
    ///
    /// # Errors
    /// As [`Budget::fields`].
    pub fn read(&self, bytes: u64) -> Result<(), Exceeded> {
        self.charge(&self.0.read, bytes, Limit::Bytes, self.0.limits.bytes)
    }

    /// Charges bytes of texts that are about to be put into the answer.
    ///
    /// # Errors
    /// As [`Budget::fields`].
    pub fn show(&self, bytes: usize) -> Result<(), Exceeded> {
        self.charge(&self.0.shown, bytes as u64, Limit::Bytes, self.0.limits.bytes)
    }

    /// Bytes of texts that may still be read.
    pub fn readable(&self) -> u64 {
        self.0.limits.bytes.saturating_sub(self.0.read.load(Ordering::Relaxed))
    }

    /// The `LIMIT` of a statement whose rows nothing else bounds: one row more than may still be read, so that charging
    /// them fails.
    pub fn rows_left(&self) -> u64 {
        let left = self.0.limits.rows.saturating_sub(self.0.rows.load(Ordering::Relaxed));
        left.saturating_add(1)
    }

    /// Fails once any limit was exceeded. Within [`Budget::run`] that includes the deadline: an execution whose reads never wait is
    /// not interrupted between two polls.
    ///
    /// # Errors
    /// The limit that was exceeded first.
    pub fn check(&self) -> Result<(), Exceeded> {
        if let Some(exceeded) = self.0.exceeded.get() {
            return Err(*exceeded);
        }
        let is_running = self.0.polled_at.load(Ordering::Relaxed) != 0;
        if is_running && self.remaining().is_zero() {
            return Err(self.run_late());
        }
        Ok(())
    }

    fn charge(&self, used: &AtomicU64, count: u64, limit: Limit, max: u64) -> Result<(), Exceeded> {
        self.check()?;
        match used.fetch_add(count, Ordering::Relaxed).saturating_add(count) <= max {
            true => Ok(()),
            false => Err(self.exceed(limit, max)),
        }
    }

    fn exceed(&self, limit: Limit, max: u64) -> Exceeded {
        *self.0.exceeded.get_or_init(|| Exceeded { limit, max })
    }

    /// Adds CPU time that another thread spent for this execution.
    pub fn add_cpu(&self, spent: Duration) {
        self.0.cpu.fetch_add(nanos(spent), Ordering::Relaxed);
    }

    /// The work done so far, in units of about 5 µs of CPU time; at least 1.
    pub fn work(&self) -> u64 {
        let rows = self.0.rows.load(Ordering::Relaxed).saturating_mul(nanos(ROW));
        let spent = self.0.cpu.load(Ordering::Relaxed).saturating_add(rows);
        spent.div_ceil(nanos(UNIT)).max(1)
    }

    /// The time that is left, none when it is over.
    pub fn remaining(&self) -> Duration {
        let deadline = Duration::from_nanos(self.0.deadline.load(Ordering::Relaxed));
        deadline.saturating_sub(self.0.origin.elapsed())
    }

    /// Whether the execution ended or was dropped, so that nobody waits for its statements.
    pub fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::Acquire)
    }

    /// Yields to other tasks if the current poll has run for long. To be called where lists are expanded and in long
    /// computations. Outside of [`Budget::run`] it does nothing.
    pub async fn breathe(&self) {
        let mut pause = None;
        poll_fn(|context| match self.is_out_of_breath() {
            true => {
                pause.get_or_insert_with(|| Pause::begin(&self.0));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            false => Poll::Ready(()),
        })
        .await;
    }

    /// Yields once, and then until nothing of this execution pauses in [`Budget::breathe`]. So what is read together for
    /// many fields is read for those too that paused before they could ask for it.
    pub async fn settle(&self) {
        tokio::task::yield_now().await;
        poll_fn(|context| match self.0.paused.load(Ordering::Relaxed) {
            0 => Poll::Ready(()),
            _ => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }

    fn is_out_of_breath(&self) -> bool {
        match self.0.polled_at.load(Ordering::Relaxed) {
            0 => false,
            polled_at => nanos(thread_cpu()).saturating_sub(polled_at) > nanos(POLL_TIME),
        }
    }

    /// Does long work on a thread for blocking work, and adds the CPU time that it takes. One execution does one such work
    /// at a time. `prepare` gives the work what it needs when its turn has come.
    ///
    /// # Errors
    /// The limit that was exceeded before its turn came.
    pub async fn apart<T, W>(&self, prepare: impl FnOnce() -> W) -> Result<T, Exceeded>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let _turn = self.0.turn.lock().await;
        self.check()?;
        let work = prepare();
        let done = tokio::task::spawn_blocking(move || {
            let before = thread_cpu();
            (work(), thread_cpu().saturating_sub(before))
        });
        match done.await {
            Ok((done, spent)) => {
                self.add_cpu(spent);
                Ok(done)
            }
            // It is not cancelled, so it panicked.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Runs an execution under this budget: measures its CPU time and ends it at the deadline, or once it has exceeded
    /// another limit.
    ///
    /// # Errors
    /// The limit that was exceeded. The execution was dropped then, or its result is discarded.
    pub async fn run<T>(&self, execution: impl Future<Output = T>) -> Result<T, Exceeded> {
        let deadline = self.start();
        let _end = EndOnDrop(self);
        let mut execution = pin!(execution);
        // Set by the first poll that does not finish: most executions never need it.
        let mut alarm = pin!(None);
        poll_fn(|context| {
            let polled = self.measured(|| execution.as_mut().poll(context));
            self.check()?;
            if let Poll::Ready(result) = polled {
                return Poll::Ready(Ok(result));
            }
            if alarm.is_none() {
                alarm.set(Some(sleep_until(deadline)));
            }
            let alarm = alarm.as_mut().as_pin_mut();
            let is_over = alarm.is_some_and(|alarm: Pin<&mut _>| alarm.poll(context).is_ready());
            // An alarm may ring a millisecond late.
            match is_over || Instant::now() >= deadline {
                true => Poll::Ready(Err(self.run_late())),
                false => Poll::Pending,
            }
        })
        .await
    }

    /// Starts an execution, and returns its deadline. What [`Budget::run`] does for a future, others do themselves with
    /// this, [`Budget::measured`], [`Budget::run_late`] and [`Budget::end`].
    pub fn start(&self) -> Instant {
        let deadline = Instant::now() + self.0.limits.time;
        let after = nanos(deadline.duration_since(self.0.origin));
        self.0.deadline.store(after, Ordering::Relaxed);
        self.0.has_ended.store(false, Ordering::Release);
        deadline
    }

    /// Ends an execution: its statements are interrupted.
    pub fn end(&self) {
        self.0.polled_at.store(0, Ordering::Relaxed);
        self.0.has_ended.store(true, Ordering::Release);
    }

    /// Polls an execution, and adds the CPU time that this takes.
    pub fn measured<T>(&self, poll: impl FnOnce() -> T) -> T {
        let before = thread_cpu();
        self.0.polled_at.store(nanos(before).max(1), Ordering::Relaxed);
        let polled = poll();
        self.0.polled_at.store(0, Ordering::Relaxed);
        self.add_cpu(thread_cpu().saturating_sub(before));
        polled
    }

    /// The deadline has passed.
    pub fn run_late(&self) -> Exceeded {
        self.exceed(Limit::Time, millis(self.0.limits.time))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The CPU time that this thread has used.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative for a clock that counts from 0.
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

#[cfg(test)]
mod tests;
