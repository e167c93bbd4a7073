//! Timelines as a whole: updates with their revisions and component changes, loaded and saved together.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Func, IntoColumnRef, IntoTableRef, Query, SelectStatement, SimpleExpr};
use sea_orm::{ActiveValue::Set, ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::batch::Batch;
use super::question::{Answers, Question, Questions};
use super::{at, component_change, timeline_update, update_revision, word};
use crate::domain::code::Word;
use crate::domain::time::Timestamp;
use crate::domain::timeline::{self, Revision, Update};
use crate::error::{Error, Result};

/// What is asked to know some timelines.
pub(super) struct Asked {
    updates: Question<timeline_update::Model>,
    changes: Question<component_change::Model>,
    /// The ids of the updates.
    ids: SelectStatement,
}

/// Asks for the timelines of many incidents or maintenances: two statements, however many there are. With `most_bytes`,
/// for no update if all of them together have more bytes of text, revisions included.
pub(super) fn ask(questions: &mut Questions, owners: &[Uuid], most_bytes: Option<u64>) -> Asked {
    let of_owners = timeline_update::Column::OwnerId.is_in(owners.iter().copied());
    let mut ids = Query::select();
    ids.column(timeline_update::Column::Id)
        .from(timeline_update::Entity)
        .and_where(of_owners.clone());
    let changes = component_change::Entity::find()
        .filter(component_change::Column::UpdateId.in_subquery(ids.clone()))
        .order_by_asc(component_change::Column::Position);
    let mut updates = timeline_update::Entity::find().filter(of_owners.clone());
    if let Some(most) = most_bytes {
        let of_updates = update_revision::Column::UpdateId.in_subquery(ids.clone());
        let bytes = sum(timeline_update::Entity, timeline_update::Column::Body, of_owners).add(sum(
            update_revision::Entity,
            update_revision::Column::Body,
            of_updates,
        ));
        updates = updates.filter(bytes.lte(i64::try_from(most).unwrap_or(i64::MAX)));
    }
    Asked {
        updates: questions.ask(updates),
        changes: questions.ask(changes),
        ids,
    }
}

/// Bytes of the texts in a column of some rows. Neither database reads a text to know how long it is.
fn sum(table: impl IntoTableRef, text: impl IntoColumnRef, rows: SimpleExpr) -> SimpleExpr {
    let bytes = Func::cust("octet_length").arg(Expr::col(text));
    let mut sum = Query::select();
    sum.expr(Func::coalesce([Expr::expr(bytes).sum(), Expr::value(0)]))
        .from(table)
        .and_where(rows);
    SimpleExpr::SubQuery(None, Box::new(sum.into()))
}

/// The timelines that were asked for: a third statement, where an update was edited.
pub(super) async fn read<S: Word>(
    db: &impl ConnectionTrait,
    asked: Asked,
    answers: &mut Answers,
) -> Result<HashMap<Uuid, Vec<Update<S>>>> {
    let updates = answers.take(asked.updates)?;
    let changes = answers.take(asked.changes)?;
    // What was never edited has none.
    let revisions = match updates.iter().any(|update| update.edited_at.is_some()) {
        true => {
            update_revision::Entity::find()
                .filter(update_revision::Column::UpdateId.in_subquery(asked.ids))
                .order_by_asc(update_revision::Column::Number)
                .all(db)
                .await?
        }
        false => Vec::new(),
    };

    let mut timelines: HashMap<Uuid, Vec<Update<S>>> = HashMap::new();
    let mut revisions_of: HashMap<Uuid, Vec<Revision>> = HashMap::new();
    for revision in revisions {
        revisions_of.entry(revision.update_id).or_default().push(Revision {
            body: revision.body,
            display_at: Timestamp::from_millis(revision.display_at),
            replaced_at: Timestamp::from_millis(revision.replaced_at),
        });
    }
    let mut changes_of: HashMap<Uuid, Vec<timeline::Change>> = HashMap::new();
    for change in changes {
        if let Some(update) = change.update_id {
            changes_of.entry(update).or_default().push(change.to_domain()?);
        }
    }
    for update in updates {
        timelines.entry(update.owner_id).or_default().push(Update {
            id: update.id,
            number: update.number,
            status: word(&update.status)?,
            body: update.body,
            display_at: Timestamp::from_millis(update.display_at),
            created_at: Timestamp::from_millis(update.created_at),
            edited_at: at(update.edited_at),
            revisions: revisions_of.remove(&update.id).unwrap_or_default(),
            changes: changes_of.remove(&update.id).unwrap_or_default(),
            external_ref: update.external_ref,
            audience: word(&update.audience)?,
        });
    }
    for timeline in timelines.values_mut() {
        timeline::sort(timeline);
    }
    Ok(timelines)
}

/// Whose timelines these updates stand in.
pub async fn owners(db: &impl ConnectionTrait, updates: &[Uuid]) -> Result<Vec<Uuid>> {
    let found = timeline_update::Entity::find()
        .select_only()
        .column(timeline_update::Column::OwnerId)
        .filter(timeline_update::Column::Id.is_in(updates.iter().copied()))
        .into_tuple::<Uuid>()
        .all(db)
        .await?;
    Ok(found)
}

/// Whose timeline an update stands in.
pub async fn owner(db: &impl ConnectionTrait, update: Uuid) -> Result<Option<Uuid>> {
    let found = timeline_update::Entity::find_by_id(update)
        .select_only()
        .column(timeline_update::Column::OwnerId)
        .into_tuple::<Uuid>()
        .one(db)
        .await?;
    Ok(found)
}

/// Brings a stored timeline from what it was to what it has become: entries added, edited and taken away.
pub(super) fn save<S: Word + PartialEq>(
    batch: &mut Batch,
    owner: Uuid,
    before: &[Update<S>],
    after: &[Update<S>],
) -> Result<()> {
    let earlier: HashMap<Uuid, &Update<S>> = before.iter().map(|update| (update.id, update)).collect();
    for update in after {
        match earlier.get(&update.id) {
            None => insert(batch, owner, update)?,
            Some(known) if *known != update => amend(batch, owner, known, update)?,
            Some(_) => {}
        }
    }
    let removed: Vec<Uuid> = before
        .iter()
        .map(|update| update.id)
        .filter(|id| after.iter().all(|update| update.id != *id))
        .collect();
    if !removed.is_empty() {
        batch.add(&timeline_update::Entity::delete_many().filter(timeline_update::Column::Id.is_in(removed)));
    }
    Ok(())
}

fn row<S: Word>(owner: Uuid, update: &Update<S>) -> timeline_update::ActiveModel {
    timeline_update::Model {
        id: update.id,
        owner_id: owner,
        number: update.number,
        status: update.status.as_str().to_owned(),
        body: update.body.clone(),
        display_at: update.display_at.millis(),
        created_at: update.created_at.millis(),
        edited_at: update.edited_at.map(Timestamp::millis),
        external_ref: update.external_ref.clone(),
        audience: update.audience.as_str().to_owned(),
    }
    .into_active_model()
    .reset_all()
}

fn insert<S: Word>(batch: &mut Batch, owner: Uuid, update: &Update<S>) -> Result<()> {
    batch.add(&timeline_update::Entity::insert(row(owner, update)));
    insert_revisions(batch, update, 0)?;
    let changes = (0i32..).zip(&update.changes).map(|(position, change)| {
        component_change::Model {
            id: Uuid::now_v7(),
            component_id: change.component,
            update_id: Some(update.id),
            position,
            from_status: change.from.as_str().to_owned(),
            to_status: change.to.as_str().to_owned(),
            at: update.display_at.millis(),
        }
        .into_active_model()
        .reset_all()
    });
    if !update.changes.is_empty() {
        batch.add(&component_change::Entity::insert_many(changes));
    }
    Ok(())
}

fn amend<S: Word>(batch: &mut Batch, owner: Uuid, before: &Update<S>, after: &Update<S>) -> Result<()> {
    batch.update(row(owner, after))?;
    insert_revisions(batch, after, before.revisions.len())?;
    if before.display_at != after.display_at {
        let moved = component_change::Entity::update_many()
            .set(component_change::ActiveModel {
                at: Set(after.display_at.millis()),
                ..Default::default()
            })
            .filter(component_change::Column::UpdateId.eq(after.id));
        batch.add(&moved);
    }
    Ok(())
}

fn insert_revisions<S>(batch: &mut Batch, update: &Update<S>, known: usize) -> Result<()> {
    for (number, revision) in update.revisions.iter().enumerate().skip(known) {
        let number = i32::try_from(number + 1).map_err(|_| Error::Corrupt("too many revisions".to_owned()))?;
        let row = update_revision::Model {
            update_id: update.id,
            number,
            body: revision.body.clone(),
            display_at: revision.display_at.millis(),
            replaced_at: revision.replaced_at.millis(),
        };
        batch.add(&update_revision::Entity::insert(row.into_active_model().reset_all()));
    }
    Ok(())
}
