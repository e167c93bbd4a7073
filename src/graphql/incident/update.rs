//! One entry of an incident's timeline, and what it said before.

use async_graphql::{ID, Object, SimpleObject};

use super::Incident;
use super::affected::{ComponentChange, changes};
use crate::domain;
use crate::domain::timeline::Revision;
use crate::graphql::enums::IncidentStatus;
use crate::graphql::error::Result;
use crate::graphql::id::{self, Kind};
use crate::graphql::scalar::{DateTime, Markdown};
use crate::markdown;

/// One entry of an incident's timeline.
#[derive(Clone, Debug)]
pub struct IncidentUpdate {
    pub(super) incident: Incident,
    pub(super) index: usize,
}

impl IncidentUpdate {
    pub(super) fn state(&self) -> &domain::incident::IncidentUpdate {
        &self.incident.state.updates[self.index]
    }
}

/// One entry of an incident's timeline.
#[Object]
impl IncidentUpdate {
    /// Its global id.
    pub(in crate::graphql) async fn id(&self) -> ID {
        id::encode(Kind::IncidentUpdate, self.state().id)
    }

    /// The incident it is about.
    async fn incident(&self) -> Incident {
        self.incident.clone()
    }

    /// 1, 2, 3, … in the order of posting.
    async fn number(&self) -> i32 {
        self.state().number
    }

    /// The status it gave the incident.
    async fn status(&self) -> IncidentStatus {
        self.state().status.into()
    }

    /// What it says, as it was written.
    async fn body(&self) -> Markdown {
        Markdown(self.state().body.clone())
    }

    /// What it says, as HTML that is safe to show.
    async fn body_html(&self) -> String {
        markdown::to_html(&self.state().body)
    }

    /// The time shown, which may lie before it was posted.
    async fn display_at(&self) -> DateTime {
        self.state().display_at.into()
    }

    /// When it was posted.
    async fn created_at(&self) -> DateTime {
        self.state().created_at.into()
    }

    /// When its text or time was last replaced; null where it stands as it was posted.
    async fn edited_at(&self) -> Option<DateTime> {
        self.state().edited_at.map(Into::into)
    }

    /// What it said before it was edited, oldest first.
    async fn revisions(&self) -> Vec<UpdateRevision> {
        revisions(&self.state().revisions)
    }

    /// What it made of components.
    async fn component_changes(&self) -> Result<Vec<ComponentChange>> {
        let incident = &self.incident;
        changes(
            &incident.view,
            incident.carried.as_deref(),
            incident.state.page,
            &self.state().changes,
        )
        .await
    }

    /// What the system it was imported from calls it; null where it was posted here.
    async fn external_ref(&self) -> Option<&str> {
        self.state().external_ref.as_deref()
    }
}

/// What an update said before it was edited.
#[derive(SimpleObject, Debug)]
pub struct UpdateRevision {
    /// What it said.
    body: Markdown,
    /// The time it showed.
    display_at: DateTime,
    /// When it was replaced.
    replaced_at: DateTime,
}

/// Revisions as the API shows them.
pub(in crate::graphql) fn revisions(all: &[Revision]) -> Vec<UpdateRevision> {
    let revision = |revision: &Revision| UpdateRevision {
        body: Markdown(revision.body.clone()),
        display_at: revision.display_at.into(),
        replaced_at: revision.replaced_at.into(),
    };
    all.iter().map(revision).collect()
}
