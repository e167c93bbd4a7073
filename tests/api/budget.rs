//! What one execution may use, whatever its document costs.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use allclear::app::Settings;
use allclear::budget::{Budget, Limits};
use allclear::store::{Options, Store};
use allclear::transport::{Config, Rate};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, for_each_database_with, places};
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

/// Few fields: without optimisation the library needs much stack for selections that stand deep in one another.
const FEWER_FIELDS: Limits = Limits {
    fields: 200,
    rows: 50_000,
    bytes: 12 << 20,
    time: Duration::from_secs(30),
};

/// Settings with which everything is read from the database.
fn settings(execution: Limits) -> Settings {
    Settings {
        execution,
        page_memory: 0,
        ..Settings::default()
    }
}

/// With no limit of what a document costs: these are tests of what ends it while it is executed.
fn unpriced() -> Config {
    let mut config = Config {
        rate: None,
        ..Config::default()
    };
    config.limits.cost = u64::MAX;
    config
}

/// A selection that goes from components to their page and back, so many times.
fn cycle(levels: usize) -> String {
    (0..levels).fold("id".to_owned(), |inner, _| {
        format!("components {{ page {{ {inner} }} }}")
    })
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
    for_each_database_with(settings(FEWER_FIELDS), unpriced(), async |test| {
        page_of_ten_components(test).await;
        let query = |levels| format!("{{ page(slug: \"wide\") {{ name {} }} }}", cycle(levels));

        let (status, over) = test.told(&query(2), json!({}), None).await;
        let over_socket = test.respond_over_socket(&query(2), json!({}), None).await;
        let within = test.public_data(&query(1), json!({})).await;

        assert_eq!(status, 400);
        assert_over_limit(&over, "fields", FEWER_FIELDS.fields);
        assert_eq!(over_socket, over);
        let last = "/page/components/9/page/id";
        assert!(within.pointer(last).is_some_and(Value::is_string));
    })
    .await;
}

#[tokio::test]
async fn a_mutation_over_its_budget_may_have_been_carried_out_and_its_answer_says_so() {
    for_each_database_with(settings(FEWER_FIELDS), unpriced(), async |test| {
        let page = page_of_ten_components(test).await;
        let fields: String = (0..30).map(|n| format!("a{n}: id ")).collect();
        let payload = format!("incident {{ page {{ components {{ {fields} }} }} }}");
        let document =
            format!("mutation($input: IncidentOpenInput!) {{ incidentOpen(input: $input) {{ {payload} }} }}");
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
        // Once for each transport.
        let opened = json!({ "title": "It was opened" });
        assert_eq!(titles["page"]["incidents"]["nodes"], json!([opened, opened]));
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

        assert_eq!(status, 400, "{answer}");
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
        let titles =
            |first| format!("{{ page(slug: \"long\") {{ incidents(first: {first}) {{ nodes {{ title }} }} }} }}");

        test.data(&titles(4), json!({})).await;
        let over = test.answer(&titles(5), json!({})).await;

        assert_over_limit(&over, "bytes", 100_000);
    })
    .await;
}

#[tokio::test]
async fn events_that_are_too_long_together_are_not_read() {
    let execution = Limits {
        bytes: 200_000,
        ..Limits::default()
    };
    for_each_database_with(settings(execution), Config::default(), async |test| {
        let page = test.page("long").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        for _ in 0..3 {
            // Each event has all of the timeline.
            test.say(&incident, &"x".repeat(24_000)).await;
        }
        let events = |first| format!("{{ page(slug: \"long\") {{ events(first: {first}) {{ nodes {{ at }} }} }} }}");

        test.data(&events(2), json!({})).await;
        test.say(&incident, &"x".repeat(24_000)).await;
        let over = test.answer(&events(100), json!({})).await;

        assert_over_limit(&over, "bytes", 200_000);
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
            let fields: String = (0..150).map(|n| format!("a{n}: {field} ")).collect();
            format!("{{ page(slug: \"wordy\") {{ activeIncidents {{ {fields} }} }} }}")
        };

        for field in ["title", "summary", "metadata"] {
            assert_over_limit(&test.answer(&query(field), json!({})).await, "bytes", 10_000);
        }
        test.data(&query("id"), json!({})).await;
    })
    .await;
}

/// A statement that takes a minute or more.
fn long_statement(url: &str) -> &'static str {
    match url.starts_with("postgres") {
        true => "SELECT pg_sleep(60)",
        false => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    }
}

#[tokio::test]
async fn the_statement_of_an_execution_ends_with_it_and_frees_the_connection() {
    for place in places().await {
        let options = Options {
            url: place.url.clone(),
            connections: 1,
            listen_url: None,
        };
        let store = Store::open(&options).await.expect("the database opens");
        let execution = Limits {
            time: Duration::from_millis(200),
            ..Limits::default()
        };
        let budget = Budget::new(execution);

        let ended = budget
            .run(async {
                let snapshot = store.read_within(&budget).await.expect("a connection");
                let db = snapshot.db_within(&budget).await.expect("a connection");
                db.execute_unprepared(long_statement(&place.url)).await
            })
            .await;
        let dropped = Instant::now();
        let next = Budget::default();
        store.read_within(&next).await.expect("the only connection is free");
        let freed = dropped.elapsed();

        assert!(ended.is_err(), "it took longer than it may");
        let most = match place.url.starts_with("postgres") {
            // The statement ends by the timeout that the database was told.
            true => Duration::from_secs(2),
            false => Duration::from_millis(100),
        };
        assert!(freed < most, "{freed:?}");
        if !place.url.starts_with("postgres") {
            // 200 ms are 40,000 units; the machine may be busy with other things.
            assert!(
                budget.work() > 1_000,
                "the time of the database counts: {}",
                budget.work()
            );
        }
        store.close().await;
    }
}

#[tokio::test]
async fn the_servers_own_reads_do_not_wait_for_executions() {
    for place in places()
        .await
        .into_iter()
        .filter(|place| place.url.starts_with("sqlite"))
    {
        let options = Options {
            url: place.url.clone(),
            connections: 1,
            listen_url: None,
        };
        let store = Store::open(&options).await.expect("the database opens");
        let budget = Budget::default();
        let taken = store.read_within(&budget).await.expect("a connection");

        store.ping().await.expect("it is not refused");

        drop(taken);
        store.close().await;
    }
}

/// The code of an error that ended a subscription.
fn error_code(message: &Value) -> &Value {
    assert_eq!(message["type"], "error", "{message}");
    &message["payload"][0]["extensions"]["code"]
}

#[tokio::test]
async fn a_subscription_whose_items_exceed_their_budget_ends_and_says_so() {
    for_each_database_with(settings(FEWER_FIELDS), unpriced(), async |test| {
        let page = page_of_ten_components(test).await;
        let mut socket = test.socket(None).await;
        let shared = format!(
            "subscription {{ pageEvents(page: \"wide\") {{ ... on IncidentOpened {{ page {{ {} }} }} }} }}",
            cycle(2)
        );
        let plain = "subscription { pageEvents(page: \"wide\") { __typename } }";
        socket.subscribe("shared", &shared, json!({})).await;
        assert_eq!(socket.next().await["type"], "next");
        socket.subscribe("plain", plain, json!({})).await;
        assert_eq!(socket.next().await["type"], "next");

        let incident = test.incident(&page, "Checkout fails", None).await;

        let mut messages = [socket.next().await, socket.next().await];
        messages.sort_by_key(|message| message["id"] != "shared");
        assert_eq!(error_code(&messages[0]), "EXECUTION_LIMIT");
        assert_eq!(messages[0]["payload"][0]["extensions"]["limit"], "fields");
        let opened = json!({ "pageEvents": { "__typename": "IncidentOpened" } });
        assert_eq!(messages[1]["payload"]["data"], opened);

        let alone = format!(
            "subscription($id: ID!) {{ incidentChanged(id: $id) {{ page {{ {} }} }} }}",
            cycle(2)
        );
        socket.subscribe("alone", &alone, json!({ "id": incident })).await;
        assert_eq!(error_code(&socket.next().await), "EXECUTION_LIMIT");
        let first = format!(
            "subscription {{ pageEvents(page: \"wide\") {{ page {{ {} }} }} }}",
            cycle(2)
        );
        socket.subscribe("first", &first, json!({})).await;
        assert_eq!(error_code(&socket.next().await), "EXECUTION_LIMIT");
    })
    .await;
}

#[tokio::test]
async fn who_follows_a_page_pays_for_its_items_and_ends_when_it_cannot() {
    let number = |number| NonZeroU32::new(number).expect("not 0");
    let rate = Some(Rate {
        cost: number(1),
        burst: number(20_000),
    });
    let config = Config { rate, ..unpriced() };
    for_each_database_with(Settings::default(), config, async |test| {
        let other = test.another().await;
        let page = page_of_ten_components(&other).await;
        let components = "components { uptime(days: 366) { days { date percentage } } }";
        let shared = format!("subscription {{ pageEvents(page: \"wide\") {{ page {{ {components} }} }} }}");
        let alone = format!("subscription {{ pageChanged(page: \"wide\") {{ {components} }} }}");
        let (_, token) = other.token("VIEWER", None).await;
        // A token pays for itself, whatever its address has used.
        for (document, token) in [(shared, None), (alone, Some(token.as_str()))] {
            let mut socket = test.socket(token).await;
            socket.subscribe("dear", &document, json!({})).await;
            let mut events = 0;
            let end = loop {
                let message = socket.next().await;
                if message["type"] != "next" {
                    break message;
                }
                assert!(events < 500, "it pays for nothing");
                events += 1;
                other.incident(&page, "One more", None).await;
            };
            assert_eq!(error_code(&end), "RATE_LIMITED", "after {events} events");
        }
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn one_address_follows_only_so_many_distinct_selections() {
    for_each_database(async |test| {
        test.page("shop").await;
        let mut first = test.socket(None).await;
        let mut second = test.socket(None).await;
        let document = |n: usize| format!("subscription {{ pageEvents(page: \"shop\") {{ a{n}: cursor }} }}");
        for n in 0..128 {
            let socket = if n < 100 { &mut first } else { &mut second };
            socket.subscribe(&n.to_string(), &document(n), json!({})).await;
            assert_eq!(socket.next().await["type"], "next", "{n}");
        }

        second.subscribe("more", &document(128), json!({})).await;
        assert_eq!(error_code(&second.next().await), "TOO_MANY_SELECTIONS");
        second.subscribe("known", &document(0), json!({})).await;
        assert_eq!(second.next().await["type"], "next");
    })
    .await;
}
