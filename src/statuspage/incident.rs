//! What a capture says of an incident, and of a maintenance: the files call both an incident.

use serde_json::Value;

use super::field::{Fields, id_of};
use super::timeline::{self, Update};
use crate::domain::code::Word;
use crate::domain::impact::Impact;
use crate::domain::incident::IncidentStatus;
use crate::domain::maintenance::MaintenanceStatus;
use crate::domain::time::Timestamp;

/// An incident as it stood when it was captured.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    pub file: &'static str,
    pub id: String,
    pub title: String,
    pub status: IncidentStatus,
    pub impact: Option<Impact>,
    pub started_at: Timestamp,
    pub monitoring_at: Option<Timestamp>,
    /// It may lie before the start: some were entered so (DOMAIN.md, 9).
    pub resolved_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Oldest first by the time shown; at least one.
    pub updates: Vec<Update<IncidentStatus>>,
    /// What of it was left out or changed, in words.
    pub notes: Vec<String>,
}

/// A maintenance as it stood when it was captured.
#[derive(Clone, Debug, PartialEq)]
pub struct Maintenance {
    pub file: &'static str,
    pub id: String,
    pub title: String,
    pub status: MaintenanceStatus,
    pub scheduled_for: Timestamp,
    pub scheduled_until: Timestamp,
    /// What the files call its `started_at` (DOMAIN.md, 4).
    pub announced_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The ids of its components.
    pub components: Vec<String>,
    pub updates: Vec<Update<MaintenanceStatus>>,
    pub notes: Vec<String>,
}

/// What both have.
struct Head<S> {
    id: String,
    title: String,
    started_at: Timestamp,
    created_at: Timestamp,
    updated_at: Timestamp,
    components: Vec<String>,
    updates: Vec<Update<S>>,
    notes: Vec<String>,
}

impl<S: Word> Head<S> {
    fn read(fields: &Fields<'_>) -> Result<Head<S>, String> {
        let id = fields.required("id", fields.id("id")?)?;
        let title = fields.required("name", fields.text("name")?)?.to_owned();
        let (updates, notes) = timeline::read::<S>(fields)?;
        let first_shown = updates.first().map(|update| update.display_at);
        let last_touched = updates
            .iter()
            .map(|update| update.edited_at.unwrap_or(update.created_at))
            .max();
        let created_at = fields.instant("created_at")?;
        let started_at = fields.instant("started_at")?.or(created_at).or(first_shown);
        let started_at = fields.required("started_at", started_at)?;
        let created_at = created_at.unwrap_or(started_at);
        let updated_at = fields.instant("updated_at")?.or(last_touched).unwrap_or(created_at);
        let components = fields.list("components")?.iter().filter_map(id_of).collect();
        Ok(Head {
            id,
            title,
            started_at,
            created_at,
            updated_at,
            components,
            updates,
            notes,
        })
    }

    /// When the first update of some statuses was shown, and the last.
    fn shown(&self, is_it: impl Fn(S) -> bool) -> (Option<Timestamp>, Option<Timestamp>) {
        let mut shown = self
            .updates
            .iter()
            .filter(|update| is_it(update.status))
            .map(|update| update.display_at);
        let first = shown.next();
        (first, shown.next_back().or(first))
    }
}

impl Incident {
    pub(super) fn read(value: &Value, file: &'static str) -> Result<Incident, String> {
        let fields = Fields::of(value, "")?;
        let mut head = Head::<IncidentStatus>::read(&fields)?;
        let said: IncidentStatus = fields.required("status", fields.word("status")?)?;
        let status = status(said, &head);
        if status != said {
            head.notes.push(format!(
                "it is taken as {status}: its status {said} does not go with its updates"
            ));
        }
        let monitoring_at = if fields.has("monitoring_at") {
            fields.instant("monitoring_at")?
        } else {
            head.shown(|status| status == IncidentStatus::Monitoring).0
        };
        let resolved_at = fields.instant("resolved_at")?;
        let resolved_at = if status.is_open() {
            if resolved_at.is_some() {
                head.notes
                    .push("its resolved_at was left out: it is not resolved".to_owned());
            }
            None
        } else {
            let resolved = head.shown(|status| status == IncidentStatus::Resolved).1;
            let last = head.shown(|status| status != IncidentStatus::Postmortem).1;
            // One that has nothing but its postmortem was over by then.
            let shown = head.shown(|_| true).0;
            resolved_at.or(resolved).or(last).or(shown)
        };
        for component in &head.components {
            let named = |update: &Update<_>| update.changes.iter().any(|change| change.component == *component);
            if !head.updates.iter().any(named) {
                let note = format!("it lists component {component}, but no update says what became of it");
                head.notes.push(note);
            }
        }
        Ok(Incident {
            file,
            id: head.id,
            title: head.title,
            status,
            impact: fields.word("impact")?,
            started_at: head.started_at,
            monitoring_at,
            resolved_at,
            created_at: head.created_at,
            updated_at: head.updated_at,
            updates: head.updates,
            notes: head.notes,
        })
    }
}

/// A postmortem is an entry of the timeline of an incident that is over: the status follows from that.
fn status(said: IncidentStatus, head: &Head<IncidentStatus>) -> IncidentStatus {
    let (postmortem, _) = head.shown(|status| status == IncidentStatus::Postmortem);
    match said {
        open if open.is_open() => open,
        _ if postmortem.is_some() => IncidentStatus::Postmortem,
        _ => IncidentStatus::Resolved,
    }
}

impl Maintenance {
    pub(super) fn read(value: &Value, file: &'static str) -> Result<Maintenance, String> {
        let fields = Fields::of(value, "")?;
        let head = Head::<MaintenanceStatus>::read(&fields)?;
        let status = fields.required("status", fields.word("status")?)?;
        let completed_at = fields
            .instant("resolved_at")?
            .or_else(|| head.shown(|status| status == MaintenanceStatus::Completed).1);
        let mut components = head.components.clone();
        for change in head.updates.iter().flat_map(|update| &update.changes) {
            components.push(change.component.clone());
        }
        let mut seen = std::collections::HashSet::new();
        components.retain(|id| seen.insert(id.clone()));
        Ok(Maintenance {
            file,
            status,
            scheduled_for: fields.required("scheduled_for", fields.instant("scheduled_for")?)?,
            scheduled_until: fields.required("scheduled_until", fields.instant("scheduled_until")?)?,
            announced_at: head.started_at,
            started_at: head.shown(MaintenanceStatus::is_active).0,
            completed_at: completed_at.filter(|_| status == MaintenanceStatus::Completed),
            created_at: head.created_at,
            updated_at: head.updated_at,
            components,
            updates: head.updates,
            notes: head.notes,
            id: head.id,
            title: head.title,
        })
    }
}
