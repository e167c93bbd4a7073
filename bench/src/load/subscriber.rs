//! One subscriber: what it says to the server, and what it makes of what comes.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use mio::net::TcpStream;
use serde_json::{Value, json};

use super::frame::{self, Opcode};
use super::{Ids, Plan, Transport};
use crate::document;

/// How an event begins on an event stream. No JSON can hold it, for it ends in a line feed.
const SSE_EVENT: &[u8] = b"event: next\n";

/// Messages of the protocol itself are shorter than this; events are longer.
const SHORT: usize = 64;

/// How far a subscriber has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has asked for the upgrade, or for the event stream.
    Asked,
    /// It has sent `connection_init`.
    Initialising,
    /// It has subscribed.
    Subscribed,
    /// The first message has come: whatever is published now will come too.
    Live,
}

/// What a subscriber has seen of what it was promised: every event, once, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Events that came, doubles too.
    pub(crate) events: u64,
    /// The number of the newest event; known only where messages are read.
    newest: Option<u64>,
    /// Events whose number had come before.
    pub(crate) doubles: u64,
    /// Events that were stepped over.
    pub(crate) missed: u64,
    /// How often the server sent it away, and it came back later.
    pub(crate) sent_away: u64,
    cursor: Option<String>,
}

impl Seen {
    fn read(&mut self, message: &[u8]) {
        if let Some(cursor) = document::cursor(message) {
            self.cursor = Some(cursor.to_owned());
        }
        let Some(number) = document::number(message) else {
            return;
        };
        self.events += 1;
        match self.newest {
            Some(newest) if number <= newest => self.doubles += 1,
            newest => {
                // What came before the first is not known here: the bench counts what each one got.
                self.missed += newest.map_or(0, |newest| number - newest - 1);
                self.newest = Some(number);
            }
        }
    }
}

/// The server has ended the connection, by whatever means.
#[derive(Debug)]
struct Ended(String);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Ended {}

/// What came of reading a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) became_live: bool,
    /// The server has ended the connection, and will be asked again.
    pub(super) was_sent_away: bool,
    /// Whether it was live when it ended.
    pub(super) was_live: bool,
}

pub(super) struct Subscriber {
    index: usize,
    stage: Stage,
    stream: Option<TcpStream>,
    /// The beginning of what has not come as a whole yet.
    carry: Vec<u8>,
    pub(super) seen: Seen,
}

impl Subscriber {
    pub(super) fn new(index: usize) -> Subscriber {
        Subscriber {
            index,
            stage: Stage::Asked,
            stream: None,
            carry: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// Connects and asks for the upgrade or the event stream.
    ///
    /// Connecting blocks, which on the same machine takes a moment, as the listener's queue is longer than as many as
    /// are opened at a time.
    pub(super) fn open(&mut self, plan: &Plan) -> anyhow::Result<&mut TcpStream> {
        let stream = std::net::TcpStream::connect(plan.address).context("a subscriber cannot connect")?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let stream = self.stream.insert(TcpStream::from_std(stream));
        self.stage = Stage::Asked;
        self.carry.clear();
        let request = match plan.transport {
            Transport::Ws => upgrade(plan.address),
            Transport::Sse => event_stream(plan.address, &operation(plan, self.index, None)),
        };
        stream.write_all(request.as_bytes())?;
        Ok(self.stream.as_mut().expect("it was put there"))
    }

    /// Cuts the connection; what was seen stays.
    pub(super) fn cut(&mut self) {
        self.stream = None;
    }

    /// Takes what has come. Who can resume puts up with being sent away.
    pub(super) fn read(&mut self, plan: &Plan, buffer: &mut [u8]) -> anyhow::Result<News> {
        let mut news = News::default();
        match self.read_all(plan, buffer, &mut news) {
            Err(error) if error.is::<Ended>() && plan.reads => {
                self.seen.sent_away += 1;
                news.was_live = self.stage == Stage::Live;
                self.cut();
                news.was_sent_away = true;
            }
            read => read?,
        }
        Ok(news)
    }

    /// Takes all there is, and says in `news` what it was, also where that ends in a fault.
    fn read_all(&mut self, plan: &Plan, buffer: &mut [u8], news: &mut News) -> anyhow::Result<()> {
        loop {
            let stream = self.stream.as_mut().context("an event of a socket that was cut")?;
            let read = match stream.read(buffer) {
                Ok(0) => bail!(Ended(format!("the server closed a connection at {:?}", self.stage))),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => bail!(Ended(format!("a connection broke at {:?}: {error}", self.stage))),
            };
            let was_live = self.stage == Stage::Live;
            if was_live {
                news.bytes += read as u64;
            }
            let before = self.seen.events;
            let taken = self.take(plan, &buffer[..read]);
            news.events += self.seen.events - before;
            news.became_live |= !was_live && self.stage == Stage::Live;
            taken?;
            // What fits with room to spare was all there was (epoll(7), on edges).
            if read < buffer.len() {
                break;
            }
        }
        Ok(())
    }

    /// Takes bytes, and what is whole in them.
    fn take(&mut self, plan: &Plan, bytes: &[u8]) -> anyhow::Result<()> {
        if self.carry.is_empty() {
            let used = self.messages(plan, bytes)?;
            self.carry.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.carry);
        all.extend_from_slice(bytes);
        let used = self.messages(plan, &all)?;
        all.drain(..used);
        self.carry = all;
        Ok(())
    }

    /// Takes the messages that have come as a whole; tells how many bytes they take.
    fn messages(&mut self, plan: &Plan, bytes: &[u8]) -> anyhow::Result<usize> {
        let mut used = 0;
        if self.stage == Stage::Asked {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
                return Ok(0);
            };
            self.answered(plan, &bytes[..end])?;
            used = end + 4;
        }
        match plan.transport {
            Transport::Ws => self.frames(plan, bytes, used),
            Transport::Sse => Ok(self.stream_events(bytes, used)),
        }
    }

    /// Looks at the head of the answer to the first request.
    fn answered(&mut self, plan: &Plan, head: &[u8]) -> anyhow::Result<()> {
        let status: &[u8] = match plan.transport {
            Transport::Ws => b"HTTP/1.1 101",
            Transport::Sse => b"HTTP/1.1 200",
        };
        let said = String::from_utf8_lossy(head);
        ensure!(head.starts_with(status), "a subscriber was answered: {said}");
        match plan.transport {
            Transport::Ws => {
                self.stage = Stage::Initialising;
                self.say(&frame::text("{\"type\":\"connection_init\"}"))
            }
            Transport::Sse => {
                self.stage = Stage::Subscribed;
                Ok(())
            }
        }
    }

    fn frames(&mut self, plan: &Plan, bytes: &[u8], mut used: usize) -> anyhow::Result<usize> {
        while let Some((opcode, payload, length)) = frame::first(&bytes[used..]) {
            used += length;
            match opcode {
                Opcode::Text if self.stage == Stage::Live && payload.len() >= SHORT => {
                    if plan.reads {
                        self.seen.read(payload);
                    } else {
                        self.seen.events += 1;
                    }
                }
                Opcode::Text => self.protocol(plan, payload)?,
                Opcode::Ping => self.say(&frame::pong(payload))?,
                Opcode::Close => {
                    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                    let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                    let stage = self.stage;
                    bail!(Ended(format!(
                        "the server closed a socket at {stage:?}: {code:?} {reason}"
                    )));
                }
                Opcode::Other => {}
            }
        }
        Ok(used)
    }

    /// Takes a message of the protocol, or the first one of the subscription, which is an event where it resumes.
    fn protocol(&mut self, plan: &Plan, payload: &[u8]) -> anyhow::Result<()> {
        let message: Value = serde_json::from_slice(payload).context("a message is no JSON")?;
        match (message["type"].as_str(), self.stage) {
            (Some("ping"), _) => self.say(&frame::text("{\"type\":\"pong\"}")),
            (Some("pong"), _) => Ok(()),
            (Some("connection_ack"), Stage::Initialising) => {
                self.stage = Stage::Subscribed;
                let id = match plan.ids {
                    Ids::Same => document::SHARED_ID.to_owned(),
                    Ids::Distinct => format!("{:06}", self.index),
                };
                let operation = operation(plan, self.index, self.seen.cursor.as_deref());
                let subscribe = json!({ "id": id, "type": "subscribe", "payload": operation });
                self.say(&frame::text(&subscribe.to_string()))
            }
            (Some("next"), Stage::Subscribed) => {
                ensure!(
                    message["payload"].get("errors").is_none(),
                    "a subscription failed: {message}"
                );
                self.stage = Stage::Live;
                if plan.reads {
                    self.seen.read(payload);
                }
                Ok(())
            }
            _ => bail!("unexpected at {:?}: {message}", self.stage),
        }
    }

    /// Counts events of an event stream. The last bytes are looked at again with those that follow, as they may be
    /// the beginning of one.
    fn stream_events(&mut self, bytes: &[u8], from: usize) -> usize {
        let mut used = from;
        for at in memchr::memmem::find_iter(&bytes[from..], SSE_EVENT) {
            used = from + at + SSE_EVENT.len();
            match self.stage {
                Stage::Live => self.seen.events += 1,
                _ => self.stage = Stage::Live,
            }
        }
        used.max((bytes.len() + 1).saturating_sub(SSE_EVENT.len()))
    }

    fn say(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let stream = self.stream.as_mut().context("a socket that was cut cannot speak")?;
        stream.write_all(bytes).context("a subscriber cannot send")
    }
}

/// What a subscriber asks for.
fn operation(plan: &Plan, index: usize, after: Option<&str>) -> Value {
    if plan.reads {
        return document::resume(after);
    }
    let variant = (plan.selections > 1 || plan.variants).then_some(index % plan.selections);
    json!({ "query": document::watch(variant) })
}

fn upgrade(address: SocketAddr) -> String {
    // The key is the example of RFC 6455; nobody looks at what is made of it.
    format!(
        "GET /graphql/ws HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
    )
}

fn event_stream(address: SocketAddr, operation: &Value) -> String {
    let body = operation.to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Subscriber {
        let mut subscriber = Subscriber::new(0);
        subscriber.stage = Stage::Subscribed;
        subscriber
    }

    #[test]
    fn events_of_a_stream_are_counted_wherever_it_is_cut() {
        let text =
            b"\r\n: hi\n\nid: 1\nevent: next\ndata: {}\n\nid: 2\nevent: next\ndata: {}\n\nevent: next\ndata: 1\n\n";
        for cut in 0..text.len() {
            let mut subscriber = stream();

            for part in [&text[..cut], &text[cut..]] {
                let mut all = std::mem::take(&mut subscriber.carry);
                all.extend_from_slice(part);
                let used = subscriber.stream_events(&all, 0);
                subscriber.carry = all.split_off(used.min(all.len()));
            }

            assert_eq!(subscriber.stage, Stage::Live);
            assert_eq!(subscriber.seen.events, 2, "cut at {cut}");
        }
    }

    #[test]
    fn a_double_and_a_gap_are_seen() {
        let message = |number: u64| format!("{{\"cursor\":\"c{number}\",\"body\":\"event {number:08} x\"}}");
        let mut seen = Seen::default();

        for number in [1, 2, 2, 5, 6] {
            seen.read(message(number).as_bytes());
        }

        assert_eq!(
            (seen.events, seen.newest, seen.doubles, seen.missed),
            (5, Some(6), 1, 2)
        );
        assert_eq!(seen.cursor.as_deref(), Some("c6"));
    }
}
