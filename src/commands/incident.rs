//! Changing incidents and their timelines.

mod amend;
mod backfill;
mod changed;
mod publish;

use std::collections::HashSet;

use futures_util::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use uuid::Uuid;

use super::affected::{Locked, check_list, components};
use super::transact::transact;
use super::{Call, Context, page, valid};
use crate::domain::audience::Audience;
use crate::domain::event::EventKind;
use crate::domain::impact::Impact;
use crate::domain::incident::{Incident, IncidentStatus, Opening};
use crate::domain::refusal::{Refusal, Thing};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{Change, Edit, Post};
use crate::entity::{self, incident};
use crate::error::{Error, Result};
use crate::store::{ROW_LOCK, Write};

pub use super::affected::ComponentState;
pub use amend::{Amend, amend};
pub use backfill::{Backfill, BackfillUpdate, backfill};
pub use changed::Changed;
pub(super) use changed::{record, save, unchanged};
pub use publish::{Publish, PublishUpdate, publish, publish_update};

/// An incident to be opened.
#[derive(Clone, Debug, Serialize)]
pub struct Open {
    pub page: Uuid,
    pub title: String,
    pub status: IncidentStatus,
    pub body: String,
    pub display_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub components: Vec<ComponentState>,
    pub impact_override: Option<Impact>,
    pub external_ref: Option<String>,
    pub metadata: Option<serde_json::Value>,
    /// Who sees it at all.
    pub audience: Audience,
}

/// An update to be posted.
#[derive(Clone, Debug, Serialize)]
pub struct PostUpdate {
    pub incident: Uuid,
    pub expected_version: Option<i32>,
    /// The status it has then; as it is unless given.
    pub status: Option<IncidentStatus>,
    pub body: String,
    pub display_at: Option<Timestamp>,
    pub components: Vec<ComponentState>,
    /// Who sees it.
    pub audience: Audience,
}

/// A text or time of an update to be replaced.
#[derive(Clone, Debug, Serialize)]
pub struct EditUpdate {
    pub update: Uuid,
    pub expected_version: Option<i32>,
    pub body: Option<String>,
    pub display_at: Option<Timestamp>,
}

/// A resolved incident to be opened again.
#[derive(Clone, Debug, Serialize)]
pub struct Reopen {
    pub incident: Uuid,
    pub expected_version: Option<i32>,
    pub status: IncidentStatus,
    pub reason: String,
    pub display_at: Option<Timestamp>,
    pub components: Vec<ComponentState>,
}

/// Opens an incident. Where one with this external reference is open on the page, that one is returned as it is.
///
/// # Errors
/// `PAGE_NOT_FOUND`, `COMPONENT_NOT_FOUND`, `DUPLICATE_COMPONENT`, `ILLEGAL_TRANSITION`, `UPDATE_BEFORE_START`,
/// `TIME_IN_FUTURE`, those of its texts.
pub async fn open(context: &Context, call: Call, input: Open) -> Result<Changed> {
    let again = input.clone();
    let opened = transact(context, "incidentOpen", call.clone(), input, |write, input| {
        open_in(write, input).boxed()
    });
    match opened.await {
        // Another node opened one with this reference at the same moment: now it can be seen.
        Err(error) if error.is_duplicate() => {
            transact(context, "incidentOpen", call, again, |write, input| {
                open_in(write, input).boxed()
            })
            .await
        }
        other => other,
    }
}

async fn open_in(write: &mut Write, input: Open) -> Result<Changed> {
    page::require(write, input.page, Thing::Page, "page").await?;
    let external_ref = valid::external_ref(input.external_ref.as_deref())?;
    if let Some(known) = open_with_ref(write, input.page, external_ref.as_deref()).await? {
        let components = components(write, affected_ids(&known)).await?;
        return Ok(Changed {
            incident: known,
            components,
            update: None,
        });
    }
    check_moves_nothing(input.audience, &input.components)?;
    check_list(input.components.iter().map(|state| state.component))?;
    let locked = Locked::lock(write, input.page, input.components.iter().map(|state| state.component)).await?;
    let changes = locked.changes(&input.components)?;
    let now = write.now();
    // Now, also for one that began before: but never before it began.
    let display_at = input
        .display_at
        .unwrap_or_else(|| input.started_at.map_or(now, |start| start.max(now)));
    let opening = Opening {
        id: Uuid::now_v7(),
        page: input.page,
        title: valid::title(&input.title)?,
        impact_override: input.impact_override,
        started_at: input.started_at.unwrap_or(display_at),
        external_ref,
        metadata: valid::metadata(input.metadata)?,
        audience: input.audience,
        first: post(input.status, valid::body(&input.body)?, display_at, changes.clone()),
    };
    let update = opening.first.id;
    let opened = Incident::open(opening, now).map_err(|refused| match refused.field.as_slice() {
        // One that was given no start begins at the time shown.
        [field] if field == "startedAt" && input.started_at.is_none() => refused.why.at(["displayAt"]),
        _ => refused,
    })?;
    incident::insert(write.changes(), &opened)?;
    record(
        write,
        EventKind::IncidentOpened,
        opened,
        Some(update),
        (locked, &changes),
    )
    .await
}

/// Posts an update, which may move the incident and set components. One that resolves returns the components it does
/// not name to operational.
///
/// # Errors
/// `INCIDENT_NOT_FOUND`, `STALE_VERSION`, `ILLEGAL_TRANSITION`, `COMPONENT_NOT_FOUND`, `DUPLICATE_COMPONENT`,
/// `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`, `TOO_MANY_UPDATES`, those of its texts.
pub async fn post_update(context: &Context, call: Call, input: PostUpdate) -> Result<Changed> {
    let action = if input.status == Some(IncidentStatus::Resolved) {
        "incidentResolve"
    } else {
        "incidentUpdatePost"
    };
    transact(context, action, call, input, |write, input| {
        post_update_in(write, input).boxed()
    })
    .await
}

async fn post_update_in(write: &mut Write, input: PostUpdate) -> Result<Changed> {
    let before = locked(write, input.incident).await?;
    valid::version(input.expected_version, before.version)?;
    check_moves_nothing(before.audience.max(input.audience), &input.components)?;
    check_list(input.components.iter().map(|state| state.component))?;
    let status = input.status.unwrap_or(before.status);
    let kind = match status {
        IncidentStatus::Resolved if input.audience == Audience::Public => EventKind::IncidentResolved,
        _ => EventKind::IncidentUpdatePosted,
    };
    let named = input
        .components
        .iter()
        .map(|state| state.component)
        .chain(affected_ids(&before));
    let locked = Locked::lock(write, before.page, named).await?;
    let mut changes = locked.changes(&input.components)?;
    if kind == EventKind::IncidentResolved {
        let named: Vec<_> = input
            .components
            .iter()
            .map(|state| (state.component, state.status))
            .collect();
        changes = before.resolving_changes(&named, |id| locked.status(id));
    }
    let at = input.display_at.unwrap_or(write.now());
    let post = post(status, valid::body(&input.body)?, at, changes.clone());
    let update = post.id;
    let mut after = before.clone();
    match input.audience {
        Audience::Public => after.post(post, write.now())?,
        Audience::Staff => after.note(post, write.now())?,
    }
    incident::save(write.changes(), &before, &after)?;
    record(write, kind, after, Some(update), (locked, &changes)).await
}

/// Replaces an update's text or time; the earlier ones are kept as a revision.
///
/// # Errors
/// `INCIDENT_UPDATE_NOT_FOUND`, `STALE_VERSION`, `UPDATE_IS_POSTMORTEM`, `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`,
/// those of its texts.
pub async fn edit_update(context: &Context, call: Call, input: EditUpdate) -> Result<Changed> {
    transact(context, "incidentUpdateEdit", call, input, |write, input| {
        edit_update_in(write, input).boxed()
    })
    .await
}

async fn edit_update_in(write: &mut Write, input: EditUpdate) -> Result<Changed> {
    let before = locked_with(write, input.update).await?;
    valid::version(input.expected_version, before.version)?;
    let body = input.body.as_deref().map(valid::body).transpose()?;
    let mut after = before.clone();
    if !after.edit(
        input.update,
        Edit {
            body,
            display_at: input.display_at,
        },
        write.now(),
    )? {
        return unchanged(write, after, Some(input.update)).await;
    }
    save(
        write,
        EventKind::IncidentUpdateEdited,
        &before,
        after,
        Some(input.update),
    )
    .await
}

/// Opens a resolved incident again, with the reason as an update.
///
/// # Errors
/// `INCIDENT_NOT_FOUND`, `STALE_VERSION`, `ILLEGAL_TRANSITION`, and those of [`post_update`].
pub async fn reopen(context: &Context, call: Call, input: Reopen) -> Result<Changed> {
    let again = transact(context, "incidentReopen", call, input, |write, input| {
        reopen_in(write, input).boxed()
    });
    again.await.map_err(|error| ref_taken(error, "incident"))
}

async fn reopen_in(write: &mut Write, input: Reopen) -> Result<Changed> {
    let before = locked(write, input.incident).await?;
    valid::version(input.expected_version, before.version)?;
    check_moves_nothing(before.audience, &input.components)?;
    check_list(input.components.iter().map(|state| state.component))?;
    let locked = Locked::lock(write, before.page, input.components.iter().map(|state| state.component)).await?;
    let changes = locked.changes(&input.components)?;
    let at = input.display_at.unwrap_or(write.now());
    let post = post(
        input.status,
        valid::body_of("reason", &input.reason)?,
        at,
        changes.clone(),
    );
    let update = post.id;
    let mut after = before.clone();
    after.reopen(post, write.now())?;
    incident::save(write.changes(), &before, &after)?;
    record(
        write,
        EventKind::IncidentReopened,
        after,
        Some(update),
        (locked, &changes),
    )
    .await
}

/// An incident that is there, on a page that is there, locked until the transaction ends.
///
/// # Errors
/// `INCIDENT_NOT_FOUND`.
pub(super) async fn locked(write: &Write, id: Uuid) -> Result<Incident> {
    let not_found = || Refusal::NotFound(Thing::Incident).at(["incident"]);
    let found = incident::find_locked(write.db(), id, ROW_LOCK).await?;
    let (found, visibility) = found.ok_or_else(not_found)?;
    page::admit(write, found.page, visibility, not_found())?;
    Ok(found)
}

/// The incident of an update, as [`locked`] gives it. Where either is not there: `INCIDENT_UPDATE_NOT_FOUND`.
async fn locked_with(write: &Write, update: Uuid) -> Result<Incident> {
    let not_found = || Refusal::NotFound(Thing::IncidentUpdate).at(["update"]);
    let owner = entity::timeline::owner(write.db(), update).await?;
    match locked(write, owner.ok_or_else(not_found)?).await {
        Err(Error::Refused(_)) => Err(not_found().into()),
        other => other,
    }
}

fn affected_ids(incident: &Incident) -> HashSet<Uuid> {
    incident
        .affected()
        .into_iter()
        .map(|affected| affected.component)
        .collect()
}

async fn open_with_ref(write: &Write, page: Uuid, external_ref: Option<&str>) -> Result<Option<Incident>> {
    let Some(external_ref) = external_ref else {
        return Ok(None);
    };
    let open = IncidentStatus::ALL
        .iter()
        .filter(|status| status.is_open())
        .map(|status| status.as_str());
    let rows = incident::Entity::find()
        .filter(incident::Column::PageId.eq(page))
        .filter(incident::Column::ExternalRef.eq(external_ref))
        .filter(incident::Column::Status.is_in(open))
        .all(write.db())
        .await?;
    Ok(incident::load(write.db(), rows).await?.pop())
}

fn post(status: IncidentStatus, body: String, display_at: Timestamp, changes: Vec<Change>) -> Post<IncidentStatus> {
    Post {
        id: Uuid::now_v7(),
        status,
        body,
        display_at,
        changes,
        external_ref: None,
        audience: Audience::Public,
    }
}

/// Refuses to move components for what only the staff sees: the public would see them move, and wonder why.
fn check_moves_nothing(audience: Audience, components: &[ComponentState]) -> Result<()> {
    match audience == Audience::Staff && !components.is_empty() {
        true => Err(Refusal::StaffOnly.at(["components"]).into()),
        false => Ok(()),
    }
}

fn ref_taken(error: Error, field: &str) -> Error {
    if error.is_duplicate() {
        Refusal::ExternalRefTaken.at([field]).into()
    } else {
        error
    }
}
