//! Which events a subscriber wants to hear of.

use std::collections::HashSet;

use uuid::Uuid;

use super::component::Component;
use super::event::{EventKind, Payload, Subject};
use super::impact::Impact;

/// A wish list; what is `None` or empty wishes for nothing in particular. An event must fit every wish.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventFilter {
    pub kinds: Option<HashSet<EventKind>>,
    /// The things an event must be about, or affect; none of the three asks for all.
    pub components: HashSet<Uuid>,
    pub groups: HashSet<Uuid>,
    pub incidents: HashSet<Uuid>,
    /// Incidents below this are passed over. What is no incident has no impact, and passes.
    pub minimum_impact: Option<Impact>,
}

impl EventFilter {
    /// Whether an event fits every wish.
    pub fn matches(&self, kind: EventKind, payload: &Payload) -> bool {
        let kind_fits = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind));
        kind_fits && self.impact_fits(payload) && self.things_fit(payload)
    }

    fn impact_fits(&self, payload: &Payload) -> bool {
        match (&payload.subject, self.minimum_impact) {
            (Subject::Incident(incident), Some(minimum)) => incident.impact() >= minimum,
            _ => true,
        }
    }

    fn things_fit(&self, payload: &Payload) -> bool {
        if self.components.is_empty() && self.groups.is_empty() && self.incidents.is_empty() {
            return true;
        }
        match &payload.subject {
            Subject::Page => false,
            Subject::ComponentGroup(group) => self.groups.contains(&group.id),
            Subject::Component(component) => {
                let cause = payload.status_move.and_then(|moved| moved.cause);
                self.has(component) || cause.is_some_and(|cause| self.incidents.contains(&cause))
            }
            Subject::Incident(incident) => self.incidents.contains(&incident.id) || self.has_any(&payload.components),
            Subject::Maintenance(_) => self.has_any(&payload.components),
        }
    }

    fn has_any(&self, components: &[Component]) -> bool {
        components.iter().any(|component| self.has(component))
    }

    fn has(&self, component: &Component) -> bool {
        self.components.contains(&component.id) || component.group.is_some_and(|group| self.groups.contains(&group))
    }
}

#[cfg(test)]
mod tests;
