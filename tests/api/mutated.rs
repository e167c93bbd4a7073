//! A great many requests that are nearly right, over real connections: each is answered, none by a fault of ours.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::Level;

use crate::mutator::{Mutator, count};
use crate::support::database::ADMIN;
use crate::support::for_each_database;
use crate::support::lines::Lines;

/// How long a request that is well framed may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait for the answer to one whose frame is broken: there may be none, where the server waits for more.
const BROKEN: Duration = Duration::from_millis(50);

/// What is sent, and whether its frame is sound.
struct Sent {
    bytes: Vec<u8>,
    is_sound: bool,
}

fn request(mutator: &mut Mutator) -> Sent {
    let kind = mutator.below(100);
    let (mut method, mut path) = ("POST".to_owned(), "/graphql".to_owned());
    let mut content_type = "application/json";
    let accept = mutator.pick(&[
        "*/*",
        "application/json",
        "application/graphql-response+json",
        "text/event-stream",
    ]);
    let mut body = body(mutator);
    match kind {
        0..60 => {}
        60..75 => {
            for _ in 0..=mutator.below(4) {
                mutator.change(&mut body);
            }
        }
        75..85 => {
            let mut url = url::form_urlencoded::Serializer::new(String::new());
            url.append_pair("query", &mutator.document());
            url.append_pair("variables", &mutator.variables().to_string());
            // Longer heads are refused by their length alone.
            path = format!("/graphql?{}", url.finish());
            path.truncate(20_000);
            (method, body) = ("GET".to_owned(), String::new());
        }
        85..95 => {
            method = mutator
                .pick(&["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
                .to_owned();
            path = mutator
                .pick(&[
                    "/",
                    "/graphql",
                    "/graphql/ws",
                    "/graphql/stream",
                    "/graphql/stream?token=x&operationId=y",
                    "/graphiql",
                    "/healthz",
                    "/%00",
                    "/graphql?query=%ff",
                    "*",
                ])
                .to_owned();
            content_type = mutator.pick(&[
                "application/json",
                "text/plain",
                "application/json; charset=latin1",
                "x",
                "",
            ]);
        }
        _ => {}
    }
    let token = mutator.pick(&[ADMIN, ADMIN, "wrong", ""]);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nAccept: {accept}\r\n\
         Authorization: Bearer {token}\r\nOrigin: http://a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let is_sound = kind < 95;
    let mut bytes = (head + &body).into_bytes();
    if !is_sound {
        for _ in 0..=mutator.below(6) {
            let at = mutator.below(bytes.len().min(300));
            bytes[at] = mutator.next().to_le_bytes()[0];
        }
    }
    Sent { bytes, is_sound }
}

fn body(mutator: &mut Mutator) -> String {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("query", json!(mutator.document()));
    if mutator.below(3) > 0 {
        set("variables", mutator.variables());
    }
    match mutator.below(8) {
        0 => set("operationName", json!(mutator.pick(&["A", "G", "", "é"]))),
        1 => set("documentId", json!(mutator.pick(&["abc", "sha256:", "\u{0}"]))),
        2 => set(
            "extensions",
            json!({ "cost": true, "persistedQuery": mutator.pick(&["x", ""]) }),
        ),
        3 => set(
            "extensions",
            json!({ "persistedQuery": { "version": 1, "sha256Hash": "0".repeat(64) } }),
        ),
        _ => None,
    };
    Value::Object(members).to_string()
}

/// A connection that is opened anew whenever the server has closed it.
struct Line {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Line {
    /// The status of the answer; none where none came.
    async fn send(&mut self, sent: &Sent) -> Option<u16> {
        let is_kept = self.stream.is_some();
        match self.attempt(sent).await {
            // The server had closed it meanwhile, as it may.
            None if is_kept && sent.is_sound => self.attempt(sent).await,
            status => status,
        }
    }

    async fn attempt(&mut self, sent: &Sent) -> Option<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) if sent.is_sound => stream,
            _ => TcpStream::connect(self.address)
                .await
                .expect("the server takes connections"),
        };
        // It may be refused before all of it was sent.
        let _ = stream.write_all(&sent.bytes).await;
        let mut answer = Vec::new();
        let end = loop {
            if let Some(at) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut answer).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let closes = head.contains("connection: close") || !sent.is_sound;
        // A stream has no length: it is left.
        if let (Some(length), false, false) = (length, closes, sent.bytes.starts_with(b"HEAD")) {
            while answer.len() < end + length {
                stream.read_buf(&mut answer).await.ok()?;
            }
            self.stream = Some(stream);
        }
        assert!(
            !String::from_utf8_lossy(&answer).contains("\"INTERNAL\""),
            "a fault of ours"
        );
        status
    }
}

/// `ALLCLEAR_MUTATED_REQUESTS=100000 cargo test --release --test api mutated -- --nocapture`, with another
/// `ALLCLEAR_SEED` for others.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "what was measured is said")]
async fn no_mutated_request_is_answered_by_a_fault_of_ours() {
    let requests = count("ALLCLEAR_MUTATED_REQUESTS", 1_000);
    let seed = count("ALLCLEAR_SEED", 1) as u64;
    let log = Lines::default();
    let _kept = log.keep(Level::WARN);
    for_each_database(async |test| {
        let mut mutator = Mutator::new(seed);
        let mut line = Line {
            address: test.address,
            stream: None,
        };
        let mut statuses: BTreeMap<Option<u16>, usize> = BTreeMap::new();

        for number in 0..requests {
            let sent = request(&mut mutator);
            let patience = if sent.is_sound { PATIENCE } else { BROKEN };
            let status = timeout(patience, line.send(&sent)).await.unwrap_or_default();
            let said = || {
                format!(
                    "request {number} of seed {seed}: {}",
                    String::from_utf8_lossy(&sent.bytes)
                )
            };
            assert!(status.is_some() || !sent.is_sound, "no answer to {}", said());
            assert!(status.is_none_or(|status| status < 500), "{status:?} to {}", said());
            *statuses.entry(status).or_default() += 1;
        }

        eprintln!("{requests} requests: {statuses:?}");
        assert!(
            statuses.contains_key(&Some(200)) && statuses.contains_key(&Some(400)),
            "{statuses:?}"
        );
        let answer = test.public_answer("{ server { version } }", json!({})).await;
        assert!(
            answer["data"]["server"]["version"].is_string(),
            "it still serves: {answer}"
        );
    })
    .await;
    assert!(
        !log.text().contains("ERROR") && !log.text().contains("panicked"),
        "{}",
        log.text()
    );
}
