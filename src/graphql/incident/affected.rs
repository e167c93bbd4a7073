//! What an update, and a whole incident, made of components.

use async_graphql::SimpleObject;
use uuid::Uuid;

use crate::domain;
use crate::graphql::component::{self, Component};
use crate::graphql::enums::ComponentStatus;
use crate::graphql::error::Result;
use crate::graphql::scalar::DateTime;
use crate::queries::View;

/// What an update made of a component; `from` and `to` are the same where it only names it.
#[derive(SimpleObject, Debug)]
pub struct ComponentChange {
    /// The component.
    component: Component,
    /// Its status before.
    from: ComponentStatus,
    /// Its status after.
    to: ComponentStatus,
}

/// What an incident made of a component.
#[derive(SimpleObject, Debug)]
pub struct AffectedComponent {
    /// The component.
    component: Component,
    /// As the incident's newest update that names it left it.
    status: ComponentStatus,
    /// The worst the incident made of it.
    worst_status: ComponentStatus,
    /// The times it spent in each status, oldest first, without gaps.
    intervals: Vec<StatusInterval>,
}

/// A time a component spent in one status.
#[derive(SimpleObject, Debug)]
pub struct StatusInterval {
    /// The status.
    status: ComponentStatus,
    /// When it began.
    from: DateTime,
    /// When it ended; null for the last.
    until: Option<DateTime>,
}

impl AffectedComponent {
    pub(in crate::graphql) fn new(component: Component, affected: &domain::timeline::Affected) -> AffectedComponent {
        let interval = |interval: &domain::timeline::Interval| StatusInterval {
            status: interval.status.into(),
            from: interval.from.into(),
            until: interval.until.map(Into::into),
        };
        AffectedComponent {
            component,
            status: affected.status.into(),
            worst_status: affected.worst.into(),
            intervals: affected.intervals.iter().map(interval).collect(),
        }
    }
}

/// Component changes as the API shows them.
pub(in crate::graphql) async fn changes(
    view: &View,
    carried: Option<&[domain::component::Component]>,
    page: Uuid,
    all: &[domain::timeline::Change],
) -> Result<Vec<ComponentChange>> {
    let mut changes = Vec::with_capacity(all.len());
    for change in all {
        let component = component::named(view, carried, page, change.component).await?;
        changes.push(ComponentChange {
            component,
            from: change.from.into(),
            to: change.to.into(),
        });
    }
    Ok(changes)
}
