//! Statements that change rows and whose answers nobody waits for, sent together.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, QueryTrait, Statement, Values};

use crate::error::Result;

/// Statements in the order in which they take effect, once they are sent.
///
/// SQLite works on a thread of its own, and to wake it and be woken again takes longer than most statements do: there, a
/// batch is one text. PostgreSQL takes parameters with one statement at a time.
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
        let statements = match self.backend {
            DbBackend::Sqlite => joined(self.statements),
            _ => self.statements,
        };
        for statement in statements {
            db.execute_raw(statement).await?;
        }
        Ok(())
    }
}

/// All of them as one, which has the values of all in their order; none for none.
fn joined(statements: Vec<Statement>) -> Vec<Statement> {
    let mut statements = statements.into_iter();
    let Some(mut all) = statements.next() else {
        return Vec::new();
    };
    for statement in statements {
        all.sql.push_str(";\n");
        all.sql.push_str(&statement.sql);
        let values = statement.values.map(|values| values.0).unwrap_or_default();
        all.values.get_or_insert_with(|| Values(Vec::new())).0.extend(values);
    }
    vec![all]
}
