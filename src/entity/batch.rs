//! Statements that change rows and whose answers nobody waits for, sent together.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, QueryTrait, Statement, Values};

use crate::error::Result;

/// How many statements go in one text at most: all of an ordinary change. Texts are kept prepared, a hundred of them, and one
/// of a thousand statements would take megabytes for what may never come again.
const TOGETHER: usize = 8;

/// Statements in the order in which they take effect, once they are sent. They change rows that are there, and locked: how many
/// they have changed is not looked at.
///
/// SQLite works on a thread of its own, and to wake it and be woken again takes longer than most statements do: there, some go
/// in one text. PostgreSQL takes parameters with one statement at a time.
#[must_use = "nothing happens until it is sent"]
#[derive(Debug)]
pub(crate) struct Batch {
    backend: DbBackend,
    statements: Vec<Statement>,
}

impl Batch {
    /// None yet, in the words of a database.
    pub(crate) fn new(db: &impl ConnectionTrait) -> Batch {
        Batch {
            backend: db.get_database_backend(),
            statements: Vec::new(),
        }
    }

    /// Adds a statement to the end.
    pub(crate) fn add(&mut self, query: &impl QueryTrait) {
        self.statements.push(query.build(self.backend));
    }

    /// Adds one that writes all columns of a row that is there.
    ///
    /// # Errors
    /// That the row names no key.
    pub(crate) fn update<A: ActiveModelTrait>(&mut self, row: A) -> Result<()> {
        self.add(&A::Entity::update(row).validate()?);
        Ok(())
    }

    /// Has the database run all of them; after one that fails, none.
    ///
    /// # Errors
    /// That of the first that fails.
    pub(crate) async fn send(self, db: &impl ConnectionTrait) -> Result<()> {
        if let Some(last) = self.send_all_but_last(db).await? {
            db.execute_raw(last).await?;
        }
        Ok(())
    }

    /// The same up to the last text, which is left to be sent.
    ///
    /// # Errors
    /// That of the first that fails.
    pub(super) async fn send_all_but_last(self, db: &impl ConnectionTrait) -> Result<Option<Statement>> {
        let together = match self.backend {
            DbBackend::Sqlite => TOGETHER,
            _ => 1,
        };
        let mut last: Option<Statement> = None;
        let mut statements = self.statements.into_iter();
        while let Some(first) = statements.next() {
            if let Some(before) = last.replace(statements.by_ref().take(together - 1).fold(first, join)) {
                db.execute_raw(before).await?;
            }
        }
        Ok(last)
    }
}

/// Puts a statement after another in one text, and its values after the other's.
pub(super) fn join(mut statement: Statement, next: Statement) -> Statement {
    statement.sql.push_str(";\n");
    statement.sql.push_str(&next.sql);
    let values = next.values.map(|values| values.0).unwrap_or_default();
    statement
        .values
        .get_or_insert_with(|| Values(Vec::new()))
        .0
        .extend(values);
    statement
}
