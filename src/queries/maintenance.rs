//! Finding maintenances.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::{Key, Moment, Slice, View, Window};
use crate::domain::event::{Subject, SubjectKind};
use crate::domain::maintenance::{Maintenance, MaintenanceStatus};
use crate::entity::{self, maintenance};
use crate::error::Result;
use crate::store::log::{self, Place};

/// Which maintenances are asked for; what is `None` asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub statuses: Option<Vec<MaintenanceStatus>>,
}

impl Filter {
    /// The maintenances whose work goes on.
    pub fn active() -> Filter {
        let active = MaintenanceStatus::ALL
            .iter()
            .copied()
            .filter(|status| status.is_active());
        Filter {
            statuses: Some(active.collect()),
        }
    }

    fn matches(&self, maintenance: &Maintenance) -> bool {
        self.statuses
            .as_ref()
            .is_none_or(|statuses| statuses.contains(&maintenance.status))
    }
}

fn select(page: Uuid, filter: &Filter) -> Select<maintenance::Entity> {
    let select = maintenance::Entity::find().filter(maintenance::Column::PageId.eq(page));
    match &filter.statuses {
        Some(statuses) => {
            select.filter(maintenance::Column::Status.is_in(statuses.iter().map(|status| status.as_str())))
        }
        None => select,
    }
}

/// Where a maintenance stands in a list.
pub fn key(maintenance: &Maintenance) -> Key {
    Key {
        order: maintenance.scheduled_for.millis(),
        id: maintenance.id,
    }
}

/// A page's maintenances, the latest first, each with its whole timeline: five statements, however many there are.
///
/// # Errors
/// Those of the database.
pub async fn list(view: &View, page: Uuid, filter: &Filter, window: Window) -> Result<Slice<Maintenance>> {
    if let Moment::Past(place) = view.moment() {
        let all = past_matching(view, page, place, filter).await?;
        return Ok(Slice::of(all, &window, key, |own, other| own < other));
    }
    let db = view.db().await?;
    let mut cursor = select(page, filter).cursor_by((maintenance::Column::ScheduledFor, maintenance::Column::Id));
    super::window::apply(&mut cursor, &window);
    let Slice {
        items,
        has_next,
        has_previous,
    } = Slice::cut(view.counted(cursor.all(db).await?)?, &window);
    Ok(Slice {
        items: load(view, items).await?,
        has_next,
        has_previous,
    })
}

/// How many maintenances of a page match.
///
/// # Errors
/// Those of the database.
pub async fn count(view: &View, page: Uuid, filter: &Filter) -> Result<u64> {
    match view.moment() {
        Moment::Now => Ok(select(page, filter).count(view.db().await?).await?),
        Moment::Past(place) => Ok(past_matching(view, page, place, filter).await?.len() as u64),
    }
}

/// The maintenances of a page whose work goes on. Read together for all pages an answer shows.
///
/// # Errors
/// Those of the database.
pub async fn active(view: &View, page: Uuid) -> Result<Vec<Maintenance>> {
    if let Moment::Past(place) = view.moment() {
        return past_matching(view, page, place, &Filter::active()).await;
    }
    let read = |pages: Vec<Uuid>| async move {
        let db = view.db().await?;
        let going_on = MaintenanceStatus::ALL
            .iter()
            .filter(|status| status.is_active())
            .map(|status| status.as_str());
        let rows = maintenance::Entity::find()
            .filter(maintenance::Column::PageId.is_in(pages))
            .filter(maintenance::Column::Status.is_in(going_on))
            .order_by_desc(maintenance::Column::ScheduledFor)
            .order_by_desc(maintenance::Column::Id)
            .limit(view.budget().rows_left())
            .all(db)
            .await?;
        let mut active: HashMap<Uuid, Vec<Maintenance>> = HashMap::new();
        for maintenance in load(view, view.counted(rows)?).await? {
            active.entry(maintenance.page).or_default().push(maintenance);
        }
        Ok(active
            .into_iter()
            .map(|(page, maintenances)| (page, Arc::new(maintenances)))
            .collect())
    };
    let active = view.maintenances().load(page, read).await?;
    Ok(active.as_ref().clone())
}

/// The maintenances with these ids, on pages that exist for the view's audience, in any order.
///
/// # Errors
/// Those of the database.
pub async fn by_ids(view: &View, ids: &[Uuid]) -> Result<Vec<Maintenance>> {
    let db = view.db().await?;
    let rows = maintenance::Entity::find()
        .filter(maintenance::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    let pages = super::page::visible_of(view, rows.iter().map(|row| row.page_id)).await?;
    let rows = rows.into_iter().filter(|row| pages.contains(&row.page_id)).collect();
    load(view, view.counted(rows)?).await
}

/// The maintenances of these rows with their timelines, charged to the answer's budget.
async fn load(view: &View, rows: Vec<maintenance::Model>) -> Result<Vec<Maintenance>> {
    let most = view.budget().readable();
    let maintenances = entity::maintenance::load_within(view.db().await?, rows, most).await?;
    for maintenance in &maintenances {
        view.charge_timeline(&maintenance.updates)?;
    }
    Ok(maintenances)
}

/// The maintenances whose timelines hold these updates, on pages that exist for the view's audience, in any order.
///
/// # Errors
/// Those of the database.
pub async fn by_updates(view: &View, updates: &[Uuid]) -> Result<Vec<Maintenance>> {
    let owners = entity::timeline::owners(view.db().await?, updates).await?;
    by_ids(view, &owners).await
}

async fn past_matching(view: &View, page: Uuid, place: Place, filter: &Filter) -> Result<Vec<Maintenance>> {
    let read = |pages: Vec<Uuid>| async move {
        let mut all = HashMap::new();
        for page in pages {
            let db = view.db().await?;
            let entries = log::standing_at(db, page, SubjectKind::Maintenance, place.staff_number).await?;
            let mut maintenances = Vec::new();
            for entry in entries {
                if let Subject::Maintenance(maintenance) = &entry.payload.subject {
                    maintenances.push(maintenance.clone());
                }
            }
            maintenances.sort_by_key(|maintenance| std::cmp::Reverse(key(maintenance)));
            all.insert(page, Arc::new(maintenances));
        }
        Ok(all)
    };
    let all = view.maintenances().load(page, read).await?;
    Ok(all
        .iter()
        .filter(|maintenance| filter.matches(maintenance))
        .cloned()
        .collect())
}
