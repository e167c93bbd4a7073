//! Finding incidents and maintenances as they stood in the past, without reading the events of those that are not returned.

use sea_orm::sea_query::{Expr, ExprTrait, Func, IntoColumnRef, Query};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use super::{Slice, View, Window};
use crate::domain::audience::Audience;
use crate::domain::event::SubjectKind;
use crate::domain::time::Timestamp;
use crate::domain::timeline::AHEAD_MILLIS;
use crate::entity::incident_component;
use crate::entity::subject_version::{Column, Entity};
use crate::error::Result;
use crate::store::log::Place;

/// How many components a filter names before each incident is checked for one of them, rather than the incidents of each
/// component collected. A component is in few incidents and collecting is cheap; with many components nearly every incident
/// matches, and its first component tells.
const COLLECTED_COMPONENTS: usize = 16;

/// Which subjects of a kind are searched for; `None` matches all.
#[derive(Debug)]
pub(super) struct Criteria {
    pub(super) kind: SubjectKind,
    /// The statuses that match. Always given, also where all of them match: the index by status serves counts only so.
    pub(super) statuses: Vec<&'static str>,
    pub(super) impacts: Option<Vec<&'static str>>,
    /// Incidents that name one of these.
    pub(super) components: Option<Vec<Uuid>>,
    pub(super) order_after: Option<Timestamp>,
    pub(super) order_before: Option<Timestamp>,
    pub(super) external_ref: Option<String>,
}

/// The ids in a window of the subjects that match at a place, newest first.
///
/// # Errors
/// Those of the database.
pub(super) async fn list(
    view: &View,
    page: Uuid,
    place: Place,
    criteria: &Criteria,
    window: &Window,
) -> Result<Slice<Uuid>> {
    let mut cursor = select(view, page, place, criteria)
        .select_only()
        .column(Column::SubjectId)
        .cursor_by((Column::OrderAt, Column::SubjectId))
        .into_model::<Found>();
    super::window::apply(&mut cursor, window);
    let found = cursor.all(view.db().await?).await?;
    Ok(Slice::cut(
        found.into_iter().map(|found| found.subject_id).collect(),
        window,
    ))
}

/// The ids of all subjects that match at a place, in any order.
///
/// # Errors
/// Those of the database.
pub(super) async fn all(view: &View, page: Uuid, place: Place, criteria: &Criteria) -> Result<Vec<Uuid>> {
    let found = select(view, page, place, criteria)
        .select_only()
        .column(Column::SubjectId)
        .into_tuple()
        .all(view.db().await?)
        .await?;
    Ok(found)
}

/// How many subjects match at a place.
///
/// # Errors
/// Those of the database.
pub(super) async fn count(view: &View, page: Uuid, place: Place, criteria: &Criteria) -> Result<u64> {
    Ok(select(view, page, place, criteria).count(view.db().await?).await?)
}

#[derive(FromQueryResult)]
struct Found {
    subject_id: Uuid,
}

/// The versions that were valid at a place and match; each is of another subject.
fn select(view: &View, page: Uuid, place: Place, criteria: &Criteria) -> Select<Entity> {
    let number = i64::try_from(place.staff_number).unwrap_or(i64::MAX);
    let mut select = Entity::find()
        .filter(Column::PageId.eq(page))
        .filter(Column::SubjectKind.eq(criteria.kind.as_str()))
        .filter(Column::Status.is_in(criteria.statuses.iter().copied()))
        .filter(Column::SinceNumber.lte(number))
        .filter(Column::UntilNumber.gt(number));
    if view.audience_of(page) == Audience::Public {
        select = select.filter(Column::Audience.eq(Audience::Public.as_str()));
    }
    if criteria.kind == SubjectKind::Incident {
        // Excludes nothing: no incident starts later than it may be entered. It lets a list begin at the newest incident of
        // its time, rather than pass over all that came later.
        let latest = place.at.plus_millis(AHEAD_MILLIS).millis();
        select = select.filter(Column::OrderAt.lte(latest));
    }
    if let Some(impacts) = &criteria.impacts {
        select = select.filter(Column::Impact.is_in(impacts.iter().copied()));
    }
    if let Some(components) = &criteria.components {
        select = select.filter(names((Entity, Column::SubjectId), components, Some(number)));
    }
    if let Some(after) = criteria.order_after {
        select = select.filter(Column::OrderAt.gt(after.millis()));
    }
    if let Some(before) = criteria.order_before {
        select = select.filter(Column::OrderAt.lt(before.millis()));
    }
    if let Some(external_ref) = &criteria.external_ref {
        select = select.filter(Column::ExternalRef.eq(external_ref));
    }
    select
}

/// Whether the incident whose id is in a column names one of these components, at a log number or now.
pub(super) fn names(incident: impl IntoColumnRef, components: &[Uuid], at: Option<i64>) -> Expr {
    use incident_component::Column::{ComponentId, IncidentId, SinceNumber};
    let mut naming = Query::select();
    naming.from(incident_component::Entity);
    if let Some(number) = at {
        naming.and_where(Expr::col((incident_component::Entity, SinceNumber)).lte(number));
    }
    let component = Expr::col((incident_component::Entity, ComponentId));
    if components.len() <= COLLECTED_COMPONENTS {
        naming
            .column((incident_component::Entity, IncidentId))
            .and_where(component.is_in(components.iter().copied()));
        return Expr::col(incident).in_subquery(naming);
    }
    // Keeps SQLite from seeking once for each component instead of reading the few that the incident names.
    let read = Func::coalesce([component.clone(), component]);
    naming
        .expr(Expr::cust("1"))
        .and_where(Expr::col((incident_component::Entity, IncidentId)).equals(incident))
        .and_where(Expr::expr(read).is_in(components.iter().copied()));
    Expr::exists(naming)
}
