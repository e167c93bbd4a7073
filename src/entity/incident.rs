//! Incidents, loaded and saved with their timelines and postmortems.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{ConnectionTrait, IntoActiveModel};

use super::aggregate::{self, Aggregate};
use super::batch::Batch;
use super::question::{Answers, Question, Questions};
use super::{at, json, postmortem, timeline, to_json, word};
use crate::domain::incident::{Incident, Postmortem, Told};
use crate::domain::page::Visibility;
use crate::domain::time::Timestamp;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "incident")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub page_id: Uuid,
    pub title: String,
    pub status: String,
    pub peak_impact: String,
    pub impact_override: Option<String>,
    pub started_at: i64,
    pub monitoring_at: Option<i64>,
    pub resolved_at: Option<i64>,
    pub external_ref: Option<String>,
    pub metadata: Option<String>,
    pub backfilled: bool,
    pub version: i32,
    pub created_at: i64,
    pub updated_at: i64,
    pub audience: String,
    /// The version that the public is told, where that is another.
    pub public_version: Option<i32>,
    pub public_updated_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn from_domain(incident: &Incident) -> Result<Model> {
        Ok(Model {
            id: incident.id,
            page_id: incident.page,
            title: incident.title.clone(),
            status: incident.status.as_str().to_owned(),
            peak_impact: incident.peak_impact.as_str().to_owned(),
            impact_override: incident.impact_override.map(|impact| impact.as_str().to_owned()),
            started_at: incident.started_at.millis(),
            monitoring_at: incident.monitoring_at.map(Timestamp::millis),
            resolved_at: incident.resolved_at.map(Timestamp::millis),
            external_ref: incident.external_ref.clone(),
            metadata: incident.metadata.as_ref().map(to_json).transpose()?,
            backfilled: incident.backfilled,
            version: incident.version,
            created_at: incident.created_at.millis(),
            updated_at: incident.updated_at.millis(),
            audience: incident.audience.as_str().to_owned(),
            public_version: incident.told.map(|told| told.version),
            public_updated_at: incident.told.map(|told| told.updated_at.millis()),
        })
    }
}

/// What is asked to know incidents, beside their own rows.
pub struct Asked {
    timelines: timeline::Asked,
    postmortems: Question<postmortem::Model>,
}

impl Aggregate for Entity {
    type Whole = Incident;
    type Asked = Asked;

    const ID: Column = Column::Id;
    const PAGE: Column = Column::PageId;

    fn id(row: &Model) -> Uuid {
        row.id
    }

    fn ask(questions: &mut Questions, ids: &[Uuid], most_bytes: Option<u64>) -> Asked {
        let of_ids = postmortem::Column::IncidentId.is_in(ids.iter().copied());
        Asked {
            timelines: timeline::ask(questions, ids, most_bytes),
            postmortems: questions.ask(postmortem::Entity::find().filter(of_ids)),
        }
    }

    async fn read<C: ConnectionTrait>(
        db: &C,
        rows: Vec<Model>,
        asked: Asked,
        answers: &mut Answers,
    ) -> Result<Vec<Incident>> {
        let mut timelines = timeline::read(db, asked.timelines, answers).await?;
        let found = answers.take(asked.postmortems)?.into_iter();
        let mut postmortems: HashMap<Uuid, Postmortem> =
            found.map(|row| (row.incident_id, row.into_domain())).collect();
        rows.into_iter()
            .map(|row| {
                Ok(Incident {
                    id: row.id,
                    page: row.page_id,
                    title: row.title,
                    status: word(&row.status)?,
                    peak_impact: word(&row.peak_impact)?,
                    impact_override: row.impact_override.as_deref().map(word).transpose()?,
                    started_at: Timestamp::from_millis(row.started_at),
                    monitoring_at: at(row.monitoring_at),
                    resolved_at: at(row.resolved_at),
                    external_ref: row.external_ref,
                    metadata: row.metadata.as_deref().map(json).transpose()?,
                    backfilled: row.backfilled,
                    version: row.version,
                    created_at: Timestamp::from_millis(row.created_at),
                    updated_at: Timestamp::from_millis(row.updated_at),
                    updates: timelines.remove(&row.id).unwrap_or_default(),
                    postmortem: postmortems.remove(&row.id),
                    audience: word(&row.audience)?,
                    told: row
                        .public_version
                        .zip(row.public_updated_at)
                        .map(|(version, updated_at)| Told {
                            version,
                            updated_at: Timestamp::from_millis(updated_at),
                        }),
                })
            })
            .collect()
    }
}

/// The incidents of these rows, in their order: four statements at most, however many there are.
///
/// # Errors
/// Those of the database.
pub async fn load(db: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Incident>> {
    aggregate::load::<Entity>(db, rows, None).await
}

/// The same, with empty timelines if these together have more bytes of text: then none of them is read.
///
/// # Errors
/// Those of the database.
pub async fn load_within(db: &impl ConnectionTrait, rows: Vec<Model>, most_bytes: u64) -> Result<Vec<Incident>> {
    aggregate::load::<Entity>(db, rows, Some(most_bytes)).await
}

/// An incident, whose row is locked, and who sees its page: nobody where that is archived.
///
/// # Errors
/// Those of the database.
pub async fn find_locked(
    db: &impl ConnectionTrait,
    id: Uuid,
    lock: LockType,
) -> Result<Option<(Incident, Option<Visibility>)>> {
    aggregate::find_locked::<Entity>(db, id, lock).await
}

/// Adds what stores a new incident with its timeline.
///
/// # Errors
/// That something of it cannot be stored.
pub(crate) fn insert(batch: &mut Batch, incident: &Incident) -> Result<()> {
    batch.add(&Entity::insert(
        Model::from_domain(incident)?.into_active_model().reset_all(),
    ));
    timeline::save(batch, incident.id, &[], &incident.updates)?;
    save_postmortem(batch, incident);
    Ok(())
}

/// Adds what brings a stored incident from what it was to what it has become.
///
/// # Errors
/// That something of it cannot be stored.
pub(crate) fn save(batch: &mut Batch, before: &Incident, after: &Incident) -> Result<()> {
    batch.update(Model::from_domain(after)?.into_active_model().reset_all())?;
    timeline::save(batch, after.id, &before.updates, &after.updates)?;
    if before.postmortem != after.postmortem {
        save_postmortem(batch, after);
    }
    Ok(())
}

fn save_postmortem(batch: &mut Batch, incident: &Incident) {
    let Some(postmortem) = &incident.postmortem else {
        return;
    };
    let row = postmortem::Model::from_domain(incident.id, postmortem)
        .into_active_model()
        .reset_all();
    let replace = OnConflict::column(postmortem::Column::IncidentId)
        .update_columns([
            postmortem::Column::Draft,
            postmortem::Column::Published,
            postmortem::Column::PublishedAt,
            postmortem::Column::UpdatedAt,
        ])
        .to_owned();
    batch.add(&postmortem::Entity::insert(row).on_conflict(replace));
}
