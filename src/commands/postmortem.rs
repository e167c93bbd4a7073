//! Writing postmortems: drafting, publishing, taking back.

use futures_util::FutureExt;
use serde::Serialize;
use uuid::Uuid;

use super::incident::{Changed, locked, save};
use super::transact::transact;
use super::{Call, Context, valid};
use crate::domain::event::EventKind;
use crate::domain::incident::IncidentStatus;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::store::Write;

/// A text to be kept for the staff.
#[derive(Clone, Debug, Serialize)]
pub struct Draft {
    pub incident: Uuid,
    pub body: String,
}

/// A draft to be published.
#[derive(Clone, Debug, Serialize)]
pub struct Publish {
    pub incident: Uuid,
    pub expected_version: Option<i32>,
    /// The time shown; now unless given.
    pub display_at: Option<Timestamp>,
}

/// A postmortem to be taken back.
#[derive(Clone, Debug, Serialize)]
pub struct Withdraw {
    pub incident: Uuid,
    pub expected_version: Option<i32>,
}

/// Keeps a draft, which the staff alone can see.
///
/// # Errors
/// `INCIDENT_NOT_FOUND`, `ILLEGAL_TRANSITION` while the incident is open, those of its text.
pub async fn draft(context: &Context, call: Call, input: Draft) -> Result<Changed> {
    transact(context, "postmortemDraft", call, input, |write, input| {
        draft_in(write, input).boxed()
    })
    .await
}

async fn draft_in(write: &mut Write, input: Draft) -> Result<Changed> {
    let before = locked(write, input.incident).await?;
    let mut after = before.clone();
    after.draft_postmortem(valid::body(&input.body)?, write.now())?;
    save(write, EventKind::PostmortemDrafted, &before, after, None).await
}

/// Publishes the draft as the last entry of the timeline, or revises what is published.
///
/// # Errors
/// `INCIDENT_NOT_FOUND`, `POSTMORTEM_NOT_FOUND` without a draft, `STALE_VERSION`, `ILLEGAL_TRANSITION`,
/// `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
pub async fn publish(context: &Context, call: Call, input: Publish) -> Result<Changed> {
    transact(context, "postmortemPublish", call, input, |write, input| {
        publish_in(write, input).boxed()
    })
    .await
}

async fn publish_in(write: &mut Write, input: Publish) -> Result<Changed> {
    let before = locked(write, input.incident).await?;
    valid::version(input.expected_version, before.version)?;
    let mut after = before.clone();
    after.publish_postmortem(Uuid::now_v7(), input.display_at.unwrap_or(write.now()), write.now())?;
    let entry = after
        .updates
        .iter()
        .find(|update| update.status == IncidentStatus::Postmortem)
        .map(|entry| entry.id);
    save(write, EventKind::PostmortemPublished, &before, after, entry).await
}

/// Takes the published postmortem back: its text becomes the draft again, the incident is resolved as before.
///
/// # Errors
/// `INCIDENT_NOT_FOUND`, `POSTMORTEM_NOT_FOUND` where none is published, `STALE_VERSION`.
pub async fn withdraw(context: &Context, call: Call, input: Withdraw) -> Result<Changed> {
    transact(context, "postmortemWithdraw", call, input, |write, input| {
        withdraw_in(write, input).boxed()
    })
    .await
}

async fn withdraw_in(write: &mut Write, input: Withdraw) -> Result<Changed> {
    let before = locked(write, input.incident).await?;
    valid::version(input.expected_version, before.version)?;
    let mut after = before.clone();
    after.withdraw_postmortem(write.now())?;
    save(write, EventKind::PostmortemWithdrawn, &before, after, None).await
}
