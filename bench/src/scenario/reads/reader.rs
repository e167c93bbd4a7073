//! Who is measured: Allclear in several ways, and the yardsticks.

use std::fmt;
use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use serde_json::Value;

use super::Expected;
use crate::contender::{self, PageServer, Programs, Server};
use crate::database::{Database, System};
use crate::http::{Answer, Http};
use crate::query::{self, Distinct};

/// The option that limits the read cache; with 0 nothing is cached.
const CACHE_OPTION: &str = "--read-cache-mib";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reader {
    /// Allclear, the same document again and again.
    Cached,
    /// Allclear, the same document again and again, with the read cache switched off.
    Uncached,
    /// Allclear, a document that it has not seen in each request.
    Distinct,
    /// Allclear, the page as of an earlier time, with the read cache switched off.
    AsOf,
    /// Allclear, a GET with the entity tag of the answer.
    NotModified,
    /// A bare axum handler that returns the same bytes.
    Bare,
    /// The same handler, a GET with the entity tag of the answer.
    BareNotModified,
    /// async-graphql-axum with sea-orm.
    Stock,
    /// Mercurius with JIT, on PostgreSQL.
    Mercurius,
}

/// A server, and what it is asked.
pub(super) struct Running {
    pub(super) server: Server,
    request: Asking,
    /// The first answer; all that follow must be the same.
    answer: Answer,
}

enum Asking {
    Same(Vec<u8>),
    Distinct(Distinct),
}

impl Reader {
    pub(crate) const ALL: [Reader; 9] = [
        Reader::Cached,
        Reader::Uncached,
        Reader::Distinct,
        Reader::AsOf,
        Reader::NotModified,
        Reader::Bare,
        Reader::BareNotModified,
        Reader::Stock,
        Reader::Mercurius,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Reader::Cached => "Allclear, cached",
            Reader::Uncached => "Allclear, uncached",
            Reader::Distinct => "Allclear, new documents",
            Reader::AsOf => "Allclear, as of a time",
            Reader::NotModified => "Allclear, 304",
            Reader::Bare => "bare axum",
            Reader::BareNotModified => "bare axum, 304",
            Reader::Stock => "async-graphql-axum + sea-orm",
            Reader::Mercurius => "Mercurius with JIT",
        }
    }

    fn yardstick(self) -> Option<PageServer> {
        match self {
            Reader::Bare | Reader::BareNotModified => Some(PageServer::Bare),
            Reader::Stock => Some(PageServer::Stock),
            Reader::Mercurius => Some(PageServer::Mercurius),
            _ => None,
        }
    }

    /// Whether its answers come from the database in each request.
    pub(super) fn reads_database(self) -> bool {
        !matches!(self, Reader::Bare | Reader::BareNotModified)
    }

    /// Why it cannot take part, if it cannot.
    pub(super) fn absent(
        self,
        system: System,
        programs: &Programs,
        database: &Database,
        expected: &Expected,
    ) -> anyhow::Result<Option<String>> {
        Ok(match self {
            Reader::Mercurius if system != System::Postgres => Some("it is measured on PostgreSQL alone".to_owned()),
            Reader::NotModified if self.tag(programs, database, expected)?.is_none() => {
                Some("a GET has no entity tag".to_owned())
            }
            _ => self.yardstick().and_then(PageServer::absent),
        })
    }

    /// Allclear on the database, without limits of a sender.
    pub(super) fn allclear(self, programs: &Programs, database: &Database) -> anyhow::Result<Server> {
        let mut options = vec!["--rate-limit", "0"];
        // A program without the option has no cache.
        if matches!(self, Reader::Uncached | Reader::AsOf) && programs.has_option(CACHE_OPTION)? {
            options.extend([CACHE_OPTION, "0"]);
        }
        contender::allclear_on(programs, &database.url, &options)
    }

    fn tag(self, programs: &Programs, database: &Database, expected: &Expected) -> anyhow::Result<Option<String>> {
        let server = self.server(programs, database, expected)?;
        tag(&server, &expected.document)
    }

    fn server(self, programs: &Programs, database: &Database, expected: &Expected) -> anyhow::Result<Server> {
        match self.yardstick() {
            Some(yardstick) => yardstick.start(&database.url, expected.file.path()),
            None => self.allclear(programs, database),
        }
    }

    /// Starts the server, and makes sure that it gives the expected answer.
    pub(super) fn start(
        self,
        programs: &Programs,
        database: &Database,
        expected: &Expected,
    ) -> anyhow::Result<Running> {
        let server = self.server(programs, database, expected)?;
        let address = server.address;
        let post = |document| query::post(address, document, &Value::Null, &[]);
        let mut request = match self {
            Reader::AsOf => Asking::Same(post(&expected.as_of)),
            Reader::Distinct => {
                let distinct = Distinct::new(post(&expected.document));
                Asking::Distinct(distinct.context("the request carries another query")?)
            }
            Reader::NotModified | Reader::BareNotModified => {
                let tag = tag(&server, &expected.document)?.context("a GET has no entity tag")?;
                let header = format!("if-none-match: {tag}");
                Asking::Same(query::get(address, &expected.document, &[&header]))
            }
            _ => Asking::Same(post(&expected.document)),
        };
        let mut http = Http::connect(address)?;
        http.send(request.next())?;
        let answer = http.receive()?;
        match self {
            Reader::NotModified | Reader::BareNotModified => {
                ensure!(
                    answer.status == 304,
                    "it answers {} where 304 is expected",
                    answer.status
                );
            }
            _ => ensure_expected(&answer, &expected.json)?,
        }
        Ok(Running {
            server,
            request,
            answer,
        })
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no reader is hidden");
        f.write_str(value.get_name())
    }
}

/// The entity tag of the answer to a GET.
fn tag(server: &Server, document: &str) -> anyhow::Result<Option<String>> {
    let mut http = Http::connect(server.address)?;
    http.send(&query::get(server.address, document, &[]))?;
    let answer = http.receive()?;
    ensure!(answer.status == 200, "a GET is answered with {}", answer.status);
    Ok(answer.etag)
}

fn ensure_expected(answer: &Answer, expected: &Value) -> anyhow::Result<()> {
    let body = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 200, "it answers {}: {body}", answer.status);
    let json: Value = serde_json::from_slice(&answer.body).context("the answer is not JSON")?;
    ensure!(
        json == *expected,
        "another answer than Allclear's: {json} instead of {expected}"
    );
    Ok(())
}

impl Asking {
    fn next(&mut self) -> &[u8] {
        match self {
            Asking::Same(request) => request,
            Asking::Distinct(distinct) => distinct.next(),
        }
    }
}

impl Running {
    /// Connections from 127.0.0.2, 127.0.0.3, …: limits of an address are not what is measured.
    pub(super) fn connect(&self, count: u8) -> anyhow::Result<Vec<Http>> {
        (0..count)
            .map(|number| Http::connect_from(Ipv4Addr::new(127, 0, 0, number.saturating_add(2)), self.server.address))
            .collect()
    }

    /// The next request.
    pub(super) fn request(&mut self) -> &[u8] {
        self.request.next()
    }

    /// That an answer is the same as the first.
    pub(super) fn check(&self, answer: &Answer) -> anyhow::Result<()> {
        let is_same = answer.status == self.answer.status && answer.body == self.answer.body;
        ensure!(
            is_same,
            "an answer differs from the first: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(())
    }
}
