//! Bringing a database up to date: from nothing, and step by step with rows in it.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use crate::support::database::places;

/// Rows that are valid once so many steps are taken; `{n}` stands for a uuid.
const ROWS: [&str; 8] = [
    "INSERT INTO setting (name, value) VALUES ('epoch', '0123456789abcdef');
     INSERT INTO page (id, slug, name, time_zone, visibility, version, created_at, updated_at)
         VALUES ({1}, 'shop', 'The shop', 'Etc/UTC', 'public', 1, 1000, 1000);
     INSERT INTO component_group (id, page_id, name, position, version, created_at, updated_at)
         VALUES ({2}, {1}, 'Core', 1, 1, 1000, 1000);
     INSERT INTO component (id, page_id, group_id, name, position, status, version, created_at, updated_at)
         VALUES ({3}, {1}, {2}, 'Checkout', 1, 'operational', 1, 1000, 1000)",
    "INSERT INTO incident (id, page_id, title, status, peak_impact, started_at, backfilled, version, created_at, updated_at)
         VALUES ({4}, {1}, 'Checkout fails', 'investigating', 'major', 2000, {false}, 1, 2000, 2000);
     INSERT INTO timeline_update (id, owner_id, number, status, body, display_at, created_at)
         VALUES ({5}, {4}, 1, 'investigating', 'We look.', 2000, 2000);
     INSERT INTO update_revision (update_id, number, body, display_at, replaced_at)
         VALUES ({5}, 1, 'We look', 2000, 2500);
     INSERT INTO component_change (id, component_id, update_id, position, from_status, to_status, at)
         VALUES ({6}, {3}, {5}, 0, 'operational', 'major_outage', 2000);
     INSERT INTO postmortem (incident_id, draft, updated_at) VALUES ({4}, 'Learnt.', 3000)",
    "INSERT INTO maintenance (id, page_id, title, status, scheduled_for, scheduled_until, automatic, announced_at, version,
         created_at, updated_at)
         VALUES ({7}, {1}, 'Upgrade', 'scheduled', 5000, 6000, {true}, 4000, 1, 4000, 4000);
     INSERT INTO maintenance_component (maintenance_id, component_id, position) VALUES ({7}, {3}, 0)",
    "INSERT INTO event (page_id, staff_number, public_number, kind, subject_kind, subject_id, at, payload)
         VALUES ({1}, 1, 1, 'page_created', 'page', {1}, 1000, '{}');
     INSERT INTO audit (id, at, actor, action, request_id, page_id) VALUES ({8}, 1000, 'admin', 'pageCreate', 'r', {1});
     INSERT INTO idempotency_key (scope, key, fingerprint, answer, created_at) VALUES ('admin', 'k', 'f', '{}', 1000)",
    "INSERT INTO token (id, name, public_part, sha256, role, created_by, created_at)
         VALUES ({9}, 'Pager', 'abc', '00', 'responder', 'admin', 1000)",
    "UPDATE incident SET public_version = 1, public_updated_at = 2000",
    "UPDATE audit SET chain = {1}, number = 1, hash = 'x'",
    "INSERT INTO subject_version (page_id, subject_kind, subject_id, since_number, until_number, order_at, status, audience)
         VALUES ({1}, 'maintenance', {7}, 2, 9, 5000, 'scheduled', 'public')",
];

/// The statements of a step, as a database writes uuids and truth.
fn rows(step: usize, backend: DbBackend) -> Vec<String> {
    let mut text = ROWS[step].to_owned();
    for number in 1..=9 {
        let uuid = uuid::Uuid::from_u128(number);
        let literal = match backend {
            DbBackend::Postgres => format!("'{uuid}'"),
            _ => format!("x'{}'", uuid.simple()),
        };
        text = text.replace(&format!("{{{number}}}"), &literal);
    }
    let text = text.replace("{true}", "TRUE").replace("{false}", "FALSE");
    text.split(";\n").map(str::to_owned).collect()
}

async fn count(db: &DatabaseConnection, from: &str) -> i64 {
    let asked = Statement::from_string(
        db.get_database_backend(),
        format!("SELECT COUNT(*) AS counted FROM {from}"),
    );
    let row = db.query_one_raw(asked).await.expect("a count").expect("a row");
    row.try_get("", "counted").expect("a number")
}

/// Everything that makes up the shape of a database, as it tells it itself.
async fn shape(db: &DatabaseConnection) -> Vec<String> {
    let question = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable AS told
             FROM information_schema.columns WHERE table_schema = 'public'
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
             UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
             WHERE connamespace = 'public'::regnamespace ORDER BY told"
        }
        _ => "SELECT sql AS told FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql",
    };
    let asked = Statement::from_string(db.get_database_backend(), question);
    let rows = db.query_all_raw(asked).await.expect("a schema");
    rows.iter()
        .map(|row| row.try_get("", "told").expect("a text"))
        .collect()
}

#[tokio::test]
async fn each_step_can_be_taken_with_rows_in_the_database() {
    for place in places().await {
        let db = Database::connect(&place.url).await.expect("the database opens");
        let steps = Migrator::migrations().len();
        assert_eq!(steps, ROWS.len(), "a new step needs rows of its own here");

        for step in 0..steps {
            Migrator::up(&db, Some(1)).await.expect("the step can be taken");
            for row in rows(step, db.get_database_backend()) {
                db.execute_unprepared(&row)
                    .await
                    .unwrap_or_else(|error| panic!("{row}: {error}"));
            }
        }

        assert_eq!(Migrator::get_pending_migrations(&db).await.expect("a list").len(), 0);
        for table in "setting page component_group component incident timeline_update update_revision \
                      component_change postmortem maintenance maintenance_component event audit idempotency_key token"
            .split_whitespace()
        {
            assert_eq!(count(&db, table).await, 1, "{table}");
        }
        // The log's heads are made for the pages that there are.
        assert_eq!(count(&db, "page_log WHERE staff_head = 0 AND last_at = 1000").await, 1);
        db.close().await.expect("the connection closes");
    }
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_steps_one_by_one_give_the_same_as_all_at_once() {
    for (stepwise, at_once) in places().await.into_iter().zip(places().await) {
        let one = Database::connect(&stepwise.url).await.expect("the database opens");
        let other = Database::connect(&at_once.url).await.expect("the database opens");
        for _ in Migrator::migrations() {
            Migrator::up(&one, Some(1)).await.expect("the step can be taken");
        }

        Migrator::up(&other, None).await.expect("all steps can be taken");
        let first = shape(&other).await;
        let taken = count(&other, "seaql_migrations").await;
        Migrator::up(&other, None).await.expect("there is nothing to do");

        assert_eq!(shape(&other).await, first);
        assert_eq!(shape(&one).await, first);
        assert_eq!(count(&other, "seaql_migrations").await, taken);
        one.close().await.expect("the connection closes");
        other.close().await.expect("the connection closes");
    }
}
