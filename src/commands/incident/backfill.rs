//! Entering an incident afterwards, with its whole timeline.

use std::collections::HashMap;

use futures_util::FutureExt;
use serde::Serialize;
use uuid::Uuid;

use super::{Changed, ComponentState, record};
use crate::commands::affected::{Locked, check_list};
use crate::commands::transact::transact;
use crate::commands::{Call, Context, page, valid};
use crate::domain::audience::Audience;
use crate::domain::component::ComponentStatus;
use crate::domain::event::EventKind;
use crate::domain::impact::Impact;
use crate::domain::incident::{Incident, IncidentStatus, Opening};
use crate::domain::refusal::{Refusal, Refused, Thing};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{Change, MAX_UPDATES, Post, check_not_ahead};
use crate::entity::incident;
use crate::error::Result;
use crate::store::Write;

/// A resolved incident to be entered afterwards.
#[derive(Clone, Debug, Serialize)]
pub struct Backfill {
    pub page: Uuid,
    pub title: String,
    pub started_at: Option<Timestamp>,
    /// When it was over; the time of the update that resolved it unless given. Real ones lie before their first update.
    pub resolved_at: Option<Timestamp>,
    pub impact_override: Option<Impact>,
    pub external_ref: Option<String>,
    pub metadata: Option<serde_json::Value>,
    /// Oldest first; the last resolves it.
    pub updates: Vec<BackfillUpdate>,
}

/// One entry of the timeline of an incident that is entered afterwards.
#[derive(Clone, Debug, Serialize)]
pub struct BackfillUpdate {
    pub status: IncidentStatus,
    pub body: String,
    pub display_at: Timestamp,
    pub components: Vec<ComponentState>,
}

/// Enters a resolved incident with its whole timeline. The components' present statuses stay as they are; what it says
/// of them becomes part of their history. Nobody is notified, but the log has it.
///
/// # Errors
/// `BACKFILL_NOT_RESOLVED`, `UPDATES_OUT_OF_ORDER`, and those of opening an incident and posting updates.
pub async fn backfill(context: &Context, call: Call, input: Backfill) -> Result<Changed> {
    transact(context, "incidentBackfill", call, input, |write, input| {
        backfill_in(write, input).boxed()
    })
    .await
}

async fn backfill_in(write: &mut Write, input: Backfill) -> Result<Changed> {
    page::require(write, input.page, Thing::Page, "page").await?;
    if input
        .updates
        .last()
        .is_none_or(|last| last.status != IncidentStatus::Resolved)
    {
        return Err(Refusal::BackfillNotResolved.at(["updates"]).into());
    }
    if input.updates.len() > MAX_UPDATES {
        return Err(Refusal::TooManyUpdates { max: MAX_UPDATES }.at(["updates"]).into());
    }
    let times = input.updates.iter().map(|update| update.display_at);
    let backwards = times.clone().zip(times.skip(1)).position(|(one, next)| next < one);
    if let Some(index) = backwards {
        return Err(within(index + 1, Refusal::UpdatesOutOfOrder.at(["displayAt"])).into());
    }
    let named = input
        .updates
        .iter()
        .flat_map(|update| &update.components)
        .map(|state| state.component);
    let known = Locked::lock(write, input.page, named).await?;
    let mut history = History::default();
    let mut posts = Vec::with_capacity(input.updates.len());
    for (index, update) in input.updates.iter().enumerate() {
        posts.push(history.post(&known, update).map_err(|refused| within(index, refused))?);
    }
    let now = write.now();
    let mut posts = posts.into_iter().enumerate();
    let Some((_, first)) = posts.next() else {
        return Err(Refusal::BackfillNotResolved.at(["updates"]).into());
    };
    let opening = Opening {
        id: Uuid::now_v7(),
        page: input.page,
        title: valid::title(&input.title)?,
        impact_override: input.impact_override,
        started_at: input.started_at.unwrap_or(first.display_at),
        external_ref: valid::external_ref(input.external_ref.as_deref())?,
        metadata: valid::metadata(input.metadata)?,
        audience: Audience::Public,
        first,
    };
    let mut entered = Incident::open(opening, now).map_err(|refused| match refused.field.as_slice() {
        [field] if field == "startedAt" && input.started_at.is_some() => refused,
        [field] if field == "startedAt" => within(0, refused.why.at(["displayAt"])),
        _ => within(0, refused),
    })?;
    for (index, post) in posts {
        entered.post(post, now).map_err(|refused| within(index, refused))?;
    }
    if let Some(resolved_at) = input.resolved_at {
        check_not_ahead(resolved_at, now).map_err(|refusal| refusal.at(["resolvedAt"]))?;
        entered.resolved_at = Some(resolved_at);
    }
    entered.backfilled = true;
    entered.version = 1;
    incident::insert(write.changes(), &entered)?;
    record(
        write,
        EventKind::IncidentBackfilled,
        entered,
        None,
        (Locked::default(), &[]),
    )
    .await
}

/// How the components stood, as the timeline tells it.
#[derive(Default)]
struct History(HashMap<Uuid, ComponentStatus>);

impl History {
    fn post(&mut self, known: &Locked, update: &BackfillUpdate) -> Result<Post<IncidentStatus>, Refused> {
        check_list(update.components.iter().map(|state| state.component))?;
        known.require(update.components.iter().map(|state| state.component))?;
        let mut changes: Vec<Change> = Vec::new();
        if update.status == IncidentStatus::Resolved {
            // Those not named return to operational, as when it is resolved live (DOMAIN.md, 3).
            let others = self
                .0
                .keys()
                .filter(|id| update.components.iter().all(|state| state.component != **id));
            let mut others: Vec<Uuid> = others.copied().collect();
            others.sort_unstable();
            changes.extend(
                others
                    .into_iter()
                    .map(|id| self.change(id, ComponentStatus::Operational)),
            );
        }
        changes.extend(
            update
                .components
                .iter()
                .map(|state| self.change(state.component, state.status)),
        );
        Ok(Post {
            id: Uuid::now_v7(),
            status: update.status,
            body: valid::body(&update.body)?,
            display_at: update.display_at,
            changes,
            external_ref: None,
            audience: Audience::Public,
        })
    }

    fn change(&mut self, component: Uuid, to: ComponentStatus) -> Change {
        let from = self.0.insert(component, to).unwrap_or(ComponentStatus::Operational);
        Change { component, from, to }
    }
}

fn within(index: usize, mut refused: Refused) -> Refused {
    refused.field.splice(0..0, ["updates".to_owned(), index.to_string()]);
    refused
}
