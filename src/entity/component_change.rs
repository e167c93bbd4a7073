//! What became of components, by an update or by itself; a component's history is read from here.

use sea_orm::entity::prelude::*;

use super::word;
use crate::domain::timeline::Change;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "component_change")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub component_id: Uuid,
    pub update_id: Option<Uuid>,
    pub position: i32,
    pub from_status: String,
    pub to_status: String,
    pub at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The change this row holds.
    pub fn to_domain(&self) -> Result<Change> {
        Ok(Change {
            component: self.component_id,
            from: word(&self.from_status)?,
            to: word(&self.to_status)?,
        })
    }
}
