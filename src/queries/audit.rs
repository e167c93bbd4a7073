//! Reading the audit: for admins, which whoever asks is to make sure of.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Key, Slice, View, Window};
use crate::entity::audit;
use crate::error::Result;
use crate::store::audit::heads;

pub use crate::entity::audit::Model as Entry;

/// Where an entry stands in a list.
pub fn key(entry: &Entry) -> Key {
    Key {
        order: entry.at,
        id: entry.id,
    }
}

/// Entries, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(view: &View, window: Window) -> Result<Slice<Entry>> {
    // All there are, said so that the database walks its index by time from one end, as far as it is asked.
    let all = audit::Entity::find().filter(audit::Column::At.gte(i64::MIN));
    let mut cursor = all.cursor_by((audit::Column::At, audit::Column::Id));
    super::window::apply(&mut cursor, &window);
    Ok(Slice::cut(view.counted(cursor.all(view.db().await?).await?)?, &window))
}

/// How many entries the chains hold. The table itself is not counted: it grows for as long as the server runs.
///
/// # Errors
/// Those of the database.
pub async fn count(view: &View) -> Result<u64> {
    let heads = heads(view.db().await?).await?;
    let all: i64 = heads.values().map(|head| head.count).sum();
    Ok(u64::try_from(all).unwrap_or_default())
}
