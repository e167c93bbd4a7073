//! Entries of timelines; the owner is an incident or a maintenance.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "timeline_update")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    pub number: i32,
    pub status: String,
    pub body: String,
    pub display_at: i64,
    pub created_at: i64,
    pub edited_at: Option<i64>,
    pub external_ref: Option<String>,
    pub audience: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
