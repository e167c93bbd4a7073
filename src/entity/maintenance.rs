//! Maintenances, loaded and saved with their timelines and components.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder};

use super::aggregate::{self, Aggregate};
use super::batch::Batch;
use super::question::{Answers, Question, Questions};
use super::{at, maintenance_component, timeline, word};
use crate::domain::maintenance::Maintenance;
use crate::domain::page::Visibility;
use crate::domain::time::Timestamp;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "maintenance")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub page_id: Uuid,
    pub title: String,
    pub status: String,
    pub scheduled_for: i64,
    pub scheduled_until: i64,
    pub announced_at: i64,
    pub started_at: Option<i64>,
    pub completed_at: Option<i64>,
    pub automatic: bool,
    pub external_ref: Option<String>,
    pub version: i32,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn from_domain(maintenance: &Maintenance) -> Model {
        Model {
            id: maintenance.id,
            page_id: maintenance.page,
            title: maintenance.title.clone(),
            status: maintenance.status.as_str().to_owned(),
            scheduled_for: maintenance.scheduled_for.millis(),
            scheduled_until: maintenance.scheduled_until.millis(),
            announced_at: maintenance.announced_at.millis(),
            started_at: maintenance.started_at.map(Timestamp::millis),
            completed_at: maintenance.completed_at.map(Timestamp::millis),
            automatic: maintenance.automatic,
            external_ref: maintenance.external_ref.clone(),
            version: maintenance.version,
            created_at: maintenance.created_at.millis(),
            updated_at: maintenance.updated_at.millis(),
        }
    }
}

/// What is asked to know maintenances, beside their own rows.
pub struct Asked {
    timelines: timeline::Asked,
    components: Question<maintenance_component::Model>,
}

impl Aggregate for Entity {
    type Whole = Maintenance;
    type Asked = Asked;

    const ID: Column = Column::Id;
    const PAGE: Column = Column::PageId;

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn ask(questions: &mut Questions, ids: &[Uuid], most_bytes: Option<u64>) -> Asked {
        let components = maintenance_component::Entity::find()
            .filter(maintenance_component::Column::MaintenanceId.is_in(ids.iter().copied()))
            .order_by_asc(maintenance_component::Column::Position);
        Asked {
            timelines: timeline::ask(questions, ids, most_bytes),
            components: questions.ask(components),
        }
    }

    async fn read<C: ConnectionTrait>(
        db: &C,
        rows: Vec<Model>,
        asked: Asked,
        answers: &mut Answers,
    ) -> Result<Vec<Maintenance>> {
        let mut timelines = timeline::read(db, asked.timelines, answers).await?;
        let mut components: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for row in answers.take(asked.components)? {
            components.entry(row.maintenance_id).or_default().push(row.component_id);
        }
        rows.into_iter()
            .map(|row| {
                Ok(Maintenance {
                    id: row.id,
                    page: row.page_id,
                    title: row.title,
                    status: word(&row.status)?,
                    scheduled_for: Timestamp::from_millis(row.scheduled_for),
                    scheduled_until: Timestamp::from_millis(row.scheduled_until),
                    announced_at: Timestamp::from_millis(row.announced_at),
                    started_at: at(row.started_at),
                    completed_at: at(row.completed_at),
                    automatic: row.automatic,
                    components: components.remove(&row.id).unwrap_or_default(),
                    external_ref: row.external_ref,
                    version: row.version,
                    created_at: Timestamp::from_millis(row.created_at),
                    updated_at: Timestamp::from_millis(row.updated_at),
                    updates: timelines.remove(&row.id).unwrap_or_default(),
                })
            })
            .collect()
    }
}

/// The maintenances of these rows, in their order: four statements at most, however many there are.
///
/// # Errors
/// Those of the database.
pub async fn load(db: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Maintenance>> {
    aggregate::load::<Entity>(db, rows, None).await
}

/// The same, with empty timelines if these together have more bytes of text: then none of them is read.
///
/// # Errors
/// Those of the database.
pub async fn load_within(db: &impl ConnectionTrait, rows: Vec<Model>, most_bytes: u64) -> Result<Vec<Maintenance>> {
    aggregate::load::<Entity>(db, rows, Some(most_bytes)).await
}

/// A maintenance, whose row is locked, and who sees its page: nobody where that is archived.
///
/// # Errors
/// Those of the database.
pub async fn find_locked(
    db: &impl ConnectionTrait,
    id: Uuid,
    lock: LockType,
) -> Result<Option<(Maintenance, Option<Visibility>)>> {
    aggregate::find_locked::<Entity>(db, id, lock).await
}

/// Adds what stores a new maintenance with its timeline.
///
/// # Errors
/// That something of it cannot be stored.
pub(crate) fn insert(batch: &mut Batch, maintenance: &Maintenance) -> Result<()> {
    batch.add(&Entity::insert(
        Model::from_domain(maintenance).into_active_model().reset_all(),
    ));
    insert_components(batch, maintenance);
    timeline::save(batch, maintenance.id, &[], &maintenance.updates)
}

/// Adds what brings a stored maintenance from what it was to what it has become.
///
/// # Errors
/// That something of it cannot be stored.
pub(crate) fn save(batch: &mut Batch, before: &Maintenance, after: &Maintenance) -> Result<()> {
    batch.update(Model::from_domain(after).into_active_model().reset_all())?;
    if before.components != after.components {
        let of_it = maintenance_component::Column::MaintenanceId.eq(after.id);
        batch.add(&maintenance_component::Entity::delete_many().filter(of_it));
        insert_components(batch, after);
    }
    timeline::save(batch, after.id, &before.updates, &after.updates)
}

fn insert_components(batch: &mut Batch, maintenance: &Maintenance) {
    if maintenance.components.is_empty() {
        return;
    }
    let rows = (0i32..).zip(&maintenance.components).map(|(position, component)| {
        let row = maintenance_component::Model {
            maintenance_id: maintenance.id,
            component_id: *component,
            position,
        };
        row.into_active_model().reset_all()
    });
    batch.add(&maintenance_component::Entity::insert_many(rows));
}
