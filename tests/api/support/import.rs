//! Words for importing a capture, and for holding what came out against its files.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use allclear::commands::Context;
use allclear::commands::import::{self, Count, Report};
use allclear::domain::incident::Incident;
use allclear::domain::maintenance::Maintenance;
use allclear::domain::page::Page;
use allclear::domain::role::Sight;
use allclear::domain::time::Timestamp;
use allclear::queries::{self, View, Window};
use allclear::statuspage::Capture;
use allclear::store::Author;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::Value;

use super::database::Test;

/// A server that takes captures over.
pub(crate) struct Importing {
    pub(crate) context: Context,
}

pub(crate) const EVERYTHING: Window = Window {
    limit: 1000,
    from_end: false,
    after: None,
    before: None,
};

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

impl Importing {
    pub(crate) fn on(test: &Test) -> Importing {
        let author = Author::server("import");
        Importing {
            context: Context {
                app: test.app.clone(),
                author,
            },
        }
    }

    pub(crate) async fn import(&self, folder: &Path, slug: &str) -> Report {
        let capture = Capture::read(folder).expect("a capture");
        self.import_capture(&capture, slug).await
    }

    pub(crate) async fn import_capture(&self, capture: &Capture, slug: &str) -> Report {
        let steps = Cell::new(0);
        let report = import::statuspage(&self.context, capture, slug, |progress| {
            assert_eq!((progress.done, progress.total), (steps.get(), capture.len()));
            steps.set(steps.get() + 1);
        })
        .await
        .expect("it is imported");
        assert_eq!(steps.get(), capture.len() + 1, "the last step is the end");
        report
    }

    pub(crate) fn view(&self) -> View {
        View::now(&self.context.app, Sight::Public)
    }

    pub(crate) async fn page(&self, slug: &str) -> Page {
        let page = queries::page::by_slug(&self.view(), slug).await.expect("it answers");
        page.expect("the page is there").as_ref().clone()
    }

    pub(crate) async fn incidents(&self, page: &Page) -> Vec<Incident> {
        let filter = queries::incident::Filter::default();
        let list = queries::incident::list(&self.view(), page.id, &filter, EVERYTHING).await;
        let items = list.expect("it answers").items;
        items.iter().map(|item| item.as_ref().clone()).collect()
    }

    pub(crate) async fn maintenances(&self, page: &Page) -> Vec<Maintenance> {
        let filter = queries::maintenance::Filter::default();
        let list = queries::maintenance::list(&self.view(), page.id, &filter, EVERYTHING).await;
        let items = list.expect("it answers").items;
        items.iter().map(|item| item.as_ref().clone()).collect()
    }

    /// How many rows each table has, and where the log stands.
    pub(crate) async fn rows(&self) -> BTreeMap<String, i64> {
        let snapshot = self.context.app.store.read().await.expect("it reads");
        let backend = snapshot.db().get_database_backend();
        let ask = |sql: String| Statement::from_string(backend, sql);
        let tables = match backend {
            DbBackend::Postgres => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
            _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
        };
        let tables = ask(tables.to_owned());
        let mut counts = BTreeMap::new();
        for row in snapshot.db().query_all_raw(tables).await.expect("the tables") {
            let table: String = row.try_get("", "name").expect("a name");
            let count = ask(format!("SELECT count(*) AS n FROM \"{table}\""));
            let row = snapshot
                .db()
                .query_one_raw(count)
                .await
                .expect("a count")
                .expect("a row");
            counts.insert(table, row.try_get("", "n").expect("a number"));
        }
        let heads = ask("SELECT CAST(sum(public_head) AS BIGINT) AS n FROM page_log".to_owned());
        let row = snapshot
            .db()
            .query_one_raw(heads)
            .await
            .expect("the heads")
            .expect("a row");
        counts.insert("heads".to_owned(), row.try_get("", "n").expect("a number"));
        counts
    }
}

pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/statuspage")
}

pub(crate) const fn taken(number: usize) -> Count {
    Count {
        taken: number,
        unchanged: 0,
    }
}

pub(crate) const fn unchanged(number: usize) -> Count {
    Count {
        taken: 0,
        unchanged: number,
    }
}

/// The records of a list by id.
pub(crate) fn file(folder: &Path, name: &str, list: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(name)).expect("the file");
    let value: Value = serde_json::from_str(&text).expect("it is JSON");
    value[list].as_array().expect("a list").clone()
}

pub(crate) fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str().map(at)
}

/// Holds an incident against the record of its file, field by field.
pub(crate) fn assert_same(incident: &Incident, record: &Value) {
    let id = incident.external_ref.as_deref();
    assert_eq!(record["name"], incident.title);
    assert_eq!(record["status"], incident.status.as_str());
    assert_eq!(record["impact"], incident.impact().as_str());
    assert_eq!(instant(&record["started_at"]), Some(incident.started_at), "{id:?}");
    assert_eq!(instant(&record["monitoring_at"]), incident.monitoring_at, "{id:?}");
    assert_eq!(instant(&record["resolved_at"]), incident.resolved_at, "{id:?}");
    assert_eq!(instant(&record["created_at"]), Some(incident.created_at), "{id:?}");
    assert_eq!(instant(&record["updated_at"]), Some(incident.updated_at), "{id:?}");
    let mut updates = record["incident_updates"].as_array().expect("updates").clone();
    updates.sort_by_key(|update| instant(&update["display_at"]));
    assert_eq!(incident.updates.len(), updates.len());
    for (update, record) in incident.updates.iter().zip(&updates) {
        let id = update.external_ref.as_deref();
        assert_eq!(record["id"].as_str(), id, "they stand in order");
        assert_eq!(record["status"], update.status.as_str());
        assert_eq!(record["body"], update.body);
        assert_eq!(instant(&record["display_at"]), Some(update.display_at), "{id:?}");
        assert_eq!(instant(&record["created_at"]), Some(update.created_at), "{id:?}");
        let edited = instant(&record["updated_at"]).filter(|updated| *updated > update.created_at);
        assert_eq!(edited, update.edited_at, "{id:?}");
    }
}
