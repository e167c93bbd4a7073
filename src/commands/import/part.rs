//! Taking over component groups and components.

use futures_util::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{Import, Outcome, Record};
use crate::commands::transact::transact;
use crate::commands::{Call, component as components, page, valid};
use crate::domain::component::{Component, ComponentGroup, ComponentStatus};
use crate::domain::event::{Event, EventKind, Subject};
use crate::domain::refusal::Refused;
use crate::domain::time::Timestamp;
use crate::domain::timeline::Change;
use crate::entity::{component, component_group};
use crate::error::Result;
use crate::statuspage::{self, Capture, Kind};
use crate::store::Write;

impl Import<'_> {
    /// `position` is its place in the capture, for one that does not say where it stands.
    pub(super) async fn group(&mut self, captured: &statuspage::Group, position: i32) -> Result<()> {
        let record = Record {
            file: captured.file,
            kind: Kind::Group,
            id: &captured.id,
        };
        let result = match self.as_group(captured, position) {
            Ok(group) => {
                let take = transact(self.context, "importGroup", Call::PLAIN, group, |write, group| {
                    take_group(write, group).boxed()
                });
                take.await
            }
            Err(refused) => Err(refused.into()),
        };
        if let Some(outcome) = self.outcome(record, result)? {
            self.report.groups.add(outcome.is_new, 1);
            if let Some(id) = outcome.id {
                self.groups.insert(captured.id.clone(), id);
            }
        }
        Ok(())
    }

    pub(super) async fn component(
        &mut self,
        captured: &statuspage::Component,
        position: i32,
        capture: &Capture,
    ) -> Result<()> {
        let record = Record {
            file: captured.file,
            kind: Kind::Component,
            id: &captured.id,
        };
        let left_at = capture.left_at(&captured.id);
        let result = match self.as_component(captured, position) {
            Ok(component) => {
                let take = transact(
                    self.context,
                    "importComponent",
                    Call::PLAIN,
                    component,
                    move |write, component| take_component(write, component, left_at).boxed(),
                );
                take.await
            }
            Err(refused) => Err(refused.into()),
        };
        if let Some(outcome) = self.outcome(record, result)? {
            self.report.components.add(outcome.is_new, 1);
            if outcome.is_new {
                self.notes(record, captured.notes.iter().cloned());
            }
            if let Some(id) = outcome.id {
                self.components.insert(captured.id.clone(), id);
            }
        }
        Ok(())
    }

    fn as_group(&self, captured: &statuspage::Group, position: i32) -> Result<ComponentGroup, Refused> {
        let created_at = captured.created_at.unwrap_or(self.context.app.clock.now());
        Ok(ComponentGroup {
            id: Uuid::now_v7(),
            page: self.page,
            name: valid::name(&captured.name)?,
            description: valid::description(captured.description.as_deref())?,
            position: captured.position.unwrap_or(position),
            external_ref: valid::external_ref(Some(&captured.id))?,
            version: 1,
            created_at,
            updated_at: captured.updated_at.unwrap_or(created_at),
        })
    }

    fn as_component(&self, captured: &statuspage::Component, position: i32) -> Result<Component, Refused> {
        let created_at = captured.created_at.unwrap_or(self.context.app.clock.now());
        let group = captured.group.as_ref().and_then(|group| self.groups.get(group));
        Ok(Component {
            id: Uuid::now_v7(),
            page: self.page,
            group: group.copied(),
            name: valid::name(&captured.name)?,
            description: valid::description(captured.description.as_deref())?,
            position: captured.position.unwrap_or(position),
            status: captured.status,
            external_ref: valid::external_ref(Some(&captured.id))?,
            version: 1,
            created_at,
            updated_at: captured.updated_at.unwrap_or(created_at),
        })
    }
}

async fn take_group(write: &mut Write, group: ComponentGroup) -> Result<Outcome> {
    page::locked(write, group.page).await?;
    let known = component_group::Entity::find()
        .filter(component_group::Column::PageId.eq(group.page))
        .filter(component_group::Column::ExternalRef.eq(group.external_ref.clone()))
        .order_by_asc(component_group::Column::Id)
        .one(write.db())
        .await?;
    if let Some(known) = known {
        // One that was removed since stays so, and nothing can stand in it.
        let id = known.archived_at.is_none().then_some(known.id);
        return Ok(Outcome::known(id, 0));
    }
    let row = component_group::Model::from_domain(&group, None)
        .into_active_model()
        .reset_all();
    component_group::Entity::insert(row)
        .exec_without_returning(write.db())
        .await?;
    let (page, id) = (group.page, group.id);
    let event = Event::of(EventKind::ComponentGroupCreated, Subject::ComponentGroup(group));
    write.record(page, event);
    Ok(Outcome::taken(id))
}

/// `left_at` is where the imported history leaves the component, which may stand otherwise today.
async fn take_component(
    write: &mut Write,
    component: Component,
    left_at: Option<(Timestamp, ComponentStatus)>,
) -> Result<Outcome> {
    page::locked(write, component.page).await?;
    let known = component::Entity::find()
        .filter(component::Column::PageId.eq(component.page))
        .filter(component::Column::ExternalRef.eq(component.external_ref.clone()))
        .order_by_asc(component::Column::Id)
        .one(write.db())
        .await?;
    if let Some(known) = known {
        return Ok(Outcome::known(Some(known.id), 0));
    }
    components::insert(write, &component).await?;
    let (at, from) = left_at.unwrap_or((component.updated_at, ComponentStatus::Operational));
    if from != component.status {
        // It went there by hand, outside of any incident: the last touch is the best that is known of when.
        let change = Change {
            component: component.id,
            from,
            to: component.status,
        };
        components::insert_change(write, change, at.max(component.updated_at)).await?;
    }
    let (page, id) = (component.page, component.id);
    write.record(
        page,
        Event::of(EventKind::ComponentCreated, Subject::Component(component)),
    );
    Ok(Outcome::taken(id))
}
