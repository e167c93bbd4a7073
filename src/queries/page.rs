//! Finding pages.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::try_join_all;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Select};
use uuid::Uuid;

use super::{Slice, View, Window};
use crate::domain::audience::Audience;
use crate::domain::page::{Page, Visibility};
use crate::domain::role::{Scope, Sight};
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::entity::page;
use crate::error::{Error, Result};
use crate::store::log::{self, Place};

/// The page with a slug, if it exists for the view's audience.
///
/// # Errors
/// Those of the database.
pub async fn by_slug(view: &View, slug: &str) -> Result<Option<Arc<Page>>> {
    if let Some(present) = view.present_named(slug).await {
        let page = present.parts().page.clone();
        return Ok(page.filter(|page| view.sight().reaches(page)));
    }
    // What is no slug names no page; PostgreSQL would not even take U+0000.
    if text::slug(slug).is_err() {
        return Ok(None);
    }
    let found = page::Entity::find()
        .filter(page::Column::Slug.eq(slug))
        .filter(page::Column::ArchivedAt.is_null())
        .one(view.db().await?)
        .await?;
    let page = found.map(page::Model::into_domain).transpose()?;
    let page = page.filter(|page| view.sight().reaches(page));
    if let Some(page) = &page {
        view.hold(page.id);
    }
    Ok(page.map(Arc::new))
}

/// The page with an id, if it exists for the view's audience.
///
/// # Errors
/// Those of the database.
pub async fn by_id(view: &View, id: Uuid) -> Result<Option<Arc<Page>>> {
    let page = view.parts(id).await?.page.clone();
    Ok(page.filter(|page| view.sight().reaches(page)))
}

/// Which of these pages exist for the view's audience: read together.
///
/// # Errors
/// Those of the database.
pub(super) async fn visible_of(view: &View, pages: impl IntoIterator<Item = Uuid>) -> Result<HashSet<Uuid>> {
    let pages: HashSet<Uuid> = pages.into_iter().collect();
    let found = try_join_all(pages.into_iter().map(|page| by_id(view, page))).await?;
    Ok(found.into_iter().flatten().map(|page| page.id).collect())
}

/// The page with a slug as it was shown at an instant, with the view that sees it so; `None` before it existed.
///
/// # Errors
/// `BeyondRetention` for an instant whose events have been pruned; those of the database.
pub async fn as_of(now: &View, slug: &str, at: Timestamp) -> Result<Option<(Arc<Page>, View)>> {
    let Some(present) = by_slug(now, slug).await? else {
        return Ok(None);
    };
    if at < present.created_at {
        return Ok(None);
    }
    let place = log::place_at(now.db().await?, present.id, at).await?;
    let Some(place) = place else {
        return Err(Error::BeyondRetention);
    };
    if is_pruned(now, present.id, place).await? {
        return Err(Error::BeyondRetention);
    }
    let past = now.back_at(place);
    let stood = by_id(&past, present.id).await?;
    Ok(stood.map(|page| (page, past)))
}

async fn is_pruned(view: &View, page: Uuid, place: Place) -> Result<bool> {
    let stream = crate::domain::cursor::StreamId {
        page,
        audience: Audience::Staff,
    };
    let reach = log::reach(view.db().await?, stream).await?;
    Ok(reach.is_some_and(|reach| place.staff_number < reach.floor))
}

/// Pages, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(view: &View, window: Window) -> Result<Slice<Page>> {
    let mut cursor = visible(view).cursor_by((page::Column::CreatedAt, page::Column::Id));
    super::window::apply(&mut cursor, &window);
    let rows = view.counted(cursor.all(view.db().await?).await?)?;
    let pages = rows
        .into_iter()
        .map(page::Model::into_domain)
        .collect::<Result<Vec<_>>>()?;
    Ok(Slice::cut(pages, &window))
}

/// How many pages there are for the view's audience.
///
/// # Errors
/// Those of the database.
pub async fn count(view: &View) -> Result<u64> {
    Ok(visible(view).count(view.db().await?).await?)
}

fn visible(view: &View) -> Select<page::Entity> {
    let all = page::Entity::find().filter(page::Column::ArchivedAt.is_null());
    let is_public = page::Column::Visibility.eq(Visibility::Public.as_str());
    match view.sight() {
        Sight::Staff(Scope::All) => all,
        Sight::Staff(Scope::Pages(pages)) => all.filter(is_public.or(page::Column::Id.is_in(pages.iter().copied()))),
        Sight::Public => all.filter(is_public),
    }
}
