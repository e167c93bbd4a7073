//! A page's log, as an audience reads it: where it stands, what comes after a cursor.

use std::sync::Arc;

use uuid::Uuid;

use super::{Moment, View};
use crate::domain::cursor::{self, Cursor, Resume, StreamId};
use crate::error::{Error, Result};
use crate::store::log::{self, Entry, Reach};

/// Where the log of a page stands for a view: subscribing after this misses nothing that the view does not show.
///
/// # Errors
/// Those of the database.
pub async fn position(view: &View, page: Uuid) -> Result<Cursor> {
    let number = match view.moment() {
        Moment::Now => match view.present(page).await {
            Some(present) => present.number(view.audience_of(page)),
            None => reach(view, page).await?.head,
        },
        Moment::Past(place) => match view.audience_of(page) {
            crate::domain::audience::Audience::Public => place.public_number,
            crate::domain::audience::Audience::Staff => place.staff_number,
        },
    };
    Ok(at_number(view, page, number))
}

/// The cursor of a number in the stream a view reads.
pub fn at_number(view: &View, page: Uuid, number: u64) -> Cursor {
    Cursor {
        stream: stream(view, page),
        epoch: view.app().store.epoch(),
        number,
    }
}

/// The stream of a page that a view reads.
pub fn stream(view: &View, page: Uuid) -> StreamId {
    StreamId {
        page,
        audience: view.audience_of(page),
    }
}

/// From where to go on after a cursor in a stream that goes so far; `Resume::Reset` where the log cannot go on from there.
///
/// # Errors
/// `CURSOR_INVALID`, `CURSOR_WRONG_STREAM`.
pub fn resume(view: &View, page: Uuid, after: &str, reach: Reach) -> Result<Resume> {
    let cursor = Cursor::decode(after)?;
    Ok(cursor::resume(
        &cursor,
        stream(view, page),
        view.app().store.epoch(),
        reach.floor,
        reach.head,
    )?)
}

/// How far the stream of a page goes that a view reads.
///
/// # Errors
/// Those of the database.
pub async fn reach(view: &View, page: Uuid) -> Result<Reach> {
    let reach = log::reach(view.db().await?, stream(view, page)).await?;
    reach.ok_or_else(|| Error::Corrupt("a page without a log".to_owned()))
}

/// The events after a number of a stream that goes so far, `limit` at most, and whether there are more.
///
/// # Errors
/// `ExecutionLimit` for events that are too long together; those of the database.
pub async fn after(view: &View, page: Uuid, number: u64, head: u64, limit: usize) -> Result<(Vec<Arc<Entry>>, bool)> {
    let (db, budget) = (view.db().await?, view.budget());
    let entries = log::after_within(db, stream(view, page), number, limit as u64 + 1, budget.readable()).await?;
    if entries.is_empty() && head > number {
        // They were not read, for they are too long.
        budget.read(u64::MAX)?;
    }
    budget.read(entries.iter().map(|entry| entry.size as u64).sum())?;
    let mut entries = view.counted(entries)?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok((entries.into_iter().map(Arc::new).collect(), more))
}
