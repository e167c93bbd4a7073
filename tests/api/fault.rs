//! What befalls the database: it is away, has no connection to spare, is full, or takes no changes; and a clock that jumps.
//! Each is told in time, loses nothing, and passes by itself.

use std::time::{Duration, Instant};

use allclear::app::Settings;
use allclear::budget::Budget;
use allclear::store::{Options, Store};
use allclear::transport::Config;
use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait, Database, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait};
use serde_json::{Value, json};
use tracing::Level;

use crate::support::database::{ADMIN, Place, Test, for_each_database_with, fresh_postgres, noon, places};
use crate::support::lines::Lines;
use crate::support::log::number;
use crate::support::postgres::Cluster;
use crate::support::{require, unchanged};

/// Within what time a client is told (`BAD_INPUTS.md`, 39).
const TOLD: Duration = Duration::from_millis(3_500);

/// Within what time everything works again once the database does.
const RECOVERED: Duration = Duration::from_secs(5);

/// How many ask at the same time: more than there are connections.
const CROWD: usize = 12;

const PAGE: &str = "query($slug: String!) { page(slug: $slug) { id name } }";
const TWO_PAGES: &str = "{ one: page(slug: \"shop\") { id components { id } } other: page(slug: \"other\") { id } }";
const POST: &str =
    "mutation($input: IncidentUpdatePostInput!) { incidentUpdatePost(input: $input) { userErrors { code } } }";

/// Nothing is held in memory, so that every query needs a connection.
fn unheld() -> Settings {
    Settings {
        page_memory: 0,
        ..Settings::default()
    }
}

/// The crowd stands for many clients, though all have one token: they are not kept waiting for one another.
fn crowded() -> Config {
    Config {
        executions: None,
        ..Config::default()
    }
}

fn posted(incident: &str, body: &str) -> Value {
    json!({ "input": { "incident": incident, "body": body } })
}

/// An answer, and how long it took.
async fn timed(test: &Test, document: &str, variables: Value) -> (u16, Value, Duration) {
    let began = Instant::now();
    let (status, answer) = test.respond(document, variables, Some(ADMIN)).await;
    (status, answer, began.elapsed())
}

/// Asks something that must be told to be unavailable, in time; returns in which words.
async fn unavailable(test: &Test, document: &str, variables: Value) -> String {
    let (status, answer, took) = timed(test, document, variables).await;
    let code = &answer["errors"][0]["extensions"]["code"];
    assert_eq!((status, code), (503, &json!("UNAVAILABLE")), "{answer:#}");
    assert!(took < TOLD, "{took:?}");
    answer["errors"][0]["message"].as_str().expect("words").to_owned()
}

/// What is asked by a crowd must be unavailable to each of them, in time.
async fn unavailable_to_all(test: &Test, document: &str, variables: &Value) {
    join_all((0..CROWD).map(|_| unavailable(test, document, variables.clone()))).await;
}

/// Nothing of what happened was our own fault.
fn blameless(lines: &Lines) {
    let text = lines.text();
    assert!(!text.contains(" ERROR ") && !text.contains("panicked"), "{text}");
}

async fn readiness(test: &Test) -> u16 {
    let asked = test.http.get(format!("http://{}/readyz", test.address)).send().await;
    asked.expect("the server answers").status().as_u16()
}

#[tokio::test]
async fn row_39_a_postgres_that_crashed_is_told_of_in_time_and_live_sockets_outlive_it() {
    let lines = Lines::default();
    let _kept = lines.keep(Level::INFO);
    let cluster = match Cluster::start() {
        Ok(cluster) => cluster,
        Err(why) => return require::lacking("postgres", &why),
    };
    let place = Place {
        url: fresh_postgres(&cluster).await,
        folder: None,
    };
    let test = Test::start(place, Settings::default(), crowded()).await;
    let page = test.page("shop").await;
    let incident = test.incident(&page, "Checkout fails", None).await;
    let (mut watcher, _) = test.watch_from_now("shop").await;

    cluster.crash().await;
    let (page, post) = (json!({ "slug": "shop" }), posted(&incident, "While it is away"));
    let queries = join(
        unavailable_to_all(&test, PAGE, &page),
        unavailable_to_all(&test, TWO_PAGES, &Value::Null),
    );
    join(queries, unavailable_to_all(&test, POST, &post)).await;
    let mut late = test.socket(None).await;
    let began = Instant::now();
    late.subscribe(
        "1",
        "subscription { pageEvents(page: \"shop\") { cursor } }",
        Value::Null,
    )
    .await;
    let refused = late.next_or_close().await;
    let took = began.elapsed();
    assert_eq!(readiness(&test).await, 503);

    cluster.start_again().await;
    let began = Instant::now();
    while timed(&test, POST, posted(&incident, "It is back")).await.0 != 200 {
        tokio::task::yield_now().await;
    }
    let event = watcher.expect("IncidentUpdatePosted").await;
    let recovered = began.elapsed();

    assert!(
        matches!(&refused, Err((1013, _))) && took < TOLD,
        "{refused:?} after {took:?}"
    );
    assert_eq!(event["update"]["body"], "It is back");
    assert!(recovered < RECOVERED, "{recovered:?}");
    assert_eq!(readiness(&test).await, 200);
    blameless(&lines);
    test.stop().await;
}

#[tokio::test]
async fn row_39_a_sqlite_that_somebody_else_writes_to_for_long_is_told_of_in_time() {
    let lines = Lines::default();
    let _kept = lines.keep(Level::INFO);
    for_each_database_with(Settings::default(), crowded(), async |test| {
        if test.is_postgres() {
            return;
        }
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let (mut watcher, _) = test.watch_from_now("shop").await;
        let aside = test.connection().await;
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let hold = aside.begin_with_options(options).await.expect("nobody writes");

        let variables = posted(&incident, "While it is held");
        unavailable_to_all(test, POST, &variables).await;
        let (status, answer, _) = timed(test, PAGE, json!({ "slug": "shop" })).await;
        hold.rollback().await.expect("it was begun");
        test.say(&incident, "It is back").await;

        assert_eq!((status, &answer["data"]["page"]["id"]), (200, &json!(page)));
        let event = watcher.expect("IncidentUpdatePosted").await;
        assert_eq!(event["update"]["body"], "It is back");
        aside.close().await.expect("the connection closes");
    })
    .await;
    blameless(&lines);
}

#[tokio::test]
async fn a_pool_without_a_connection_to_spare_is_told_of_in_time() {
    let lines = Lines::default();
    let _kept = lines.keep(Level::INFO);
    for_each_database_with(unheld(), crowded(), async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let (mut watcher, _) = test.watch_from_now("shop").await;
        let (mut held, budget) = (Vec::new(), Budget::default());
        for _ in 0..8 {
            held.push(test.app.store.read_within(&budget).await.expect("a connection"));
        }

        unavailable_to_all(test, PAGE, &json!({ "slug": "shop" })).await;
        drop(held);
        let began = Instant::now();
        test.say(&incident, "There is room again").await;
        watcher.expect("IncidentUpdatePosted").await;

        assert!(began.elapsed() < RECOVERED);
    })
    .await;
    blameless(&lines);
}

/// Something done to the one connection that writes to a SQLite database.
async fn to_the_writer(test: &Test, statement: &str) {
    let author = allclear::store::Author::server("test");
    let write = test.app.store.begin(author, "look", &test.app.clock).await;
    let write = write.expect("nothing else writes");
    write.db().execute_unprepared(statement).await.expect("a statement");
}

async fn pages_of_file(test: &Test) -> i64 {
    let read = test.app.store.read().await.expect("a reader");
    let asked = Statement::from_string(read.db().get_database_backend(), "PRAGMA page_count");
    let row = read.db().query_one_raw(asked).await.expect("an answer").expect("a row");
    row.try_get_by_index(0).expect("a number")
}

#[tokio::test]
async fn a_full_disk_is_told_of_and_nothing_is_lost_or_half_done() {
    let lines = Lines::default();
    let _kept = lines.keep(Level::INFO);
    for_each_database_with(Settings::default(), crowded(), async |test| {
        if test.is_postgres() {
            return;
        }
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let (mut watcher, _) = test.watch_from_now("shop").await;
        let full = pages_of_file(test).await;
        unchanged(test, &page, async || {
            for _ in 0..3 {
                // It is of one connection, and one that failed is not used again.
                to_the_writer(test, &format!("PRAGMA max_page_count = {full}")).await;
                let words = unavailable(test, POST, posted(&incident, &"x".repeat(20_000))).await;
                assert_eq!(words, "The database takes no changes at present.");
            }
        })
        .await;
        // Something that is undone, so that a transaction left open by what failed would stay open.
        to_the_writer(test, "SELECT 1").await;
        test.say(&incident, "There is room again").await;

        let event = watcher.expect("IncidentUpdatePosted").await;
        assert_eq!(
            (&event["update"]["body"], &event["update"]["number"]),
            (&json!("There is room again"), &json!(2))
        );
    })
    .await;
    let warned = lines.text().contains("database or disk is full");
    assert!(warned, "{}", lines.text());
    blameless(&lines);
}

#[tokio::test]
async fn a_database_that_may_only_be_read_is_told_of_and_goes_on_being_read() {
    let lines = Lines::default();
    let _kept = lines.keep(Level::INFO);
    for_each_database_with(Settings::default(), crowded(), async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let (mut watcher, _) = test.watch_from_now("shop").await;
        let read_only = async |is: bool| {
            if test.is_postgres() {
                let name = test.url.split(['/', '?']).nth(3).expect("a URL names a database");
                let aside = Database::connect(test.elsewhere()).await.expect("it answers");
                let setting = format!("ALTER DATABASE {name} SET default_transaction_read_only = {is}");
                let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
                for statement in [setting, cut] {
                    aside.execute_unprepared(&statement).await.expect("a statement");
                }
                aside.close().await.expect("the connection closes");
            } else {
                to_the_writer(test, &format!("PRAGMA query_only = {is}")).await;
            }
        };

        read_only(true).await;
        unchanged(test, &page, async || {
            let words = unavailable(test, POST, posted(&incident, "Nobody hears this")).await;
            assert_eq!(words, "The database takes no changes at present.");
        })
        .await;
        if !test.is_postgres() {
            // This connection does not even begin to write any more, and so cannot be told otherwise.
            return;
        }
        read_only(false).await;
        test.say(&incident, "It is written again").await;

        let event = watcher.expect("IncidentUpdatePosted").await;
        assert_eq!(event["update"]["body"], "It is written again");
    })
    .await;
    blameless(&lines);
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_refused_at_the_start_in_words() {
    let place = places().await.remove(0);
    let options = |mode: &str| Options {
        url: place.url.replace("mode=rwc", mode),
        connections: 2,
        listen_url: None,
    };
    let made = Store::open(&options("mode=rwc")).await.expect("it is made");
    made.close().await;

    let refused = Store::open(&options("mode=ro"))
        .await
        .expect_err("it cannot be written to");

    let chain = std::iter::successors(Some(&refused as &dyn std::error::Error), |error| error.source());
    let words: Vec<String> = chain.map(ToString::to_string).collect();
    assert!(words.join(": ").contains("readonly"), "{words:?}");
}

#[tokio::test]
async fn a_clock_that_jumps_changes_neither_the_order_of_events_nor_who_hears_of_them() {
    const YEAR: i64 = 365 * 24 * 60 * 60 * 1000;
    for_each_database_with(Settings::default(), crowded(), async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let (mut watcher, start) = test.watch_from_now("shop").await;
        let jumps = [
            (2, "MAJOR_OUTAGE"),
            (-3, "PARTIAL_OUTAGE"),
            (5, "DEGRADED_PERFORMANCE"),
            (0, "OPERATIONAL"),
        ];

        for (years, status) in jumps {
            test.app.clock.set(noon().plus_millis(years * YEAR));
            test.set_status(&component, status).await;
        }

        let mut back = test.watch("shop", Some(&start)).await;
        let (mut last, mut at) = (number(&start), String::new());
        for (_, status) in jumps {
            let event = watcher.expect("ComponentStatusChanged").await;
            assert_eq!(event["to"], status);
            assert_eq!(number(&event["cursor"]), last + 1);
            assert!(event["at"].as_str() >= Some(at.as_str()), "{event}");
            assert_eq!(back.expect("ComponentStatusChanged").await, event);
            at = event["at"].as_str().expect("a time").to_owned();
            last += 1;
        }
    })
    .await;
}
