//! Giving an incident new values.

use futures_util::FutureExt;
use serde::Serialize;
use uuid::Uuid;

use super::{Changed, locked, ref_taken, save, unchanged};
use crate::commands::transact::transact;
use crate::commands::{Call, Context, valid};
use crate::domain::event::EventKind;
use crate::domain::impact::Impact;
use crate::domain::incident::Amendment;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::store::Write;

/// New values of an incident; the outer `None` leaves a value as it is, the inner one removes it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Amend {
    pub incident: Uuid,
    pub expected_version: Option<i32>,
    pub title: Option<String>,
    pub impact_override: Option<Option<Impact>>,
    pub started_at: Option<Timestamp>,
    pub external_ref: Option<Option<String>>,
    pub metadata: Option<Option<serde_json::Value>>,
}

/// Gives an incident new values.
///
/// # Errors
/// `INCIDENT_NOT_FOUND`, `STALE_VERSION`, `EXTERNAL_REF_TAKEN`, `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`, those of its
/// texts.
pub async fn amend(context: &Context, call: Call, input: Amend) -> Result<Changed> {
    let amended = transact(context, "incidentAmend", call, input, |write, input| {
        amend_in(write, input).boxed()
    });
    amended.await.map_err(|error| ref_taken(error, "externalRef"))
}

async fn amend_in(write: &mut Write, input: Amend) -> Result<Changed> {
    let before = locked(write, input.incident).await?;
    valid::version(input.expected_version, before.version)?;
    let amendment = Amendment {
        title: input.title.as_deref().map(valid::title).transpose()?,
        impact_override: input.impact_override,
        started_at: input.started_at,
        external_ref: input
            .external_ref
            .map(|new| valid::external_ref(new.as_deref()))
            .transpose()?,
        metadata: input.metadata.map(valid::metadata).transpose()?,
    };
    let mut after = before.clone();
    if !after.amend(amendment, write.now())? {
        return unchanged(write, after, None).await;
    }
    save(write, EventKind::IncidentAmended, &before, after, None).await
}
