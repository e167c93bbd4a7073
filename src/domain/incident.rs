//! Incidents: their lifecycle, decided without a database or a clock.

mod postmortem;
mod staff;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::audience::{Audience, everybody};
use super::code::coded_enum;
use super::component::ComponentStatus;
use super::impact::Impact;
use super::refusal::{IllegalTransition, Refusal, Refused, Thing};
use super::time::Timestamp;
use super::timeline::{self, Affected, Change, Edit, Post, Update};

coded_enum! {
    /// Where an incident stands.
    pub enum IncidentStatus {
        Investigating = "investigating",
        Identified = "identified",
        Monitoring = "monitoring",
        Resolved = "resolved",
        Postmortem = "postmortem",
    }
}

impl IncidentStatus {
    /// Whether it still goes on.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            IncidentStatus::Investigating | IncidentStatus::Identified | IncidentStatus::Monitoring
        )
    }

    /// Where an incident may go from here without being reopened or having its postmortem withdrawn.
    ///
    /// Open statuses follow one another in any order, themselves included: diagnosis goes back and forth in 3 % of
    /// real incidents (DOMAIN.md, 3).
    pub fn allowed(self) -> Vec<IncidentStatus> {
        use IncidentStatus::{Identified, Investigating, Monitoring, Postmortem, Resolved};
        match self {
            Investigating | Identified | Monitoring => vec![Investigating, Identified, Monitoring, Resolved],
            Resolved | Postmortem => vec![Postmortem],
        }
    }

    /// This move, or why it cannot be made.
    pub fn transition(self, to: IncidentStatus) -> Result<IncidentStatus, IllegalTransition> {
        let allowed = self.allowed();
        if allowed.contains(&to) {
            Ok(to)
        } else {
            Err(IllegalTransition {
                from: self,
                to,
                allowed,
            })
        }
    }
}

/// One entry of an incident's timeline.
pub type IncidentUpdate = Update<IncidentStatus>;

/// An incident with its whole timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub id: Uuid,
    pub page: Uuid,
    pub title: String,
    pub status: IncidentStatus,
    /// The peak of the blend over the affected components, never lowered.
    pub peak_impact: Impact,
    /// What people said instead.
    pub impact_override: Option<Impact>,
    pub started_at: Timestamp,
    pub monitoring_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    pub external_ref: Option<String>,
    pub metadata: Option<serde_json::Value>,
    pub backfilled: bool,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// In the order of the timeline.
    pub updates: Vec<IncidentUpdate>,
    pub postmortem: Option<Postmortem>,
    /// Who sees it at all.
    #[serde(default = "everybody")]
    pub audience: Audience,
    /// What the public is told in place of the version and the time of the last change, once something has been done
    /// that it does not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// What the public is told of changes: of those it sees, as if there were no others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub version: i32,
    pub updated_at: Timestamp,
}

/// What was learnt of an incident: a draft only the staff sees, a published text everybody sees, or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Postmortem {
    pub draft: Option<String>,
    pub published: Option<String>,
    pub published_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// What is needed to open an incident.
#[derive(Clone, Debug)]
pub struct Opening {
    pub id: Uuid,
    pub page: Uuid,
    pub title: String,
    pub impact_override: Option<Impact>,
    pub started_at: Timestamp,
    pub external_ref: Option<String>,
    pub metadata: Option<serde_json::Value>,
    pub audience: Audience,
    pub first: Post<IncidentStatus>,
}

/// New values for an incident; the outer `None` leaves a value as it is, the inner one removes it.
#[derive(Clone, Debug, Default)]
pub struct Amendment {
    pub title: Option<String>,
    pub impact_override: Option<Option<Impact>>,
    pub started_at: Option<Timestamp>,
    pub external_ref: Option<Option<String>>,
    pub metadata: Option<Option<serde_json::Value>>,
}

impl Incident {
    /// An incident as it begins, with its first update. It may begin as resolved: 12 % of real ones do.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` for a postmortem, `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    pub fn open(opening: Opening, now: Timestamp) -> Result<Incident, Refused> {
        let Opening {
            id,
            page,
            title,
            impact_override,
            started_at,
            external_ref,
            metadata,
            audience,
            first,
        } = opening;
        if first.status == IncidentStatus::Postmortem {
            let allowed = IncidentStatus::Investigating.allowed();
            let refusal = IllegalTransition {
                from: IncidentStatus::Investigating,
                to: first.status,
                allowed,
            };
            return Err(Refusal::from(refusal).at(["status"]));
        }
        timeline::check_not_ahead(started_at, now).map_err(|refusal| refusal.at(["startedAt"]))?;
        timeline::check_display_at(first.display_at, started_at, now)?;
        let mut incident = Incident {
            id,
            page,
            title,
            status: first.status,
            peak_impact: Impact::None,
            impact_override,
            started_at,
            monitoring_at: None,
            resolved_at: None,
            external_ref,
            metadata,
            backfilled: false,
            version: 0,
            created_at: now,
            updated_at: now,
            updates: Vec::new(),
            postmortem: None,
            audience,
            told: None,
        };
        incident.add(first, now)?;
        Ok(incident)
    }

    /// The incident's impact: what people said, else the peak that was computed.
    pub fn impact(&self) -> Impact {
        self.impact_override.unwrap_or(self.peak_impact)
    }

    /// Adds an update, which may move the incident anywhere its status allows. Resolving goes the same way.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION`, `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`, `TOO_MANY_UPDATES`.
    pub fn post(&mut self, post: Post<IncidentStatus>, now: Timestamp) -> Result<(), Refused> {
        // A postmortem is published, never posted: its entry has a text of its own.
        let moved = match self.status.transition(post.status) {
            Ok(IncidentStatus::Postmortem) => Err(IllegalTransition {
                from: self.status,
                to: IncidentStatus::Postmortem,
                allowed: Vec::new(),
            }),
            other => other,
        };
        moved.map_err(|refusal| Refusal::from(refusal).at(["status"]))?;
        timeline::check_display_at(post.display_at, self.started_at, now)?;
        self.add(post, now)
    }

    /// Opens a resolved incident again, with the reason as an update. A published postmortem is withdrawn first.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` unless it is resolved and goes to an open status; those of [`Incident::post`].
    pub fn reopen(&mut self, post: Post<IncidentStatus>, now: Timestamp) -> Result<(), Refused> {
        if self.status != IncidentStatus::Resolved || !post.status.is_open() {
            let allowed = self.status.allowed();
            return Err(Refusal::from(IllegalTransition {
                from: self.status,
                to: post.status,
                allowed,
            })
            .into());
        }
        timeline::check_display_at(post.display_at, self.started_at, now)?;
        timeline::check_room(&self.updates)?;
        self.monitoring_at = None;
        self.resolved_at = None;
        self.add(post, now)
    }

    /// Replaces the text or time of an update, keeping the earlier ones as a revision. Returns whether it changed
    /// anything.
    ///
    /// # Errors
    /// `INCIDENT_UPDATE_NOT_FOUND`, `UPDATE_IS_POSTMORTEM`, `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    pub fn edit(&mut self, id: Uuid, edit: Edit, now: Timestamp) -> Result<bool, Refused> {
        let Some(update) = self.updates.iter().find(|update| update.id == id) else {
            return Err(Refusal::NotFound(Thing::IncidentUpdate).at(["update"]));
        };
        let audience = update.audience;
        if update.status == IncidentStatus::Postmortem {
            return Err(Refusal::UpdateIsPostmortem.at(["update"]));
        }
        if let Some(at) = edit.display_at {
            timeline::check_display_at(at, self.started_at, now)?;
            let shown = Some(update.display_at);
            let (monitoring, resolved) = self.milestones();
            // A time that was entered beside the timeline stays: a backfill may give one of its own.
            if monitoring == Some(id) && self.monitoring_at == shown {
                self.monitoring_at = Some(at);
            }
            if resolved == Some(id) && self.resolved_at == shown {
                self.resolved_at = Some(at);
            }
        }
        let changed = timeline::edit(&mut self.updates, id, edit, now);
        if changed {
            self.touch(now, audience);
        }
        Ok(changed)
    }

    /// Gives the incident new values. Returns whether that changed anything.
    ///
    /// # Errors
    /// `TIME_IN_FUTURE`, and `UPDATE_BEFORE_START` where the new start lies after the first update.
    pub fn amend(&mut self, amendment: Amendment, now: Timestamp) -> Result<bool, Refused> {
        let before = self.clone();
        if let Some(start) = amendment.started_at {
            timeline::check_not_ahead(start, now).map_err(|refusal| refusal.at(["startedAt"]))?;
            if self.updates.first().is_some_and(|first| first.display_at < start) {
                return Err(Refusal::UpdateBeforeStart { start }.at(["startedAt"]));
            }
            self.started_at = start;
        }
        if let Some(title) = amendment.title {
            self.title = title;
        }
        if let Some(impact) = amendment.impact_override {
            self.impact_override = impact;
        }
        if let Some(external_ref) = amendment.external_ref {
            self.external_ref = external_ref;
        }
        if let Some(metadata) = amendment.metadata {
            self.metadata = metadata;
        }
        let changed = *self != before;
        if changed {
            self.touch(now, Audience::Public);
        }
        Ok(changed)
    }

    /// What the incident made of each component it names.
    pub fn affected(&self) -> Vec<Affected> {
        timeline::affected(&self.updates)
    }

    /// What resolving does to the components: those named get the status named, the others this incident affects
    /// return to operational (DOMAIN.md, 3). `current` tells how each of them stands now.
    pub fn resolving_changes(
        &self,
        named: &[(Uuid, ComponentStatus)],
        current: impl Fn(Uuid) -> Option<ComponentStatus>,
    ) -> Vec<Change> {
        let others = self
            .affected()
            .into_iter()
            .map(|affected| (affected.component, ComponentStatus::Operational))
            .filter(|(component, _)| named.iter().all(|(name, _)| name != component));
        let all: Vec<_> = named.iter().copied().chain(others).collect();
        all.into_iter()
            .filter_map(|(component, to)| current(component).map(|from| Change { component, from, to }))
            .collect()
    }

    /// The updates that set `monitoring_at` and `resolved_at`: in the order of posting, the first that entered
    /// monitoring since the incident was last reopened, and the one that resolved it. The time shown does not tell them,
    /// as others may show the same.
    fn milestones(&self) -> (Option<Uuid>, Option<Uuid>) {
        // What the staff says among itself moves nothing.
        let public = self.updates.iter().filter(|update| update.audience == Audience::Public);
        let mut posted: Vec<&IncidentUpdate> = public.collect();
        posted.sort_by_key(|update| update.number);
        let (mut monitoring, mut resolved) = (None, None);
        for update in posted {
            if update.status.is_open() && resolved.is_some() {
                (monitoring, resolved) = (None, None);
            }
            match update.status {
                IncidentStatus::Monitoring => monitoring = monitoring.or(Some(update.id)),
                IncidentStatus::Resolved => resolved = Some(update.id),
                IncidentStatus::Investigating | IncidentStatus::Identified | IncidentStatus::Postmortem => {}
            }
        }
        (monitoring, resolved)
    }

    fn add(&mut self, post: Post<IncidentStatus>, now: Timestamp) -> Result<(), Refused> {
        let Post { status, display_at, .. } = post;
        timeline::append(&mut self.updates, post, now)?;
        match status {
            IncidentStatus::Monitoring => {
                self.monitoring_at.get_or_insert(display_at);
            }
            IncidentStatus::Resolved => self.resolved_at = Some(display_at),
            IncidentStatus::Investigating | IncidentStatus::Identified | IncidentStatus::Postmortem => {}
        }
        self.status = status;
        self.touch(now, Audience::Public);
        Ok(())
    }

    /// Raises the version and recomputes the peak, which never falls. What the public does not see of a change it is not
    /// told of either.
    fn touch(&mut self, now: Timestamp, audience: Audience) {
        self.peak_impact = self.peak_impact.max(timeline::peak(&self.updates));
        let before = Told {
            version: self.version,
            updated_at: self.updated_at,
        };
        match (audience, &mut self.told) {
            (Audience::Staff, told) => {
                told.get_or_insert(before);
            }
            (Audience::Public, Some(told)) => {
                told.version += 1;
                told.updated_at = now;
            }
            (Audience::Public, None) => {}
        }
        self.version += 1;
        self.updated_at = now;
    }
}

#[cfg(test)]
mod tests;
