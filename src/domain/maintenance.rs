//! Planned work: its window and its lifecycle.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::code::coded_enum;
use super::component::ComponentStatus;
use super::refusal::{IllegalMaintenanceTransition, Refusal, Refused};
use super::time::Timestamp;
use super::timeline::{self, Change, Post, Update};

coded_enum! {
    /// Where a maintenance stands, in the order it goes through; cancelled stands apart.
    pub enum MaintenanceStatus {
        Scheduled = "scheduled",
        InProgress = "in_progress",
        Verifying = "verifying",
        Completed = "completed",
        Cancelled = "cancelled",
    }
}

impl MaintenanceStatus {
    /// Whether the work goes on.
    pub const fn is_active(self) -> bool {
        matches!(self, MaintenanceStatus::InProgress | MaintenanceStatus::Verifying)
    }

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, MaintenanceStatus::Completed | MaintenanceStatus::Cancelled)
    }

    /// Where a maintenance may go from here, its own status included while it is not over: that is an update without a
    /// move. Middle steps may be skipped (DOMAIN.md, 4).
    pub fn allowed(self) -> Vec<MaintenanceStatus> {
        use MaintenanceStatus::{Cancelled, Completed, InProgress, Scheduled, Verifying};
        match self {
            Scheduled => vec![Scheduled, InProgress, Verifying, Completed, Cancelled],
            InProgress => vec![InProgress, Verifying, Completed],
            Verifying => vec![Verifying, Completed],
            Completed | Cancelled => Vec::new(),
        }
    }

    /// This move, or why it cannot be made.
    pub fn transition(self, to: MaintenanceStatus) -> Result<MaintenanceStatus, IllegalMaintenanceTransition> {
        let allowed = self.allowed();
        if allowed.contains(&to) {
            Ok(to)
        } else {
            Err(IllegalMaintenanceTransition {
                from: self,
                to,
                allowed,
            })
        }
    }
}

/// One entry of a maintenance's timeline.
pub type MaintenanceUpdate = Update<MaintenanceStatus>;

/// A maintenance with its whole timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maintenance {
    pub id: Uuid,
    pub page: Uuid,
    pub title: String,
    pub status: MaintenanceStatus,
    pub scheduled_for: Timestamp,
    pub scheduled_until: Timestamp,
    /// When it was announced; a captured `started_at` is this (DOMAIN.md, 4).
    pub announced_at: Timestamp,
    /// When the work began.
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    /// Whether it starts and completes by itself at the times set.
    pub automatic: bool,
    /// The components it is going to affect.
    pub components: Vec<Uuid>,
    pub external_ref: Option<String>,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// In the order of the timeline.
    pub updates: Vec<MaintenanceUpdate>,
}

/// What is needed to schedule a maintenance.
#[derive(Clone, Debug)]
pub struct Scheduling {
    pub id: Uuid,
    pub page: Uuid,
    pub title: String,
    pub scheduled_for: Timestamp,
    pub scheduled_until: Timestamp,
    pub automatic: bool,
    pub components: Vec<Uuid>,
    pub external_ref: Option<String>,
    pub first: Post<MaintenanceStatus>,
}

/// New values for a maintenance; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Amendment {
    pub title: Option<String>,
    pub scheduled_for: Option<Timestamp>,
    pub scheduled_until: Option<Timestamp>,
    pub automatic: Option<bool>,
    pub components: Option<Vec<Uuid>>,
}

/// Checks that a window ends after it starts.
///
/// # Errors
/// `INVALID_WINDOW`.
pub fn check_window(from: Timestamp, until: Timestamp) -> Result<(), Refused> {
    if from < until {
        Ok(())
    } else {
        Err(Refusal::InvalidWindow.at(["scheduledUntil"]))
    }
}

const fn put_under(component: Uuid) -> Change {
    Change {
        component,
        from: ComponentStatus::Operational,
        to: ComponentStatus::UnderMaintenance,
    }
}

const fn put_back(component: Uuid) -> Change {
    Change {
        component,
        from: ComponentStatus::UnderMaintenance,
        to: ComponentStatus::Operational,
    }
}

impl Maintenance {
    /// A maintenance as it is announced, with its first update. Its window may lie in the past, for one that is entered
    /// late.
    ///
    /// # Errors
    /// `INVALID_WINDOW`, `TIME_IN_FUTURE` for the announcement.
    pub fn schedule(scheduling: Scheduling, now: Timestamp) -> Result<Maintenance, Refused> {
        let first = scheduling.first;
        check_window(scheduling.scheduled_for, scheduling.scheduled_until)?;
        timeline::check_not_ahead(first.display_at, now).map_err(|refusal| refusal.at(["displayAt"]))?;
        let mut maintenance = Maintenance {
            id: scheduling.id,
            page: scheduling.page,
            title: scheduling.title,
            status: first.status,
            scheduled_for: scheduling.scheduled_for,
            scheduled_until: scheduling.scheduled_until,
            announced_at: first.display_at,
            started_at: None,
            completed_at: None,
            automatic: scheduling.automatic,
            components: scheduling.components,
            external_ref: scheduling.external_ref,
            version: 0,
            created_at: now,
            updated_at: now,
            updates: Vec::new(),
        };
        maintenance.add(first, now)?;
        Ok(maintenance)
    }

    /// Adds an update, which may move the maintenance anywhere its status allows.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION`, `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`, `TOO_MANY_UPDATES`.
    pub fn post(&mut self, post: Post<MaintenanceStatus>, now: Timestamp) -> Result<(), Refused> {
        self.status
            .transition(post.status)
            .map_err(|refusal| Refusal::from(refusal).at(["status"]))?;
        timeline::check_display_at(post.display_at, self.announced_at, now)?;
        self.add(post, now)
    }

    /// Gives the maintenance new values. Returns whether that changed anything.
    ///
    /// # Errors
    /// `INVALID_WINDOW`; `ILLEGAL_TRANSITION` once it is over.
    pub fn amend(&mut self, amendment: Amendment, now: Timestamp) -> Result<bool, Refused> {
        if self.status.is_final() {
            let over = IllegalMaintenanceTransition {
                from: self.status,
                to: self.status,
                allowed: Vec::new(),
            };
            return Err(Refusal::from(over).into());
        }
        let before = self.clone();
        let Amendment {
            title,
            scheduled_for,
            scheduled_until,
            automatic,
            components,
        } = amendment;
        let from = scheduled_for.unwrap_or(self.scheduled_for);
        let until = scheduled_until.unwrap_or(self.scheduled_until);
        check_window(from, until)?;
        (self.scheduled_for, self.scheduled_until) = (from, until);
        self.title = title.unwrap_or(std::mem::take(&mut self.title));
        self.automatic = automatic.unwrap_or(self.automatic);
        self.components = components.unwrap_or(std::mem::take(&mut self.components));
        let changed = *self != before;
        if changed {
            self.touch(now);
        }
        Ok(changed)
    }

    /// What a move does to the maintenance's components: its work puts them under maintenance, its end back to
    /// operational. `current` tells how each of them stands now; one that an incident made worse meanwhile is left
    /// alone at the end.
    pub fn moving_changes(
        &self,
        to: MaintenanceStatus,
        current: impl Fn(Uuid) -> Option<ComponentStatus>,
    ) -> Vec<Change> {
        let begins = to.is_active() && !self.status.is_active();
        let ends = to == MaintenanceStatus::Completed && self.status.is_active();
        let change = |component: &Uuid| match current(*component)? {
            ComponentStatus::Operational if begins => Some(put_under(*component)),
            ComponentStatus::UnderMaintenance if ends => Some(put_back(*component)),
            _ => None,
        };
        self.components.iter().filter_map(change).collect()
    }

    /// What an amendment of the components does to them while the work goes on: one that joins is put under maintenance,
    /// one that leaves is put back. `before` are those it had.
    pub fn amending_changes(&self, before: &[Uuid], current: impl Fn(Uuid) -> Option<ComponentStatus>) -> Vec<Change> {
        if !self.status.is_active() {
            return Vec::new();
        }
        let joins = |component: &Uuid| {
            let is_new = !before.contains(component) && current(*component) == Some(ComponentStatus::Operational);
            is_new.then(|| put_under(*component))
        };
        let leaves = |component: &Uuid| {
            let is_gone =
                !self.components.contains(component) && current(*component) == Some(ComponentStatus::UnderMaintenance);
            is_gone.then(|| put_back(*component))
        };
        let joining = self.components.iter().filter_map(joins);
        joining.chain(before.iter().filter_map(leaves)).collect()
    }

    /// Where automation has it go at this time, if anywhere.
    pub fn due(&self, now: Timestamp) -> Option<MaintenanceStatus> {
        match self.status {
            _ if !self.automatic => None,
            MaintenanceStatus::Scheduled if now >= self.scheduled_until => Some(MaintenanceStatus::Completed),
            MaintenanceStatus::Scheduled if now >= self.scheduled_for => Some(MaintenanceStatus::InProgress),
            status if status.is_active() && now >= self.scheduled_until => Some(MaintenanceStatus::Completed),
            _ => None,
        }
    }

    fn add(&mut self, post: Post<MaintenanceStatus>, now: Timestamp) -> Result<(), Refused> {
        let Post { status, display_at, .. } = post;
        timeline::append(&mut self.updates, post, now)?;
        if status.is_active() {
            self.started_at.get_or_insert(display_at);
        }
        if status == MaintenanceStatus::Completed {
            self.completed_at = Some(display_at);
        }
        self.status = status;
        self.touch(now);
        Ok(())
    }

    fn touch(&mut self, now: Timestamp) {
        self.version += 1;
        self.updated_at = now;
    }
}

#[cfg(test)]
mod tests;
