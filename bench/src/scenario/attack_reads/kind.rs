//! The requests of the attacker: those of issue 11's table, and more that are generated from the schema.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::generate;
use crate::http::Http;
use crate::machine;
use crate::query;

/// What the attacker knows of the page: anyone can read it.
pub(super) struct Facts {
    pub(super) slug: &'static str,
    pub(super) page: String,
    pub(super) components: Vec<String>,
    pub(super) incidents: Vec<String>,
    /// A time after the last event.
    pub(super) as_of: String,
}

/// One kind of request.
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) form: Form,
}

pub(super) enum Form {
    /// The body of a POST.
    Post(String),
    /// The subscriptions of one WebSocket.
    Socket(Vec<String>),
}

/// The name of the query that the others are compared with.
pub(super) const ORDINARY: &str = "the ordinary page, 50 incidents";

/// The ordinary page's incidents in issue 11's table.
const ORDINARY_INCIDENTS: usize = 50;

/// Every event type's page, in a subscription.
const HEARTBEAT: &str = "... on Heartbeat";

impl Facts {
    pub(super) fn read(address: SocketAddr, slug: &'static str) -> anyhow::Result<Facts> {
        let document = format!(
            "{{ page(slug: \"{slug}\") {{ id components {{ id }} incidents(first: 100) {{ nodes {{ id }} }} }} }}"
        );
        let request = query::post(address, &document, &Value::Null, &[]);
        let (status, body) = Http::connect(address)?.exchange(&request)?;
        let answer: Value = serde_json::from_str(&body)?;
        let page = &answer["data"]["page"];
        ensure!(
            status == 200 && page.is_object(),
            "the page cannot be read: {status} {body}"
        );
        let ids = |list: &Value| -> Option<Vec<String>> {
            let ids = list
                .as_array()?
                .iter()
                .map(|item| item["id"].as_str().map(str::to_owned));
            ids.collect()
        };
        Ok(Facts {
            slug,
            page: page["id"].as_str().context("a page without an id")?.to_owned(),
            components: ids(&page["components"]).context("components without ids")?,
            incidents: ids(&page["incidents"]["nodes"]).context("incidents without ids")?,
            as_of: machine::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        })
    }

    /// A query of the page.
    pub(super) fn on_page(&self, selection: &str) -> String {
        format!("{{ page(slug: \"{}\") {{ {selection} }} }}", self.slug)
    }

    /// A condition that names components, as often as asked for.
    pub(super) fn components_filter(&self, count: usize) -> String {
        let ids: Vec<String> = self
            .components
            .iter()
            .cycle()
            .take(count)
            .map(|id| format!("\"{id}\""))
            .collect();
        format!("filter: {{ components: [{}] }}", ids.join(", "))
    }
}

impl Kind {
    pub(super) fn query(name: impl Into<String>, document: &str) -> Kind {
        Kind::body(name, json!({ "query": document }).to_string())
    }

    fn body(name: impl Into<String>, body: String) -> Kind {
        Kind {
            name: name.into(),
            form: Form::Post(body),
        }
    }

    pub(super) fn socket(name: impl Into<String>, documents: Vec<String>) -> Kind {
        Kind {
            name: name.into(),
            form: Form::Socket(documents),
        }
    }

    /// All of them, the ordinary page first.
    pub(super) fn all(facts: &Facts) -> anyhow::Result<Vec<Kind>> {
        let mut kinds = table(facts);
        kinds.extend(refused_early(facts));
        kinds.extend(generate::kinds(facts)?);
        Ok(kinds)
    }
}

/// The table of issue 11, in its order but for the ordinary page.
fn table(facts: &Facts) -> Vec<Kind> {
    let slug = facts.slug;
    let aliases = |count: usize, selection: &str| -> String {
        (0..count).map(|number| format!("a{number}: {selection} ")).collect()
    };
    let filter = |count| {
        format!(
            "incidents(first: 1, {}) {{ totalCount }}",
            facts.components_filter(count)
        )
    };
    let past = format!(
        "page(slug: \"{slug}\", asOf: \"{}\") {{ incidents(first: 1) {{ totalCount }} }}",
        facts.as_of
    );
    let totals = |number: usize| {
        format!(
            "subscription {{ pageEvents(page: \"{slug}\") {{ page {{ a{number}: incidents(first: 1) {{ totalCount }} \
             b{number}: {} }} }} }}",
            filter(20)
        )
    };
    let uptime = "components { uptime(days: 366) { percentage } }";
    let variables: serde_json::Map<String, Value> =
        (0..105_000).map(|number| (format!("{number:x}"), json!(1))).collect();
    vec![
        Kind::query(ORDINARY, &query::page(slug, ORDINARY_INCIDENTS, None)),
        Kind::query("cycle of 7 levels", &facts.on_page(&nested("components { page {", " } }", "id", 3))),
        Kind::query("cycle of 9 levels", &facts.on_page(&nested("components { page {", " } }", "id", 4))),
        Kind::body("50 totals of a filter of all components", totals_of_filter(facts, 50)),
        Kind::query("20 totals as of a time", &format!("{{ {} }}", aliases(20, &past))),
        Kind::query(
            "totals of the page of 20 events",
            &facts.on_page("events(first: 20) { nodes { page { incidents(first: 1) { totalCount } } } }"),
        ),
        Kind::query("uptime of 366 days", &facts.on_page(uptime)),
        Kind::query(
            "50 totals of status changes",
            &facts.on_page(&format!(
                "components {{ {} }}",
                aliases(50, "statusChanges(first: 1) { totalCount }")
            )),
        ),
        Kind::body("10 totals of a filter of all components", totals_of_filter(facts, 10)),
        Kind::query(
            "the page of 100 incidents as nodes",
            &format!(
                "{{ nodes(ids: [{}]) {{ ... on Incident {{ updates(first: 10) {{ nodes {{ bodyHtml }} }} \
                 affectedComponents {{ component {{ page {{ incidents(first: 1) {{ totalCount }} }} }} }} }} }} }}",
                facts.incidents.iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(", ")
            ),
        ),
        Kind::socket("a socket of 40 selections with totals", (0..40).map(totals).collect()),
        Kind::socket(
            "6 subscriptions with uptime in heartbeats",
            (0..6)
                .map(|number| {
                    format!(
                        "subscription {{ pageEvents(page: \"{slug}\") {{ {HEARTBEAT} {{ page {{ a{number}: name {uptime} }} }} }} }}"
                    )
                })
                .collect(),
        ),
        Kind::body("a JSON array of 1 MiB", format!("[{}1]", "1,".repeat((1 << 19) - 2))),
        Kind::body(
            "105,000 variables",
            json!({ "query": "{ __typename }", "variables": variables }).to_string(),
        ),
    ]
}

/// Totals of incidents that affect one of all components, under so many aliases.
fn totals_of_filter(facts: &Facts, count: usize) -> String {
    let aliases: String = (0..count)
        .map(|number| format!("a{number}: incidents(first: 1, filter: {{ components: $ids }}) {{ totalCount }} "))
        .collect();
    let document = format!("query($ids: [ID!]!) {}", facts.on_page(&aliases));
    json!({ "query": document, "variables": { "ids": facts.components } }).to_string()
}

/// Opens and closes as often as asked for, around the innermost selection.
pub(super) fn nested(open: &str, close: &str, innermost: &str, times: usize) -> String {
    format!("{}{innermost}{}", format!("{open} ").repeat(times), close.repeat(times))
}

/// Requests that are dear to read rather than to execute.
fn refused_early(facts: &Facts) -> Vec<Kind> {
    let deep = (0..10_000).fold(String::from("1"), |inner, _| format!("[{inner}]"));
    let doubling: String = (1..60)
        .map(|number| format!("fragment f{number} on Page {{ ...f{0} ...f{0} }} ", number - 1))
        .collect();
    let comment = "x".repeat(60 << 10);
    let id = facts.components.first().cloned().unwrap_or_default();
    let many = |count: usize| {
        let document = "query($ids: [ID!]!, $slug: String!) { page(slug: $slug) \
                        { incidents(first: 1, filter: { components: $ids }) { totalCount } } }";
        let variables = json!({ "ids": vec![&id; count], "slug": facts.slug });
        json!({ "query": document, "variables": variables }).to_string()
    };
    let named = |count: usize| {
        let variables: String = (0..count).map(|number| format!("$v{number}: Int ")).collect();
        format!("query({variables}) {{ __typename }}")
    };
    vec![
        Kind::body(
            "a variable of 10,000 levels",
            format!("{{\"query\":\"query($x:JSON){{__typename}}\",\"variables\":{{\"x\":{deep}}}}}"),
        ),
        Kind::body("a filter of 9,000 ids in variables", many(9_000)),
        Kind::body("a filter of 30,000 ids in variables", many(30_000)),
        Kind::query(
            "doubling fragments",
            &format!("{} fragment f0 on Page {{ name }} {doubling}", facts.on_page("...f59")),
        ),
        Kind::query("a comment of 60 KiB", &format!("{{ __typename }} # {comment}")),
        Kind::query("nesting of 10,000 brackets", &"{ a ".repeat(10_000)),
        Kind::query("300 variables", &named(300)),
        Kind::query(
            "150 directives",
            &format!("{{ __typename {} }}", "@include(if: true) ".repeat(150)),
        ),
        Kind::query("an unknown field", &facts.on_page("nmae")),
        Kind::query(
            "introspection",
            "{ __schema { types { name fields { name args { name type { name ofType { name } } } type { name ofType { name ofType { name } } } } } } }",
        ),
    ]
}
