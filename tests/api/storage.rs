//! What each database must be, or we refuse to run on it.

use allclear::store::{ConnectError, Options, Store};
use sea_orm::{ConnectionTrait, DbErr, SqlErr, Statement};
use serde_json::Value;

use crate::support::database::Test;
use crate::support::for_each_database;
use crate::support::log::uuid;

/// What a connection says of one of its settings.
async fn setting(db: &impl ConnectionTrait, question: &str) -> String {
    let asked = Statement::from_string(db.get_database_backend(), question);
    let row = db.query_one_raw(asked).await.expect("an answer").expect("a row");
    let text: Result<String, DbErr> = row.try_get_by_index(0);
    text.unwrap_or_else(|_| row.try_get_by_index::<i64>(0).expect("a number").to_string())
}

async fn hold(test: &Test) -> allclear::store::Write {
    let author = allclear::store::Author::server("test");
    let write = test.app.store.begin(author, "look", &test.app.clock).await;
    write.expect("nothing else writes")
}

#[tokio::test]
async fn sqlite_keeps_what_it_acknowledges_and_checks_references() {
    for_each_database(async |test| {
        if test.is_postgres() {
            return;
        }
        let write = hold(test).await;
        let read = test.app.store.read().await.expect("a reader");

        for (question, on_write, on_read) in [
            ("PRAGMA journal_mode", "wal", "wal"),
            ("PRAGMA synchronous", "2", "2"),
            ("PRAGMA foreign_keys", "1", "1"),
            ("PRAGMA query_only", "0", "1"),
            ("PRAGMA busy_timeout", "3000", "3000"),
        ] {
            assert_eq!(setting(write.db(), question).await, on_write, "{question}");
            assert_eq!(setting(read.db(), question).await, on_read, "{question}");
        }
    })
    .await;
}

#[tokio::test]
async fn postgres_gives_up_on_what_takes_too_long() {
    for_each_database(async |test| {
        if !test.is_postgres() {
            return;
        }
        let write = hold(test).await;
        let read = test.app.store.read().await.expect("a reader");

        for (question, on_write, on_read) in [
            ("SHOW statement_timeout", "3s", "3s"),
            ("SHOW lock_timeout", "3s", "3s"),
            ("SHOW idle_in_transaction_session_timeout", "30s", "30s"),
            ("SHOW transaction_read_only", "off", "on"),
            ("SHOW transaction_isolation", "read committed", "repeatable read"),
        ] {
            assert_eq!(setting(write.db(), question).await, on_write, "{question}");
            assert_eq!(setting(read.db(), question).await, on_read, "{question}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_can_be_written_through_a_reader() {
    for_each_database(async |test| {
        test.page("shop").await;
        let read = test.app.store.read().await.expect("a reader");

        let written = read.db().execute_unprepared("UPDATE page SET name = 'Mine'").await;

        let why = written.expect_err("it refuses").to_string();
        assert!(why.contains("readonly") || why.contains("read-only"), "{why}");
    })
    .await;
}

#[tokio::test]
async fn a_row_that_refers_to_nothing_is_refused() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let write = hold(test).await;

        let written = write
            .db()
            .execute_unprepared(&format!(
                "INSERT INTO postmortem (incident_id, updated_at) VALUES ({}, 0)",
                literal(test, &page)
            ))
            .await;

        let error = written.expect_err("no incident has the id of a page");
        assert!(
            matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))),
            "{error}"
        );
    })
    .await;
}

/// The uuid of an id, as SQL writes it.
fn literal(test: &Test, id: &str) -> String {
    let uuid = uuid(id);
    if test.is_postgres() {
        format!("'{uuid}'")
    } else {
        format!("x'{}'", uuid.simple())
    }
}

#[tokio::test]
async fn a_database_that_is_nowhere_is_refused() {
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite:file:shop?mode=memory&cache=shared",
        "mysql://localhost/allclear",
        "allclear.db",
        "",
    ] {
        let options = Options {
            url: url.to_owned(),
            connections: 2,
            listen_url: None,
        };

        let refused = Store::open(&options).await.expect_err("it refuses");

        assert!(matches!(refused, ConnectError::Url), "{url}: {refused}");
        assert!(refused.to_string().contains("sqlite:// or postgres://"), "{refused}");
    }
}

#[tokio::test]
async fn a_database_outlives_its_server() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        test.incident(&page, "Checkout fails", None).await;
        let again = test.another().await;

        let document = "{ page(slug: \"shop\") { id cursor } }";
        let (one, two) = (
            test.data(document, Value::Null).await,
            again.data(document, Value::Null).await,
        );

        assert_eq!(one, two);
        again.stop().await;
    })
    .await;
}
