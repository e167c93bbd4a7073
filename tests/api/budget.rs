//! What one execution may use, whatever its document costs.

use std::time::Duration;

use allclear::app::Settings;
use allclear::budget::Limits;
use allclear::transport::Config;
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, for_each_database_with};
use crate::support::for_each_database;
use crate::support::words::code;

/// Asserts that an answer is one error that names a limit, and no data.
pub(crate) fn assert_over_limit(answer: &Value, limit: &str, max: u64) {
    assert_eq!(answer.get("data"), None);
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(code(answer), "EXECUTION_LIMIT");
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!((&extensions["limit"], &extensions["max"]), (&json!(limit), &json!(max)));
}

fn settings(execution: Limits) -> Settings {
    Settings {
        execution,
        ..Settings::default()
    }
}

/// A selection that goes from components to their page and back, so many times.
fn cycle(levels: usize) -> String {
    (0..levels).fold("id".to_owned(), |inner, _| format!("components {{ page {{ {inner} }} }}"))
}

async fn page_of_ten_components(test: &Test) -> String {
    let page = test.page("wide").await;
    for index in 0..10 {
        test.component(&page, &format!("Part {index}")).await;
    }
    page
}

#[tokio::test]
async fn a_query_that_goes_around_in_circles_is_refused_and_others_are_not() {
    for_each_database(async |test| {
        page_of_ten_components(test).await;
        let query = |levels| format!("{{ page(slug: \"wide\") {{ name {} }} }}", cycle(levels));

        let (status, over) = test.told(&query(9), json!({}), None).await;
        let over_socket = test.respond_over_socket(&query(9), json!({}), None).await;
        let within = test.public_data(&query(3), json!({})).await;

        assert_eq!(status, 400);
        assert_over_limit(&over, "fields", Limits::default().fields);
        assert_eq!(over_socket, over);
        let last = "/page/components/9/page/components/9/page/components/9/page/id";
        assert!(within.pointer(last).is_some_and(Value::is_string));
    })
    .await;
}

#[tokio::test]
async fn a_mutation_over_its_budget_may_have_been_carried_out_and_its_answer_says_so() {
    for_each_database(async |test| {
        let page = page_of_ten_components(test).await;
        let payload = format!("incident {{ page {{ {} }} }}", cycle(9));
        let document = format!("mutation($input: IncidentOpenInput!) {{ incidentOpen(input: $input) {{ {payload} }} }}");
        let input = json!({ "input": { "page": page, "title": "It was opened", "body": "x" } });

        let (status, answer) = test.told(&document, input, Some(ADMIN)).await;

        assert_eq!((status, &answer["data"]), (200, &Value::Null));
        assert!(answer.as_object().is_some_and(|answer| answer.contains_key("data")));
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{answer}");
        assert_eq!(code(&answer), "EXECUTION_LIMIT");
        assert_eq!(answer["errors"][0]["path"], json!(["incidentOpen"]));
        let message = answer["errors"][0]["message"].as_str().expect("a message");
        assert!(message.contains("may have been carried out"), "{message}");
        let titles = "{ page(slug: \"wide\") { incidents(first: 9) { nodes { title } } } }";
        let titles = test.data(titles, json!({})).await;
        assert_eq!(titles["page"]["incidents"]["nodes"], json!([{ "title": "It was opened" }]));
    })
    .await;
}

#[tokio::test]
async fn an_execution_ends_at_its_deadline() {
    let execution = Limits {
        time: Duration::ZERO,
        ..Limits::default()
    };
    for_each_database_with(settings(execution), Config::default(), async |test| {
        let (status, answer) = test.told("{ page(slug: \"x\") { id } }", json!({}), None).await;
        let known = test.public_data("{ server { version } }", json!({})).await;

        assert_eq!(status, 400);
        assert_over_limit(&answer, "time", 0);
        assert!(known["server"]["version"].is_string(), "it never waited");
    })
    .await;
}

#[tokio::test]
async fn more_rows_than_the_budget_are_not_read() {
    let execution = Limits {
        rows: 20,
        ..Limits::default()
    };
    for_each_database_with(settings(execution), Config::default(), async |test| {
        let page = test.page("long").await;
        let component = test.component(&page, "API").await;
        let incident = test.incident(&page, "It goes on", None).await;
        for _ in 0..15 {
            test.set_status(&component, "MAJOR_OUTAGE").await;
            test.set_status(&component, "OPERATIONAL").await;
            test.say(&incident, "Still.").await;
        }
        for over in [
            "{ page(slug: \"long\") { components { uptime { percentage } } } }",
            "{ page(slug: \"long\") { incidents(first: 1) { nodes { id } } activeIncidents { id } } }",
        ] {
            assert_over_limit(&test.answer(over, json!({})).await, "rows", 20);
        }
        let few = "{ page(slug: \"long\") { incidents(first: 1) { nodes { title } } } }";
        test.data(few, json!({})).await;
    })
    .await;
}

#[tokio::test]
async fn timelines_that_are_too_long_together_are_not_read() {
    let execution = Limits {
        bytes: 100_000,
        ..Limits::default()
    };
    for_each_database_with(settings(execution), Config::default(), async |test| {
        let page = test.page("long").await;
        for _ in 0..5 {
            let incident = test.incident(&page, "Checkout fails", None).await;
            test.say(&incident, &"x".repeat(24_000)).await;
        }
        let titles = |first| format!("{{ page(slug: \"long\") {{ incidents(first: {first}) {{ nodes {{ title }} }} }} }}");

        test.data(&titles(4), json!({})).await;
        let over = test.answer(&titles(5), json!({})).await;

        assert_over_limit(&over, "bytes", 100_000);
    })
    .await;
}

#[tokio::test]
async fn texts_of_any_field_count() {
    let execution = Limits {
        bytes: 10_000,
        ..Limits::default()
    };
    for_each_database_with(settings(execution), Config::default(), async |test| {
        let page = test.page("wordy").await;
        let input = json!({ "page": page, "title": "t".repeat(200), "body": "b",
            "metadata": { "list": vec![0; 100] } });
        test.mutate("incidentOpen", input, "incident { id }").await;
        let query = |field: &str| {
            let fields: String = (0..60).map(|n| format!("a{n}: {field} ")).collect();
            format!("{{ page(slug: \"wordy\") {{ activeIncidents {{ {fields} }} }} }}")
        };

        for field in ["title", "summary", "metadata"] {
            assert_over_limit(&test.answer(&query(field), json!({})).await, "bytes", 10_000);
        }
        test.data(&query("id"), json!({})).await;
    })
    .await;
}
