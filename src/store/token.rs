//! Tokens, as the access module asks for them: by what their text begins with, and how they stand since; and the pages that
//! JWTs name.

use std::collections::BTreeSet;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::Store;
use crate::domain::role::Token;
use crate::domain::time::Timestamp;
use crate::entity::{page, token};
use crate::error::Result;

/// How many tokens one statement asks for or marks: databases bound how many values one may hold.
const BATCH: usize = 500;

impl Store {
    /// The token whose text begins so: one read, by its index.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn token(&self, public_part: &str) -> Result<Option<token::Model>> {
        let found = token::Entity::find().filter(token::Column::PublicPart.eq(public_part));
        Ok(found.one(&self.reader).await?)
    }

    /// A token by its id.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn token_by_id(&self, id: Uuid) -> Result<Option<token::Model>> {
        Ok(token::Entity::find_by_id(id).one(&self.reader).await?)
    }

    /// Tokens by id, as they stand now, in any order.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tokens(&self, ids: &[Uuid]) -> Result<Vec<Token>> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(BATCH) {
            let rows = token::Entity::find().filter(token::Column::Id.is_in(ids.iter().copied()));
            for row in rows.all(&self.reader).await? {
                found.push(row.into_domain()?);
            }
        }
        Ok(found)
    }

    /// The pages of these slugs that there are, in any order. They are few, and none that is no slug.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn pages_of_slugs(&self, slugs: &BTreeSet<String>) -> Result<Vec<Uuid>> {
        let found = page::Entity::find()
            .select_only()
            .column(page::Column::Id)
            .filter(page::Column::Slug.is_in(slugs.iter().cloned()))
            .filter(page::Column::ArchivedAt.is_null());
        Ok(found.into_tuple().all(&self.reader).await?)
    }

    /// Keeps that tokens were seen at a time, unless they were seen later.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn mark_used(&self, ids: &[Uuid], at: Timestamp) -> Result<()> {
        for ids in ids.chunks(BATCH) {
            let (transaction, _turn) = self.begin_plain().await?;
            let is_older = Condition::any()
                .add(token::Column::LastUsedAt.is_null())
                .add(token::Column::LastUsedAt.lt(at.millis()));
            token::Entity::update_many()
                .col_expr(token::Column::LastUsedAt, Expr::value(at.millis()))
                .filter(token::Column::Id.is_in(ids.iter().copied()))
                .filter(is_older)
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}
