//! The attacker: connections from one address that send requests one after the other, and sockets that subscribe.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::kind::{Form, Kind};
use crate::http::Http;
use crate::load::frame::{self, Opcode};
use crate::query;

/// How long a request may take before the attacker hangs up and connects again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the attacker waits before it connects again.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a socket that receives nothing looks at the clock.
const LOOK: Duration = Duration::from_millis(250);

/// What came of the attack: how often which answer, by status or by a word.
pub(super) type Counts = BTreeMap<String, u64>;

/// An attack from one address.
pub(super) struct Attack<'a> {
    pub(super) server: SocketAddr,
    pub(super) from: Ipv4Addr,
    pub(super) kinds: &'a [&'a Kind],
    /// Connections for requests; each socket has one of its own.
    pub(super) connections: u32,
    /// Requests in a second at most, of all connections together.
    pub(super) rate: f64,
    pub(super) until: Instant,
}

impl Attack<'_> {
    /// Attacks until it is time.
    pub(super) fn run(&self) -> Counts {
        let mut requests = Vec::new();
        let mut sockets = Vec::new();
        for kind in self.kinds {
            match &kind.form {
                Form::Post(body) => requests.push(query::post_body(self.server, body, &[])),
                Form::Socket(documents) => sockets.push(documents.as_slice()),
            }
        }
        thread::scope(|scope| {
            let requests = &requests;
            let count = if requests.is_empty() { 0 } else { self.connections };
            let senders = (0..count).map(|number| scope.spawn(move || self.send(requests, number as usize)));
            let mut running: Vec<_> = senders.collect();
            running.extend(
                sockets
                    .iter()
                    .map(|documents| scope.spawn(move || self.subscribe(documents))),
            );
            let mut counts = Counts::new();
            for thread in running {
                for (what, count) in thread.join().expect("an attacker does not panic") {
                    *counts.entry(what).or_default() += count;
                }
            }
            counts
        })
    }

    /// Sends requests over one connection, each when it is due or, where that is past, at once.
    fn send(&self, requests: &[Vec<u8>], first: usize) -> Counts {
        let pause = Duration::from_secs_f64(f64::from(self.connections) / self.rate);
        let mut counts = Counts::new();
        let mut http = None;
        let mut due = Instant::now() + pause * first as u32 / self.connections;
        // Each connection begins elsewhere, so that all kinds are under way together.
        let skip = first * requests.len() / self.connections as usize;
        for request in requests.iter().cycle().skip(skip) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if Instant::now() >= self.until {
                break;
            }
            let what = match self.exchange(&mut http, request) {
                Ok(status) => status.to_string(),
                Err(_) => {
                    http = None;
                    thread::sleep(PAUSE);
                    "no answer".to_owned()
                }
            };
            *counts.entry(what).or_default() += 1;
            due += pause;
        }
        counts
    }

    fn exchange(&self, http: &mut Option<Http>, request: &[u8]) -> anyhow::Result<u16> {
        let http = match http {
            Some(http) => http,
            None => {
                let fresh = http.insert(Http::connect_from(self.from, self.server)?);
                fresh.set_patience(PATIENCE)?;
                fresh
            }
        };
        http.send(request)?;
        Ok(http.receive()?.status)
    }

    /// Subscribes over a WebSocket, and connects again whenever it ends.
    fn subscribe(&self, documents: &[String]) -> Counts {
        let mut counts = Counts::new();
        while Instant::now() < self.until {
            if self.socket(documents, &mut counts).is_err() {
                *counts.entry("socket ended".to_owned()).or_default() += 1;
            }
            thread::sleep(PAUSE);
        }
        counts
    }

    fn socket(&self, documents: &[String], counts: &mut Counts) -> anyhow::Result<()> {
        let mut http = Http::connect_from(self.from, self.server)?;
        http.set_patience(PATIENCE)?;
        // The key is the example of RFC 6455.
        let upgrade = format!(
            "GET /graphql/ws HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n",
            self.server
        );
        http.send(upgrade.as_bytes())?;
        let (status, ..) = http.head()?;
        if status != 101 {
            *counts.entry(format!("socket {status}")).or_default() += 1;
            return Ok(());
        }
        http.send(&frame::text("{\"type\":\"connection_init\"}"))?;
        for (number, document) in documents.iter().enumerate() {
            let subscribe = json!({ "id": number.to_string(), "type": "subscribe", "payload": { "query": document } });
            http.send(&frame::text(&subscribe.to_string()))?;
        }
        http.set_patience(LOOK)?;
        let mut stream = http.into_stream();
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while Instant::now() < self.until {
            match stream.read(&mut buffer) {
                Ok(0) => anyhow::bail!("the server closed the socket"),
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut used = 0;
            while let Some((opcode, payload, length)) = frame::first(&bytes[used..]) {
                used += length;
                match opcode {
                    Opcode::Ping => stream.get_mut().write_all(&frame::pong(payload))?,
                    Opcode::Text => {
                        let what = kind_of_message(payload);
                        *counts.entry(format!("socket {what}")).or_default() += 1;
                        if what == "ping" {
                            stream.get_mut().write_all(&frame::text("{\"type\":\"pong\"}"))?;
                        }
                    }
                    Opcode::Close | Opcode::Other => {}
                }
            }
            bytes.drain(..used);
        }
        Ok(())
    }
}

/// The `type` of a message; `next with errors` where that is what it carries.
fn kind_of_message(payload: &[u8]) -> String {
    let Ok(message) = serde_json::from_slice::<Value>(payload) else {
        return "not JSON".to_owned();
    };
    let kind = message["type"].as_str().unwrap_or("without type");
    match message["payload"].get("errors") {
        Some(_) => format!("{kind} with errors"),
        None => kind.to_owned(),
    }
}
