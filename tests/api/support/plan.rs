//! Reading how a database would run a statement, and finding where it would read a whole table.

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use super::database::Test;

/// The tables that stay small enough to be read as a whole. All others grow for as long as the server runs.
const SMALL: [&str; 6] = ["component", "component_group", "page", "page_log", "setting", "token"];

/// One who asks a database for its plans.
pub(crate) struct Planner(DatabaseConnection);

impl Planner {
    pub(crate) async fn new(test: &Test) -> Planner {
        // One connection, which keeps what it is told: to look for another way than a scan, whatever that costs, and to
        // plan without knowing the values.
        let mut options = ConnectOptions::new(&test.url);
        options.max_connections(1).min_connections(1);
        let db = Database::connect(options).await.expect("the database answers");
        if db.get_database_backend() == DbBackend::Postgres {
            let told = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan";
            db.execute_unprepared(told).await.expect("it takes settings");
        }
        Planner(db)
    }

    /// The steps of a statement's plan that read the whole of a growing table.
    pub(crate) async fn full_scans(&self, statement: &str) -> Vec<String> {
        match self.0.get_database_backend() {
            DbBackend::Postgres => postgres_scans(&self.postgres_plan(statement).await),
            _ => sqlite_scans(&self.rows(&format!("EXPLAIN QUERY PLAN {statement}"), "detail").await),
        }
    }

    pub(crate) async fn close(self) {
        self.0.close().await.expect("the connection closes");
    }

    async fn postgres_plan(&self, statement: &str) -> Vec<String> {
        let parameters = (1..).take_while(|number| has_parameter(statement, *number)).count();
        let nulls = vec!["NULL"; parameters].join(", ");
        let arguments = if parameters == 0 {
            String::new()
        } else {
            format!("({nulls})")
        };
        self.run(&format!("PREPARE asked AS {statement}")).await;
        let plan = self
            .rows(&format!("EXPLAIN EXECUTE asked{arguments}"), "QUERY PLAN")
            .await;
        self.run("DEALLOCATE asked").await;
        plan
    }

    async fn run(&self, statement: &str) {
        let ran = self.0.execute_unprepared(statement).await;
        ran.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    async fn rows(&self, statement: &str, column: &str) -> Vec<String> {
        let asked = Statement::from_string(self.0.get_database_backend(), statement);
        let rows = self.0.query_all_raw(asked).await;
        rows.unwrap_or_else(|error| panic!("{statement}: {error}"))
            .iter()
            .map(|row| row.try_get("", column).expect("a line of a plan"))
            .collect()
    }
}

fn has_parameter(statement: &str, number: usize) -> bool {
    let name = format!("${number}");
    statement
        .match_indices(&name)
        .any(|(at, _)| !statement[at + name.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

/// The result on the way that a statement calls so is read from an index and has a `LIMIT`.
const LIMITED: &str = "sizes";

/// Whether something that is read is a table that grows, and not a result on the way or the values of an insert.
fn grows(name: &str) -> bool {
    !SMALL.contains(&name) && name != LIMITED && name != "CONSTANT" && !name.starts_with('(') && !name.ends_with("-ROW")
}

/// SQLite says `SCAN` where it reads all of a table, or all of an index; `SEARCH` without an index where it looks for the
/// least or the greatest in all of it; and it makes an index of its own for lack of one.
fn sqlite_scans(plan: &[String]) -> Vec<String> {
    let is_scan = |step: &&String| {
        let mut words = step.split_whitespace();
        let reads_all = match words.next() {
            Some("SCAN") => true,
            Some("SEARCH") => !step.contains(" USING ") || step.contains(" AUTOMATIC "),
            _ => false,
        };
        reads_all && words.next().is_some_and(grows)
    };
    plan.iter().filter(is_scan).cloned().collect()
}

/// PostgreSQL reads all of a table in a `Seq Scan`, and all of an index in a scan of it without a condition. A bitmap of
/// an index stands below the table it is for.
fn postgres_scans(plan: &[String]) -> Vec<String> {
    let mut scans = Vec::new();
    let mut heap = "";
    for (at, step) in plan.iter().enumerate() {
        let named = step
            .split(" on ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let mut name = named.unwrap_or_default();
        if step.contains("Bitmap Heap Scan") {
            heap = name;
        }
        if step.contains("Bitmap Index Scan") {
            name = heap;
        }
        let mut conditions = plan[at + 1..].iter().take_while(|line| !line.contains("->"));
        let reads_all = step.contains("Seq Scan")
            || (["Index Scan", "Index Only Scan"].iter().any(|kind| step.contains(kind))
                && !conditions.any(|line| line.contains("Index Cond:")));
        if reads_all && grows(name) {
            scans.push(step.trim().to_owned());
        }
    }
    scans
}
