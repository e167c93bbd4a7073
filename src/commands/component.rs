//! Changing components.

mod place;

use futures_util::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Select};
use serde::Serialize;
use uuid::Uuid;

use super::transact::transact;
use super::{Call, Context, component_group, page, valid};
use crate::domain::component::{Component, ComponentStatus};
use crate::domain::event::{Event, EventKind, StatusMove, Subject};
use crate::domain::refusal::{Refusal, Thing};
use crate::domain::time::Timestamp;
use crate::domain::timeline::Change;
use crate::entity::{component, component_change};
use crate::error::{Error, Result};
use crate::store::{ROW_LOCK, Write};

pub use place::move_to;

use place::next_position;
pub(super) use place::{last_place, leave_group};

/// A component to be made.
#[derive(Clone, Debug, Serialize)]
pub struct Create {
    pub page: Uuid,
    pub group: Option<Uuid>,
    pub name: String,
    pub description: Option<String>,
    pub status: ComponentStatus,
    /// Where it stands among its siblings; after the last one unless given.
    pub position: Option<i32>,
    pub external_ref: Option<String>,
}

/// New values of a component; the outer `None` leaves a value as it is, the inner one removes it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Amend {
    pub component: Uuid,
    pub expected_version: Option<i32>,
    pub name: Option<String>,
    pub description: Option<Option<String>>,
}

/// A component to be put elsewhere.
#[derive(Clone, Debug, Serialize)]
pub struct Move {
    pub component: Uuid,
    pub expected_version: Option<i32>,
    /// The group to stand in: the outer `None` leaves it where it is, the inner one takes it out of its group.
    pub group: Option<Option<Uuid>>,
    /// How many siblings stand before it.
    pub position: Option<i32>,
}

/// A status to be set by itself, without an incident.
#[derive(Clone, Debug, Serialize)]
pub struct SetStatus {
    pub component: Uuid,
    pub expected_version: Option<i32>,
    pub status: ComponentStatus,
}

/// A component to be taken off.
#[derive(Clone, Debug, Serialize)]
pub struct Archive {
    pub component: Uuid,
    pub expected_version: Option<i32>,
}

/// Makes a component.
///
/// # Errors
/// `PAGE_NOT_FOUND`, `COMPONENT_GROUP_NOT_FOUND`, those of its texts.
pub async fn create(context: &Context, call: Call, input: Create) -> Result<Component> {
    transact(context, "componentCreate", call, input, |write, input| {
        create_in(write, input).boxed()
    })
    .await
}

async fn create_in(write: &mut Write, input: Create) -> Result<Component> {
    page::require(write, input.page, Thing::Page, "page").await?;
    check_group(write, input.page, input.group).await?;
    let position = match input.position {
        Some(position) => position,
        None => next_position(write, input.page, input.group).await?,
    };
    let component = Component {
        id: Uuid::now_v7(),
        page: input.page,
        group: input.group,
        name: valid::name(&input.name)?,
        description: valid::description(input.description.as_deref())?,
        position,
        status: input.status,
        external_ref: valid::external_ref(input.external_ref.as_deref())?,
        version: 1,
        created_at: write.now(),
        updated_at: write.now(),
    };
    insert(write, &component).await?;
    if component.status != ComponentStatus::Operational {
        insert_change(write, change(&component, ComponentStatus::Operational), write.now()).await?;
    }
    write.record(
        component.page,
        Event::of(EventKind::ComponentCreated, Subject::Component(component.clone())),
    );
    Ok(component)
}

/// Gives a component new values.
///
/// # Errors
/// `COMPONENT_NOT_FOUND`, `STALE_VERSION`, those of its texts.
pub async fn amend(context: &Context, call: Call, input: Amend) -> Result<Component> {
    transact(context, "componentAmend", call, input, |write, input| {
        amend_in(write, input).boxed()
    })
    .await
}

async fn amend_in(write: &mut Write, input: Amend) -> Result<Component> {
    let before = locked(write, input.component).await?;
    valid::version(input.expected_version, before.version)?;
    let mut component = before.clone();
    if let Some(name) = &input.name {
        component.name = valid::name(name)?;
    }
    if let Some(description) = &input.description {
        component.description = valid::description(description.as_deref())?;
    }
    if component != before {
        store(write, &mut component, EventKind::ComponentAmended).await?;
    }
    Ok(component)
}

/// Sets a component's status by itself, without an incident.
///
/// # Errors
/// `COMPONENT_NOT_FOUND`, `STALE_VERSION`.
pub async fn set_status(context: &Context, call: Call, input: SetStatus) -> Result<Component> {
    transact(context, "componentStatusSet", call, input, |write, input| {
        set_status_in(write, input).boxed()
    })
    .await
}

async fn set_status_in(write: &mut Write, input: SetStatus) -> Result<Component> {
    let mut component = locked(write, input.component).await?;
    valid::version(input.expected_version, component.version)?;
    let from = component.status;
    if from == input.status {
        return Ok(component);
    }
    component.status = input.status;
    component.version += 1;
    component.updated_at = write.now();
    update(write, &component, None).await?;
    insert_change(write, change(&component, from), write.now()).await?;
    let mut event = Event::of(EventKind::ComponentStatusChanged, Subject::Component(component.clone()));
    event.status_move = Some(StatusMove {
        from,
        to: component.status,
        cause: None,
    });
    write.record(component.page, event);
    Ok(component)
}

/// Takes a component off. Incidents keep naming it.
///
/// # Errors
/// `COMPONENT_NOT_FOUND`, `STALE_VERSION`.
pub async fn archive(context: &Context, call: Call, input: Archive) -> Result<Component> {
    transact(context, "componentArchive", call, input, |write, input| {
        archive_in(write, input).boxed()
    })
    .await
}

async fn archive_in(write: &mut Write, input: Archive) -> Result<Component> {
    let mut component = locked(write, input.component).await?;
    valid::version(input.expected_version, component.version)?;
    store(write, &mut component, EventKind::ComponentArchived).await?;
    Ok(component)
}

/// Stores a new component.
pub(super) async fn insert(write: &Write, component: &Component) -> Result<()> {
    let row = component::Model::from_domain(component, None)
        .into_active_model()
        .reset_all();
    component::Entity::insert(row)
        .exec_without_returning(write.db())
        .await?;
    Ok(())
}

async fn update(write: &Write, component: &Component, archived: Option<Timestamp>) -> Result<()> {
    let row = component::Model::from_domain(component, archived)
        .into_active_model()
        .reset_all();
    component::Entity::update(row).exec(write.db()).await?;
    Ok(())
}

async fn store(write: &mut Write, component: &mut Component, kind: EventKind) -> Result<()> {
    component.version += 1;
    component.updated_at = write.now();
    update(write, component, kind.removes().then_some(write.now())).await?;
    write.record(component.page, Event::of(kind, Subject::Component(component.clone())));
    Ok(())
}

/// Keeps that a component went from one status to another, with no update to say so.
pub(super) async fn insert_change(write: &Write, change: Change, at: Timestamp) -> Result<()> {
    let row = component_change::Model {
        id: Uuid::now_v7(),
        component_id: change.component,
        update_id: None,
        position: 0,
        from_status: change.from.as_str().to_owned(),
        to_status: change.to.as_str().to_owned(),
        at: at.millis(),
    };
    component_change::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(write.db())
        .await?;
    Ok(())
}

fn change(component: &Component, from: ComponentStatus) -> Change {
    Change {
        component: component.id,
        from,
        to: component.status,
    }
}

async fn check_group(write: &Write, page: Uuid, group: Option<Uuid>) -> Result<()> {
    let Some(id) = group else {
        return Ok(());
    };
    let found = component_group::locked(write, id, "group").await?;
    if found.page == page {
        Ok(())
    } else {
        Err(Refusal::NotFound(Thing::ComponentGroup).at(["group"]).into())
    }
}

/// A component that is there, locked until the transaction ends.
async fn locked(write: &Write, id: Uuid) -> Result<Component> {
    find(write, component::Entity::find_by_id(id).lock(ROW_LOCK)).await
}

/// A component that is there, not locked: for those who lock more than one.
async fn present(write: &Write, id: Uuid) -> Result<Component> {
    find(write, component::Entity::find_by_id(id)).await
}

async fn find(write: &Write, by_id: Select<component::Entity>) -> Result<Component> {
    let found = by_id
        .filter(component::Column::ArchivedAt.is_null())
        .one(write.db())
        .await?;
    let Some(row) = found else {
        return Err(not_found());
    };
    page::require(write, row.page_id, Thing::Component, "component").await?;
    row.into_domain()
}

fn not_found() -> Error {
    Refusal::NotFound(Thing::Component).at(["component"]).into()
}
