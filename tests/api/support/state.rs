//! All there is of a page and in the database, to be compared before and after something that must change nothing.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;

use super::database::Test;

/// The one column that may change where nothing is changed: that a token was seen is written down once a minute, beside
/// whatever it was used for.
const SEEN: &str = "last_used_at";

const SHOWN: &str = "
    slug name description url timeZone visibility version updatedAt cursor status { indicator description }
    componentGroups { id name position version status }
    components { id name position version status group { id } }
    incidents(first: 20) { totalCount nodes {
        id title status impact impactOverride startedAt monitoringAt resolvedAt externalRef metadata version updatedAt
        postmortem { body draft updatedAt }
        updates(first: 20) { nodes { id number status body displayAt editedAt revisions { body } } }
    } }
    maintenances(first: 20) { totalCount nodes {
        id title status scheduledFor scheduledUntil startedAt completedAt automatic version updatedAt
        components { id } updates(first: 20) { nodes { id number status body displayAt } }
    } }";

/// A page as the staff sees it, with the cursor of its log, and every row of every table, the heads of all logs among them.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    pub(super) shown: Value,
    rows: BTreeMap<String, Vec<String>>,
}

impl State {
    /// The rows of a table, in a fixed order.
    pub(crate) fn rows(&self, table: &str) -> &[String] {
        self.rows.get(table).map_or(&[], Vec::as_slice)
    }
}

impl Test {
    /// All there is of a page, and in the database.
    pub(crate) async fn state(&self, page: &str) -> State {
        State {
            shown: self.thing("Page", page, SHOWN).await,
            rows: self.rows().await,
        }
    }

    /// Every row of every table, in one state; the tables are the database's own list, so that none is forgotten.
    async fn rows(&self) -> BTreeMap<String, Vec<String>> {
        let snapshot = self.app.store.read().await.expect("the database answers");
        let ask = async |question: String| -> Vec<String> {
            let backend = snapshot.db().get_database_backend();
            let asked = Statement::from_string(backend, question);
            let rows = snapshot.db().query_all_raw(asked).await.expect("an answer");
            rows.iter()
                .map(|row| row.try_get_by_index(0).expect("a text"))
                .collect()
        };
        let tables = match self.is_postgres() {
            true => "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'",
            false => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        };
        let mut rows = BTreeMap::new();
        for table in ask(tables.to_owned()).await {
            let row = match self.is_postgres() {
                true => format!("CAST(to_jsonb({table}) - '{SEEN}' AS TEXT)"),
                false => {
                    let columns = format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> '{SEEN}'");
                    let columns = ask(columns).await;
                    let quoted: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
                    quoted.join(" || ',' || ")
                }
            };
            let held = ask(format!("SELECT {row} FROM {table} ORDER BY 1")).await;
            rows.insert(table, held);
        }
        assert!(rows.contains_key("page_log"), "{:?}", rows.keys());
        rows
    }
}

/// Does something that must change nothing of a page, nor a row anywhere.
pub(crate) async fn unchanged<T>(test: &Test, page: &str, act: impl AsyncFnOnce() -> T) -> T {
    let before = test.state(page).await;
    let result = act().await;
    assert_eq!(test.state(page).await, before);
    result
}
