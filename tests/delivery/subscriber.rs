//! A subscriber: follows one page through everything, comes back with the last cursor it handled, and holds each item to
//! the promise as it comes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use allclear::domain::audience::Audience;
use allclear::domain::cursor::Cursor;
use serde_json::Value;
use tokio::sync::watch;

use crate::feed::{End, Feed, Request, Transport};
use crate::journal::{Journal, Kind};
use crate::node::ADMIN;
use crate::pause::pause;
use crate::random::Random;
use crate::record::{Record, Stream, Told};
use crate::world::Page;

/// How long a client that hears nothing waits before it comes back: three heartbeats.
const SILENCE: Duration = Duration::from_secs(3);
/// The same for one that asks for much and reads slowly: it must still be there when the server has had enough of it.
const LONG_SILENCE: Duration = Duration::from_secs(25);

/// What most ask for.
const ORDINARY: &str = "subscription($page: String!, $after: Cursor) { pageEvents(page: $page, after: $after) { \
    __typename cursor at ... on IncidentOpened { incident { title status } update { status body } } \
    ... on IncidentUpdatePosted { incident { title status } update { status body } } \
    ... on IncidentResolved { incident { title status } update { status body } } \
    ... on ComponentStatusChanged { component { name } from to } } }";

/// The same with every text many times over: what a slow reader of it leaves unread is soon more than a kernel holds.
const HEAVY: &str = "subscription($page: String!, $after: Cursor) { pageEvents(page: $page, after: $after) { \
    __typename cursor ... on IncidentOpened { update { ...Heavy } } ... on IncidentUpdatePosted { update { ...Heavy } } \
    ... on IncidentResolved { update { ...Heavy } } } } \
    fragment Heavy on IncidentUpdate { body a: body b: body c: body d: body e: body f: body g: body h: body i: body \
    j: body k: body l: body m: body n: body o: body p: body q: body r: body s: body t: body u: body v: body }";

/// Cursors as subscribers were told them, for those who come back from long ago.
#[derive(Default)]
pub(crate) struct Cursors(Mutex<HashMap<Stream, HashMap<u64, String>>>);

impl Cursors {
    fn keep(&self, stream: Stream, number: u64, cursor: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(stream)
            .or_default()
            .entry(number)
            .or_insert_with(|| cursor.to_owned());
    }

    /// Some cursor of a stream that somebody was told.
    pub(crate) fn any(&self, stream: Stream, random: &mut Random) -> Option<(u64, String)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut numbers: Vec<u64> = known.get(&stream)?.keys().copied().collect();
        numbers.sort_unstable();
        let number = *random.pick(&numbers);
        Some((number, known[&stream][&number].clone()))
    }
}

/// What all subscribers share.
pub(crate) struct Stage {
    pub(crate) journal: Arc<Journal>,
    pub(crate) cursors: Cursors,
    /// The ways to the nodes: the ordinary, and the narrow.
    pub(crate) ways: Vec<(SocketAddr, SocketAddr)>,
    pub(crate) transports: &'static [Transport],
    pub(crate) seed: u64,
}

/// How one subscriber listens.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) page: Page,
    pub(crate) audience: Audience,
    pub(crate) transport: Transport,
    /// The node it prefers; any other when that does not answer.
    pub(crate) node: usize,
    pub(crate) is_heavy: bool,
}

/// Where it came back from, and to where it was told to go on instead.
#[derive(Clone, Copy, Debug)]
struct Reset {
    from: u64,
    to: u64,
    at: Instant,
}

#[derive(Default)]
struct Heard {
    /// Before the first event that is due.
    began: Option<u64>,
    events: Vec<(u64, Told)>,
    resets: Vec<Reset>,
    /// What is checked of them already.
    checked_events: usize,
    checked_resets: usize,
}

/// A subscriber that listens on a task of its own until it is told to leave.
pub(crate) struct Subscriber {
    pub(crate) name: String,
    pub(crate) manner: Manner,
    stage: Arc<Stage>,
    heard: Mutex<Heard>,
    /// The number of the last event it handled.
    position: watch::Sender<Option<u64>>,
    has_left: AtomicBool,
}

/// What a subscriber keeps between connections.
struct Resume {
    after: Option<(u64, String)>,
}

impl Subscriber {
    /// Begins to listen, from now on or after what it once heard.
    pub(crate) fn listen(
        stage: &Arc<Stage>,
        name: String,
        manner: Manner,
        after: Option<(u64, String)>,
    ) -> Arc<Subscriber> {
        let subscriber = Arc::new(Subscriber {
            name,
            manner,
            stage: Arc::clone(stage),
            heard: Mutex::new(Heard {
                began: after.as_ref().map(|(number, _)| *number),
                ..Heard::default()
            }),
            position: watch::Sender::new(None),
            has_left: AtomicBool::new(false),
        });
        tokio::spawn(Arc::clone(&subscriber).run(Resume { after }));
        subscriber
    }

    /// The stream it follows.
    pub(crate) fn stream(&self) -> Stream {
        (self.manner.page.id, self.manner.audience)
    }

    /// Listens no more.
    pub(crate) fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
        self.position.send_replace(self.position());
    }

    pub(crate) fn position(&self) -> Option<u64> {
        *self.position.borrow()
    }

    /// Ends once it has handled an event, or stands anywhere at all.
    pub(crate) async fn reaches(&self, number: u64) {
        let mut position = self.position.subscribe();
        // It lives as long as this is borrowed.
        let _ = position.wait_for(|now| now.is_some_and(|now| now >= number)).await;
    }

    async fn run(self: Arc<Self>, mut resume: Resume) {
        let stage = Arc::clone(&self.stage);
        let mut random = Random::of(stage.seed, &self.name);
        let mut node = self.manner.node;
        while !self.has_left.load(Ordering::Relaxed) && stage.journal.violation().is_none() {
            let way = stage.ways[node];
            let address = if self.manner.is_heavy { way.1 } else { way.0 };
            let heard_before = self.position();
            let end = self.follow(address, &mut resume).await;
            let why = match &end {
                End::Cut(why) => why.clone(),
                End::Refused(errors) => errors.to_string(),
            };
            // One line of a close frame or an error says which it is.
            stage
                .journal
                .count(format!("{:?} left: {why:.70}", self.manner.transport));
            let told = format!("at {:?} node {node} is left: {why}", self.position());
            stage.journal.tell(&self.name, told);
            if let End::Refused(errors) = &end
                && !is_passing(errors)
            {
                let what = format!("refused after {:?}: {errors}", self.position());
                stage.journal.violate(Kind::Refused, &self.name, what);
                return;
            }
            // Where something came, it is tried again; where nothing did, another node may do better.
            if heard_before == self.position() {
                node = (node + 1) % stage.ways.len();
            }
            pause(random.millis(20, 200)).await;
        }
    }

    /// One connection, to its end.
    async fn follow(&self, address: SocketAddr, resume: &mut Resume) -> End {
        let request = Request {
            document: if self.manner.is_heavy { HEAVY } else { ORDINARY },
            page: self.manner.page.slug.clone(),
            after: resume.after.as_ref().map(|(_, cursor)| cursor.clone()),
            token: (self.manner.audience == Audience::Staff).then_some(ADMIN),
        };
        let mut feed = match Feed::open(self.manner.transport, address, &request).await {
            Ok(feed) => feed,
            Err(end) => return end,
        };
        let mut left = self.position.subscribe();
        let patience = if self.manner.is_heavy { LONG_SILENCE } else { SILENCE };
        loop {
            let next = tokio::select! {
                next = tokio::time::timeout(patience, feed.next()) => next,
                _ = left.wait_for(|_| self.has_left.load(Ordering::Relaxed)) => return End::Cut("it leaves".to_owned()),
            };
            let result = match next {
                Ok(Ok(result)) => result,
                Ok(Err(end)) => return end,
                Err(_) => return End::Cut(format!("silence for {patience:?}")),
            };
            if let Some(errors) = result.get("errors") {
                return End::Refused(errors.clone());
            }
            if let Err((kind, what)) = self.handle(&result["data"]["pageEvents"], resume) {
                self.stage.journal.violate(kind, &self.name, what);
                return End::Cut("the promise is broken".to_owned());
            }
        }
    }

    /// Holds one item to the promise.
    fn handle(&self, item: &Value, resume: &mut Resume) -> Result<(), (Kind, String)> {
        let (Some(kind), Some(cursor)) = (item["__typename"].as_str(), item["cursor"].as_str()) else {
            return Err((Kind::WrongContent, format!("no event: {item}")));
        };
        // A client keeps the text and no more. The checker looks inside, where the number is.
        let number = match Cursor::decode(cursor) {
            Ok(decoded) if (decoded.stream.page, decoded.stream.audience) == self.stream() => decoded.number,
            other => return Err((Kind::WrongContent, format!("{kind} with a cursor of {other:?}"))),
        };
        let last = resume.after.as_ref().map(|(number, _)| *number);
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match (kind, last) {
            ("PageSnapshot", None) => heard.began = Some(number),
            ("PageReset", Some(from)) => {
                self.stage
                    .journal
                    .tell(&self.name, format!("is reset from {from} to {number}"));
                heard.resets.push(Reset {
                    from,
                    to: number,
                    at: Instant::now(),
                });
            }
            ("Heartbeat", Some(last)) => {
                if number != last {
                    return Err((Kind::WrongHeartbeat, format!("a heartbeat at {number} after {last}")));
                }
            }
            (_, None) => return Err((Kind::WrongContent, format!("{kind} before any snapshot"))),
            ("PageSnapshot", Some(last)) => {
                return Err((Kind::WrongContent, format!("a snapshot at {number} after {last}")));
            }
            (_, Some(last)) if number <= last => {
                return Err((Kind::Repeated, format!("{kind} {number} after {last}")));
            }
            (_, Some(last)) if number > last + 1 => {
                return Err((Kind::Skipped, format!("{kind} {number} after {last}")));
            }
            (_, Some(_)) => {
                let body = item["update"]["body"].as_str().map(ToOwned::to_owned);
                let kind = kind.to_owned();
                heard.events.push((number, Told { kind, body }));
            }
        }
        drop(heard);
        self.stage.cursors.keep(self.stream(), number, cursor);
        resume.after = Some((number, cursor.to_owned()));
        self.position.send_replace(Some(number));
        Ok(())
    }

    /// Holds what came since the last time to what the log holds, and to what was pruned.
    pub(crate) fn check(&self, record: &Record) {
        let stream = record.stream(self.stream());
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, told) in &heard.events[heard.checked_events..] {
            if stream.get(number) != Some(told) {
                let what = format!("{number} came as {told:?}, the log has {:?}", stream.get(number));
                self.stage.journal.violate(Kind::WrongContent, &self.name, what);
            }
        }
        for reset in &heard.resets[heard.checked_resets..] {
            let floor = record.floor(self.stream(), reset.at);
            if reset.from >= floor || reset.to < floor {
                let what = format!("reset from {} to {} with a floor of {floor}", reset.from, reset.to);
                self.stage.journal.violate(Kind::WrongReset, &self.name, what);
            }
        }
        heard.checked_events = heard.events.len();
        heard.checked_resets = heard.resets.len();
    }

    /// Holds it to the promise as a whole: every change of its page that was acknowledged came once, unless it was
    /// before its time or is told to be gone.
    pub(crate) fn check_all(&self, acknowledged: &[String], record: &Record) {
        let stream = record.stream(self.stream());
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times: HashMap<&str, usize> = HashMap::new();
        for body in heard.events.iter().filter_map(|(_, told)| told.body.as_deref()) {
            *times.entry(body).or_default() += 1;
        }
        let numbers: HashMap<&str, u64> = stream
            .iter()
            .filter_map(|(number, told)| Some((told.body.as_deref()?, *number)))
            .collect();
        let began = heard.began.unwrap_or(u64::MAX);
        for body in acknowledged {
            let Some(number) = numbers.get(body.as_str()) else {
                continue;
            };
            let is_excused = *number <= began
                || heard
                    .resets
                    .iter()
                    .any(|reset| (reset.from + 1..=reset.to).contains(number));
            let expected = usize::from(!is_excused);
            let came = times.get(body.as_str()).copied().unwrap_or(0);
            if came != expected {
                let what = format!("acknowledged change {number} came {came} times, not {expected}: {body:.40}");
                let kind = if came < expected { Kind::Skipped } else { Kind::Repeated };
                self.stage.journal.violate(kind, &self.name, what);
            }
        }
    }

    /// How many events it handled, and how often it was reset.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        (heard.events.len(), heard.resets.len())
    }
}

/// Whether what a server says is explained by a fault: its database is away, or it stops.
fn is_passing(errors: &Value) -> bool {
    let code = |error: &Value| error["extensions"]["code"].as_str().map(ToOwned::to_owned);
    let codes: Vec<_> = errors.as_array().into_iter().flatten().map(code).collect();
    !codes.is_empty() && codes.iter().all(|code| code.as_deref() == Some("UNAVAILABLE"))
}
