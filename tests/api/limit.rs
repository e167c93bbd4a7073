//! What a request may ask for, where the schema matters.

use std::sync::Arc;

use allclear::app::Settings;
use allclear::transport::Config;
use allclear::transport::preflight::Limits;
use serde_json::{Value, json};

use crate::support::database::{ADMIN, for_each_database_with};
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
