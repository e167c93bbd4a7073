//! What only the staff sees of an incident, or a whole one, and showing it to the public later.

use uuid::Uuid;

use super::super::audience::Audience;
use super::super::refusal::{Refusal, Refused, Thing};
use super::super::time::Timestamp;
use super::super::timeline::{self, Post};
use super::{Incident, IncidentStatus, IncidentUpdate, Told};

impl Incident {
    /// Whether it exists for an audience.
    pub fn exists_for(&self, audience: Audience) -> bool {
        audience == Audience::Staff || self.audience == Audience::Public
    }

    /// The incident as an audience may see it, for which it exists: drafts and some updates are for the staff, and
    /// nothing shows that there are any.
    pub fn seen_by(mut self, audience: Audience) -> Incident {
        if audience == Audience::Public {
            if let Some(told) = self.told.take() {
                self.version = told.version;
                self.updated_at = told.updated_at;
            }
            self.updates.retain(|update| update.audience == Audience::Public);
            let mut posted: Vec<&mut IncidentUpdate> = self.updates.iter_mut().collect();
            posted.sort_by_key(|update| update.number);
            for (number, update) in (1..).zip(posted) {
                update.number = number;
            }
            self.postmortem = self.postmortem.filter(|postmortem| postmortem.published.is_some());
            if let Some(postmortem) = &mut self.postmortem {
                postmortem.draft = None;
                postmortem.updated_at = self.updated_at;
            }
        }
        self
    }

    /// Keeps a note among the staff. It moves nothing that the public sees: neither the incident nor a component. So it
    /// may be taken at any time, also after the end.
    ///
    /// # Errors
    /// `STAFF_ONLY` where it would move something, `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`, `TOO_MANY_UPDATES`.
    pub fn note(&mut self, mut post: Post<IncidentStatus>, now: Timestamp) -> Result<(), Refused> {
        if post.status != self.status {
            return Err(Refusal::StaffOnly.at(["status"]));
        }
        if !post.changes.is_empty() {
            return Err(Refusal::StaffOnly.at(["components"]));
        }
        timeline::check_display_at(post.display_at, self.started_at, now)?;
        // The one entry that is a postmortem is the postmortem.
        if post.status == IncidentStatus::Postmortem {
            post.status = IncidentStatus::Resolved;
        }
        post.audience = Audience::Staff;
        timeline::append(&mut self.updates, post, now)?;
        self.touch(now, Audience::Staff);
        Ok(())
    }

    /// Says to the public what was a note among the staff: as an update of this moment, with an id, a number and a time
    /// of its own and without what was edited, so that nothing of its past is told.
    ///
    /// # Errors
    /// `INCIDENT_UPDATE_NOT_FOUND` for what is no such note; those of [`Incident::post`].
    pub fn publish_note(&mut self, note: Uuid, id: Uuid, at: Timestamp, now: Timestamp) -> Result<(), Refused> {
        let is_note = |update: &&IncidentUpdate| update.id == note && update.audience == Audience::Staff;
        let Some(found) = self.updates.iter().find(is_note) else {
            return Err(Refusal::NotFound(Thing::IncidentUpdate).at(["update"]));
        };
        let post = Post {
            id,
            status: self.status,
            body: found.body.clone(),
            display_at: at,
            changes: Vec::new(),
            external_ref: None,
            audience: Audience::Public,
        };
        // The note goes last: its number is not given twice.
        self.post(post, now)?;
        self.updates.retain(|update| update.id != note);
        Ok(())
    }

    /// Shows a whole incident to the public that only the staff saw, with its timeline but for the notes. Returns whether
    /// that changed anything.
    pub fn publish(&mut self, now: Timestamp) -> bool {
        if self.audience == Audience::Public {
            return false;
        }
        self.audience = Audience::Public;
        self.version += 1;
        self.updated_at = now;
        // The public is not told how often it was changed before.
        self.told = Some(Told {
            version: 1,
            updated_at: now,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::component::ComponentStatus;
    use super::super::super::sample::{change, id, incident, minute, opening, post};
    use super::*;

    fn noted() -> Incident {
        let mut noted = incident(IncidentStatus::Investigating);
        noted
            .note(post(200, IncidentStatus::Investigating, minute(3)), minute(3))
            .expect("a note can be taken");
        noted
    }

    #[test]
    fn the_public_sees_nothing_of_a_note_taken_edited_or_followed_by_an_update() {
        let say = |incident: &mut Incident| {
            let next = post(300, IncidentStatus::Monitoring, minute(9));
            incident.post(next, minute(9)).expect("it goes on");
        };
        let edit = timeline::Edit {
            body: Some("Otherwise".to_owned()),
            display_at: None,
        };
        let (mut without, mut with) = (incident(IncidentStatus::Investigating), noted());
        assert_eq!(
            with.clone().seen_by(Audience::Public),
            without.clone().seen_by(Audience::Public)
        );

        with.edit(id(200), edit, minute(5)).expect("a note can be edited");
        assert_eq!(
            with.clone().seen_by(Audience::Public),
            without.clone().seen_by(Audience::Public)
        );
        say(&mut with);
        say(&mut without);

        assert_eq!(
            with.clone().seen_by(Audience::Public),
            without.seen_by(Audience::Public)
        );
        assert_eq!(with.version, 4, "the staff is told of all changes");
        assert_eq!(with.clone().seen_by(Audience::Staff), with);
    }

    #[test]
    fn a_note_moves_nothing() {
        let mut incident = incident(IncidentStatus::Investigating);
        let before = incident.clone();
        let moving = post(200, IncidentStatus::Resolved, minute(3));
        let mut changing = post(201, IncidentStatus::Investigating, minute(3));
        changing.changes = vec![change(31, ComponentStatus::MajorOutage)];

        let refused = [moving, changing].map(|post| incident.note(post, minute(3)));

        let at = |field: &str| Err(Refusal::StaffOnly.at([field]));
        assert_eq!(refused, [at("status"), at("components")]);
        assert_eq!(incident, before);
    }

    #[test]
    fn a_note_may_be_taken_in_every_status_and_changes_no_milestone() {
        for &status in IncidentStatus::ALL {
            let mut incident = incident(status);
            let before = incident.clone();

            incident
                .note(post(200, status, minute(3)), minute(3))
                .expect("a note can be taken");

            assert_eq!(incident.status, status);
            assert_eq!(incident.milestones(), before.milestones());
            assert_eq!(incident.seen_by(Audience::Public), before.seen_by(Audience::Public));
        }
    }

    #[test]
    fn a_note_that_is_published_is_an_update_of_that_moment() {
        let mut incident = noted();

        incident
            .publish_note(id(200), id(201), minute(7), minute(7))
            .expect("it can be published");

        let seen = incident.clone().seen_by(Audience::Public);
        let said = seen.updates.last().expect("an update");
        assert_eq!((said.id, said.number, said.created_at), (id(201), 2, minute(7)));
        assert_eq!((said.body.as_str(), seen.version), ("Text 200", 2));
        let again = incident.publish_note(id(201), id(202), minute(7), minute(7));
        assert_eq!(again, Err(Refusal::NotFound(Thing::IncidentUpdate).at(["update"])));
    }

    #[test]
    fn an_incident_of_the_staff_exists_for_the_public_once_it_is_published_as_if_new() {
        let mut opening = opening(post(100, IncidentStatus::Identified, minute(0)));
        opening.audience = Audience::Staff;
        let mut incident = Incident::open(opening, minute(0)).expect("it may open");
        incident
            .post(post(101, IncidentStatus::Monitoring, minute(1)), minute(1))
            .expect("it goes on");
        incident
            .note(post(102, IncidentStatus::Monitoring, minute(2)), minute(2))
            .expect("a note can be taken");
        assert!(!incident.exists_for(Audience::Public) && incident.exists_for(Audience::Staff));

        assert!(incident.publish(minute(5)));

        assert!(incident.exists_for(Audience::Public));
        let seen = incident.clone().seen_by(Audience::Public);
        assert_eq!((seen.version, seen.updated_at, seen.updates.len()), (1, minute(5), 2));
        assert!(!incident.publish(minute(6)), "once");
    }
}
