//! Pruning: taking old events out of the log.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::log::{place_at, stored};
use super::{Store, version};
use crate::domain::time::Timestamp;
use crate::entity::{event, page_log};
use crate::error::Result;

impl Store {
    /// Takes events older than an instant out of every page's log and raises the floors; the newest of those of each
    /// thing stays, so that the page can still be shown as of any later time. Returns how many went.
    pub async fn prune(&self, older_than: Timestamp) -> Result<u64> {
        let snapshot = self.read().await?;
        let pages: Vec<Uuid> = page_log::Entity::find()
            .select_only()
            .column(page_log::Column::PageId)
            .into_tuple()
            .all(snapshot.db())
            .await?;
        drop(snapshot);
        let mut gone = 0;
        for page in pages {
            // A transaction a page: it holds the page's heads, for which the page's writers wait.
            let (write, _turn) = self.begin_plain().await?;
            gone += prune_page(&write, page, older_than).await?;
            write.commit().await?;
        }
        Ok(gone)
    }
}

async fn prune_page(db: &DatabaseTransaction, page: Uuid, older_than: Timestamp) -> Result<u64> {
    let Some(place) = place_at(db, page, older_than.plus_millis(-1)).await? else {
        return Ok(0);
    };
    // What stood at the new floor: that a thing has changed since tells nothing of how it stood in between.
    let mut newest = Query::select();
    newest
        .expr(Expr::col(event::Column::StaffNumber).max())
        .from(event::Entity)
        .and_where(event::Column::PageId.eq(page))
        .and_where(event::Column::StaffNumber.lte(stored(place.staff_number)))
        .group_by_col(event::Column::SubjectKind)
        .group_by_col(event::Column::SubjectId);
    let deleted = event::Entity::delete_many()
        .filter(event::Column::PageId.eq(page))
        .filter(event::Column::StaffNumber.lte(stored(place.staff_number)))
        .filter(event::Column::StaffNumber.not_in_subquery(newest))
        .exec(db)
        .await?;
    version::prune(db, page, stored(place.staff_number)).await?;
    page_log::Entity::update_many()
        .col_expr(page_log::Column::StaffFloor, Expr::value(stored(place.staff_number)))
        .col_expr(page_log::Column::PublicFloor, Expr::value(stored(place.public_number)))
        .filter(page_log::Column::PageId.eq(page))
        .filter(page_log::Column::StaffFloor.lt(stored(place.staff_number)))
        .exec(db)
        .await?;
    Ok(deleted.rows_affected)
}
