//! All there is of a page, to be compared before and after something that must change nothing.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;

use super::database::Test;

const TABLES: &str = "audit component component_change component_group event idempotency_key incident maintenance \
                      maintenance_component page page_log postmortem setting timeline_update token update_revision";

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

/// A page as the staff sees it, with the cursor of its log, and how many rows each table has.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    shown: Value,
    rows: BTreeMap<String, i64>,
}

impl Test {
    /// All there is of a page.
    pub(crate) async fn state(&self, page: &str) -> State {
        State {
            shown: self.thing("Page", page, SHOWN).await,
            rows: self.rows().await,
        }
    }

    async fn rows(&self) -> BTreeMap<String, i64> {
        let counts: Vec<String> = TABLES
            .split_whitespace()
            .map(|table| format!("SELECT '{table}' AS name, COUNT(*) AS counted FROM {table}"))
            .collect();
        let snapshot = self.app.store.read().await.expect("the database answers");
        let backend = snapshot.db().get_database_backend();
        let counted = snapshot
            .db()
            .query_all_raw(Statement::from_string(backend, counts.join(" UNION ALL ")))
            .await
            .expect("the tables are there");
        let row = |row: &sea_orm::QueryResult| {
            let name = row.try_get("", "name").expect("a name");
            (name, row.try_get("", "counted").expect("a number"))
        };
        counted.iter().map(row).collect()
    }
}

/// Does something that must change nothing of a page, nor add a row anywhere.
pub(crate) async fn unchanged<T>(test: &Test, page: &str, act: impl AsyncFnOnce() -> T) -> T {
    let before = test.state(page).await;
    let result = act().await;
    assert_eq!(test.state(page).await, before);
    result
}
