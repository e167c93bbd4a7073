//! Taking over maintenances, each with its whole timeline.

use std::collections::HashMap;

use futures_util::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{Import, Outcome, Record, Told, newer, timeline};
use crate::commands::affected::Locked;
use crate::commands::transact::transact;
use crate::commands::{Call, maintenance as maintenances, page, valid};
use crate::domain::event::EventKind;
use crate::domain::maintenance::{Maintenance, check_window};
use crate::domain::refusal::Refused;
use crate::domain::time::Timestamp;
use crate::domain::timeline::check_not_ahead;
use crate::entity::maintenance;
use crate::error::Result;
use crate::statuspage::{self, Kind};
use crate::store::Write;

impl Import<'_> {
    pub(super) async fn maintenance(&mut self, captured: &statuspage::Maintenance) -> Result<()> {
        let record = Record {
            file: captured.file,
            kind: Kind::Maintenance,
            id: &captured.id,
        };
        let now = self.context.app.clock.now();
        let result = match as_it_was(captured, self.page, &self.components, now) {
            Ok((maintenance, notes)) => {
                let notes = captured.notes.iter().cloned().chain(notes).collect();
                let told = Told::of(&maintenance.updates, notes);
                let take = transact(
                    self.context,
                    "importMaintenance",
                    Call::PLAIN,
                    maintenance,
                    |write, maintenance| take(write, maintenance).boxed(),
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

/// The maintenance a capture tells of, with every instant as it was, and remarks on what was left out.
fn as_it_was(
    captured: &statuspage::Maintenance,
    page: Uuid,
    components: &HashMap<String, Uuid>,
    now: Timestamp,
) -> Result<(Maintenance, Vec<String>), Refused> {
    check_window(captured.scheduled_for, captured.scheduled_until)?;
    check_not_ahead(captured.announced_at, now).map_err(|refusal| refusal.at(["announcedAt"]))?;
    let (updates, mut notes) = timeline(&captured.updates, components, now)?;
    let mut affected = Vec::with_capacity(captured.components.len());
    for id in &captured.components {
        match components.get(id) {
            Some(component) => affected.push(*component),
            None => notes.push(format!("component {id} was left out: the capture does not hold it")),
        }
    }
    let maintenance = Maintenance {
        id: Uuid::now_v7(),
        page,
        title: valid::title(&captured.title)?,
        status: captured.status,
        scheduled_for: captured.scheduled_for,
        scheduled_until: captured.scheduled_until,
        announced_at: captured.announced_at,
        started_at: captured.started_at,
        completed_at: captured.completed_at,
        automatic: false,
        components: affected,
        external_ref: valid::external_ref(Some(&captured.id))?,
        version: 1,
        created_at: captured.created_at,
        updated_at: captured.updated_at,
        updates,
    };
    Ok((maintenance, notes))
}

async fn take(write: &mut Write, taken: Maintenance) -> Result<Outcome> {
    page::locked(write, taken.page).await?;
    let known = maintenance::Entity::find()
        .filter(maintenance::Column::PageId.eq(taken.page))
        .filter(maintenance::Column::ExternalRef.eq(taken.external_ref.clone()))
        .order_by_asc(maintenance::Column::Id)
        .one(write.db())
        .await?;
    if let Some(known) = maintenance::load(write.db(), known.into_iter().collect()).await?.pop() {
        return Ok(Outcome::known(Some(known.id), newer(&taken.updates, &known.updates)));
    }
    maintenance::insert(write.changes(), &taken)?;
    let id = taken.id;
    let kind = EventKind::MaintenanceBackfilled;
    maintenances::record(write, kind, taken, None, (Locked::default(), &[])).await?;
    Ok(Outcome::taken(id))
}
