//! Finding maintenances.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::version::{self, Criteria};
use super::{Key, Moment, Slice, View, Window};
use crate::domain::event::{Subject, SubjectKind};
use crate::domain::maintenance::{Maintenance, MaintenanceStatus};
use crate::entity::{self, maintenance};
use crate::error::Result;
use crate::live::Present;
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

    /// The same for the versions of the past.
    fn criteria(&self) -> Criteria {
        let statuses = self.statuses.clone().unwrap_or_else(|| MaintenanceStatus::ALL.to_vec());
        Criteria {
            kind: SubjectKind::Maintenance,
            statuses: statuses.iter().map(|status| status.as_str()).collect(),
            impacts: None,
            components: None,
            order_after: None,
            order_before: None,
            external_ref: None,
        }
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
pub async fn list(view: &View, page: Uuid, filter: &Filter, window: Window) -> Result<Slice<Arc<Maintenance>>> {
    if let Some(present) = view.present(page).await {
        let matching = held(&present, filter);
        return Ok(Slice::of_descending(matching.cloned(), &window, |maintenance| {
            key(maintenance)
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
    let mut cursor = select(page, filter).cursor_by((maintenance::Column::ScheduledFor, maintenance::Column::Id));
    super::window::apply(&mut cursor, &window);
    let Slice {
        items,
        has_next,
        has_previous,
    } = Slice::cut(view.counted(cursor.all(db).await?)?, &window);
    Ok(Slice {
        items: shared(load(view, items).await?),
        has_next,
        has_previous,
    })
}

/// How many maintenances of a page match.
///
/// # Errors
/// Those of the database.
pub async fn count(view: &View, page: Uuid, filter: &Filter) -> Result<u64> {
    if let Some(present) = view.present(page).await {
        return Ok(held(&present, filter).count() as u64);
    }
    match view.moment() {
        Moment::Now => Ok(select(page, filter).count(view.db().await?).await?),
        Moment::Past(place) => version::count(view, page, place, &filter.criteria()).await,
    }
}

/// The maintenances of a page whose work goes on. Read together for all pages an answer shows.
///
/// # Errors
/// Those of the database.
pub async fn active(view: &View, page: Uuid) -> Result<Vec<Arc<Maintenance>>> {
    if let Some(present) = view.present(page).await {
        return Ok(held(&present, &Filter::active()).cloned().collect());
    }
    let read = |pages: Vec<Uuid>| async move {
        if let Moment::Past(place) = view.moment() {
            let mut active = HashMap::new();
            for page in pages {
                let under_way = version::all(view, page, place, &Filter::active().criteria()).await?;
                active.insert(page, Arc::new(standing(view, page, place, &under_way).await?));
            }
            return Ok(active);
        }
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
        let mut active: HashMap<Uuid, Vec<Arc<Maintenance>>> = HashMap::new();
        for maintenance in shared(load(view, view.counted(rows)?).await?) {
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
pub async fn by_ids(view: &View, ids: &[Uuid]) -> Result<Vec<Arc<Maintenance>>> {
    let db = view.db().await?;
    let rows = maintenance::Entity::find()
        .filter(maintenance::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    let pages = super::page::visible_of(view, rows.iter().map(|row| row.page_id)).await?;
    let rows = rows.into_iter().filter(|row| pages.contains(&row.page_id)).collect();
    Ok(shared(load(view, view.counted(rows)?).await?))
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
pub async fn by_updates(view: &View, updates: &[Uuid]) -> Result<Vec<Arc<Maintenance>>> {
    let owners = entity::timeline::owners(view.db().await?, updates).await?;
    by_ids(view, &owners).await
}

fn shared(maintenances: Vec<Maintenance>) -> Vec<Arc<Maintenance>> {
    maintenances.into_iter().map(Arc::new).collect()
}

/// The maintenances of a page in memory that match, latest first.
fn held<'a>(present: &'a Present, filter: &'a Filter) -> impl DoubleEndedIterator<Item = &'a Arc<Maintenance>> {
    let all = present.maintenances().iter();
    all.filter(|maintenance| filter.matches(maintenance))
}

/// The maintenances of these ids as they stood at a place, the latest first.
async fn standing(view: &View, page: Uuid, place: Place, ids: &[Uuid]) -> Result<Vec<Arc<Maintenance>>> {
    let entries = log::standing_of(
        view.db().await?,
        page,
        SubjectKind::Maintenance,
        ids,
        place.staff_number,
    )
    .await?;
    let maintenances = entries.iter().filter_map(|entry| match &entry.payload.subject {
        Subject::Maintenance(maintenance) => Some(maintenance.clone()),
        _ => None,
    });
    let mut maintenances: Vec<Maintenance> = maintenances.collect();
    maintenances.sort_by_key(|maintenance| std::cmp::Reverse(key(maintenance)));
    Ok(shared(maintenances))
}
