//! The heads and floors of a page's two streams.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "page_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub page_id: Uuid,
    pub public_head: i64,
    pub staff_head: i64,
    pub public_floor: i64,
    pub staff_floor: i64,
    pub last_at: i64,
    /// How many entries the page's chain of the audit has, and the hash of the last.
    pub audit_count: i64,
    pub audit_hash: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
