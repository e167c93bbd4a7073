//! Where components stand: moving them, and numbering those that stand together.

use futures_util::FutureExt;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Move, check_group, not_found, present, store};
use crate::commands::transact::transact;
use crate::commands::{Call, Context, component_group, valid};
use crate::domain::component::{Component, ComponentGroup};
use crate::domain::event::EventKind;
use crate::entity::component;
use crate::error::{Error, Result};
use crate::store::{ROW_LOCK, Write};

/// Puts a component elsewhere: into another group, or to another place among its siblings, which are numbered anew.
///
/// # Errors
/// `COMPONENT_NOT_FOUND`, `COMPONENT_GROUP_NOT_FOUND`, `STALE_VERSION`.
pub async fn move_to(context: &Context, call: Call, input: Move) -> Result<Component> {
    transact(context, "componentMove", call, input, |write, input| {
        move_in(write, input).boxed()
    })
    .await
}

async fn move_in(write: &mut Write, input: Move) -> Result<Component> {
    if input.position.is_some_and(i32::is_negative) {
        return Err(Error::BadUserInput("`position` must not be negative".to_owned()));
    }
    let known = present(write, input.component).await?;
    let group = input.group.unwrap_or(known.group);
    check_group(write, known.page, group).await?;
    let mut others = siblings_and(write, known.page, group, Some(known.id)).await?;
    let Some(place) = others.iter().position(|one| one.id == known.id) else {
        return Err(not_found());
    };
    let mut component = others.remove(place);
    valid::version(input.expected_version, component.version)?;
    let stands = others
        .iter()
        .take_while(|other| other.position < component.position)
        .count();
    let index = match input.position {
        Some(position) => usize::try_from(position).unwrap_or(0).min(others.len()),
        None if group == component.group => stands,
        None => others.len(),
    };
    let is_other_group = component.group != group;
    // The places they have are given out anew, so that what stands in no group keeps its places among the groups.
    let mut places: Vec<i32> = others.iter().map(|other| other.position).collect();
    places.push(match group {
        _ if !is_other_group => component.position,
        Some(_) => places.iter().max().map_or(1, |last| last.saturating_add(1)),
        None => last_place(write, component.page).await?.saturating_add(1),
    });
    places.sort_unstable();
    component.group = group;
    let mut ordered = others;
    ordered.insert(index, component.clone());
    let mut last = 0i32;
    for (place, mut sibling) in places.into_iter().zip(ordered) {
        let position = place.max(last.saturating_add(1));
        last = position;
        let is_moved = sibling.id == component.id;
        if sibling.position == position && !(is_moved && is_other_group) {
            continue;
        }
        sibling.position = position;
        store(write, &mut sibling, EventKind::ComponentAmended).await?;
        if is_moved {
            component = sibling;
        }
    }
    Ok(component)
}

/// Takes every component out of a group that goes.
pub(in crate::commands) async fn leave_group(write: &mut Write, group: &ComponentGroup) -> Result<()> {
    let mut position = last_place(write, group.page).await?;
    for mut component in siblings(write, group.page, Some(group.id)).await? {
        position = position.saturating_add(1);
        component.group = None;
        component.position = position;
        store(write, &mut component, EventKind::ComponentAmended).await?;
    }
    Ok(())
}

/// The place after the last one, in a group or among groups and what stands in none.
pub(super) async fn next_position(write: &Write, page: Uuid, group: Option<Uuid>) -> Result<i32> {
    let last = match group {
        Some(_) => siblings(write, page, group)
            .await?
            .last()
            .map_or(0, |last| last.position),
        None => last_place(write, page).await?,
    };
    Ok(last.saturating_add(1))
}

/// The components that stand together, in their order.
async fn siblings(write: &Write, page: Uuid, group: Option<Uuid>) -> Result<Vec<Component>> {
    siblings_and(write, page, group, None).await
}

/// The components that stand together, and one that may join them: all locked at once, in the order of their ids, for
/// whoever locks several does it in that order.
async fn siblings_and(write: &Write, page: Uuid, group: Option<Uuid>, joining: Option<Uuid>) -> Result<Vec<Component>> {
    let in_group = match group {
        Some(group) => component::Column::GroupId.eq(group),
        None => component::Column::GroupId.is_null(),
    };
    let wanted = Condition::any()
        .add(in_group)
        .add_option(joining.map(|id| component::Column::Id.eq(id)));
    lock(write, page, wanted).await
}

/// Components of a page in the order of their positions, locked in the order of their ids.
async fn lock(write: &Write, page: Uuid, wanted: Condition) -> Result<Vec<Component>> {
    let rows = component::Entity::find()
        .filter(component::Column::PageId.eq(page))
        .filter(wanted)
        .filter(component::Column::ArchivedAt.is_null())
        .order_by_asc(component::Column::Id)
        .lock(ROW_LOCK)
        .all(write.db())
        .await?;
    let mut components = rows
        .into_iter()
        .map(component::Model::into_domain)
        .collect::<Result<Vec<_>>>()?;
    components.sort_by_key(|component| (component.position, component.id));
    Ok(components)
}

/// The last place of a page among groups and what stands in none, which are numbered together.
pub(in crate::commands) async fn last_place(write: &Write, page: Uuid) -> Result<i32> {
    let single = component::Entity::find()
        .select_only()
        .column_as(component::Column::Position.max(), "last")
        .filter(component::Column::PageId.eq(page))
        .filter(component::Column::GroupId.is_null())
        .filter(component::Column::ArchivedAt.is_null())
        .into_tuple::<Option<i32>>()
        .one(write.db())
        .await?;
    let last = single.flatten().unwrap_or(0);
    Ok(last.max(component_group::last_position(write, page).await?))
}
