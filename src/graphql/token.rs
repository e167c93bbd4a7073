//! Tokens, without the text that opens anything.

use async_graphql::{Enum, ID, Object};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::charged::Charged;
use super::error::Result;
use super::id::{self, Kind};
use super::page::Page;
use super::query::ViewerRole;
use super::scalar::DateTime;
use crate::access::secret;
use crate::domain;
use crate::queries::{self, View};

/// What opens the API. Its text was shown when it was made, and is not kept.
#[derive(Clone, Debug)]
pub struct Token {
    state: domain::role::Token,
    view: View,
}

impl Token {
    pub(super) fn new(state: domain::role::Token, view: View) -> Token {
        Token { state, view }
    }
}

/// How a token stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// It opens what it is for.
    Valid,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

/// The pages with these ids that there are, read together.
pub(super) async fn pages(view: &View, ids: impl IntoIterator<Item = Uuid>) -> Result<Charged<Vec<Page>>> {
    let found = try_join_all(ids.into_iter().map(|id| queries::page::by_id(view, id))).await?;
    let pages = found.into_iter().flatten();
    let pages = pages.map(|state| Page::new(state, view.clone()));
    Ok(Charged::list(view, pages.collect()))
}

/// What opens the API. Its text was shown when it was made, and is not kept.
#[Object]
impl Token {
    /// Its global id.
    pub(super) async fn id(&self) -> ID {
        id::encode(Kind::Token, self.state.id)
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.state.name
    }

    /// How its text begins, to tell it from others.
    async fn prefix(&self) -> String {
        secret::display(&self.state.public_part)
    }

    /// What it is for.
    async fn role(&self) -> ViewerRole {
        self.state.role.into()
    }

    /// The pages it holds on; null where it holds on all.
    async fn pages(&self) -> Result<Option<Charged<Vec<Page>>>> {
        Ok(match &self.state.pages {
            Some(ids) => Some(pages(&self.view, ids.iter().copied()).await?),
            None => None,
        })
    }

    /// How it stands.
    async fn status(&self) -> TokenStatus {
        match self.state.revoked_at {
            Some(_) => TokenStatus::Revoked,
            None if self.state.is_valid(self.view.instant()) => TokenStatus::Valid,
            None => TokenStatus::Expired,
        }
    }

    /// Who made it.
    async fn created_by(&self) -> &str {
        &self.state.created_by
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.state.created_at.into()
    }

    /// Until when it holds; null where it has no end.
    async fn expires_at(&self) -> Option<DateTime> {
        self.state.expires_at.map(Into::into)
    }

    /// When it was taken back; null where it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.state.revoked_at.map(Into::into)
    }

    /// When it was last seen, to the minute; null where it never was.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.state.last_used_at.map(Into::into)
    }
}
