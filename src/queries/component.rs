//! Components: finding them, their history, their uptime.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Slice, View, Window};
use crate::domain::component::{Component, ComponentGroup};
use crate::domain::page::Page;
use crate::domain::time::Timestamp;
use crate::domain::uptime::{self, History, StatusChange, Uptime};
use crate::entity::{self, component, component_change, component_group};
use crate::error::Result;

/// The components with these ids, on pages that exist for the view's audience, in any order.
///
/// # Errors
/// Those of the database.
pub async fn by_ids(view: &View, ids: &[Uuid]) -> Result<Vec<Arc<Component>>> {
    let owners = component::Entity::find()
        .select_only()
        .columns([component::Column::Id, component::Column::PageId])
        .filter(component::Column::Id.is_in(ids.iter().copied()))
        .filter(component::Column::ArchivedAt.is_null())
        .into_tuple::<(Uuid, Uuid)>()
        .all(view.db().await?)
        .await?;
    let pages = super::page::visible_of(view, owners.iter().map(|(_, page)| *page)).await?;
    let mut found = Vec::with_capacity(owners.len());
    for (id, page) in owners.into_iter().filter(|(_, page)| pages.contains(page)) {
        found.extend(view.parts(page).await?.component(id).cloned());
    }
    Ok(found)
}

/// The groups with these ids, on pages that exist for the view's audience, in any order.
///
/// # Errors
/// Those of the database.
pub async fn groups_by_ids(view: &View, ids: &[Uuid]) -> Result<Vec<Arc<ComponentGroup>>> {
    let owners = component_group::Entity::find()
        .select_only()
        .columns([component_group::Column::Id, component_group::Column::PageId])
        .filter(component_group::Column::Id.is_in(ids.iter().copied()))
        .into_tuple::<(Uuid, Uuid)>()
        .all(view.db().await?)
        .await?;
    let pages = super::page::visible_of(view, owners.iter().map(|(_, page)| *page)).await?;
    let mut found = Vec::with_capacity(owners.len());
    for (id, page) in owners.into_iter().filter(|(_, page)| pages.contains(page)) {
        found.extend(view.parts(page).await?.group(id).cloned());
    }
    Ok(found)
}

/// What became of a component, oldest first, up to the view's moment. Read together for all components an answer
/// shows.
async fn history(view: &View, component: Uuid) -> Result<Arc<Vec<component_change::Model>>> {
    let read = |components: Vec<Uuid>| async move {
        let rows = component_change::Entity::find()
            .filter(component_change::Column::ComponentId.is_in(components))
            .filter(component_change::Column::At.lte(view.instant().millis()))
            .order_by_asc(component_change::Column::ComponentId)
            .order_by_asc(component_change::Column::At)
            .order_by_asc(component_change::Column::Id)
            .limit(view.budget().rows_left())
            .all(view.db().await?)
            .await?;
        let rows = view.counted(rows)?;
        let mut histories: HashMap<Uuid, Vec<component_change::Model>> = HashMap::new();
        for row in rows {
            histories.entry(row.component_id).or_default().push(row);
        }
        Ok(histories
            .into_iter()
            .map(|(component, rows)| (component, Arc::new(rows)))
            .collect())
    };
    view.histories().load(component, read).await
}

/// How long a component was up, by day of its page's zone, up to the view's moment.
///
/// # Errors
/// Those of the database.
pub async fn uptime(view: &View, page: &Page, component: &Component, days: u16) -> Result<Uptime> {
    let history = history(view, component.id).await?;
    let mut changes = Vec::with_capacity(history.len());
    for row in history.iter() {
        changes.push(StatusChange {
            at: Timestamp::from_millis(row.at),
            to: entity::word(&row.to_status)?,
        });
    }
    let from = match history.first() {
        Some(first) => entity::word(&first.from_status)?,
        None => component.status,
    };
    // A component whose history was entered afterwards is known for longer than it has been here.
    let since = changes
        .first()
        .map_or(component.created_at, |first| first.at.min(component.created_at));
    let history = History {
        since,
        from,
        changes: &changes,
        until: view.instant(),
    };
    Ok(uptime::uptime(history, page.zone(), days))
}

/// A status a component took, with the update that gave it.
#[derive(Clone, Debug)]
pub struct Taken {
    pub id: Uuid,
    pub from: crate::domain::component::ComponentStatus,
    pub to: crate::domain::component::ComponentStatus,
    pub at: Timestamp,
}

/// The statuses a component took, newest first. An update that only named it is left out.
///
/// # Errors
/// Those of the database.
pub async fn status_changes(view: &View, component: Uuid, window: Window) -> Result<Slice<Taken>> {
    let mut cursor = moves(view, component).cursor_by((component_change::Column::At, component_change::Column::Id));
    super::window::apply(&mut cursor, &window);
    let rows = view.counted(cursor.all(view.db().await?).await?)?;
    let taken = rows.into_iter().map(|row| {
        Ok(Taken {
            id: row.id,
            from: entity::word(&row.from_status)?,
            to: entity::word(&row.to_status)?,
            at: Timestamp::from_millis(row.at),
        })
    });
    Ok(Slice::cut(taken.collect::<Result<Vec<_>>>()?, &window))
}

/// How many statuses a component took.
///
/// # Errors
/// Those of the database.
pub async fn count_status_changes(view: &View, component: Uuid) -> Result<u64> {
    Ok(moves(view, component).count(view.db().await?).await?)
}

fn moves(view: &View, component: Uuid) -> sea_orm::Select<component_change::Entity> {
    use sea_orm::sea_query::{Expr, ExprTrait};
    component_change::Entity::find()
        .filter(component_change::Column::ComponentId.eq(component))
        .filter(component_change::Column::At.lte(view.instant().millis()))
        .filter(Expr::col(component_change::Column::FromStatus).ne(Expr::col(component_change::Column::ToStatus)))
}
