//! What pages consist of, loaded as wholes.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::ConnectionTrait;
use sea_orm::entity::prelude::*;

use super::{component, component_group, page};
use crate::domain::component::{Component, ComponentGroup};
use crate::domain::parts::Parts;
use crate::error::Result;

/// The parts of the pages with these ids that are not archived: three statements, however many there are.
///
/// # Errors
/// Those of the database.
pub async fn load(db: &impl ConnectionTrait, pages: Vec<Uuid>) -> Result<HashMap<Uuid, Arc<Parts>>> {
    let found = page::Entity::find()
        .filter(page::Column::Id.is_in(pages.clone()))
        .filter(page::Column::ArchivedAt.is_null())
        .all(db)
        .await?;
    let groups = component_group::Entity::find()
        .filter(component_group::Column::PageId.is_in(pages.clone()))
        .filter(component_group::Column::ArchivedAt.is_null())
        .all(db)
        .await?;
    let components = component::Entity::find()
        .filter(component::Column::PageId.is_in(pages))
        .all(db)
        .await?;

    let mut groups_of: HashMap<Uuid, Vec<ComponentGroup>> = HashMap::new();
    for row in groups {
        groups_of.entry(row.page_id).or_default().push(row.into_domain());
    }
    let mut components_of: HashMap<Uuid, (Vec<Component>, Vec<Component>)> = HashMap::new();
    for row in components {
        let (present, archived) = components_of.entry(row.page_id).or_default();
        let kept = if row.archived_at.is_none() { present } else { archived };
        kept.push(row.into_domain()?);
    }
    found
        .into_iter()
        .map(|row| {
            let (present, archived) = components_of.remove(&row.id).unwrap_or_default();
            let groups = groups_of.remove(&row.id).unwrap_or_default();
            Ok((
                row.id,
                Arc::new(Parts::new(Some(row.into_domain()?), groups, present, archived)),
            ))
        })
        .collect()
}
