//! What a request may ask for, where the schema matters.

use std::num::NonZeroU32;
use std::sync::Arc;

use allclear::app::Settings;
use allclear::budget::Budget;
use allclear::transport::preflight::Limits;
use allclear::transport::{Config, Rate};
use serde_json::{Value, json};

use crate::budget::assert_over_limit;
use crate::support::database::{ADMIN, CONNECTIONS, Test, for_each_database_with};
use crate::support::words::code;
use crate::support::{for_each_database, harmless};

#[tokio::test]
async fn row_36_variables_and_what_is_read_often_are_bounded_too() {
    for_each_database(async |test| {
        let page = test.page("complex").await;
        let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
        let open = "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) { incident { id } } }";
        let with =
            |metadata: Value| json!({ "input": { "page": page, "title": "x", "body": "x", "metadata": metadata } });
        let many: String = (0..80).map(|n| format!("a{n}: page(slug: $x) {{ id }} ")).collect();
        let directives = "__typename @a ".repeat(201);

        harmless(test, &page, async || {
            for (limit, document, variables) in [
                ("variableNesting", open.to_owned(), with(deep)),
                ("variableValues", open.to_owned(), with(json!(vec![1; 10_000]))),
                (
                    "variableBytes",
                    open.to_owned(),
                    with(json!(vec!["x".repeat(100); 9_900])),
                ),
                (
                    "arguments",
                    format!("query($x: String!) {{ {many} }}"),
                    json!({ "x": "x".repeat(60_000) }),
                ),
                ("directives", format!("{{ {directives} }}"), json!({})),
            ] {
                let (status, answer) = test.told(&document, variables, Some(ADMIN)).await;
                let told = (status, code(&answer), &answer["errors"][0]["extensions"]["limit"]);
                assert_eq!(told, (400, "DOCUMENT_TOO_COMPLEX", &json!(limit)));
                assert_eq!(answer.get("data"), None);
            }
        })
        .await;
    })
    .await;
}

/// Bytes of texts that an answer may show.
const MOST_SHOWN: usize = 12 << 20;

#[tokio::test]
async fn an_answer_shows_only_so_much_text_however_cheap_the_document_is() {
    for_each_database(async |test| {
        let page = test.page("long").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        for _ in 0..40 {
            test.say(&incident, &"x".repeat(24_000)).await;
        }
        let asking = |times: usize| {
            let updates = |time: usize| format!("a{time}: updates(first: 50) {{ nodes {{ body }} }} ");
            let all: String = (0..times).map(updates).collect();
            format!("{{ page(slug: \"long\") {{ incidents(first: 1) {{ nodes {{ {all} }} }} }} }}")
        };
        let at = "/data/page/incidents/nodes/0";
        let shown = |answer: &Value| -> usize {
            let fields = answer.pointer(at).and_then(Value::as_object).expect("it is shown");
            let updates = fields.values().filter_map(|field| field["nodes"].as_array()).flatten();
            updates.filter_map(|update| update["body"].as_str()).map(str::len).sum()
        };
        let times = MOST_SHOWN / shown(&test.answer(&asking(1), json!({})).await);

        let most = test.answer(&asking(times), json!({})).await;
        let more = test.answer(&asking(times + 1), json!({})).await;

        assert_eq!(most.get("errors"), None);
        assert!(shown(&most) > MOST_SHOWN - (1 << 20));
        assert_over_limit(&more, "bytes", MOST_SHOWN as u64);
    })
    .await;
}

#[tokio::test]
async fn a_page_costs_its_fields_as_often_as_it_is_long() {
    for_each_database(async |test| {
        test.page("dear").await;
        let document = r#"{ page(slug: "dear") { id incidents(first: 20) { nodes { id title } } } }"#;

        let request = test.http.post(test.graphql()).header("graphql-cost", "1");
        let answer = request
            .json(&json!({ "query": document }))
            .send()
            .await
            .expect("an answer");

        let answer: Value = answer.json().await.expect("JSON");
        let cost = &answer["extensions"]["cost"];
        assert_eq!(cost["requestedQueryCost"], 3 + 20 * 3, "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_schema_that_is_not_told_is_not_found_out_by_errors() {
    let config = Config {
        limits: Limits {
            introspectable: false,
            ..Limits::default()
        },
        ..Config::default()
    };
    for_each_database_with(Settings::default(), config, async |test| {
        let (status, answer) = test
            .respond("{ __schema { types { name } } }", json!({}), Some(ADMIN))
            .await;
        assert_eq!((status, code(&answer)), (400, "INTROSPECTION_DISABLED"));

        for document in [
            "{ pge(slug: \"x\") { id } }",
            "{ page(slog: \"x\") { id } }",
            "{ page(slug: \"x\") { id @skip(iff: true) } }",
        ] {
            let answer = test.public_answer(document, json!({})).await;
            assert_eq!(code(&answer), "GRAPHQL_VALIDATION_FAILED");
            assert!(!answer.to_string().contains("Did you mean"), "{answer}");
        }
        let mut socket = test.socket(None).await;
        socket
            .subscribe(
                "1",
                "subscription { pageEvents(page: \"x\", aftr: \"y\") { at } }",
                json!({}),
            )
            .await;
        let told = socket.next().await.to_string();
        assert!(
            told.contains("GRAPHQL_VALIDATION_FAILED") && !told.contains("Did you mean"),
            "{told}"
        );
    })
    .await;
}

#[tokio::test]
async fn names_are_compared_only_where_they_may_be_suggested() {
    for_each_database(async |test| {
        let limits = allclear::graphql::Limits::default();
        for suggests in [true, false] {
            let schema = allclear::graphql::schema(Arc::clone(&test.app), limits.clone(), suggests);
            for document in ["{ pge(slug: \"x\") { id } }", "{ page(slog: \"x\") { id } }"] {
                let told = format!("{:?}", schema.execute(document).await.errors);
                assert_eq!(told.contains("Did you mean"), suggests, "{told}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn readiness_is_told_while_requests_hold_every_connection_to_the_database() {
    for_each_database(async |test| {
        let (mut held, budget) = (Vec::new(), Budget::default());
        for _ in 0..CONNECTIONS {
            held.push(test.app.store.read_within(&budget).await.expect("a connection"));
        }

        let ready = test.http.get(format!("http://{}/readyz", test.address)).send().await;

        assert_eq!(ready.expect("an answer").status(), 200);
        drop(held);
    })
    .await;
}

/// Whether somebody's next request is answered.
async fn may_ask(test: &Test, token: Option<&str>, ticket: Option<&str>) -> bool {
    let mut url = url::Url::parse(&test.graphql()).expect("an address");
    url.query_pairs_mut().append_pair("query", "{ viewer { role } }");
    if let Some(ticket) = ticket {
        url.query_pairs_mut().append_pair("ticket", ticket);
    }
    let mut request = test.http.get(url).header("accept", "application/json");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let status = request.send().await.expect("the server answers").status();
    assert!(status == 200 || status == 429, "{status}");
    status == 200
}

#[tokio::test]
async fn each_token_pays_for_itself_and_for_a_ticket_its_address_does() {
    const BURST: u32 = 20_000;
    // Each request costs 10 at least.
    const MOST: u32 = BURST / 10 + 1;
    let config = Config {
        rate: Some(Rate {
            cost: NonZeroU32::MIN,
            burst: NonZeroU32::new(BURST).expect("not 0"),
        }),
        ..Config::default()
    };
    for_each_database_with(Settings::default(), config, async |test| {
        let ((_, one), (_, other)) = (test.token("VIEWER", None).await, test.token("VIEWER", None).await);
        let make = "mutation { ticketCreate(input: { lifetimeSeconds: 300 }) { ticket } }";
        let made = test.respond(make, json!({}), Some(&other)).await.1;
        let ticket = made["data"]["ticketCreate"]["ticket"].as_str().expect("a ticket");
        let use_up = async |token: Option<&str>, ticket: Option<&str>| {
            for _ in 0..MOST {
                if !may_ask(test, token, ticket).await {
                    return;
                }
            }
            panic!("nothing limits it");
        };

        use_up(Some(&one), None).await;

        assert!(may_ask(test, Some(&other), None).await, "a token of the same name");
        assert!(may_ask(test, Some(ADMIN), None).await);
        assert!(may_ask(test, None, None).await);
        assert!(may_ask(test, None, Some(ticket)).await);
        use_up(None, Some(ticket)).await;
        assert!(!may_ask(test, None, None).await, "it is the same address");
        assert!(may_ask(test, Some(&other), None).await);
        use_up(Some(ADMIN), None).await;
        assert!(may_ask(test, Some(&other), None).await);
    })
    .await;
}
