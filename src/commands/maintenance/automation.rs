//! Automation: maintenances that start and complete by themselves at the times set.

use std::sync::Arc;

use futures_util::FutureExt;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ComponentState, PostUpdate, locked, post_update_in};
use crate::app::App;
use crate::commands::answer::Answer;
use crate::commands::transact::transact;
use crate::commands::{Call, Context};
use crate::domain::maintenance::MaintenanceStatus;
use crate::domain::time::Timestamp;
use crate::entity::{maintenance, page};
use crate::error::{Error, Result};
use crate::store::{Author, Write};

const STARTED: &str = "The scheduled maintenance has started.";
const COMPLETED: &str = "The scheduled maintenance has been completed.";

/// How many maintenances one look brings.
const BATCH: u64 = 100;

#[derive(Debug, Serialize, Deserialize)]
struct Done {
    moved: bool,
}

impl Answer for Done {
    fn page(&self) -> Option<Uuid> {
        None
    }
}

/// Moves every maintenance whose time has come, and returns how many moved here. Each is locked and looked at again
/// before it moves, so that exactly one node acts.
///
/// # Errors
/// Those of the database; the rest is moved at the next look.
pub async fn run_due(app: &Arc<App>) -> Result<usize> {
    let context = Context {
        app: Arc::clone(app),
        author: Author::server("automation"),
    };
    let mut moved = 0;
    for id in due(app, app.clock.now()).await? {
        let done: Result<Done> = transact(&context, "maintenanceAutomation", Call::PLAIN, id, |write, id| {
            move_if_due(write, id).boxed()
        })
        .await;
        match done {
            Ok(done) => moved += usize::from(done.moved),
            // A rule that stops one, or a page that was taken off meanwhile, holds up no other.
            Err(Error::Refused(refused)) => {
                tracing::warn!(maintenance = %id, %refused, "a maintenance could not move by itself");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(moved)
}

async fn due(app: &App, now: Timestamp) -> Result<Vec<Uuid>> {
    let snapshot = app.store.read().await?;
    let starts = Condition::all()
        .add(maintenance::Column::Status.eq(MaintenanceStatus::Scheduled.as_str()))
        .add(maintenance::Column::ScheduledFor.lte(now.millis()));
    let ends = Condition::all()
        .add(maintenance::Column::Status.ne(MaintenanceStatus::Scheduled.as_str()))
        .add(maintenance::Column::ScheduledUntil.lte(now.millis()));
    let waiting = [
        MaintenanceStatus::Scheduled,
        MaintenanceStatus::InProgress,
        MaintenanceStatus::Verifying,
    ];
    let ids = automatic(waiting)
        .select_only()
        .column(maintenance::Column::Id)
        .filter(Condition::any().add(starts).add(ends))
        .limit(BATCH)
        .into_tuple()
        .all(snapshot.db())
        .await?;
    Ok(ids)
}

/// The automatic maintenances in some statuses, on pages that are there.
fn automatic(statuses: impl IntoIterator<Item = MaintenanceStatus>) -> sea_orm::Select<maintenance::Entity> {
    let mut archived = sea_orm::sea_query::Query::select();
    archived
        .column(page::Column::Id)
        .from(page::Entity)
        .and_where(page::Column::ArchivedAt.is_not_null());
    maintenance::Entity::find()
        .filter(maintenance::Column::Automatic.eq(true))
        .filter(maintenance::Column::Status.is_in(statuses.into_iter().map(MaintenanceStatus::as_str)))
        .filter(maintenance::Column::PageId.not_in_subquery(archived))
}

async fn move_if_due(write: &mut Write, id: Uuid) -> Result<Done> {
    let found = locked(write, id).await?;
    let Some(to) = found.due(write.now()) else {
        return Ok(Done { moved: false });
    };
    let body = if to == MaintenanceStatus::Completed {
        COMPLETED
    } else {
        STARTED
    };
    let post = PostUpdate {
        maintenance: id,
        expected_version: Some(found.version),
        status: Some(to),
        body: body.to_owned(),
        // It may have been announced a little ahead of the clock.
        display_at: Some(write.now().max(found.announced_at)),
        components: Vec::<ComponentState>::new(),
    };
    post_update_in(write, post).await?;
    Ok(Done { moved: true })
}
