//! What was learnt of an incident: drafting it, publishing it, taking it back.

use uuid::Uuid;

use super::super::audience::Audience;
use super::super::refusal::{Refusal, Refused, Thing};
use super::super::time::Timestamp;
use super::super::timeline::{self, Edit, Post};
use super::{Incident, IncidentStatus, Postmortem};

impl Incident {
    /// Keeps a draft of the postmortem, for the staff alone. It does not raise the incident's version: a reader of the
    /// public page must not see that there is one.
    ///
    /// # Errors
    /// `ILLEGAL_TRANSITION` while the incident is open.
    pub fn draft_postmortem(&mut self, body: String, now: Timestamp) -> Result<(), Refused> {
        self.status
            .transition(IncidentStatus::Postmortem)
            .map_err(Refusal::from)?;
        let postmortem = self.postmortem.get_or_insert(Postmortem {
            draft: None,
            published: None,
            published_at: None,
            updated_at: now,
        });
        postmortem.draft = Some(body);
        postmortem.updated_at = now;
        Ok(())
    }

    /// Publishes the draft as the last entry of the timeline, or revises the one that is published.
    ///
    /// # Errors
    /// `POSTMORTEM_NOT_FOUND` without a draft, `ILLEGAL_TRANSITION`, `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`,
    /// `TOO_MANY_UPDATES`.
    pub fn publish_postmortem(&mut self, id: Uuid, at: Timestamp, now: Timestamp) -> Result<(), Refused> {
        self.status
            .transition(IncidentStatus::Postmortem)
            .map_err(Refusal::from)?;
        timeline::check_display_at(at, self.started_at, now)?;
        let entry = self
            .updates
            .iter()
            .find(|update| update.status == IncidentStatus::Postmortem)
            .map(|one| one.id);
        if entry.is_none() {
            timeline::check_room(&self.updates)?;
        }
        let Some(postmortem) = &mut self.postmortem else {
            return Err(Refusal::NotFound(Thing::Postmortem).into());
        };
        let Some(body) = postmortem.draft.take() else {
            return Err(Refusal::NotFound(Thing::Postmortem).into());
        };
        postmortem.published = Some(body.clone());
        postmortem.published_at.get_or_insert(at);
        postmortem.updated_at = now;
        if let Some(entry) = entry {
            timeline::edit(
                &mut self.updates,
                entry,
                Edit {
                    body: Some(body),
                    display_at: None,
                },
                now,
            );
            self.touch(now, Audience::Public);
            return Ok(());
        }
        let post = Post {
            id,
            status: IncidentStatus::Postmortem,
            body,
            display_at: at,
            changes: Vec::new(),
            external_ref: None,
            audience: Audience::Public,
        };
        self.add(post, now)
    }

    /// Takes the published postmortem back: its entry leaves the timeline, its text becomes the draft again, and the
    /// incident is resolved as before.
    ///
    /// # Errors
    /// `POSTMORTEM_NOT_FOUND` where none is published.
    pub fn withdraw_postmortem(&mut self, now: Timestamp) -> Result<(), Refused> {
        let Some(postmortem) = &mut self.postmortem else {
            return Err(Refusal::NotFound(Thing::Postmortem).into());
        };
        let Some(body) = postmortem.published.take() else {
            return Err(Refusal::NotFound(Thing::Postmortem).into());
        };
        postmortem.draft.get_or_insert(body);
        postmortem.published_at = None;
        postmortem.updated_at = now;
        self.updates
            .retain(|update| update.status != IncidentStatus::Postmortem);
        self.status = IncidentStatus::Resolved;
        self.touch(now, Audience::Public);
        Ok(())
    }
}
