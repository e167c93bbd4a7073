//! Finding tokens: for admins, which whoever asks is to make sure of.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use super::{Key, Slice, View, Window};
use crate::domain::role::Token;
use crate::entity::token;
use crate::error::Result;

/// Where a token stands in a list.
pub fn key(token: &Token) -> Key {
    Key {
        order: token.created_at.millis(),
        id: token.id,
    }
}

/// Tokens, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(view: &View, window: Window) -> Result<Slice<Token>> {
    let mut cursor = token::Entity::find().cursor_by((token::Column::CreatedAt, token::Column::Id));
    super::window::apply(&mut cursor, &window);
    let rows = view.counted(cursor.all(view.db().await?).await?)?;
    let tokens = rows
        .into_iter()
        .map(token::Model::into_domain)
        .collect::<Result<Vec<_>>>()?;
    Ok(Slice::cut(tokens, &window))
}

/// How many tokens there are.
///
/// # Errors
/// Those of the database.
pub async fn count(view: &View) -> Result<u64> {
    Ok(token::Entity::find().count(view.db().await?).await?)
}

/// The tokens with these ids, in any order.
///
/// # Errors
/// Those of the database.
pub async fn by_ids(view: &View, ids: &[Uuid]) -> Result<Vec<Token>> {
    let rows = token::Entity::find().filter(token::Column::Id.is_in(ids.iter().copied()));
    let rows = rows.all(view.db().await?).await?;
    rows.into_iter().map(token::Model::into_domain).collect()
}
