//! Changing pages.

use futures_util::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use super::transact::transact;
use super::{Call, Context, valid};
use crate::access::{self, Reach};
use crate::domain::event::{Event, EventKind, Subject};
use crate::domain::page::{Page, Visibility};
use crate::domain::refusal::{Refusal, Refused, Thing};
use crate::entity::{self, page};
use crate::error::{Error, Result};
use crate::store::{ROW_LOCK, Write};

/// A page to be made.
#[derive(Clone, Debug, Serialize)]
pub struct Create {
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub url: Option<String>,
    pub time_zone: String,
    pub visibility: Visibility,
    pub external_ref: Option<String>,
}

/// New values of a page; the outer `None` leaves a value as it is, the inner one removes it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Amend {
    pub page: Uuid,
    pub expected_version: Option<i32>,
    pub slug: Option<String>,
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub url: Option<Option<String>>,
    pub time_zone: Option<String>,
    pub visibility: Option<Visibility>,
}

/// A page to be taken off.
#[derive(Clone, Debug, Serialize)]
pub struct Archive {
    pub page: Uuid,
    pub expected_version: Option<i32>,
}

/// Makes a page, with its log.
///
/// # Errors
/// `INVALID_SLUG`, `SLUG_TAKEN`, `INVALID_TIME_ZONE`, `INVALID_URL`, those of its texts.
pub async fn create(context: &Context, call: Call, input: Create) -> Result<Page> {
    transact(context, "pageCreate", call, input, |write, input| {
        create_in(write, input).boxed()
    })
    .await
}

async fn create_in(write: &mut Write, input: Create) -> Result<Page> {
    let page = Page {
        id: Uuid::now_v7(),
        slug: valid::slug(&input.slug)?,
        name: valid::name(&input.name)?,
        description: valid::description(input.description.as_deref())?,
        url: valid::url(input.url.as_deref())?,
        time_zone: valid::time_zone(&input.time_zone)?,
        visibility: input.visibility,
        external_ref: valid::external_ref(input.external_ref.as_deref())?,
        version: 1,
        created_at: write.now(),
        updated_at: write.now(),
    };
    let row = page::Model::from_domain(&page, None).into_active_model().reset_all();
    page::Entity::insert(row)
        .exec_without_returning(write.db())
        .await
        .map_err(|error| taken(error.into()))?;
    write.begin_log(page.id).await?;
    write.record(page.id, Event::of(EventKind::PageCreated, Subject::Page));
    Ok(page)
}

/// Gives a page new values.
///
/// # Errors
/// `PAGE_NOT_FOUND`, `STALE_VERSION`, and those of [`create`].
pub async fn amend(context: &Context, call: Call, input: Amend) -> Result<Page> {
    transact(context, "pageAmend", call, input, |write, input| {
        amend_in(write, input).boxed()
    })
    .await
}

async fn amend_in(write: &mut Write, input: Amend) -> Result<Page> {
    let before = locked(write, input.page).await?;
    valid::version(input.expected_version, before.version)?;
    let mut page = before.clone();
    if let Some(slug) = &input.slug {
        page.slug = valid::slug(slug)?;
    }
    if let Some(name) = &input.name {
        page.name = valid::name(name)?;
    }
    if let Some(description) = &input.description {
        page.description = valid::description(description.as_deref())?;
    }
    if let Some(url) = &input.url {
        page.url = valid::url(url.as_deref())?;
    }
    if let Some(zone) = &input.time_zone {
        page.time_zone = valid::time_zone(zone)?;
    }
    page.visibility = input.visibility.unwrap_or(page.visibility);
    if page == before {
        return Ok(page);
    }
    page.version += 1;
    page.updated_at = write.now();
    let row = page::Model::from_domain(&page, None).into_active_model().reset_all();
    page::Entity::update(row)
        .exec(write.db())
        .await
        .map_err(|error| taken(error.into()))?;
    let mut event = Event::of(EventKind::PageAmended, Subject::Page);
    event.is_farewell = before.visibility == Visibility::Public && page.visibility == Visibility::Private;
    write.record(page.id, event);
    Ok(page)
}

/// Takes a page off. Its history stays in the database; nobody can read it any more.
///
/// # Errors
/// `PAGE_NOT_FOUND`, `STALE_VERSION`.
pub async fn archive(context: &Context, call: Call, input: Archive) -> Result<Page> {
    transact(context, "pageArchive", call, input, |write, input| {
        archive_in(write, input).boxed()
    })
    .await
}

async fn archive_in(write: &mut Write, input: Archive) -> Result<Page> {
    let mut page = locked(write, input.page).await?;
    valid::version(input.expected_version, page.version)?;
    page.version += 1;
    page.updated_at = write.now();
    let row = page::Model::from_domain(&page, Some(write.now()))
        .into_active_model()
        .reset_all();
    page::Entity::update(row).exec(write.db()).await?;
    write.record(page.id, Event::of(EventKind::PageArchived, Subject::Page));
    Ok(page)
}

/// A page that is there, locked until the transaction ends.
pub(super) async fn locked(write: &Write, id: Uuid) -> Result<Page> {
    let found = page::Entity::find_by_id(id)
        .filter(page::Column::ArchivedAt.is_null())
        .lock(ROW_LOCK)
        .one(write.db())
        .await?;
    let page = found.map(page::Model::into_domain).transpose()?;
    let visibility = page.as_ref().map(|page| page.visibility);
    admit(write, id, visibility, Refusal::NotFound(Thing::Page).at(["page"]))?;
    page.ok_or_else(|| Refusal::NotFound(Thing::Page).at(["page"]).into())
}

/// Refuses to go on for a page that is not there, or not the author's to change; `thing` is what the caller named.
pub(super) async fn require(write: &Write, id: Uuid, thing: Thing, field: &str) -> Result<()> {
    let found = page::Entity::find_by_id(id)
        .select_only()
        .column(page::Column::Visibility)
        .filter(page::Column::ArchivedAt.is_null())
        .into_tuple::<String>()
        .one(write.db())
        .await?;
    let visibility = found.map(|stored| entity::word(&stored)).transpose()?;
    admit(write, id, visibility, Refusal::NotFound(thing).at([field]))
}

/// The same where it is known who sees the page; nobody does where it is not there.
pub(super) fn admit(write: &Write, page: Uuid, visibility: Option<Visibility>, not_found: Refused) -> Result<()> {
    let reach = visibility.map(|visibility| access::reach(write.author(), page, visibility));
    match reach {
        Some(Reach::Open) => Ok(()),
        Some(Reach::Closed) => Err(Error::Forbidden),
        Some(Reach::Hidden) | None => Err(not_found.into()),
    }
}

fn taken(error: Error) -> Error {
    if error.is_duplicate() {
        Refusal::SlugTaken.at(["slug"]).into()
    } else {
        error
    }
}
