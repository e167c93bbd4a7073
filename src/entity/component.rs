//! Components.

use sea_orm::entity::prelude::*;

use super::word;
use crate::domain::component::Component;
use crate::domain::time::Timestamp;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "component")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub page_id: Uuid,
    pub group_id: Option<Uuid>,
    pub name: String,
    pub description: Option<String>,
    pub position: i32,
    pub status: String,
    pub external_ref: Option<String>,
    pub version: i32,
    pub created_at: i64,
    pub updated_at: i64,
    pub archived_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::component_group::Entity",
        from = "Column::GroupId",
        to = "super::component_group::Column::Id"
    )]
    Group,
}

impl Related<super::component_group::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Group.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The component this row holds.
    pub fn into_domain(self) -> Result<Component> {
        Ok(Component {
            id: self.id,
            page: self.page_id,
            group: self.group_id,
            name: self.name,
            description: self.description,
            position: self.position,
            status: word(&self.status)?,
            external_ref: self.external_ref,
            version: self.version,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }

    /// The row of a component; `archived` is when it was taken off.
    pub fn from_domain(component: &Component, archived: Option<Timestamp>) -> Model {
        Model {
            id: component.id,
            page_id: component.page,
            group_id: component.group,
            name: component.name.clone(),
            description: component.description.clone(),
            position: component.position,
            status: component.status.as_str().to_owned(),
            external_ref: component.external_ref.clone(),
            version: component.version,
            created_at: component.created_at.millis(),
            updated_at: component.updated_at.millis(),
            archived_at: archived.map(Timestamp::millis),
        }
    }
}
