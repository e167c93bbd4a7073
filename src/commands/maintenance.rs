//! Changing maintenances, and moving those whose time has come.

mod automation;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::affected::{self, ComponentState, Locked, check_list, components};
use super::transact::transact;
use super::{Call, Context, component, page, valid};
use crate::domain::audience::Audience;
use crate::domain::component::Component;
use crate::domain::event::{Event, EventKind, Subject};
use crate::domain::maintenance::{Amendment, Maintenance, MaintenanceStatus, Scheduling};
use crate::domain::refusal::{Refusal, Refused, Thing};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{Change, Post};
use crate::entity::maintenance;
use crate::error::Result;
use crate::store::{ROW_LOCK, Write};

pub use automation::run_due;

/// A maintenance after a command, with the components it is going to affect and the update that was posted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changed {
    pub maintenance: Maintenance,
    pub components: Vec<Component>,
    pub update: Option<Uuid>,
}

/// A maintenance to be announced.
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    pub page: Uuid,
    pub title: String,
    pub body: String,
    pub scheduled_for: Timestamp,
    pub scheduled_until: Timestamp,
    pub automatic: bool,
    pub components: Vec<Uuid>,
    pub external_ref: Option<String>,
    /// When it was announced; now unless given.
    pub display_at: Option<Timestamp>,
}

/// New values of a maintenance; what is `None` stays.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Amend {
    pub maintenance: Uuid,
    pub expected_version: Option<i32>,
    pub title: Option<String>,
    pub scheduled_for: Option<Timestamp>,
    pub scheduled_until: Option<Timestamp>,
    pub automatic: Option<bool>,
    pub components: Option<Vec<Uuid>>,
}

/// An update to be posted.
#[derive(Clone, Debug, Serialize)]
pub struct PostUpdate {
    pub maintenance: Uuid,
    pub expected_version: Option<i32>,
    /// The status it has then; as it is unless given.
    pub status: Option<MaintenanceStatus>,
    pub body: String,
    pub display_at: Option<Timestamp>,
    /// What the update says of components beside what the move does to them.
    pub components: Vec<ComponentState>,
}

/// Announces a maintenance.
///
/// # Errors
/// `PAGE_NOT_FOUND`, `COMPONENT_NOT_FOUND`, `DUPLICATE_COMPONENT`, `INVALID_WINDOW`, `TIME_IN_FUTURE`, those of its
/// texts.
pub async fn schedule(context: &Context, call: Call, input: Schedule) -> Result<Changed> {
    transact(context, "maintenanceSchedule", call, input, |write, input| {
        schedule_in(write, input).boxed()
    })
    .await
}

async fn schedule_in(write: &mut Write, input: Schedule) -> Result<Changed> {
    page::require(write, input.page, Thing::Page, "page").await?;
    check_components(write, input.page, &input.components, &[]).await?;
    let scheduling = Scheduling {
        id: Uuid::now_v7(),
        page: input.page,
        title: valid::title(&input.title)?,
        scheduled_for: input.scheduled_for,
        scheduled_until: input.scheduled_until,
        automatic: input.automatic,
        components: input.components,
        external_ref: valid::external_ref(input.external_ref.as_deref())?,
        first: Post {
            id: Uuid::now_v7(),
            status: MaintenanceStatus::Scheduled,
            body: valid::body(&input.body)?,
            display_at: input.display_at.unwrap_or(write.now()),
            changes: Vec::new(),
            external_ref: None,
            audience: Audience::Public,
        },
    };
    let update = scheduling.first.id;
    let scheduled = Maintenance::schedule(scheduling, write.now())?;
    maintenance::insert(write.changes(), &scheduled)?;
    record(
        write,
        EventKind::MaintenanceScheduled,
        scheduled,
        Some(update),
        (Locked::default(), &[]),
    )
    .await
}

/// Gives a maintenance new values.
///
/// # Errors
/// `MAINTENANCE_NOT_FOUND`, `STALE_VERSION`, `ILLEGAL_TRANSITION` once it is over, and those of [`schedule`].
pub async fn amend(context: &Context, call: Call, input: Amend) -> Result<Changed> {
    transact(context, "maintenanceAmend", call, input, |write, input| {
        amend_in(write, input).boxed()
    })
    .await
}

async fn amend_in(write: &mut Write, input: Amend) -> Result<Changed> {
    let before = locked(write, input.maintenance).await?;
    valid::version(input.expected_version, before.version)?;
    let named = input.components.as_deref().unwrap_or_default();
    let locked = check_components(write, before.page, named, &before.components).await?;
    let amendment = Amendment {
        title: input.title.as_deref().map(valid::title).transpose()?,
        scheduled_for: input.scheduled_for,
        scheduled_until: input.scheduled_until,
        automatic: input.automatic,
        components: input.components,
    };
    let mut after = before.clone();
    if !after.amend(amendment, write.now())? {
        return unchanged(write, after, None).await;
    }
    maintenance::save(write.changes(), &before, &after)?;
    let changes = after.amending_changes(&before.components, |id| locked.status(id));
    for change in &changes {
        component::insert_change(write, *change, write.now()).await?;
    }
    record(write, EventKind::MaintenanceAmended, after, None, (locked, &changes)).await
}

/// Posts an update, which may move the maintenance. Beginning puts its components under maintenance, completing puts
/// them back.
///
/// # Errors
/// `MAINTENANCE_NOT_FOUND`, `STALE_VERSION`, `ILLEGAL_TRANSITION`, `COMPONENT_NOT_FOUND`, `DUPLICATE_COMPONENT`,
/// `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`, those of its texts.
pub async fn post_update(context: &Context, call: Call, input: PostUpdate) -> Result<Changed> {
    let action = match input.status {
        Some(MaintenanceStatus::InProgress) => "maintenanceStart",
        Some(MaintenanceStatus::Completed) => "maintenanceComplete",
        Some(MaintenanceStatus::Cancelled) => "maintenanceCancel",
        _ => "maintenanceUpdatePost",
    };
    transact(context, action, call, input, |write, input| {
        post_update_in(write, input).boxed()
    })
    .await
}

async fn post_update_in(write: &mut Write, input: PostUpdate) -> Result<Changed> {
    let before = locked(write, input.maintenance).await?;
    valid::version(input.expected_version, before.version)?;
    check_list(input.components.iter().map(|state| state.component))?;
    let status = input.status.unwrap_or(before.status);
    let kind = match status {
        MaintenanceStatus::Completed => EventKind::MaintenanceCompleted,
        MaintenanceStatus::Cancelled => EventKind::MaintenanceCancelled,
        _ if status.is_active() && !before.status.is_active() => EventKind::MaintenanceStarted,
        _ => EventKind::MaintenanceUpdatePosted,
    };
    let named = input
        .components
        .iter()
        .map(|state| state.component)
        .chain(before.components.iter().copied());
    let locked = Locked::lock(write, before.page, named).await?;
    let mut changes = locked.changes(&input.components)?;
    let moving = before.moving_changes(status, |id| locked.status(id));
    changes.extend(
        moving
            .into_iter()
            .filter(|change| input.components.iter().all(|state| state.component != change.component)),
    );
    let post = Post {
        id: Uuid::now_v7(),
        status,
        body: valid::body(&input.body)?,
        display_at: input.display_at.unwrap_or(write.now()),
        changes: changes.clone(),
        external_ref: None,
        audience: Audience::Public,
    };
    let update = post.id;
    let mut after = before.clone();
    after.post(post, write.now())?;
    maintenance::save(write.changes(), &before, &after)?;
    record(write, kind, after, Some(update), (locked, &changes)).await
}

/// A maintenance that is there, on a page that is there, locked until the transaction ends.
async fn locked(write: &Write, id: Uuid) -> Result<Maintenance> {
    let not_found = || Refusal::NotFound(Thing::Maintenance).at(["maintenance"]);
    let found = maintenance::find_locked(write.db(), id, ROW_LOCK).await?;
    let (found, visibility) = found.ok_or_else(not_found)?;
    page::admit(write, found.page, visibility, not_found())?;
    Ok(found)
}

/// Checks the components a call names, and locks them together with those the maintenance has already.
async fn check_components(write: &Write, page: Uuid, named: &[Uuid], known: &[Uuid]) -> Result<Locked> {
    let list = |refused: Refused| Refused {
        field: refused.field.into_iter().take(2).collect(),
        why: refused.why,
    };
    check_list(named.iter().copied()).map_err(list)?;
    let locked = Locked::lock(write, page, named.iter().chain(known).copied()).await?;
    locked.require(named.iter().copied()).map_err(list)?;
    Ok(locked)
}

/// Puts what became of a maintenance into the log, and after it what became of its components.
pub(super) async fn record(
    write: &mut Write,
    kind: EventKind,
    maintenance: Maintenance,
    update: Option<Uuid>,
    moves: (Locked, &[Change]),
) -> Result<Changed> {
    let mut event = Event::of(kind, Subject::Maintenance(maintenance.clone()));
    event.update = update;
    let components = affected::record(
        write,
        maintenance.page,
        event,
        maintenance.components.iter().copied(),
        moves,
    )
    .await?;
    Ok(Changed {
        maintenance,
        components,
        update,
    })
}

async fn unchanged(write: &Write, maintenance: Maintenance, update: Option<Uuid>) -> Result<Changed> {
    let components = components(write, maintenance.components.iter().copied()).await?;
    Ok(Changed {
        maintenance,
        components,
        update,
    })
}
