//! Showing to the public what only the staff saw.

use futures_util::FutureExt;
use serde::Serialize;
use uuid::Uuid;

use super::{Changed, locked, locked_with, save, unchanged};
use crate::commands::transact::transact;
use crate::commands::{Call, Context, valid};
use crate::domain::event::EventKind;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::store::Write;

/// An incident to be shown to the public.
#[derive(Clone, Debug, Serialize)]
pub struct Publish {
    pub incident: Uuid,
    pub expected_version: Option<i32>,
}

/// A note among the staff to be said to the public.
#[derive(Clone, Debug, Serialize)]
pub struct PublishUpdate {
    pub update: Uuid,
    pub expected_version: Option<i32>,
    /// The time shown; now unless given.
    pub display_at: Option<Timestamp>,
}

/// Shows a whole incident to the public, with its timeline but for the notes. One that it sees already stays as it is.
///
/// # Errors
/// `INCIDENT_NOT_FOUND`, `STALE_VERSION`.
pub async fn publish(context: &Context, call: Call, input: Publish) -> Result<Changed> {
    transact(context, "incidentPublish", call, input, |write, input| {
        publish_in(write, input).boxed()
    })
    .await
}

async fn publish_in(write: &mut Write, input: Publish) -> Result<Changed> {
    let before = locked(write, input.incident).await?;
    valid::version(input.expected_version, before.version)?;
    let mut after = before.clone();
    if !after.publish(write.now()) {
        return unchanged(write, after, None).await;
    }
    save(write, EventKind::IncidentPublished, &before, after, None).await
}

/// Says to the public what was a note among the staff, as an update of now.
///
/// # Errors
/// `INCIDENT_UPDATE_NOT_FOUND`, `STALE_VERSION`, `ILLEGAL_TRANSITION` where nothing more can be said of the incident,
/// `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
pub async fn publish_update(context: &Context, call: Call, input: PublishUpdate) -> Result<Changed> {
    transact(context, "incidentUpdatePublish", call, input, |write, input| {
        publish_update_in(write, input).boxed()
    })
    .await
}

async fn publish_update_in(write: &mut Write, input: PublishUpdate) -> Result<Changed> {
    let before = locked_with(write, input.update).await?;
    valid::version(input.expected_version, before.version)?;
    let mut after = before.clone();
    let (update, now) = (Uuid::now_v7(), write.now());
    after.publish_note(input.update, update, input.display_at.unwrap_or(now), now)?;
    save(write, EventKind::IncidentUpdatePosted, &before, after, Some(update)).await
}
