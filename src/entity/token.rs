//! Tokens: their hashes, what they are for, and until when.

use sea_orm::entity::prelude::*;

use super::{at, json, to_json, word};
use crate::domain::role::Token;
use crate::domain::time::Timestamp;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub public_part: String,
    /// Of the whole text, in hexadecimal.
    pub sha256: String,
    pub role: String,
    /// The ids of pages, as JSON; all pages where there are none.
    pub pages: Option<String>,
    pub created_by: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub succeeded_by: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The token this row holds.
    pub fn into_domain(self) -> Result<Token> {
        Ok(Token {
            id: self.id,
            name: self.name,
            public_part: self.public_part,
            role: word(&self.role)?,
            pages: self.pages.as_deref().map(json).transpose()?,
            created_by: self.created_by,
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: at(self.expires_at),
            revoked_at: at(self.revoked_at),
            last_used_at: at(self.last_used_at),
            succeeded_by: self.succeeded_by,
        })
    }

    /// The row of a token with the hash of its text.
    pub fn from_domain(token: &Token, sha256: String) -> Result<Model> {
        Ok(Model {
            id: token.id,
            name: token.name.clone(),
            public_part: token.public_part.clone(),
            sha256,
            role: token.role.as_str().to_owned(),
            pages: token.pages.as_ref().map(to_json).transpose()?,
            created_by: token.created_by.clone(),
            created_at: token.created_at.millis(),
            expires_at: token.expires_at.map(Timestamp::millis),
            revoked_at: token.revoked_at.map(Timestamp::millis),
            last_used_at: token.last_used_at.map(Timestamp::millis),
            succeeded_by: token.succeeded_by,
        })
    }
}
