//! Incidents, their timelines and postmortems.

mod affected;

use std::sync::Arc;

use async_graphql::{ID, InputObject, Json, Object};
use uuid::Uuid;

use super::charged::Charged;
use super::component::{self, Component};
use super::connection::{Arguments, Counting};
use super::enums::{Audience, Impact, IncidentStatus, UpdateOrder};
use super::error::{Failure, Result};
use super::id::{self, Kind};
use super::page::{self, Page};
use super::scalar::{DateTime, Duration, Markdown};
use super::timeline::{self, timeline_update};
use crate::domain;
use crate::domain::summary::{self, Facts, Locale};
use crate::domain::text;
use crate::error::Error;
use crate::queries::View;

pub use affected::{AffectedComponent, StatusInterval};

timeline_update! {
    /// One entry of an incident's timeline.
    IncidentUpdate of incident: Incident = domain::incident::IncidentUpdate, IncidentStatus, Kind::IncidentUpdate,
    /// The incident it is about.
}

/// Something that went wrong, with the timeline of what was said of it.
#[derive(Clone, Debug)]
pub struct Incident {
    state: Arc<domain::incident::Incident>,
    view: View,
    /// The components it affects, where an event or a command brought them along.
    carried: Option<Arc<[domain::component::Component]>>,
}

impl Incident {
    pub(super) fn new(state: impl Into<Arc<domain::incident::Incident>>, view: View) -> Incident {
        Incident {
            state: state.into(),
            view,
            carried: None,
        }
    }

    pub(super) fn carrying(
        state: domain::incident::Incident,
        view: View,
        components: &[domain::component::Component],
    ) -> Incident {
        Incident {
            state: Arc::new(state),
            view,
            carried: Some(components.into()),
        }
    }

    async fn owner(&self) -> Result<Arc<domain::page::Page>> {
        page::state(&self.view, self.state.page).await
    }

    /// The update of its timeline with an id.
    pub(super) fn update(&self, id: Uuid) -> Option<IncidentUpdate> {
        let index = self.state.updates.iter().position(|update| update.id == id)?;
        Some(IncidentUpdate {
            incident: self.clone(),
            index,
        })
    }

    /// What it made of each component, in the order the page shows them.
    async fn affected_in_order(&self) -> Result<Vec<(Component, domain::timeline::Affected)>> {
        let affected = self.state.affected();
        let ids: Vec<Uuid> = affected.iter().map(|one| one.component).collect();
        let components = component::in_order(&self.view, self.carried.as_deref(), self.state.page, &ids).await?;
        let find = |component: &Component| affected.iter().find(|one| one.component == component.state.id).cloned();
        Ok(components
            .into_iter()
            .filter_map(|component| find(&component).map(|one| (component, one)))
            .collect())
    }
}

/// Something that went wrong, with the timeline of what was said of it.
#[Object]
impl Incident {
    /// Its global id.
    pub(super) async fn id(&self) -> ID {
        id::encode(Kind::Incident, self.state.id)
    }

    /// The page it stands on.
    async fn page(&self) -> Result<Page> {
        Ok(Page::new(self.owner().await?, self.view.clone()))
    }

    /// What people call it.
    async fn title(&self) -> Result<&str> {
        Ok(self.view.show(self.state.title.as_str())?)
    }

    /// Where it stands.
    async fn status(&self) -> IncidentStatus {
        self.state.status.into()
    }

    /// How bad it is: the worst it made of its components at any time, or what people said instead.
    async fn impact(&self) -> Impact {
        self.state.impact().into()
    }

    /// What people said of its impact; null where it is computed.
    async fn impact_override(&self) -> Option<Impact> {
        self.state.impact_override.map(Into::into)
    }

    /// When it began.
    async fn started_at(&self) -> DateTime {
        self.state.started_at.into()
    }

    /// When a fix was first being watched; null before.
    async fn monitoring_at(&self) -> Option<DateTime> {
        self.state.monitoring_at.map(Into::into)
    }

    /// When it was over; null while it goes on.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.state.resolved_at.map(Into::into)
    }

    /// How long it lasted; null while it goes on, and where its times do not tell.
    async fn duration(&self) -> Option<Duration> {
        let resolved = self.state.resolved_at?;
        summary::duration_iso(resolved.millis_since(self.state.started_at)).map(Duration)
    }

    /// The incident in a sentence or two. `timeZone` is an IANA name and decides the date (UTC unless given); `locale`
    /// is a language tag, of which `en` is known.
    async fn summary(
        &self,
        #[graphql(desc = "The IANA name of the zone that decides the date; UTC unless given.")] time_zone: Option<
            String,
        >,
        #[graphql(desc = "A language tag, of which `en` is known; `en` unless given.")] locale: Option<String>,
    ) -> Result<String> {
        let zone = match &time_zone {
            Some(name) => name
                .parse::<chrono_tz::Tz>()
                .map_err(|_| Failure::bad_user_input("`timeZone` must be an IANA name, such as `Europe/Berlin`."))?,
            None => chrono_tz::UTC,
        };
        let locale = Locale::from_tag(locale.as_deref().unwrap_or("en"))
            .ok_or_else(|| Failure::bad_user_input("`locale` must be a language we know: `en`."))?;
        let page = self.owner().await?;
        let affected = self.affected_in_order().await?;
        let names: Vec<&str> = affected
            .iter()
            .map(|(component, _)| component.state.name.as_str())
            .collect();
        let facts = Facts {
            page: &page.name,
            impact: self.state.impact(),
            started_at: self.state.started_at,
            resolved_at: self.state.resolved_at,
            affected: &names,
        };
        Ok(self.view.show(summary::sentence(facts, zone, locale))?)
    }

    /// The components it affects, in the order the page shows them.
    async fn affected_components(&self) -> Result<Charged<Vec<AffectedComponent>>> {
        let affected = self.affected_in_order().await?;
        let affected = affected
            .into_iter()
            .map(|(component, affected)| AffectedComponent::new(component, &affected));
        Ok(Charged::list(&self.view, affected.collect()))
    }

    /// What was said of it, oldest first unless asked otherwise.
    async fn updates(
        &self,
        #[graphql(desc = "How many items from the beginning, 1 to 100. Give this or `last`.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
        #[graphql(default, desc = "What comes first.")] order: UpdateOrder,
    ) -> Result<Counting<IncidentUpdate>> {
        let arguments = Arguments {
            first,
            after,
            last,
            before,
        };
        timeline::connection(&self.view, &self.state.updates, arguments, order, |index| {
            let incident = self.clone();
            IncidentUpdate { incident, index }
        })
    }

    /// What was said last.
    async fn latest_update(&self) -> Result<IncidentUpdate> {
        let index = self.state.updates.len().checked_sub(1);
        let index = index.ok_or_else(|| Error::Corrupt("an incident without an update".to_owned()))?;
        Ok(IncidentUpdate {
            incident: self.clone(),
            index,
        })
    }

    /// What was learnt; null where nothing is published (a draft is the staff's alone).
    async fn postmortem(&self) -> Option<Postmortem> {
        let state = self.state.postmortem.clone()?;
        let view = self.view.clone();
        Some(Postmortem { state, view })
    }

    /// Where an update or a postmortem may move it. A resolved incident goes back to an open status by being reopened.
    async fn allowed_transitions(&self) -> Vec<IncidentStatus> {
        self.state.status.allowed().into_iter().map(Into::into).collect()
    }

    /// What an alerting system calls it, or the system it was imported from; null where nobody said.
    async fn external_ref(&self) -> Option<&str> {
        self.state.external_ref.as_deref()
    }

    /// What integrators keep with it; null where they keep nothing.
    async fn metadata(&self) -> Result<Option<Json<serde_json::Value>>> {
        if let Some(metadata) = &self.state.metadata {
            self.view.budget().show(json_bytes(metadata))?;
        }
        Ok(self.state.metadata.clone().map(Json))
    }

    /// Who sees it: one that is the staff's alone is not there for others.
    async fn audience(&self) -> Audience {
        self.state.audience.into()
    }

    /// Whether it was entered after it was over, or imported.
    async fn backfilled(&self) -> bool {
        self.state.backfilled
    }

    /// Raised by every change; hand it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.state.version
    }

    /// When it was entered.
    async fn created_at(&self) -> DateTime {
        self.state.created_at.into()
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        self.state.updated_at.into()
    }
}

/// Memory that a value of a JSON document takes in an answer, beside its text.
const JSON_VALUE_BYTES: usize = 64;

/// Bytes of memory that a JSON document takes in an answer.
fn json_bytes(value: &serde_json::Value) -> usize {
    JSON_VALUE_BYTES
        + match value {
            serde_json::Value::String(text) => text.len(),
            serde_json::Value::Array(items) => items.iter().map(json_bytes).sum(),
            serde_json::Value::Object(members) => {
                members.iter().map(|(name, value)| name.len() + json_bytes(value)).sum()
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => 0,
        }
}

/// What was learnt of an incident.
pub struct Postmortem {
    state: domain::incident::Postmortem,
    view: View,
}

/// What was learnt of an incident.
#[Object]
impl Postmortem {
    /// What is published, as it was written; null where there is only a draft.
    async fn body(&self) -> Result<Option<Markdown>> {
        self.shown(self.state.published.as_ref())
    }

    /// What is published, as HTML that is safe to show; null where there is only a draft.
    async fn body_html(&self) -> Result<Option<String>> {
        let published = self.state.published.as_deref();
        Ok(match published {
            Some(body) => Some(timeline::html(&self.view, body).await?),
            None => None,
        })
    }

    /// When it was published, as the timeline shows it; null where there is only a draft.
    async fn published_at(&self) -> Option<DateTime> {
        self.state.published_at.map(Into::into)
    }

    /// What is to be published next; null where there is no draft, and for everybody but the staff.
    async fn draft(&self) -> Result<Option<Markdown>> {
        self.shown(self.state.draft.as_ref())
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        self.state.updated_at.into()
    }
}

impl Postmortem {
    fn shown(&self, text: Option<&String>) -> Result<Option<Markdown>> {
        let text = text.map(|text| self.view.show(text)).transpose()?;
        Ok(text.cloned().map(Markdown))
    }
}

/// Which incidents are asked for. Every field that is given must fit; one that is left out asks for nothing.
#[derive(InputObject, Debug, Default)]
pub struct IncidentFilter {
    /// Incidents in one of these statuses.
    statuses: Option<Vec<IncidentStatus>>,
    /// Incidents of this impact or worse.
    minimum_impact: Option<Impact>,
    /// Incidents that affect one of these components.
    components: Option<Vec<ID>>,
    /// Incidents that began after this.
    started_after: Option<DateTime>,
    /// Incidents that began before this.
    started_before: Option<DateTime>,
    /// Incidents that an alerting system, or the system they were imported from, calls this.
    external_ref: Option<String>,
}

impl From<IncidentFilter> for crate::queries::incident::Filter {
    fn from(filter: IncidentFilter) -> crate::queries::incident::Filter {
        crate::queries::incident::Filter {
            statuses: filter.statuses.map(|all| all.into_iter().map(Into::into).collect()),
            minimum_impact: filter.minimum_impact.map(Into::into),
            components: filter
                .components
                .map(|all| all.iter().map(|one| id::of(Kind::Component, one)).collect()),
            started_after: filter.started_after.map(|at| at.0),
            started_before: filter.started_before.map(|at| at.0),
            // As it would have been kept; what cannot be kept is nobody's, and neither is the empty one.
            external_ref: filter
                .external_ref
                .map(|name| text::external_ref(&name).unwrap_or_default()),
        }
    }
}
