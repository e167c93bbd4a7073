//! The table of who may do what. What is not in it nobody may.
//!
//! `ACCESS.md` says the same for people; `tests/api/rights.rs` holds every field of the API against what it says.

use crate::domain::role::Role;

/// What a field asks of who uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing: it tells nothing of any page.
    Open,
    /// To look: everybody sees what is public, viewers what is private on their pages.
    Look,
    /// To have a token, whatever it is for.
    Hold,
    /// To respond, on the page it is about.
    Respond,
    /// To manage, on the page it is about.
    Manage,
    /// To manage, on all pages: what it is about is on none yet.
    Found,
    /// To administer, on all pages: it is about the server.
    Administer,
}

impl Right {
    /// The least that a token must be for; none where none is needed.
    pub const fn role(self) -> Option<Role> {
        match self {
            Right::Open | Right::Look => None,
            Right::Hold => Some(Role::Viewer),
            Right::Respond => Some(Role::Responder),
            Right::Manage | Right::Found => Some(Role::Manager),
            Right::Administer => Some(Role::Admin),
        }
    }

    /// Whether the token must hold on all pages.
    pub const fn is_of_server(self) -> bool {
        matches!(self, Right::Found | Right::Administer)
    }

    /// What the root field of a name asks for; none for a field that has no rule.
    pub fn of(field: &str) -> Option<Right> {
        RULES.iter().find(|(name, _)| *name == field).map(|(_, right)| *right)
    }
}

/// Each root field of the API, and what it asks for. Names are unique among queries, mutations and subscriptions.
pub const RULES: [(&str, Right); 44] = [
    // Query
    ("auditEntries", Right::Administer),
    ("node", Right::Look),
    ("nodes", Right::Look),
    ("page", Right::Look),
    ("pages", Right::Look),
    ("server", Right::Open),
    ("tokens", Right::Administer),
    ("viewer", Right::Open),
    // Subscription
    ("incidentChanged", Right::Look),
    ("pageChanged", Right::Look),
    ("pageEvents", Right::Look),
    // Mutation
    ("ticketCreate", Right::Hold),
    ("componentStatusSet", Right::Respond),
    ("incidentAmend", Right::Respond),
    ("incidentBackfill", Right::Respond),
    ("incidentOpen", Right::Respond),
    ("incidentPublish", Right::Respond),
    ("incidentReopen", Right::Respond),
    ("incidentResolve", Right::Respond),
    ("incidentUpdateEdit", Right::Respond),
    ("incidentUpdatePost", Right::Respond),
    ("incidentUpdatePublish", Right::Respond),
    ("maintenanceAmend", Right::Respond),
    ("maintenanceCancel", Right::Respond),
    ("maintenanceComplete", Right::Respond),
    ("maintenanceSchedule", Right::Respond),
    ("maintenanceStart", Right::Respond),
    ("maintenanceUpdatePost", Right::Respond),
    ("postmortemDraft", Right::Respond),
    ("postmortemPublish", Right::Respond),
    ("postmortemWithdraw", Right::Respond),
    ("componentAmend", Right::Manage),
    ("componentArchive", Right::Manage),
    ("componentCreate", Right::Manage),
    ("componentGroupAmend", Right::Manage),
    ("componentGroupCreate", Right::Manage),
    ("componentGroupRemove", Right::Manage),
    ("componentMove", Right::Manage),
    ("pageAmend", Right::Manage),
    ("pageArchive", Right::Manage),
    ("pageCreate", Right::Found),
    ("tokenCreate", Right::Administer),
    ("tokenRevoke", Right::Administer),
    ("tokenRotate", Right::Administer),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_field_has_two_rules() {
        let names: HashSet<&str> = RULES.iter().map(|(name, _)| *name).collect();

        assert_eq!(names.len(), RULES.len());
        assert_eq!(Right::of("pageEvents"), Some(Right::Look));
        assert_eq!(Right::of("somethingNew"), None);
    }
}
