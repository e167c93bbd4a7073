//! Component groups.

use sea_orm::entity::prelude::*;

use crate::domain::component::ComponentGroup;
use crate::domain::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "component_group")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub page_id: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub position: i32,
    pub external_ref: Option<String>,
    pub version: i32,
    pub created_at: i64,
    pub updated_at: i64,
    pub archived_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The group this row holds.
    pub fn into_domain(self) -> ComponentGroup {
        ComponentGroup {
            id: self.id,
            page: self.page_id,
            name: self.name,
            description: self.description,
            position: self.position,
            external_ref: self.external_ref,
            version: self.version,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        }
    }

    /// The row of a group; `removed` is when it was taken off.
    pub fn from_domain(group: &ComponentGroup, removed: Option<Timestamp>) -> Model {
        Model {
            id: group.id,
            page_id: group.page,
            name: group.name.clone(),
            description: group.description.clone(),
            position: group.position,
            external_ref: group.external_ref.clone(),
            version: group.version,
            created_at: group.created_at.millis(),
            updated_at: group.updated_at.millis(),
            archived_at: removed.map(Timestamp::millis),
        }
    }
}
