//! What is stored in several tables and loaded as a whole: an incident or a maintenance with its timeline.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockType, Query};
use sea_orm::{ConnectionTrait, QuerySelect};

use super::question::{Answers, Questions};
use super::{page, word};
use crate::domain::page::Visibility;
use crate::error::Result;

/// The table with one row for each.
pub(super) trait Aggregate: EntityTrait<Model: Send> {
    /// What such a row and those that belong to it stand for.
    type Whole: Send;
    /// What is asked for beside the rows.
    type Asked: Send;

    const ID: Self::Column;
    const PAGE: Self::Column;

    fn id(row: &Self::Model) -> Uuid;

    /// Asks for all that belongs to some of them; with `most_bytes`, for no timeline if all of them together have more
    /// bytes of text.
    fn ask(questions: &mut Questions, ids: &[Uuid], most_bytes: Option<u64>) -> Self::Asked;

    /// Puts together what these rows stand for, in their order, with what was asked for.
    fn read<C: ConnectionTrait>(
        db: &C,
        rows: Vec<Self::Model>,
        asked: Self::Asked,
        answers: &mut Answers,
    ) -> impl Future<Output = Result<Vec<Self::Whole>>> + Send;
}

/// What these rows stand for, in their order: four statements at most, however many there are.
/// With `most_bytes`, their timelines are left empty if these together have more bytes of text: none is read then.
pub(super) async fn load<A: Aggregate>(
    db: &impl ConnectionTrait,
    rows: Vec<A::Model>,
    most_bytes: Option<u64>,
) -> Result<Vec<A::Whole>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = rows.iter().map(A::id).collect();
    let mut questions = Questions::new(db);
    let asked = A::ask(&mut questions, &ids, most_bytes);
    let mut answers = questions.send(db).await?;
    A::read(db, rows, asked, &mut answers).await
}

/// One of them, whose row is locked, and who sees its page: nobody where that is archived.
pub(super) async fn find_locked<A: Aggregate>(
    db: &impl ConnectionTrait,
    id: Uuid,
    lock: LockType,
) -> Result<Option<(A::Whole, Option<Visibility>)>> {
    let mut on = Query::select();
    on.column(A::PAGE).from(A::default()).and_where(A::ID.eq(id));
    let mut questions = Questions::new(db);
    let rows = questions.ask(A::find().filter(A::ID.eq(id)).lock(lock));
    let pages = questions.ask(page::present(on));
    let asked = A::ask(&mut questions, &[id], None);
    let mut answers = questions.send(db).await?;
    let rows = answers.take(rows)?;
    let page: Option<page::Model> = answers.take(pages)?.pop();
    let visibility = page.map(|page| word(&page.visibility)).transpose()?;
    let found = A::read(db, rows, asked, &mut answers).await?.pop();
    Ok(found.map(|found| (found, visibility)))
}
