//! Who did what, when, under which request; written in the transaction of the change.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub at: i64,
    pub actor: String,
    pub action: String,
    pub request_id: String,
    pub page_id: Option<Uuid>,
    pub subject_kind: Option<String>,
    pub subject_id: Option<Uuid>,
    /// The page it stands in the chain of; the nil id for the server's. None for what was kept before there were chains.
    pub chain: Option<Uuid>,
    pub number: Option<i64>,
    pub token_id: Option<Uuid>,
    pub address: Option<String>,
    /// Over all of the above, and the hash of the entry before.
    pub hash: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
