//! The other clients during an attack: readers, a supervisor, and an administrator. Each has an address that is not the
//! attacker's, and is on time: an answer's latency counts from when its request was due.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use super::kind::Facts;
use crate::contender;
use crate::figures::quantile;
use crate::http::Http;
use crate::query::{self, Distinct};
use crate::scenario::millis;

/// Readers of the page; each has an address and a connection, and sends a request in turn.
const READERS: u8 = 100;

/// The pause between two requests of readers, of all together.
const READ_EVERY: Duration = Duration::from_millis(50);

/// The pause between two questions whether the server is well.
const HEALTH_EVERY: Duration = Duration::from_millis(20);

/// The pause between two questions whether the server is ready.
const READY_EVERY: Duration = Duration::from_millis(100);

/// The pause between two changes of the page. Each changes something that readers do not ask for, so that their answers stay
/// the same, though what is cached of the page becomes obsolete.
const CHANGE_EVERY: Duration = Duration::from_secs(2);

const READERS_NETWORK: [u8; 3] = [127, 1, 0];
const SUPERVISOR: Ipv4Addr = Ipv4Addr::new(127, 2, 0, 1);
const ADMINISTRATOR: Ipv4Addr = Ipv4Addr::new(127, 2, 0, 2);

/// How one sort of request went.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// In ms, in order once it is over.
    latencies: Vec<f64>,
    /// Answers that were not what they should be, or that did not come.
    pub(super) wrong: u64,
    /// The first of them.
    pub(super) example: Option<String>,
}

/// What all of them met.
#[derive(Clone, Debug)]
pub(super) struct Met {
    /// The ordinary query, the same document each time.
    pub(super) known: Series,
    /// The ordinary query, a new document each time.
    pub(super) new: Series,
    pub(super) health: Series,
    pub(super) ready: Series,
    pub(super) change: Series,
}

pub(super) struct Others<'a> {
    pub(super) server: SocketAddr,
    pub(super) facts: &'a Facts,
    /// The ordinary query.
    pub(super) document: &'a str,
    /// Its right answer.
    pub(super) answer: &'a Value,
}

impl Others<'_> {
    /// Sends what the others send until it is time.
    pub(super) fn run(&self, until: Instant) -> Met {
        thread::scope(|scope| {
            let readers = scope.spawn(|| self.readers(until));
            let health = scope.spawn(|| self.supervise("/healthz", HEALTH_EVERY, until));
            let ready = scope.spawn(|| self.supervise("/readyz", READY_EVERY, until));
            let change = scope.spawn(|| self.administrate(until));
            let (known, new) = readers.join().expect("it does not panic");
            Met {
                known,
                new,
                health: health.join().expect("it does not panic"),
                ready: ready.join().expect("it does not panic"),
                change: change.join().expect("it does not panic"),
            }
        })
    }

    fn readers(&self, until: Instant) -> (Series, Series) {
        let request = query::post(self.server, self.document, &Value::Null, &[]);
        let mut distinct = Distinct::new(request.clone()).expect("it carries the ordinary query");
        let mut connections: Vec<Option<Http>> = (0..READERS).map(|_| None).collect();
        let (mut known, mut new) = (Series::default(), Series::default());
        for (number, due) in every(READ_EVERY, until).enumerate() {
            let [a, b, c] = READERS_NETWORK;
            let reader = number % connections.len();
            let from = Ipv4Addr::new(a, b, c, reader as u8 + 1);
            // The connections are as many as is even, so each reader sends both sorts in turn.
            let is_known = (number + number / connections.len()).is_multiple_of(2);
            let (series, request) = if is_known {
                (&mut known, &*request)
            } else {
                (&mut new, distinct.next())
            };
            if series.is_late(due, until) {
                continue;
            }
            let asked = self.ask(&mut connections[reader], from, request);
            series.record(due, asked.and_then(|(status, body)| self.check(status, &body)));
        }
        (known.sorted(), new.sorted())
    }

    fn ask(&self, http: &mut Option<Http>, from: Ipv4Addr, request: &[u8]) -> anyhow::Result<(u16, String)> {
        let mut open = match http.take() {
            Some(open) => open,
            None => Http::connect_from(from, self.server)?,
        };
        let answer = open.exchange(request)?;
        // One that failed is not used again.
        *http = Some(open);
        Ok(answer)
    }

    fn check(&self, status: u16, body: &str) -> anyhow::Result<()> {
        let shown = || body.chars().take(300).collect::<String>();
        anyhow::ensure!(status == 200, "{status}: {}", shown());
        let answer: Value = serde_json::from_str(body)?;
        anyhow::ensure!(answer == *self.answer, "another answer: {}", shown());
        Ok(())
    }

    /// Asks over a new connection each time, as supervisors do.
    fn supervise(&self, path: &str, pause: Duration, until: Instant) -> Series {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.server).into_bytes();
        let mut series = Series::default();
        for due in every(pause, until) {
            if series.is_late(due, until) {
                continue;
            }
            let asked = self.ask(&mut None, SUPERVISOR, &request);
            series.record(
                due,
                asked.and_then(|(status, body)| {
                    anyhow::ensure!(status == 200, "{path} answers {status}: {body}");
                    Ok(())
                }),
            );
        }
        series.sorted()
    }

    fn administrate(&self, until: Instant) -> Series {
        let mut series = Series::default();
        let mut http = None;
        for (number, due) in every(CHANGE_EVERY, until).enumerate() {
            if !series.is_late(due, until) {
                series.record(due, self.change(&mut http, number));
            }
        }
        series.sorted()
    }

    fn change(&self, http: &mut Option<Http>, number: usize) -> anyhow::Result<()> {
        let mut open = match http.take() {
            Some(open) => open,
            None => Http::connect_from(ADMINISTRATOR, self.server)?,
        };
        let document =
            "mutation($input: PageAmendInput!) { pageAmend(input: $input) { page { id } userErrors { message } } }";
        let input = json!({ "page": self.facts.page, "description": format!("Change {number}") });
        contender::mutate(&mut open, document, &input).context("the administrator's mutation")?;
        *http = Some(open);
        Ok(())
    }
}

impl Series {
    fn record(&mut self, due: Instant, outcome: anyhow::Result<()>) {
        self.latencies.push(millis(due.elapsed()));
        if let Err(error) = outcome {
            self.wrong += 1;
            self.example.get_or_insert_with(|| format!("{error:#}"));
        }
    }

    /// Whether it is over before a request could be sent, because earlier ones took so long. The time since it was due counts
    /// as its latency, which is less than it would have been.
    fn is_late(&mut self, due: Instant, until: Instant) -> bool {
        let is_late = Instant::now() >= until;
        if is_late {
            self.latencies.push(millis(due.elapsed()));
        }
        is_late
    }

    fn sorted(mut self) -> Series {
        self.latencies.sort_by(f64::total_cmp);
        self
    }

    /// The latency that a share of the requests does not exceed, in ms.
    pub(super) fn share(&self, share: f64) -> f64 {
        quantile(&self.latencies, share).unwrap_or(f64::INFINITY)
    }
}

/// The times at which something is due until it is over, each once it has come.
fn every(pause: Duration, until: Instant) -> impl Iterator<Item = Instant> {
    let began = Instant::now();
    let due = (0..).map(move |number: u32| began + pause * number);
    due.take_while(move |due| *due < until).inspect(|due| {
        thread::sleep(due.saturating_duration_since(Instant::now()));
    })
}
