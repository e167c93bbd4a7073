//! What each kind of request costs the server, beside what it is charged: one request at a time, with no limit of a sender.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::kind::{Form, Kind, ORDINARY};
use crate::contender::Server;
use crate::figures::table;
use crate::http::Http;
use crate::query;
use crate::scenario::micros;

/// By which a request asks what it costs.
const ASK: &str = "graphql-cost: 1";

/// Requests of one kind at most, and the time after which no more are sent.
const MOST: u32 = 50;
const TIME: Duration = Duration::from_millis(500);

/// How far from the ordinary page the processor time per unit of cost may lie (issue 11).
const FACTOR: f64 = 10.0;

/// What one kind costs.
pub(super) struct Priced {
    name: String,
    status: u16,
    /// The code of the first error, if there is one.
    code: Option<String>,
    /// What is charged, in units of cost; none where the answer does not tell.
    cost: Option<f64>,
    /// Processor time for one request, in µs.
    cpu: f64,
    /// The answer, in bytes.
    bytes: usize,
    /// How much resident memory rose for it, in MiB.
    raised: f64,
}

/// Measures one kind.
///
/// `beside` is what the server charges for each request beside the cost that it reports.
pub(super) fn measure(server: &Server, kind: &Kind, beside: u32) -> anyhow::Result<Option<Priced>> {
    let Form::Post(body) = &kind.form else { return Ok(None) };
    let request = query::post_body(server.address, body, &[ASK]);
    let before = server.process.resident()?;
    server.process.forget_peak()?;
    let cpu = server.process.cpu()?;
    let began = Instant::now();
    let (mut count, mut last) = (0, None);
    while count < MOST && began.elapsed() < TIME {
        last = Some(ask(server.address, &request).with_context(|| kind.name.clone())?);
        count += 1;
    }
    let (status, body) = last.context("no request was sent")?;
    Ok(Some(Priced {
        name: kind.name.clone(),
        status,
        code: code(&body),
        cost: cost(&body).map(|cost| cost + f64::from(beside)),
        cpu: micros(server.process.cpu()? - cpu) / f64::from(count),
        bytes: body.len(),
        raised: (server.process.peak()? as f64 - before as f64).max(0.0) / f64::from(1 << 20),
    }))
}

fn ask(server: SocketAddr, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut http = Http::connect(server)?;
    http.send(request)?;
    let answer = http.receive()?;
    Ok((answer.status, answer.body))
}

/// What an answer says of its cost: what was measured, where it says that too, or else what was requested.
fn cost(body: &[u8]) -> Option<f64> {
    let number = |key: &[u8]| -> Option<f64> {
        let at = memchr::memmem::rfind(body, key)? + key.len();
        let digits = body[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
            .count();
        std::str::from_utf8(&body[at..at + digits]).ok()?.parse().ok()
    };
    number(b"\"actualQueryCost\":").or_else(|| number(b"\"requestedQueryCost\":"))
}

/// The code of the first error of an answer.
fn code(body: &[u8]) -> Option<String> {
    let key = b"\"code\":\"";
    let errors = memchr::memmem::find(body, b"\"errors\":[")?;
    let from = errors + memchr::memmem::find(&body[errors..], key)? + key.len();
    let length = memchr::memchr(b'"', &body[from..])?;
    Some(String::from_utf8_lossy(&body[from..from + length]).into_owned())
}

/// A table of all kinds, the dearest per unit of cost first, and whether all lie within the factor.
pub(super) fn report(mut priced: Vec<Priced>) -> (String, bool) {
    let ordinary = priced
        .iter()
        .find(|priced| priced.name == ORDINARY)
        .and_then(Priced::per_unit);
    priced.sort_by(|one, other| f64::total_cmp(&other.order(), &one.order()));
    let mut is_within = ordinary.is_some();
    let rows: Vec<Vec<String>> = priced
        .iter()
        .map(|priced| {
            let ratio = priced.per_unit().zip(ordinary).map(|(own, ordinary)| own / ordinary);
            is_within &= ratio.is_none_or(|ratio| ratio <= FACTOR);
            let number = |figure: Option<f64>, digits: usize| {
                figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.digits$}"))
            };
            vec![
                priced.name.clone(),
                format!("{} {}", priced.status, priced.code.as_deref().unwrap_or_default())
                    .trim_end()
                    .to_owned(),
                number(priced.cost, 0),
                format!("{:.0}", priced.cpu),
                number(priced.per_unit(), 2),
                number(ratio, 2),
                priced.bytes.to_string(),
                format!("{:.1}", priced.raised),
            ]
        })
        .collect();
    let head = [
        "request",
        "status",
        "cost",
        "CPU, µs",
        "CPU per unit of cost, µs",
        "÷ the ordinary page's",
        "answer, bytes",
        "memory raised, MiB",
    ];
    (table(&head, &rows), is_within)
}

impl Priced {
    fn per_unit(&self) -> Option<f64> {
        self.cost.filter(|cost| *cost > 0.0).map(|cost| self.cpu / cost)
    }

    fn order(&self) -> f64 {
        self.per_unit().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_cost_is_preferred() {
        let requested = b"{\"extensions\":{\"cost\":{\"requestedQueryCost\":12}}}";
        let measured = b"{\"extensions\":{\"cost\":{\"requestedQueryCost\":12,\"actualQueryCost\":40}}}";

        assert_eq!(
            (cost(requested), cost(measured), cost(b"{}")),
            (Some(12.0), Some(40.0), None)
        );
    }
}
