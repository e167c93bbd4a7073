//! Postmortems: the draft and the published text of an incident.

use sea_orm::entity::prelude::*;

use super::at;
use crate::domain::incident::Postmortem;
use crate::domain::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "postmortem")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub incident_id: Uuid,
    pub draft: Option<String>,
    pub published: Option<String>,
    pub published_at: Option<i64>,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The postmortem this row holds.
    pub fn into_domain(self) -> Postmortem {
        Postmortem {
            draft: self.draft,
            published: self.published,
            published_at: at(self.published_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        }
    }

    /// The row of an incident's postmortem.
    pub fn from_domain(incident: Uuid, postmortem: &Postmortem) -> Model {
        Model {
            incident_id: incident,
            draft: postmortem.draft.clone(),
            published: postmortem.published.clone(),
            published_at: postmortem.published_at.map(Timestamp::millis),
            updated_at: postmortem.updated_at.millis(),
        }
    }
}
