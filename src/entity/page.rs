//! Pages.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SelectStatement;

use super::word;
use crate::domain::page::Page;
use crate::domain::time::Timestamp;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "page")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub url: Option<String>,
    pub time_zone: String,
    pub visibility: String,
    pub external_ref: Option<String>,
    pub version: i32,
    pub created_at: i64,
    pub updated_at: i64,
    pub archived_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The pages that something is on, unless they are archived; `on` gives their ids.
pub(super) fn present(on: SelectStatement) -> Select<Entity> {
    Entity::find()
        .filter(Column::Id.in_subquery(on))
        .filter(Column::ArchivedAt.is_null())
}

impl Model {
    /// The page this row holds.
    pub fn into_domain(self) -> Result<Page> {
        Ok(Page {
            id: self.id,
            slug: self.slug,
            name: self.name,
            description: self.description,
            url: self.url,
            time_zone: self.time_zone,
            visibility: word(&self.visibility)?,
            external_ref: self.external_ref,
            version: self.version,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }

    /// The row of a page; `archived` is when it was taken off.
    pub fn from_domain(page: &Page, archived: Option<Timestamp>) -> Model {
        Model {
            id: page.id,
            slug: page.slug.clone(),
            name: page.name.clone(),
            description: page.description.clone(),
            url: page.url.clone(),
            time_zone: page.time_zone.clone(),
            visibility: page.visibility.as_str().to_owned(),
            external_ref: page.external_ref.clone(),
            version: page.version,
            created_at: page.created_at.millis(),
            updated_at: page.updated_at.millis(),
            archived_at: archived.map(Timestamp::millis),
        }
    }
}
