//! Questions whose answers do not depend on one another, asked together.

use std::marker::PhantomData;

use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryResult, QuerySelect, QueryTrait, Select};
use sea_orm::{DbErr, Statement};

use super::batch::{Batch, join};
use crate::error::Result;

/// The column that says which question a row answers, where the rows of all come one after the other.
const QUESTION: &str = "question";

/// Questions to be asked together. What one of them asks for cannot come of another's answer.
///
/// SQLite works on a thread of its own, and to wake it and be woken again takes longer than most reads do: there, all go in one
/// text, and each row says which of them it answers. PostgreSQL is asked one after the other, in the same order.
#[must_use = "nothing is read until it is sent"]
#[derive(Debug)]
pub(crate) struct Questions {
    backend: DbBackend,
    statements: Vec<Statement>,
}

/// One of them, whose answer is rows of this shape.
#[must_use = "its answer is to be taken"]
#[derive(Debug)]
pub(crate) struct Question<M> {
    index: usize,
    shape: PhantomData<M>,
}

/// The rows that answer each question.
#[derive(Debug)]
pub(crate) struct Answers(Vec<Vec<QueryResult>>);

impl Questions {
    /// None yet, in the words of a database.
    pub(crate) fn new(db: &impl ConnectionTrait) -> Questions {
        Questions {
            backend: db.get_database_backend(),
            statements: Vec::new(),
        }
    }

    /// Adds a question to the end.
    pub(crate) fn ask<E: EntityTrait, M: FromQueryResult>(&mut self, select: Select<E>) -> Question<M> {
        let index = self.statements.len();
        let select = match self.backend {
            DbBackend::Sqlite => select.expr_as(Expr::cust(index.to_string()), QUESTION),
            _ => select,
        };
        self.statements.push(select.build(self.backend));
        Question {
            index,
            shape: PhantomData,
        }
    }

    /// Asks all of them.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn send(self, db: &impl ConnectionTrait) -> Result<Answers> {
        let batch = Batch::new(db);
        self.send_after(batch, db).await
    }

    /// Asks all of them, once some changes are made.
    ///
    /// # Errors
    /// Those of the database; after a change that fails nothing is asked.
    pub(crate) async fn send_after(self, batch: Batch, db: &impl ConnectionTrait) -> Result<Answers> {
        let mut answers: Vec<Vec<QueryResult>> = self.statements.iter().map(|_| Vec::new()).collect();
        if self.backend == DbBackend::Sqlite {
            let changes = batch.send_all_but_last(db).await?;
            let Some(text) = changes.into_iter().chain(self.statements).reduce(join) else {
                return Ok(Answers(answers));
            };
            for row in db.query_all_raw(text).await? {
                let index: i64 = row.try_get("", QUESTION)?;
                let asked = usize::try_from(index).ok().and_then(|index| answers.get_mut(index));
                let asked = asked.ok_or_else(|| DbErr::Custom(format!("an answer to question {index}")))?;
                asked.push(row);
            }
        } else {
            batch.send(db).await?;
            for (statement, answer) in self.statements.into_iter().zip(&mut answers) {
                *answer = db.query_all_raw(statement).await?;
            }
        }
        Ok(Answers(answers))
    }
}

impl Answers {
    /// The answer to a question, which is given once.
    ///
    /// # Errors
    /// Where a row is not of the shape.
    #[expect(clippy::needless_pass_by_value, reason = "there is nothing to be had of it twice")]
    pub(crate) fn take<M: FromQueryResult>(&mut self, question: Question<M>) -> Result<Vec<M>> {
        let rows = std::mem::take(&mut self.0[question.index]);
        let read: Result<Vec<M>, DbErr> = rows.iter().map(|row| M::from_query_result(row, "")).collect();
        Ok(read?)
    }
}
