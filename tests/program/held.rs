//! What a database holds after its program was stopped in the midst of changes, as statements of our own find it.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

/// How much there is of each part that changes leave behind.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Held {
    made: i64,
    updates: i64,
    told: i64,
    commands: i64,
    keys: i64,
    events: i64,
    public_events: i64,
    head: i64,
    public_head: i64,
    versions: i64,
    changes: i64,
    moves: i64,
    told_moves: i64,
}

/// `made` are pages and components: each is one command and one event.
const HELD: &str = "SELECT
    (SELECT COUNT(*) FROM page) + (SELECT COUNT(*) FROM component) AS made,
    (SELECT COUNT(*) FROM timeline_update) AS updates,
    (SELECT COUNT(*) FROM event WHERE subject_kind = 'incident') AS told,
    (SELECT COUNT(*) FROM audit) AS commands,
    (SELECT COUNT(*) FROM idempotency_key) AS keys,
    (SELECT COUNT(*) FROM event) AS events,
    (SELECT COUNT(*) FROM event WHERE public_number IS NOT NULL) AS public_events,
    (SELECT COALESCE(SUM(staff_head), 0) FROM page_log) AS head,
    (SELECT COALESCE(SUM(public_head), 0) FROM page_log) AS public_head,
    (SELECT COALESCE(SUM(version), 0) FROM incident) AS versions,
    (SELECT COALESCE(SUM(version - 1), 0) FROM component) AS changes,
    (SELECT COUNT(*) FROM component_change WHERE from_status <> to_status) AS moves,
    (SELECT COUNT(*) FROM event WHERE kind = 'component_status_changed') AS told_moves";

/// What it holds.
pub(crate) async fn held(db: &impl ConnectionTrait) -> Result<Held, DbErr> {
    let asked = Statement::from_string(DbBackend::Sqlite, HELD);
    let found = Held::find_by_statement(asked).one(db).await?;
    Ok(found.expect("a row of sums"))
}

impl Held {
    /// Whether each change is there as a whole, or not at all: each of its parts is counted, and they are equally many.
    pub(crate) fn is_whole(&self) -> bool {
        self.updates == self.told
            && self.updates == self.versions
            && self.updates + self.made == self.commands
            && self.keys == self.commands
            && self.changes == self.moves
            && self.moves == self.told_moves
            && self.updates + self.moves + self.made == self.events
            && self.events == self.head
            && self.public_events == self.events
            && self.public_events == self.public_head
    }
}

/// The texts that are there and begin so.
pub(crate) async fn said(db: &impl ConnectionTrait, prefix: &str) -> Result<Vec<String>, DbErr> {
    let asked = "SELECT body FROM timeline_update WHERE body LIKE ?";
    let asked = Statement::from_sql_and_values(DbBackend::Sqlite, asked, [format!("{prefix}%").into()]);
    let rows = db.query_all_raw(asked).await?;
    rows.iter().map(|row| row.try_get("", "body")).collect()
}
