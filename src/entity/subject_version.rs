//! Versions of incidents and maintenances: what lists and filters compare, and the log numbers at which it was valid.
//!
//! Derived from the log. Consecutive events that agree on all of these columns share one version.

use sea_orm::entity::prelude::*;

use crate::domain::audience::Audience;
use crate::domain::event::Subject;

/// The `until_number` of a version that is still valid. No log reaches this number.
pub const CURRENT: i64 = i64::MAX;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subject_version")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub page_id: Uuid,
    pub subject_kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    /// The staff number of the first event that left the subject like this.
    pub since_number: i64,
    /// The staff number of the first event that left it otherwise, or [`CURRENT`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub until_number: i64,
    /// What lists are ordered by, in milliseconds: when an incident started, when a maintenance is scheduled for.
    pub order_at: i64,
    pub status: String,
    /// The impact that users see; none for a maintenance.
    pub impact: Option<String>,
    /// Who sees the subject at all. Everything else here is the same for both audiences.
    pub audience: String,
    pub external_ref: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The current version of a subject since an event; `None` for kinds that have no versions.
    pub(crate) fn current(page: Uuid, since_number: i64, subject: &Subject) -> Option<Model> {
        let version =
            |order_at, status: &str, impact: Option<&str>, audience: Audience, external_ref: &Option<String>| Model {
                page_id: page,
                subject_kind: subject.kind().as_str().to_owned(),
                subject_id: subject.id(page),
                since_number,
                until_number: CURRENT,
                order_at,
                status: status.to_owned(),
                impact: impact.map(str::to_owned),
                audience: audience.as_str().to_owned(),
                external_ref: external_ref.clone(),
            };
        match subject {
            Subject::Incident(incident) => Some(version(
                incident.started_at.millis(),
                incident.status.as_str(),
                Some(incident.impact().as_str()),
                incident.audience,
                &incident.external_ref,
            )),
            Subject::Maintenance(maintenance) => Some(version(
                maintenance.scheduled_for.millis(),
                maintenance.status.as_str(),
                None,
                Audience::Public,
                &maintenance.external_ref,
            )),
            Subject::Page | Subject::ComponentGroup(_) | Subject::Component(_) => None,
        }
    }
}
