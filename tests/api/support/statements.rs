//! Which SQL statements a request sends: they are traced in its span, and kept here by the request's id.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use allclear::store::SQL;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Instrument, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use super::database::{ADMIN, Test};

/// Requests whose id begins like this are recorded.
const RECORDED: &str = "recorded-";

static STATEMENTS: Mutex<Option<HashMap<String, Vec<String>>>> = Mutex::new(None);

impl Test {
    /// What the admin is answered, without errors, and the statements that took.
    pub(crate) async fn recorded(&self, document: &str, variables: Value) -> (Value, Vec<String>) {
        self.recorded_as(document, variables, Some(ADMIN)).await
    }

    /// The same for somebody with a token, or with none.
    pub(crate) async fn recorded_as(
        &self,
        document: &str,
        variables: Value,
        token: Option<&str>,
    ) -> (Value, Vec<String>) {
        let id = fresh_id();
        let mut request = self
            .http
            .post(format!("http://{}/graphql", self.address))
            .header("x-request-id", &id)
            .json(&json!({ "query": document, "variables": variables }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("the server answers");
        let answer: Value = response.json().await.expect("the answer is JSON");
        assert!(answer.get("errors").is_none(), "{answer:#}");
        (answer["data"].clone(), taken(&id))
    }
}

/// What something gives that runs without a request, and the statements that took.
pub(crate) async fn recorded<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    let id = fresh_id();
    let span = tracing::info_span!(target: "allclear", "work", request_id = %id);
    let output = work.instrument(span).await;
    (output, taken(&id))
}

fn fresh_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    install();
    format!("{RECORDED}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The statements of a request that has ended; there is always one.
fn taken(id: &str) -> Vec<String> {
    let mut statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = statements.get_or_insert_default().remove(id);
    taken.expect("a statement is traced in the span of its request")
}

fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let wanted = Targets::new()
            .with_target("allclear", LevelFilter::INFO)
            .with_target(SQL, LevelFilter::TRACE);
        let registry = Registry::default().with(Recorder.with_filter(wanted));
        tracing::subscriber::set_global_default(registry).expect("nothing else listens in this process");
    });
}

/// The id of the request a span belongs to.
struct RequestId(String);

struct Recorder;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut found = Text::named("request_id");
        attributes.record(&mut found);
        if let (Some(name), Some(span)) = (found.text, context.span(id)) {
            span.extensions_mut().insert(RequestId(name));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != SQL {
            return;
        }
        let owner = context
            .event_scope(event)
            .and_then(|mut scope| scope.find_map(|span| span.extensions().get::<RequestId>().map(|id| id.0.clone())));
        let mut found = Text::named("statement");
        event.record(&mut found);
        if let (Some(owner), Some(statement)) = (owner.filter(|id| id.starts_with(RECORDED)), found.text) {
            let mut statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
            let all = statements.get_or_insert_default();
            // Some are sent in one text.
            let alone = statement.split(";\n").map(ToOwned::to_owned);
            all.entry(owner).or_default().extend(alone);
        }
    }
}

/// The text of one field.
struct Text {
    name: &'static str,
    text: Option<String>,
}

impl Text {
    const fn named(name: &'static str) -> Text {
        Text { name, text: None }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.name {
            self.text = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.name {
            self.text = Some(format!("{value:?}"));
        }
    }
}
