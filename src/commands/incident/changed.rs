//! What a command makes of an incident: kept, put into the log, and handed back.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::affected_ids;
use crate::commands::affected::{self, Locked, components};
use crate::domain::component::Component;
use crate::domain::event::{Event, EventKind, Subject};
use crate::domain::incident::Incident;
use crate::domain::timeline::Change;
use crate::entity::incident;
use crate::error::Result;
use crate::store::Write;

/// An incident after a command, with the components it affects and the update that was posted or edited.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changed {
    pub incident: Incident,
    pub components: Vec<Component>,
    pub update: Option<Uuid>,
}

/// Keeps what became of an incident whose components stay as they are, and puts it into the log.
pub(in crate::commands) async fn save(
    write: &mut Write,
    kind: EventKind,
    before: &Incident,
    after: Incident,
    update: Option<Uuid>,
) -> Result<Changed> {
    incident::save(write.changes(), before, &after)?;
    record(write, kind, after, update, (Locked::default(), &[])).await
}

/// Puts what became of an incident into the log, and after it what became of its components.
pub(in crate::commands) async fn record(
    write: &mut Write,
    kind: EventKind,
    incident: Incident,
    update: Option<Uuid>,
    moves: (Locked, &[Change]),
) -> Result<Changed> {
    let mut event = Event::of(kind, Subject::Incident(incident.clone()));
    event.update = update;
    let components = affected::record(write, incident.page, event, affected_ids(&incident), moves).await?;
    Ok(Changed {
        incident,
        components,
        update,
    })
}

pub(in crate::commands) async fn unchanged(write: &Write, incident: Incident, update: Option<Uuid>) -> Result<Changed> {
    let components = components(write, affected_ids(&incident)).await?;
    Ok(Changed {
        incident,
        components,
        update,
    })
}
