//! Keeping a copy of what is known, and going on from one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use allclear::app::Settings;
use allclear::store::{BackupError, Options, backup, renew_epoch, restore};
use allclear::transport::Config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::database::{Place, Test, places};
use crate::support::log::number;
use crate::support::postgres::binaries;
use crate::support::require;

const SHOWN: &str = "{ page(slug: \"shop\") { name incidents(first: 5) { nodes { title updates(first: 100) { \
                     nodes { body } } } } events(first: 100) { nodes { __typename } } } }";

async fn start(place: Place) -> Test {
    Test::start(place, Settings::default(), Config::default()).await
}

/// A server on SQLite.
async fn on_sqlite() -> Test {
    start(places().await.remove(0)).await
}

/// A file of a folder of its own, and the URL of a database there.
struct Elsewhere {
    folder: TempDir,
}

impl Elsewhere {
    fn new() -> Elsewhere {
        Elsewhere {
            folder: TempDir::with_prefix("allclear-").expect("a temporary folder"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn place(&self, name: &str) -> Place {
        Place {
            url: url(&self.file(name)),
            folder: None,
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn url(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

fn options(url: &str) -> Options {
    Options {
        url: url.to_owned(),
        connections: 2,
        listen_url: None,
    }
}

/// How many updates the first incident of the page has, beside the one it was opened with.
async fn updates(test: &Test) -> usize {
    let data = test.data(SHOWN, Value::Null).await;
    let updates = &data["page"]["incidents"]["nodes"][0]["updates"]["nodes"];
    updates.as_array().expect("a list").len() - 1
}

#[tokio::test]
async fn a_backup_made_while_others_write_has_what_was_acknowledged_before_it_and_no_gap() {
    let test = on_sqlite().await;
    let page = test.page("shop").await;
    let incident = test.incident(&page, "Checkout fails", None).await;
    let elsewhere = Elsewhere::new();
    let (acknowledged, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));

    let writing = async {
        while !is_over.load(Ordering::Relaxed) {
            test.say(&incident, "More of it").await;
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    };
    let backing_up = async {
        let mut before = Vec::new();
        for turn in 0..5 {
            // So that each is made of another state.
            while acknowledged.load(Ordering::Relaxed) < (turn + 1) * 5 {
                tokio::task::yield_now().await;
            }
            before.push(acknowledged.load(Ordering::Relaxed));
            let made = backup(&test.url, &elsewhere.file(&format!("{turn}.backup"))).await;
            made.expect("a sound copy");
        }
        is_over.store(true, Ordering::Relaxed);
        before
    };
    let ((), before) = tokio::join!(writing, backing_up);

    for (turn, acknowledged) in before.into_iter().enumerate() {
        let place = elsewhere.place(&format!("{turn}.db"));
        let backup = elsewhere.file(&format!("{turn}.backup"));
        restore(&place.url, &backup, false).await.expect("it is put in place");
        let restored = start(place).await;
        let kept = updates(&restored).await;
        assert!(kept >= acknowledged, "{kept} of {acknowledged}");
        restored.stop().await;
    }
    test.stop().await;
}

#[tokio::test]
async fn what_is_restored_is_what_was_there_and_an_old_cursor_is_reset() {
    let elsewhere = Elsewhere::new();
    let file = elsewhere.file("backup");
    let test = start(elsewhere.place("allclear.db")).await;
    let page = test.page("shop").await;
    let incident = test.incident(&page, "Checkout fails", None).await;
    let kept = test.data(SHOWN, Value::Null).await;
    let contents = backup(&test.url, &file).await.expect("a sound copy");
    test.say(&incident, "After the backup").await;
    let (watcher, cursor) = test.watch_from_now("shop").await;
    drop(watcher);
    test.stop().await;

    let place = elsewhere.place("allclear.db");
    let restored = restore(&place.url, &file, true).await.expect("it is put in place");
    let test = start(place).await;
    let mut back = test.watch("shop", Some(&cursor)).await;
    let reset = back.expect("PageReset").await;
    test.say(&incident, "After the restore").await;
    let next = back.expect("IncidentUpdatePosted").await;

    assert_eq!((contents.pages, restored), (1, contents));
    assert_eq!(number(&reset["cursor"]), number(&cursor) - 1);
    // The number of what was lost, for something else: this is what the epoch is for.
    assert_eq!(number(&next["cursor"]), number(&cursor));
    assert_eq!(next["update"]["body"], "After the restore");
    let shown = test.data(SHOWN, Value::Null).await;
    assert_eq!(shown["page"]["name"], kept["page"]["name"]);
    assert_eq!(updates(&test).await, 1);
    test.stop().await;
}

#[tokio::test]
async fn a_database_that_is_served_is_not_replaced() {
    let test = on_sqlite().await;
    test.page("shop").await;
    let elsewhere = Elsewhere::new();
    let file = elsewhere.file("backup");
    backup(&test.url, &file).await.expect("a sound copy");

    let replaced = restore(&test.url, &file, true).await;
    let renewed = renew_epoch(&options(&test.url)).await;

    for refused in [replaced, renewed] {
        assert!(matches!(refused, Err(BackupError::InUse)), "{refused:?}");
    }
    assert_eq!(test.data(SHOWN, Value::Null).await["page"]["name"], "The shop service");
    test.stop().await;
}

#[tokio::test]
async fn nothing_that_is_there_is_overwritten_unasked() {
    let test = on_sqlite().await;
    let elsewhere = Elsewhere::new();
    let (file, other) = (elsewhere.file("backup"), elsewhere.file("other.db"));
    backup(&test.url, &file).await.expect("a sound copy");
    std::fs::write(&other, "something").expect("it is written");
    std::fs::write(elsewhere.file("third.db-wal"), "of one that is gone").expect("it is written");

    let again = backup(&test.url, &other).await;
    let over = restore(&url(&other), &file, false).await;
    let beside = restore(&url(&elsewhere.file("third.db")), &file, false).await;

    for refused in [again, over, beside] {
        assert!(matches!(refused, Err(BackupError::Exists(_))), "{refused:?}");
    }
    assert_eq!(std::fs::read_to_string(&other).expect("it is there"), "something");
    test.stop().await;
}

#[tokio::test]
async fn what_is_told_to_be_replaced_is_even_where_it_is_damaged() {
    let test = on_sqlite().await;
    test.page("shop").await;
    let elsewhere = Elsewhere::new();
    let file = elsewhere.file("backup");
    backup(&test.url, &file).await.expect("a sound copy");
    test.stop().await;
    let target = elsewhere.file("allclear.db");
    std::fs::write(&target, "no database at all").expect("it is written");
    std::fs::write(elsewhere.file("allclear.db-wal"), "nor this").expect("it is written");

    restore(&url(&target), &file, true).await.expect("it is put in place");

    assert_eq!(elsewhere.names(), ["allclear.db", "allclear.db-lock", "backup"]);
    let restored = start(elsewhere.place("allclear.db")).await;
    assert_eq!(
        restored.data(SHOWN, Value::Null).await["page"]["name"],
        "The shop service"
    );
    restored.stop().await;
}

#[tokio::test]
async fn a_copy_that_is_not_sound_is_none() {
    let elsewhere = Elsewhere::new();
    let file = elsewhere.file("backup");
    for damage in [
        "DELETE FROM event WHERE staff_number = 1",
        "UPDATE page_log SET staff_head = staff_head + 1",
        "UPDATE page_log SET public_head = public_head - 1",
        "UPDATE event SET public_number = NULL WHERE public_number = 2",
        "PRAGMA foreign_keys = OFF; UPDATE component SET page_id = x'00112233445566778899aabbccddeeff'",
    ] {
        let test = on_sqlite().await;
        let page = test.page("shop").await;
        test.component(&page, "Search").await;
        test.tamper(damage).await;

        let refused = backup(&test.url, &file).await;

        assert!(matches!(refused, Err(BackupError::Damaged(_))), "{damage}: {refused:?}");
        test.stop().await;
    }
    assert_eq!(elsewhere.names(), [] as [&str; 0]);
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_neither_backed_up_nor_restored() {
    let elsewhere = Elsewhere::new();
    let (noise, empty) = (elsewhere.file("noise"), elsewhere.file("empty"));
    std::fs::write(&noise, "x".repeat(10_000)).expect("it is written");
    std::fs::write(&empty, "").expect("it is written");
    let newer = {
        let test = on_sqlite().await;
        let insert = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
        test.tamper(insert).await;
        let refused = backup(&test.url, &elsewhere.file("backup")).await;
        test.stop().await;
        refused
    };
    let target = url(&elsewhere.file("allclear.db"));

    assert!(matches!(newer, Err(BackupError::Newer(_))), "{newer:?}");
    let nowhere = restore(&target, &elsewhere.file("nothing"), false).await;
    assert!(matches!(nowhere, Err(BackupError::Missing(_))), "{nowhere:?}");
    let refused = restore(&target, &noise, false).await;
    assert!(matches!(refused, Err(BackupError::Database(_))), "{refused:?}");
    let refused = restore(&target, &empty, false).await;
    assert!(matches!(refused, Err(BackupError::Foreign)), "{refused:?}");
    let refused = backup("postgres://localhost/allclear", &elsewhere.file("backup")).await;
    assert!(matches!(refused, Err(BackupError::NotSqlite)), "{refused:?}");
    assert_eq!(elsewhere.names(), ["allclear.db-lock", "empty", "noise"]);
}

/// Runs one of PostgreSQL's programs.
fn run(program: &str, arguments: &[&str]) {
    let program = binaries().expect("this test runs on PostgreSQL").join(program);
    let ran = Command::new(&program).args(arguments).output().expect("it starts");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}: {errors}", program.display());
}

#[tokio::test]
async fn a_postgres_database_that_was_dumped_and_restored_has_a_new_epoch_once_that_is_renewed() {
    let is_postgres = |place: &Place| place.url.starts_with("postgres");
    let Some(place) = places().await.into_iter().find(is_postgres) else {
        return;
    };
    if !binaries().is_some_and(|folder| folder.join("pg_dump").is_file()) {
        require::lacking("postgres", "no pg_dump beside initdb");
        return;
    }
    let test = start(place).await;
    let page = test.page("shop").await;
    let incident = test.incident(&page, "Checkout fails", None).await;
    let elsewhere = Elsewhere::new();
    let dump = elsewhere.file("dump");
    let dump = dump.to_str().expect("a path of text");
    let empty = places()
        .await
        .into_iter()
        .find(is_postgres)
        .expect("there is PostgreSQL");

    run("pg_dump", &["--format=custom", "--file", dump, &test.url]);
    test.say(&incident, "After the dump").await;
    let (watcher, cursor) = test.watch_from_now("shop").await;
    drop(watcher);
    let refused = renew_epoch(&options(&test.url)).await;
    test.stop().await;
    run(
        "pg_restore",
        &["--no-owner", "--exit-on-error", "--dbname", &empty.url, dump],
    );
    let contents = renew_epoch(&options(&empty.url)).await.expect("nobody serves it");

    assert!(matches!(refused, Err(BackupError::InUse)), "{refused:?}");
    assert_eq!(contents.pages, 1);
    let restored = start(empty).await;
    let mut back = restored.watch("shop", Some(&cursor)).await;
    let reset = back.expect("PageReset").await;
    assert_eq!(number(&reset["cursor"]), number(&cursor) - 1);
    assert_eq!(reset["page"]["name"], json!("The shop service"));
    restored.stop().await;
}
