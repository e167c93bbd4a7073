//! What an incident made of components.

use async_graphql::SimpleObject;

use crate::domain;
use crate::graphql::charged::Charged;
use crate::graphql::component::Component;
use crate::graphql::enums::ComponentStatus;
use crate::graphql::scalar::DateTime;

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
    intervals: Charged<Vec<StatusInterval>>,
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
        let view = component.view.clone();
        AffectedComponent {
            component,
            status: affected.status.into(),
            worst_status: affected.worst.into(),
            intervals: Charged::list(&view, affected.intervals.iter().map(interval).collect()),
        }
    }
}
