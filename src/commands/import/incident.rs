//! Taking over incidents, each with its whole timeline.

use std::collections::HashMap;

use futures_util::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{Import, Outcome, Record, Told, newer, timeline};
use crate::commands::affected::Locked;
use crate::commands::transact::transact;
use crate::commands::{Call, incident as incidents, page, valid};
use crate::domain::audience::Audience;
use crate::domain::event::EventKind;
use crate::domain::incident::{Incident, IncidentStatus, Postmortem};
use crate::domain::refusal::Refused;
use crate::domain::time::Timestamp;
use crate::domain::timeline::{check_not_ahead, peak};
use crate::entity::incident;
use crate::error::Result;
use crate::statuspage::{self, Kind};
use crate::store::Write;

impl Import<'_> {
    pub(super) async fn incident(&mut self, captured: &statuspage::Incident) -> Result<()> {
        let record = Record {
            file: captured.file,
            kind: Kind::Incident,
            id: &captured.id,
        };
        let now = self.context.app.clock.now();
        let result = match as_it_was(captured, self.page, &self.components, now) {
            Ok((incident, notes)) => {
                let notes = captured.notes.iter().cloned().chain(notes).collect();
                let told = Told::of(&incident.updates, notes);
                let take = transact(
                    self.context,
                    "importIncident",
                    Call::PLAIN,
                    incident,
                    |write, incident| take(write, incident).boxed(),
                );
                take.await.map(|outcome| (outcome, told))
            }
            Err(refused) => Err(refused.into()),
        };
        if let Some((outcome, told)) = self.outcome(record, result)? {
            self.told(record, outcome, told);
        }
        Ok(())
    }
}

/// The incident a capture tells of, with every instant as it was, and remarks on what was left out. It goes through
/// none of the lifecycle's checks of time and order: real ones begin after their first update and resolve before they
/// begin (DOMAIN.md, 9).
fn as_it_was(
    captured: &statuspage::Incident,
    page: Uuid,
    components: &HashMap<String, Uuid>,
    now: Timestamp,
) -> Result<(Incident, Vec<String>), Refused> {
    let instants = [
        ("startedAt", Some(captured.started_at)),
        ("monitoringAt", captured.monitoring_at),
        ("resolvedAt", captured.resolved_at),
    ];
    for (field, at) in instants {
        at.map_or(Ok(()), |at| check_not_ahead(at, now))
            .map_err(|refusal| refusal.at([field]))?;
    }
    let (updates, notes) = timeline(&captured.updates, components, now)?;
    let peak_impact = peak(&updates);
    let postmortem = updates
        .iter()
        .rfind(|update| update.status == IncidentStatus::Postmortem)
        .filter(|_| captured.status == IncidentStatus::Postmortem)
        .map(|update| Postmortem {
            draft: None,
            published: Some(update.body.clone()),
            published_at: Some(update.display_at),
            updated_at: update.edited_at.unwrap_or(update.created_at),
        });
    let incident = Incident {
        id: Uuid::now_v7(),
        page,
        title: valid::title(&captured.title)?,
        status: captured.status,
        peak_impact,
        impact_override: captured.impact.filter(|impact| *impact != peak_impact),
        started_at: captured.started_at,
        monitoring_at: captured.monitoring_at,
        resolved_at: captured.resolved_at,
        external_ref: valid::external_ref(Some(&captured.id))?,
        metadata: None,
        backfilled: !captured.status.is_open(),
        version: 1,
        created_at: captured.created_at,
        updated_at: captured.updated_at,
        updates,
        postmortem,
        audience: Audience::Public,
        told: None,
    };
    Ok((incident, notes))
}

async fn take(write: &mut Write, taken: Incident) -> Result<Outcome> {
    page::locked(write, taken.page).await?;
    let known = incident::Entity::find()
        .filter(incident::Column::PageId.eq(taken.page))
        .filter(incident::Column::ExternalRef.eq(taken.external_ref.clone()))
        .order_by_asc(incident::Column::Id)
        .one(write.db())
        .await?;
    if let Some(known) = incident::load(write.db(), known.into_iter().collect()).await?.pop() {
        return Ok(Outcome::known(Some(known.id), newer(&taken.updates, &known.updates)));
    }
    incident::insert(write.changes(), &taken)?;
    let id = taken.id;
    let (kind, update) = if taken.status.is_open() {
        (EventKind::IncidentOpened, taken.updates.last().map(|update| update.id))
    } else {
        (EventKind::IncidentBackfilled, None)
    };
    incidents::record(write, kind, taken, update, (Locked::default(), &[])).await?;
    Ok(Outcome::taken(id))
}
