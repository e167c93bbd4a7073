//! Writers: each change has an idempotency key and is sent until its answer is known, on whichever node answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::RwLock;
use uuid::Uuid;

use crate::journal::{Journal, Kind};
use crate::node::ADMIN;
use crate::pause::pause;
use crate::random::Random;
use crate::record::Record;
use crate::subscriber::Stage;
use crate::world::Page;

/// How long one try may take. Longer than a node's patience with its database.
const TRY: Duration = Duration::from_secs(4);
/// How many updates an incident gets before it is resolved, at most: real ones have ten or fewer.
const UPDATES: usize = 6;
/// How many in a hundred calls are hung up on before they are answered, and sent again.
const HUNG_UP: usize = 6;
/// The longest that is said besides what makes a text the only one of its kind.
const PADDING: usize = 700;

/// What was acknowledged, by page.
#[derive(Default)]
pub(crate) struct Acknowledged(Mutex<HashMap<Uuid, Vec<String>>>);

impl Acknowledged {
    fn add(&self, page: Uuid, body: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(page).or_default().push(body);
    }

    /// The texts of a page's acknowledged changes.
    pub(crate) fn of(&self, page: Uuid) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&page).cloned().unwrap_or_default()
    }

    /// Each is in the log, and each once.
    pub(crate) fn check(&self, record: &Record, journal: &Journal) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (page, bodies) in known.iter() {
            let times = record.times_said(*page);
            for body in bodies {
                let short = format!("page {page}: {body:.40}");
                match times.get(body.as_str()).copied().unwrap_or(0) {
                    0 => journal.violate(Kind::WriteLost, "writers", short),
                    1 => {}
                    many => journal.violate(Kind::WrittenTwice, "writers", format!("{many} times: {short}")),
                }
            }
        }
    }
}

/// What all writers share.
pub(crate) struct Desk {
    pub(crate) stage: Arc<Stage>,
    pub(crate) acknowledged: Acknowledged,
    /// Held for reading while a change is under way: whoever holds it for writing has a world that stands still.
    pub(crate) gate: RwLock<()>,
    /// Nothing more is written.
    pub(crate) is_closed: AtomicBool,
}

struct Incident {
    page: Page,
    id: String,
    updates: usize,
}

/// Somebody who posts.
pub(crate) struct Writer {
    name: String,
    desk: Arc<Desk>,
    random: Random,
    http: reqwest::Client,
    incidents: Vec<Incident>,
    count: usize,
}

impl Writer {
    pub(crate) fn new(desk: &Arc<Desk>, name: String) -> Writer {
        Writer {
            random: Random::of(desk.stage.seed, &name),
            desk: Arc::clone(desk),
            name,
            http: client(),
            incidents: Vec::new(),
            count: 0,
        }
    }

    /// Writes at a rate, to pages by their weight, until nothing more is to be written.
    pub(crate) async fn run(mut self, pages: Vec<Page>, interval: Duration) {
        let millis = usize::try_from(interval.as_millis()).expect("an interval is short");
        loop {
            pause(self.random.millis(millis / 2, millis + millis / 2)).await;
            let total = pages.iter().map(|page| page.weight).sum();
            let mut drawn = self.random.below(total);
            let page = pages.iter().find(|page| {
                let is_drawn = drawn < page.weight;
                drawn = drawn.saturating_sub(page.weight);
                is_drawn
            });
            let page = page.expect("a number below the sum of all weights").clone();
            if self.write(&page).await.is_none() {
                return;
            }
        }
    }

    /// One change of a page, until its answer is known. `None` once nothing more is to be written.
    pub(crate) async fn write(&mut self, page: &Page) -> Option<()> {
        let desk = Arc::clone(&self.desk);
        let _under_way = desk.gate.read().await;
        if desk.is_closed.load(Ordering::Relaxed) {
            return None;
        }
        self.count += 1;
        let padding = "x".repeat(self.random.below(PADDING));
        let body = format!("{} says {} {padding}", self.name, self.count)
            .trim_end()
            .to_owned();
        let key = format!("{} {}", self.name, self.count);
        let known = self.incidents.iter().position(|incident| incident.page.id == page.id);
        let Some(known) = known else {
            let component = self.random.pick(&page.components).clone();
            let status = *self
                .random
                .pick(&["DEGRADED_PERFORMANCE", "PARTIAL_OUTAGE", "MAJOR_OUTAGE"]);
            let input = json!({
                "page": page.global, "title": format!("{} {}", self.name, self.count), "body": body,
                "components": [{ "component": component, "status": status }], "idempotencyKey": key,
            });
            let answer = self.call("incidentOpen", input).await?;
            let id = answer["incident"]["id"].as_str()?.to_owned();
            self.desk.acknowledged.add(page.id, body);
            let page = page.clone();
            self.incidents.push(Incident { page, id, updates: 0 });
            return Some(());
        };
        let incident = &mut self.incidents[known];
        incident.updates += 1;
        let id = incident.id.clone();
        if incident.updates < UPDATES && self.random.percent(75) {
            let status = *self.random.pick(&["INVESTIGATING", "IDENTIFIED", "MONITORING"]);
            let input = json!({ "incident": id, "status": status, "body": body, "idempotencyKey": key });
            self.call("incidentUpdatePost", input).await?;
        } else {
            self.incidents.swap_remove(known);
            let input = json!({ "incident": id, "body": body, "idempotencyKey": key });
            self.call("incidentResolve", input).await?;
            // A change that the public has no number for.
            if self.random.percent(50) {
                let input =
                    json!({ "incident": id, "body": "What we learnt.", "idempotencyKey": format!("{key} draft") });
                self.call("postmortemDraft", input).await?;
            }
        }
        self.desk.acknowledged.add(page.id, body);
        Some(())
    }

    /// Sends a mutation until its answer is known. `None` once the promise is broken.
    async fn call(&mut self, field: &str, input: Value) -> Option<Value> {
        let stage = Arc::clone(&self.desk.stage);
        loop {
            if stage.journal.violation().is_some() {
                return None;
            }
            let node = self.random.below(stage.ways.len());
            let patience = match self.random.percent(HUNG_UP) {
                true => self.random.millis(1, 25),
                false => TRY,
            };
            let trying = tokio::time::timeout(patience, mutate(&self.http, stage.ways[node].0, field, &input));
            match trying.await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(Unanswered::Refused(why))) => {
                    let what = format!("node {node}, {field} {input}: {why}");
                    stage.journal.violate(Kind::Refused, &self.name, what);
                    return None;
                }
                Ok(Err(Unanswered::Passing)) | Err(_) => pause(self.random.millis(20, 150)).await,
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// A fault explains it: send it again.
    Passing,
    Refused(String),
}

/// A client that keeps its connections, as servers' do.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client without TLS")
}

/// Sends a mutation once; what it changed, if that is known.
pub(crate) async fn mutate(
    http: &reqwest::Client,
    address: std::net::SocketAddr,
    field: &str,
    input: &Value,
) -> Result<Value, Unanswered> {
    let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
    let selection = match field {
        "pageCreate" => "page { id cursor }",
        "componentCreate" => "component { id }",
        _ => "incident { id }",
    };
    let document = format!(
        "mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message field }} }} }}"
    );
    let mut answer = ask(http, address, &document, json!({ "input": input })).await?;
    let payload = answer[field].take();
    match payload["userErrors"][0]["code"].as_str() {
        None => Ok(payload),
        // It still runs: maybe on a node that stands still.
        Some("IDEMPOTENCY_IN_PROGRESS") => Err(Unanswered::Passing),
        Some(_) => Err(Unanswered::Refused(payload["userErrors"].to_string())),
    }
}

/// What a document is answered to the admin: its data.
pub(crate) async fn ask(
    http: &reqwest::Client,
    address: std::net::SocketAddr,
    document: &str,
    variables: Value,
) -> Result<Value, Unanswered> {
    let sent = http
        .post(format!("http://{address}/graphql"))
        .header("content-type", "application/json")
        .bearer_auth(ADMIN)
        .body(json!({ "query": document, "variables": variables }).to_string())
        .send()
        .await;
    let response = sent.map_err(|_| Unanswered::Passing)?;
    let mut answer: Value = response.json().await.map_err(|_| Unanswered::Passing)?;
    match answer["errors"][0]["extensions"]["code"].as_str() {
        None => Ok(answer["data"].take()),
        Some("UNAVAILABLE") => Err(Unanswered::Passing),
        Some(_) => Err(Unanswered::Refused(answer["errors"].to_string())),
    }
}
