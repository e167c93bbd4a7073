//! The components a call names: found, locked in the order of their ids, and moved.

use std::collections::{HashMap, HashSet};

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::valid::MAX_COMPONENTS;
use crate::domain::component::{Component, ComponentStatus};
use crate::domain::event::{Event, EventKind, StatusMove, Subject};
use crate::domain::refusal::{Refusal, Refused, Thing};
use crate::domain::timeline::Change;
use crate::entity::batch::Batch;
use crate::entity::{component, component_group};
use crate::error::Result;
use crate::store::{ROW_LOCK, Write};

/// A component and the status it is to have.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ComponentState {
    pub component: Uuid,
    pub status: ComponentStatus,
}

/// Components of one page, locked until the transaction ends.
#[derive(Debug, Default)]
pub(super) struct Locked(HashMap<Uuid, Component>);

impl Locked {
    /// Finds and locks components of a page that are not archived; others are left out. One order for everybody, so
    /// that two writers never wait for each other.
    pub(super) async fn lock(write: &Write, page: Uuid, ids: impl IntoIterator<Item = Uuid>) -> Result<Locked> {
        let wanted: HashSet<Uuid> = ids.into_iter().collect();
        if wanted.is_empty() {
            return Ok(Locked::default());
        }
        let rows = component::Entity::find()
            .filter(component::Column::PageId.eq(page))
            .filter(component::Column::Id.is_in(wanted))
            .filter(component::Column::ArchivedAt.is_null())
            .order_by_asc(component::Column::Id)
            .lock(ROW_LOCK)
            .all(write.db())
            .await?;
        let mut locked = HashMap::new();
        for row in rows {
            let component = row.into_domain()?;
            locked.insert(component.id, component);
        }
        Ok(Locked(locked))
    }

    /// How a component stands now.
    pub(super) fn status(&self, id: Uuid) -> Option<ComponentStatus> {
        self.0.get(&id).map(|component| component.status)
    }

    /// The changes that bring the named components to the statuses named.
    ///
    /// # Errors
    /// `COMPONENT_NOT_FOUND` with the place in the list.
    pub(super) fn changes(&self, named: &[ComponentState]) -> Result<Vec<Change>, Refused> {
        self.require(named.iter().map(|state| state.component))?;
        let change = |state: &ComponentState| {
            self.status(state.component).map(|from| Change {
                component: state.component,
                from,
                to: state.status,
            })
        };
        Ok(named.iter().filter_map(change).collect())
    }

    /// Checks that each of these was found.
    ///
    /// # Errors
    /// `COMPONENT_NOT_FOUND` with the place in the list.
    pub(super) fn require(&self, ids: impl Iterator<Item = Uuid>) -> Result<(), Refused> {
        for (index, id) in ids.enumerate() {
            if !self.0.contains_key(&id) {
                return Err(at_place(Refusal::NotFound(Thing::Component), index));
            }
        }
        Ok(())
    }

    /// Stores what changes make of the components, and returns the events that say so.
    pub(super) async fn apply(mut self, write: &Write, changes: &[Change], cause: Option<Uuid>) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut batch = Batch::new(write.db());
        for change in changes.iter().filter(|change| change.from != change.to) {
            let Some(component) = self.0.get_mut(&change.component) else {
                continue;
            };
            component.status = change.to;
            component.version += 1;
            component.updated_at = write.now();
            let row = component::Model::from_domain(component, None)
                .into_active_model()
                .reset_all();
            batch.update(row)?;
            let mut event = Event::of(EventKind::ComponentStatusChanged, Subject::Component(component.clone()));
            event.status_move = Some(StatusMove {
                from: change.from,
                to: change.to,
                cause,
            });
            events.push(event);
        }
        batch.send(write.db()).await?;
        Ok(events)
    }
}

fn at_place(refusal: Refusal, index: usize) -> Refused {
    refusal.at(["components", &index.to_string(), "component"])
}

/// Refuses a list that names a component twice, or too many of them.
///
/// # Errors
/// `DUPLICATE_COMPONENT` with the place of the second, `TOO_MANY_ITEMS`.
pub(super) fn check_list(ids: impl Iterator<Item = Uuid>) -> Result<(), Refused> {
    let mut seen = HashSet::new();
    for (index, id) in ids.enumerate() {
        if index >= MAX_COMPONENTS {
            return Err(Refusal::TooManyItems { max: MAX_COMPONENTS }.at(["components"]));
        }
        // The nil id is what stands for an id that cannot be read: twice unknown is not twice the same.
        if !seen.insert(id) && !id.is_nil() {
            return Err(at_place(Refusal::DuplicateComponent, index));
        }
    }
    Ok(())
}

/// Puts what became of something into its page's log, and after it what became of the components that it moves. Returns those
/// that it affects as they stand then.
pub(super) async fn record(
    write: &mut Write,
    page: Uuid,
    mut event: Event,
    affected: impl IntoIterator<Item = Uuid>,
    (locked, changes): (Locked, &[Change]),
) -> Result<Vec<Component>> {
    let moved = locked.apply(write, changes, Some(event.subject.id(page))).await?;
    let components = components(write, affected).await?;
    event.components.clone_from(&components);
    write.record(page, event);
    for event in moved {
        write.record(page, event);
    }
    Ok(components)
}

/// Components by id as they stand now, archived ones too, in the order of the page.
pub(super) async fn components(write: &Write, ids: impl IntoIterator<Item = Uuid>) -> Result<Vec<Component>> {
    let ids: Vec<Uuid> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = component::Entity::find()
        .filter(component::Column::Id.is_in(ids))
        .find_also_related(component_group::Entity)
        .all(write.db())
        .await?;
    let mut placed = Vec::with_capacity(rows.len());
    for (row, group) in rows {
        let group = group
            .filter(|group| group.archived_at.is_none())
            .map(|group| group.position);
        placed.push((group, row.into_domain()?));
    }
    placed.sort_by_key(|(group, component)| component.place(*group));
    Ok(placed.into_iter().map(|(_, component)| component).collect())
}
