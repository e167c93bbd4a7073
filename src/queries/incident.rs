//! Finding incidents.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::version::{self, Criteria};
use super::{Key, Moment, Slice, View, Window};
use crate::domain::audience::Audience;
use crate::domain::event::{Subject, SubjectKind};
use crate::domain::impact::Impact;
use crate::domain::incident::{Incident, IncidentStatus};
use crate::domain::time::Timestamp;
use crate::entity::{self, incident};
use crate::error::Result;
use crate::live::{HeldIncident, Present};
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

    /// Whether all conditions hold that concern the incident's own values.
    fn matches_row(&self, incident: &Incident) -> bool {
        self.statuses
            .as_ref()
            .is_none_or(|statuses| statuses.contains(&incident.status))
            && self.minimum_impact.is_none_or(|minimum| incident.impact() >= minimum)
            && self.started_after.is_none_or(|after| incident.started_at > after)
            && self.started_before.is_none_or(|before| incident.started_at < before)
            && self
                .external_ref
                .as_ref()
                .is_none_or(|wanted| incident.external_ref.as_ref() == Some(wanted))
    }

    /// The same for the versions of the past.
    fn criteria(&self) -> Criteria {
        let statuses = self.statuses.clone().unwrap_or_else(|| IncidentStatus::ALL.to_vec());
        Criteria {
            kind: SubjectKind::Incident,
            statuses: statuses.iter().map(|status| status.as_str()).collect(),
            impacts: self.impacts().map(Iterator::collect),
            components: self.components.clone(),
            order_after: self.started_after,
            order_before: self.started_before,
            external_ref: self.external_ref.clone(),
        }
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
        let own = (incident::Entity, incident::Column::Id);
        select = select.filter(version::names(own, components, None));
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
pub async fn list(view: &View, page: Uuid, filter: &Filter, window: Window) -> Result<Slice<Arc<Incident>>> {
    if let Some(present) = view.present(page).await {
        let matching = held(view, page, &present, filter);
        return Ok(Slice::of_descending(matching.cloned(), &window, |incident| {
            key(incident)
        }));
    }
    if let Moment::Past(place) = view.moment() {
        let Slice {
            items,
            has_next,
            has_previous,
        } = version::list(view, page, place, &filter.criteria(), &window).await?;
        return Ok(Slice {
            items: standing(view, page, place, &items).await?,
            has_next,
            has_previous,
        });
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
    if let Some(present) = view.present(page).await {
        return Ok(held(view, page, &present, filter).count() as u64);
    }
    match view.moment() {
        Moment::Now => Ok(select(view, page, filter).count(view.db().await?).await?),
        Moment::Past(place) => version::count(view, page, place, &filter.criteria()).await,
    }
}

/// The incidents of a page that go on, newest first. Read together for all pages an answer shows.
///
/// # Errors
/// Those of the database.
pub async fn active(view: &View, page: Uuid) -> Result<Vec<Arc<Incident>>> {
    if let Some(present) = view.present(page).await {
        return Ok(held(view, page, &present, &Filter::open()).cloned().collect());
    }
    let read = |pages: Vec<Uuid>| async move {
        if let Moment::Past(place) = view.moment() {
            let mut active = HashMap::new();
            for page in pages {
                let open = version::all(view, page, place, &Filter::open().criteria()).await?;
                active.insert(page, Arc::new(standing(view, page, place, &open).await?));
            }
            return Ok(active);
        }
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
        let mut active: HashMap<Uuid, Vec<Arc<Incident>>> = HashMap::new();
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
pub async fn by_ids(view: &View, ids: &[Uuid]) -> Result<Vec<Arc<Incident>>> {
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
pub async fn by_updates(view: &View, updates: &[Uuid]) -> Result<Vec<Arc<Incident>>> {
    let owners = entity::timeline::owners(view.db().await?, updates).await?;
    by_ids(view, &owners).await
}

fn seen(view: &View, incidents: Vec<Incident>) -> Vec<Arc<Incident>> {
    incidents
        .into_iter()
        .filter_map(|incident| {
            let audience = view.audience_of(incident.page);
            incident
                .exists_for(audience)
                .then(|| Arc::new(incident.seen_by(audience)))
        })
        .collect()
}

/// The incidents of a page in memory that match, as the view's audience sees them, newest first.
fn held<'a>(
    view: &View,
    page: Uuid,
    present: &'a Present,
    filter: &'a Filter,
) -> impl DoubleEndedIterator<Item = &'a Arc<Incident>> {
    let audience = view.audience_of(page);
    let wanted: Option<HashSet<Uuid>> = filter
        .components
        .as_ref()
        .map(|components| components.iter().copied().collect());
    let names_one = move |held: &HeldIncident| {
        let is_wanted = |wanted: &HashSet<Uuid>| held.components().iter().any(|component| wanted.contains(component));
        wanted.as_ref().is_none_or(is_wanted)
    };
    present.incidents().iter().filter_map(move |held| {
        let incident = held.seen_by(audience)?;
        (filter.matches_row(incident) && names_one(held)).then_some(incident)
    })
}

/// The incidents of these ids as they stood at a place, newest first.
async fn standing(view: &View, page: Uuid, place: Place, ids: &[Uuid]) -> Result<Vec<Arc<Incident>>> {
    let entries = log::standing_of(view.db().await?, page, SubjectKind::Incident, ids, place.staff_number).await?;
    let incidents = entries.iter().filter_map(|entry| match &entry.payload.subject {
        Subject::Incident(incident) => Some(incident.clone()),
        _ => None,
    });
    let mut incidents = seen(view, incidents.collect());
    incidents.sort_by_key(|incident| std::cmp::Reverse(key(incident)));
    Ok(incidents)
}
