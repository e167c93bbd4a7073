//! Components of a service, the groups they stand in, and their status.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::code::coded_enum;
use super::time::Timestamp;

coded_enum! {
    /// How a component does, from best to worst: a later value is worse.
    pub enum ComponentStatus {
        Operational = "operational",
        UnderMaintenance = "under_maintenance",
        DegradedPerformance = "degraded_performance",
        PartialOutage = "partial_outage",
        MajorOutage = "major_outage",
    }
}

/// One part of a service that can fail by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    pub id: Uuid,
    pub page: Uuid,
    pub group: Option<Uuid>,
    pub name: String,
    pub description: Option<String>,
    pub position: i32,
    pub status: ComponentStatus,
    /// What the system it was imported from calls it.
    pub external_ref: Option<String>,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Component {
    /// Where it stands on its page, among groups and what stands in none: by position, then the components of a group.
    /// `group` is the position of the group it stands in.
    pub fn place(&self, group: Option<i32>) -> (i32, Option<Uuid>, i32, Uuid) {
        match group {
            Some(group) => (group, self.group, self.position, self.id),
            None => (self.position, None, 0, self.id),
        }
    }
}

/// Components shown together; one level deep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentGroup {
    pub id: Uuid,
    pub page: Uuid,
    pub name: String,
    pub description: Option<String>,
    pub position: i32,
    pub external_ref: Option<String>,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A group's status: the worst of its children, operational where it has none (DOMAIN.md, 5).
pub fn group_status(children: impl IntoIterator<Item = ComponentStatus>) -> ComponentStatus {
    children.into_iter().max().unwrap_or(ComponentStatus::Operational)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_as_bad_as_its_worst_child() {
        for &one in ComponentStatus::ALL {
            for &other in ComponentStatus::ALL {
                assert_eq!(group_status([one, other]), one.max(other));
            }
        }
        assert_eq!(group_status([]), ComponentStatus::Operational);
    }
}
