//! Finding incidents.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::{Key, Moment, Slice, View, Window};
use crate::domain::audience::Audience;
use crate::domain::event::{Subject, SubjectKind};
use crate::domain::impact::Impact;
use crate::domain::incident::{Incident, IncidentStatus};
use crate::domain::time::Timestamp;
use crate::entity::{self, component_change, incident, timeline_update};
use crate::error::Result;
use crate::store::log::{self, Place};

/// Which incidents are asked for; what is `None` asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub statuses: Option<Vec<IncidentStatus>>,
    pub minimum_impact: Option<Impact>,
    /// Incidents that name one of these.
    pub components: Option<Vec<Uuid>>,
    pub started_after: Option<Timestamp>,
    pub started_before: Option<Timestamp>,
    pub external_ref: Option<String>,
}

impl Filter {
    /// The incidents that go on.
    pub fn open() -> Filter {
        let open = IncidentStatus::ALL.iter().copied().filter(|status| status.is_open());
        Filter {
            statuses: Some(open.collect()),
            ..Filter::default()
        }
    }

    fn impacts(&self) -> Option<impl Iterator<Item = &'static str> + use<>> {
        let minimum = self.minimum_impact?;
        Some(
            Impact::ALL
                .iter()
                .filter(move |impact| **impact >= minimum)
                .map(|impact| impact.as_str()),
        )
    }

    fn matches(&self, incident: &Incident) -> bool {
        let affected = || incident.affected().into_iter().map(|affected| affected.component);
        self.statuses
            .as_ref()
            .is_none_or(|statuses| statuses.contains(&incident.status))
            && self.minimum_impact.is_none_or(|minimum| incident.impact() >= minimum)
            && self
                .components
                .as_ref()
                .is_none_or(|wanted| affected().any(|component| wanted.contains(&component)))
            && self.started_after.is_none_or(|after| incident.started_at > after)
            && self.started_before.is_none_or(|before| incident.started_at < before)
            && self
                .external_ref
                .as_ref()
                .is_none_or(|wanted| incident.external_ref.as_ref() == Some(wanted))
    }
}

fn select(view: &View, page: Uuid, filter: &Filter) -> Select<incident::Entity> {
    let mut select = incident::Entity::find().filter(incident::Column::PageId.eq(page));
    if view.audience_of(page) == Audience::Public {
        select = select.filter(incident::Column::Audience.eq(Audience::Public.as_str()));
    }
    if let Some(statuses) = &filter.statuses {
        select = select.filter(incident::Column::Status.is_in(statuses.iter().map(|status| status.as_str())));
    }
    if let Some(impacts) = filter.impacts() {
        let effective = Func::coalesce([
            Expr::col(incident::Column::ImpactOverride),
            Expr::col(incident::Column::PeakImpact),
        ]);
        select = select.filter(Expr::expr(effective).is_in(impacts));
    }
    if let Some(components) = &filter.components {
        let mut naming = Query::select();
        naming
            .column((timeline_update::Entity, timeline_update::Column::OwnerId))
            .from(component_change::Entity)
            .inner_join(
                timeline_update::Entity,
                Expr::col((timeline_update::Entity, timeline_update::Column::Id))
                    .equals((component_change::Entity, component_change::Column::UpdateId)),
            )
            .and_where(component_change::Column::ComponentId.is_in(components.iter().copied()));
        select = select.filter(incident::Column::Id.in_subquery(naming));
    }
    if let Some(after) = filter.started_after {
        select = select.filter(incident::Column::StartedAt.gt(after.millis()));
    }
    if let Some(before) = filter.started_before {
        select = select.filter(incident::Column::StartedAt.lt(before.millis()));
    }
    if let Some(external_ref) = &filter.external_ref {
        select = select.filter(incident::Column::ExternalRef.eq(external_ref));
    }
    select
}

/// Where an incident stands in a list.
pub fn key(incident: &Incident) -> Key {
    Key {
        order: incident.started_at.millis(),
        id: incident.id,
    }
}

/// A page's incidents, newest first, each with its whole timeline: five statements, however many there are.
///
/// # Errors
/// Those of the database.
pub async fn list(view: &View, page: Uuid, filter: &Filter, window: Window) -> Result<Slice<Incident>> {
    if let Moment::Past(place) = view.moment() {
        let all = past_matching(view, page, place, filter).await?;
        return Ok(Slice::of(all, &window, key, |own, other| own < other));
    }
    let db = view.db().await?;
    let mut cursor = select(view, page, filter).cursor_by((incident::Column::StartedAt, incident::Column::Id));
    super::window::apply(&mut cursor, &window);
    let slice = Slice::cut(view.counted(cursor.all(db).await?)?, &window);
    let Slice {
        items,
        has_next,
        has_previous,
    } = slice;
    let loaded = load(view, items).await?;
    Ok(Slice {
        items: seen(view, loaded),
        has_next,
        has_previous,
    })
}

/// How many incidents of a page match.
///
/// # Errors
/// Those of the database.
pub async fn count(view: &View, page: Uuid, filter: &Filter) -> Result<u64> {
    match view.moment() {
        Moment::Now => Ok(select(view, page, filter).count(view.db().await?).await?),
        Moment::Past(place) => Ok(past_matching(view, page, place, filter).await?.len() as u64),
    }
}

/// The incidents of a page that go on, newest first. Read together for all pages an answer shows.
///
/// # Errors
/// Those of the database.
pub async fn active(view: &View, page: Uuid) -> Result<Vec<Incident>> {
    if let Moment::Past(place) = view.moment() {
        return past_matching(view, page, place, &Filter::open()).await;
    }
    let read = |pages: Vec<Uuid>| async move {
        let db = view.db().await?;
        let open = IncidentStatus::ALL
            .iter()
            .filter(|status| status.is_open())
            .map(|status| status.as_str());
        let rows = incident::Entity::find()
            .filter(incident::Column::PageId.is_in(pages))
            .filter(incident::Column::Status.is_in(open))
            .order_by_desc(incident::Column::StartedAt)
            .order_by_desc(incident::Column::Id)
            .limit(view.budget().rows_left())
            .all(db)
            .await?;
        let mut active: HashMap<Uuid, Vec<Incident>> = HashMap::new();
        for incident in seen(view, load(view, view.counted(rows)?).await?) {
            active.entry(incident.page).or_default().push(incident);
        }
        Ok(active
            .into_iter()
            .map(|(page, incidents)| (page, Arc::new(incidents)))
            .collect())
    };
    let active = view.incidents().load(page, read).await?;
    Ok(active.as_ref().clone())
}

/// The incidents with these ids, on pages that exist for the view's audience, in any order.
///
/// # Errors
/// Those of the database.
pub async fn by_ids(view: &View, ids: &[Uuid]) -> Result<Vec<Incident>> {
    let db = view.db().await?;
    let rows = incident::Entity::find()
        .filter(incident::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    let pages = super::page::visible_of(view, rows.iter().map(|row| row.page_id)).await?;
    let rows = rows.into_iter().filter(|row| pages.contains(&row.page_id)).collect();
    Ok(seen(view, load(view, view.counted(rows)?).await?))
}

/// The incidents of these rows with their timelines, charged to the answer's budget.
async fn load(view: &View, rows: Vec<incident::Model>) -> Result<Vec<Incident>> {
    let most = view.budget().readable();
    let incidents = entity::incident::load_within(view.db().await?, rows, most).await?;
    for incident in &incidents {
        view.charge_timeline(&incident.updates)?;
    }
    Ok(incidents)
}

/// The incidents whose timelines hold these updates, on pages that exist for the view's audience, in any order.
///
/// # Errors
/// Those of the database.
pub async fn by_updates(view: &View, updates: &[Uuid]) -> Result<Vec<Incident>> {
    let owners = entity::timeline::owners(view.db().await?, updates).await?;
    by_ids(view, &owners).await
}

fn seen(view: &View, incidents: Vec<Incident>) -> Vec<Incident> {
    incidents
        .into_iter()
        .filter_map(|incident| {
            let audience = view.audience_of(incident.page);
            incident.exists_for(audience).then(|| incident.seen_by(audience))
        })
        .collect()
}

async fn past_matching(view: &View, page: Uuid, place: Place, filter: &Filter) -> Result<Vec<Incident>> {
    let read = |pages: Vec<Uuid>| async move {
        let mut all = HashMap::new();
        for page in pages {
            let db = view.db().await?;
            let entries = log::standing_at(db, page, SubjectKind::Incident, place.staff_number).await?;
            let mut incidents = Vec::new();
            for entry in entries {
                if let Subject::Incident(incident) = &entry.payload.subject {
                    incidents.push(incident.clone());
                }
            }
            let mut incidents = seen(view, incidents);
            incidents.sort_by_key(|incident| std::cmp::Reverse(key(incident)));
            all.insert(page, Arc::new(incidents));
        }
        Ok(all)
    };
    let all = view.incidents().load(page, read).await?;
    Ok(all
        .iter()
        .filter(|incident| filter.matches(incident))
        .cloned()
        .collect())
}
