//! The timeline of an incident or a maintenance: its updates, their order, and what became of each component.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::audience::{Audience, everybody};
use super::component::ComponentStatus;
use super::impact::{Impact, blend};
use super::refusal::{Refusal, Refused};
use super::time::Timestamp;

/// How far ahead of the clock a time shown may lie: clocks of people and servers differ a little (DOMAIN.md, 3).
pub const AHEAD_MILLIS: i64 = 5 * 60 * 1000;

/// How many updates one timeline holds. Real ones have 10 or fewer; every event carries the whole timeline, so it must
/// end somewhere.
pub const MAX_UPDATES: usize = 500;

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update<S> {
    pub id: Uuid,
    /// 1, 2, 3, … in the order of posting.
    pub number: i32,
    pub status: S,
    pub body: String,
    /// The time shown, which may lie before the posting.
    pub display_at: Timestamp,
    pub created_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    pub revisions: Vec<Revision>,
    pub changes: Vec<Change>,
    /// What the system it was imported from calls it.
    pub external_ref: Option<String>,
    /// Who sees it.
    #[serde(default = "everybody")]
    pub audience: Audience,
}

/// What an update said before an edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    pub body: String,
    pub display_at: Timestamp,
    pub replaced_at: Timestamp,
}

/// What an update made of one component; `from` and `to` are the same where it only names it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub component: Uuid,
    pub from: ComponentStatus,
    pub to: ComponentStatus,
}

/// A new entry, before it has its number.
#[derive(Clone, Debug)]
pub struct Post<S> {
    pub id: Uuid,
    pub status: S,
    pub body: String,
    pub display_at: Timestamp,
    pub changes: Vec<Change>,
    pub external_ref: Option<String>,
    pub audience: Audience,
}

/// A new text or time for an entry; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    pub body: Option<String>,
    pub display_at: Option<Timestamp>,
}

/// What an incident or maintenance made of one component.
#[derive(Clone, Debug, PartialEq)]
pub struct Affected {
    pub component: Uuid,
    /// As the newest update that names it left it.
    pub status: ComponentStatus,
    pub worst: ComponentStatus,
    /// Without gaps, oldest first; the last has no end.
    pub intervals: Vec<Interval>,
}

/// A time a component spent in one status.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub status: ComponentStatus,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

/// Puts a timeline in its order: by the time shown, then by number (DOMAIN.md, 3).
pub fn sort<S>(updates: &mut [Update<S>]) {
    updates.sort_by_key(|update| (update.display_at, update.number));
}

/// Checks a time shown against the start of its incident and the clock.
///
/// # Errors
/// `UPDATE_BEFORE_START` and `TIME_IN_FUTURE`.
pub fn check_display_at(at: Timestamp, start: Timestamp, now: Timestamp) -> Result<(), Refused> {
    if at < start {
        return Err(Refusal::UpdateBeforeStart { start }.at(["displayAt"]));
    }
    check_not_ahead(at, now).map_err(|refusal| refusal.at(["displayAt"]))
}

/// Refuses a time that lies further ahead of the clock than clocks differ.
pub fn check_not_ahead(at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if at > now.plus_millis(AHEAD_MILLIS) {
        Err(Refusal::TimeInFuture)
    } else {
        Ok(())
    }
}

/// Refuses one entry more than a timeline holds.
pub fn check_room<S>(updates: &[Update<S>]) -> Result<(), Refused> {
    if updates.len() < MAX_UPDATES {
        Ok(())
    } else {
        Err(Refusal::TooManyUpdates { max: MAX_UPDATES }.into())
    }
}

/// Adds an entry with the next number, and keeps the order. Returns that number.
pub fn append<S>(updates: &mut Vec<Update<S>>, post: Post<S>, now: Timestamp) -> Result<i32, Refused> {
    check_room(updates)?;
    let number = updates.iter().map(|update| update.number).max().unwrap_or(0) + 1;
    let Post {
        id,
        status,
        body,
        display_at,
        changes,
        external_ref,
        audience,
    } = post;
    updates.push(Update {
        id,
        number,
        status,
        body,
        display_at,
        created_at: now,
        edited_at: None,
        revisions: Vec::new(),
        changes,
        external_ref,
        audience,
    });
    sort(updates);
    Ok(number)
}

/// Replaces an entry's text or time, keeping the earlier ones as a revision. Returns whether anything changed.
pub fn edit<S>(updates: &mut [Update<S>], id: Uuid, edit: Edit, now: Timestamp) -> bool {
    let Some(update) = updates.iter_mut().find(|update| update.id == id) else {
        return false;
    };
    let body = edit.body.unwrap_or_else(|| update.body.clone());
    let display_at = edit.display_at.unwrap_or(update.display_at);
    if body == update.body && display_at == update.display_at {
        return false;
    }
    let earlier = std::mem::replace(&mut update.body, body);
    update.revisions.push(Revision {
        body: earlier,
        display_at: update.display_at,
        replaced_at: now,
    });
    update.display_at = display_at;
    update.edited_at = Some(now);
    sort(updates);
    true
}

/// The worst blend over the components a timeline had named by then, after each of its updates (DOMAIN.md, 5).
pub fn peak<S>(updates: &[Update<S>]) -> Impact {
    let mut known: Vec<(Uuid, ComponentStatus)> = Vec::new();
    let mut peak = Impact::None;
    for update in updates {
        for change in &update.changes {
            match known.iter_mut().find(|(component, _)| *component == change.component) {
                Some((_, status)) => *status = change.to,
                None => known.push((change.component, change.to)),
            }
        }
        let statuses: Vec<_> = known.iter().map(|(_, status)| *status).collect();
        peak = peak.max(blend(&statuses));
    }
    peak
}

/// What a timeline made of each component it names, in the order it names them.
pub fn affected<S>(updates: &[Update<S>]) -> Vec<Affected> {
    let mut all: Vec<Affected> = Vec::new();
    for update in updates {
        for change in &update.changes {
            let next = Interval {
                status: change.to,
                from: update.display_at,
                until: None,
            };
            let Some(known) = all.iter_mut().find(|known| known.component == change.component) else {
                all.push(Affected {
                    component: change.component,
                    status: change.to,
                    worst: change.to,
                    intervals: vec![next],
                });
                continue;
            };
            if known.status == change.to {
                continue;
            }
            if let Some(last) = known.intervals.last_mut() {
                last.until = Some(update.display_at);
            }
            known.status = change.to;
            known.worst = known.worst.max(change.to);
            known.intervals.push(next);
        }
    }
    all
}

#[cfg(test)]
mod tests;
