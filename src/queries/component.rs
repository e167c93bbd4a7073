//! Components: finding them, their history, their uptime.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{Key, Moment, Slice, View, Window};
use crate::domain::component::{Component, ComponentGroup};
use crate::domain::page::Page;
use crate::domain::time::Timestamp;
use crate::domain::uptime::{self, History, StatusChange, Uptime};
use crate::entity::component_change::{self, Recorded};
use crate::entity::{component, component_group};
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

/// The statuses a component took, oldest first: from memory, or read together for all components that an answer shows.
async fn history(view: &View, component: &Component) -> Result<Arc<Vec<Recorded>>> {
    let present = match view.moment() {
        Moment::Now => view.present(component.page).await,
        Moment::Past(_) => None,
    };
    if let Some(history) = present.as_ref().and_then(|present| present.history(component.id)) {
        return Ok(Arc::clone(history));
    }
    let history = view
        .histories()
        .load(component.id, |ids| read_histories(view, ids))
        .await?;
    if let Some(present) = present {
        present.keep_history(component.id, &history);
    }
    Ok(history)
}

async fn read_histories(view: &View, components: Vec<Uuid>) -> Result<HashMap<Uuid, Arc<Vec<Recorded>>>> {
    let limit = Some(view.budget().rows_left());
    let histories = component_change::histories(view.tied_db().await?, components, limit).await?;
    view.budget()
        .rows(histories.values().map(|history| history.len()).sum())?;
    Ok(histories)
}

/// The part of a history up to the view's moment: an update may have been dated a few minutes ahead.
fn up_to_now<'a>(view: &View, history: &'a [Recorded]) -> &'a [Recorded] {
    let length = history.partition_point(|recorded| recorded.at <= view.instant());
    if let Some(next) = history.get(length) {
        view.hold_until(next.at);
    }
    &history[..length]
}

/// How long a component was up, by day of its page's zone, up to the view's moment.
///
/// # Errors
/// Those of the database.
pub async fn uptime(view: &View, page: &Page, component: &Component, days: u16) -> Result<Uptime> {
    let history = history(view, component).await?;
    let history = up_to_now(view, &history);
    view.hold_until(next_minute(view.instant()));
    let change = |recorded: &Recorded| StatusChange {
        at: recorded.at,
        to: recorded.to,
    };
    let changes: Vec<StatusChange> = history.iter().map(change).collect();
    let from = history.first().map_or(component.status, |first| first.from);
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

/// When a figure that grows with the clock is computed again: readers of a page see the same figure for up to a minute.
fn next_minute(now: Timestamp) -> Timestamp {
    const MINUTE: i64 = 60_000;
    now.plus_millis(MINUTE - now.millis().rem_euclid(MINUTE))
}

/// The statuses a component took, newest first. An update that only named it is left out.
///
/// # Errors
/// Those of the database.
pub async fn status_changes(view: &View, component: &Component, window: Window) -> Result<Slice<Recorded>> {
    let history = history(view, component).await?;
    let key = |recorded: &Recorded| Key {
        order: recorded.at.millis(),
        id: recorded.id,
    };
    let newest_first = moves(up_to_now(view, &history)).rev();
    Ok(Slice::of_descending(newest_first, &window, key))
}

/// How many statuses a component took.
///
/// # Errors
/// Those of the database.
pub async fn count_status_changes(view: &View, component: &Component) -> Result<u64> {
    let history = history(view, component).await?;
    Ok(moves(up_to_now(view, &history)).count() as u64)
}

fn moves(history: &[Recorded]) -> impl DoubleEndedIterator<Item = Recorded> {
    history.iter().copied().filter(|recorded| recorded.from != recorded.to)
}
