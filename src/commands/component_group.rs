//! Changing component groups.

use futures_util::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use super::transact::transact;
use super::{Call, Context, component, page, valid};
use crate::domain::component::ComponentGroup;
use crate::domain::event::{Event, EventKind, Subject};
use crate::domain::refusal::{Refusal, Thing};
use crate::entity::component_group;
use crate::error::Result;
use crate::store::{ROW_LOCK, Write};

/// A group to be made.
#[derive(Clone, Debug, Serialize)]
pub struct Create {
    pub page: Uuid,
    pub name: String,
    pub description: Option<String>,
    /// Where it stands; after the last one unless given.
    pub position: Option<i32>,
    pub external_ref: Option<String>,
}

/// New values of a group; the outer `None` leaves a value as it is, the inner one removes it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Amend {
    pub group: Uuid,
    pub expected_version: Option<i32>,
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub position: Option<i32>,
}

/// A group to be taken off.
#[derive(Clone, Debug, Serialize)]
pub struct Remove {
    pub group: Uuid,
    pub expected_version: Option<i32>,
}

/// Makes a group.
///
/// # Errors
/// `PAGE_NOT_FOUND`, those of its texts.
pub async fn create(context: &Context, call: Call, input: Create) -> Result<ComponentGroup> {
    transact(context, "componentGroupCreate", call, input, |write, input| {
        create_in(write, input).boxed()
    })
    .await
}

async fn create_in(write: &mut Write, input: Create) -> Result<ComponentGroup> {
    page::require(write, input.page, Thing::Page, "page").await?;
    let position = match input.position {
        Some(position) => position,
        None => component::last_place(write, input.page).await?.saturating_add(1),
    };
    let group = ComponentGroup {
        id: Uuid::now_v7(),
        page: input.page,
        name: valid::name(&input.name)?,
        description: valid::description(input.description.as_deref())?,
        position,
        external_ref: valid::external_ref(input.external_ref.as_deref())?,
        version: 1,
        created_at: write.now(),
        updated_at: write.now(),
    };
    let row = component_group::Model::from_domain(&group, None)
        .into_active_model()
        .reset_all();
    component_group::Entity::insert(row)
        .exec_without_returning(write.db())
        .await?;
    write.record(
        group.page,
        Event::of(EventKind::ComponentGroupCreated, Subject::ComponentGroup(group.clone())),
    );
    Ok(group)
}

pub(super) async fn last_position(write: &Write, page: Uuid) -> Result<i32> {
    let last = component_group::Entity::find()
        .select_only()
        .column(component_group::Column::Position)
        .filter(component_group::Column::PageId.eq(page))
        .order_by_desc(component_group::Column::Position)
        .into_tuple::<i32>()
        .one(write.db())
        .await?;
    Ok(last.unwrap_or(0))
}

/// Gives a group new values.
///
/// # Errors
/// `COMPONENT_GROUP_NOT_FOUND`, `STALE_VERSION`, those of its texts.
pub async fn amend(context: &Context, call: Call, input: Amend) -> Result<ComponentGroup> {
    transact(context, "componentGroupAmend", call, input, |write, input| {
        amend_in(write, input).boxed()
    })
    .await
}

async fn amend_in(write: &mut Write, input: Amend) -> Result<ComponentGroup> {
    let before = locked(write, input.group, "group").await?;
    valid::version(input.expected_version, before.version)?;
    let mut group = before.clone();
    if let Some(name) = &input.name {
        group.name = valid::name(name)?;
    }
    if let Some(description) = &input.description {
        group.description = valid::description(description.as_deref())?;
    }
    group.position = input.position.unwrap_or(group.position);
    if group == before {
        return Ok(group);
    }
    store(write, &mut group, EventKind::ComponentGroupAmended).await?;
    Ok(group)
}

/// Takes a group off; its components stay on the page, without a group.
///
/// # Errors
/// `COMPONENT_GROUP_NOT_FOUND`, `STALE_VERSION`.
pub async fn remove(context: &Context, call: Call, input: Remove) -> Result<ComponentGroup> {
    transact(context, "componentGroupRemove", call, input, |write, input| {
        remove_in(write, input).boxed()
    })
    .await
}

async fn remove_in(write: &mut Write, input: Remove) -> Result<ComponentGroup> {
    let mut group = locked(write, input.group, "group").await?;
    valid::version(input.expected_version, group.version)?;
    component::leave_group(write, &group).await?;
    store(write, &mut group, EventKind::ComponentGroupRemoved).await?;
    Ok(group)
}

async fn store(write: &mut Write, group: &mut ComponentGroup, kind: EventKind) -> Result<()> {
    group.version += 1;
    group.updated_at = write.now();
    let removed = kind.removes().then_some(write.now());
    let row = component_group::Model::from_domain(group, removed)
        .into_active_model()
        .reset_all();
    component_group::Entity::update(row).exec(write.db()).await?;
    write.record(group.page, Event::of(kind, Subject::ComponentGroup(group.clone())));
    Ok(())
}

/// A group that is there, on a page that is there, locked until the transaction ends.
///
/// # Errors
/// `COMPONENT_GROUP_NOT_FOUND` at the field named.
pub(super) async fn locked(write: &Write, id: Uuid, field: &str) -> Result<ComponentGroup> {
    let found = component_group::Entity::find_by_id(id)
        .filter(component_group::Column::ArchivedAt.is_null())
        .lock(ROW_LOCK)
        .one(write.db())
        .await?;
    let Some(row) = found else {
        return Err(Refusal::NotFound(Thing::ComponentGroup).at([field]).into());
    };
    page::require(write, row.page_id, Thing::ComponentGroup, field).await?;
    Ok(row.into_domain())
}
