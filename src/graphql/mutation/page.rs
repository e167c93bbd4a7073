//! Changing pages.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::{after, call, change, command, payload};
use crate::commands;
use crate::domain;
use crate::graphql::enums::PageVisibility;
use crate::graphql::error::Result;
use crate::graphql::id::{self, Kind};
use crate::graphql::page::Page;
use crate::graphql::scalar::Url;
use crate::graphql::user_error::split;

/// A page to be made.
#[derive(InputObject, Debug)]
pub struct PageCreateInput {
    /// Its name in addresses: 1 to 63 lower-case letters, digits and single hyphens. `INVALID_SLUG`, `SLUG_TAKEN`.
    slug: String,
    /// The service's name, 1 to 200 characters on one line.
    name: String,
    /// What the service does.
    description: Option<String>,
    /// The service's own address. `INVALID_URL`.
    url: Option<Url>,
    /// The IANA name of the zone that cuts the page's days. `INVALID_TIME_ZONE`.
    #[graphql(default = "Etc/UTC")]
    time_zone: String,
    /// Who may see it.
    #[graphql(default_with = "PageVisibility::Public")]
    visibility: PageVisibility,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// New values of a page. What is left out stays; null removes what can be removed.
#[derive(InputObject, Debug)]
pub struct PageAmendInput {
    /// The page. `PAGE_NOT_FOUND`.
    page: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// Its name in addresses. `INVALID_SLUG`, `SLUG_TAKEN`.
    slug: Option<String>,
    /// The service's name.
    name: Option<String>,
    /// What the service does.
    description: MaybeUndefined<String>,
    /// The service's own address. `INVALID_URL`.
    url: MaybeUndefined<Url>,
    /// The IANA name of the zone that cuts the page's days. `INVALID_TIME_ZONE`.
    time_zone: Option<String>,
    /// Who may see it.
    visibility: Option<PageVisibility>,
}

/// A page to be taken off.
#[derive(InputObject, Debug)]
pub struct PageArchiveInput {
    /// The page. `PAGE_NOT_FOUND`.
    page: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
}

payload! {
    /// The answer to `pageCreate`.
    PageCreatePayload {
        /// The page; null where it was not made.
        page: Page,
    }
}
payload! {
    /// The answer to `pageAmend`.
    PageAmendPayload {
        /// The page; null where it was not changed.
        page: Page,
    }
}
payload! {
    /// The answer to `pageArchive`.
    PageArchivePayload {
        /// The id of the page that was taken off; null where it was not.
        archived_page_id: ID,
    }
}

fn shown(ctx: &Context<'_>, page: Option<domain::page::Page>) -> Result<Option<Page>> {
    let view = after(ctx)?;
    Ok(page.map(|page| Page::new(Arc::new(page), view)))
}

#[derive(Debug, Default)]
pub struct PageMutation;

#[Object]
impl PageMutation {
    /// Makes a page.
    async fn page_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: PageCreateInput,
    ) -> Result<PageCreatePayload> {
        let create = commands::page::Create {
            slug: input.slug,
            name: input.name,
            description: input.description,
            url: input.url.map(|url| url.0),
            time_zone: input.time_zone,
            visibility: input.visibility.into(),
            external_ref: None,
        };
        let created = commands::page::create(&command(ctx)?, call(input.idempotency_key), create).await;
        let (page, user_errors) = split(created)?;
        Ok(PageCreatePayload {
            page: shown(ctx, page)?,
            user_errors,
        })
    }

    /// Gives a page new values.
    async fn page_amend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: PageAmendInput,
    ) -> Result<PageAmendPayload> {
        let amend = commands::page::Amend {
            page: id::of(Kind::Page, &input.page),
            expected_version: input.expected_version,
            slug: input.slug,
            name: input.name,
            description: change(input.description),
            url: change(input.url).map(|url| url.map(|url| url.0)),
            time_zone: input.time_zone,
            visibility: input.visibility.map(Into::into),
        };
        let (page, user_errors) = split(commands::page::amend(&command(ctx)?, call(None), amend).await)?;
        Ok(PageAmendPayload {
            page: shown(ctx, page)?,
            user_errors,
        })
    }

    /// Takes a page off, with all that stands on it. Nobody can read it any more; its subscriptions end.
    async fn page_archive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: PageArchiveInput,
    ) -> Result<PageArchivePayload> {
        let archive = commands::page::Archive {
            page: id::of(Kind::Page, &input.page),
            expected_version: input.expected_version,
        };
        let (page, user_errors) = split(commands::page::archive(&command(ctx)?, call(None), archive).await)?;
        let archived_page_id = page.map(|page| id::encode(Kind::Page, page.id));
        Ok(PageArchivePayload {
            archived_page_id,
            user_errors,
        })
    }
}
