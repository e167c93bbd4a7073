//! Query: everything that can be looked at.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use super::audit::{AuditEntry, Named};
use super::charged::Charged;
use super::connection::{self, Arguments, Counted, Counting, MOST};
use super::error::{Failure, Result};
use super::execution::SharedView;
use super::node::{self, Node};
use super::page::Page;
use super::scalar::DateTime;
use super::server::{Limits, Server};
use super::token::Token;
use crate::access::Caller;
use crate::app::App;
use crate::budget::Budget;
use crate::domain::role::{Role, Scope};
use crate::error::Error;
use crate::queries::{self, Key, View};

/// The server a request reached.
pub(super) fn app<'a>(ctx: &Context<'a>) -> Result<&'a Arc<App>> {
    ctx.data::<Arc<App>>()
        .map_err(|_| Error::Corrupt("a schema without a server".to_owned()).into())
}

/// Who sent a request.
pub(super) fn caller<'a>(ctx: &Context<'a>) -> Result<&'a Caller> {
    ctx.data::<Caller>()
        .map_err(|_| Error::Corrupt("a request without a caller".to_owned()).into())
}

/// Who sent a request, if they may use the root field that is being answered.
pub(super) fn admitted<'a>(ctx: &Context<'a>) -> Result<&'a Caller> {
    let caller = caller(ctx)?;
    caller.check(ctx.field().name())?;
    Ok(caller)
}

/// What the execution of a request may use.
pub(super) fn budget(ctx: &Context<'_>) -> Result<Budget> {
    Ok(match ctx.data::<Budget>() {
        Ok(budget) => budget.clone(),
        // A subscription's: its items have budgets of their own.
        Err(_) => Budget::new(app(ctx)?.settings.execution),
    })
}

/// What the caller of a query sees now: one state for the whole answer.
pub(super) fn view(ctx: &Context<'_>) -> Result<View> {
    let (app, sight, budget) = (app(ctx)?, admitted(ctx)?.sight(), budget(ctx)?);
    Ok(match ctx.data::<Arc<SharedView>>() {
        Ok(shared) => shared.get(app, sight, budget),
        Err(_) => View::now_within(app, sight, budget),
    })
}

/// Everything that can be looked at. All of one answer is of one state of the database.
#[derive(Debug, Default)]
pub struct Query;

/// Everything that can be looked at. All of one answer is of one state of the database.
#[Object]
impl Query {
    /// The thing with an id; null where there is none, or none that the sender may see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The thing's global id.")] id: ID,
    ) -> Result<Option<Node>> {
        let found = node::find(&view(ctx)?, caller(ctx)?, &[id]).await?.pop();
        Ok(found.flatten())
    }

    /// The things with these ids, 100 at most, in their order; null for each that is not there.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The things' global ids, 100 at most.")] ids: Vec<ID>,
    ) -> Result<Charged<Vec<Option<Node>>>> {
        if ids.len() > MOST {
            return Err(Failure::bad_user_input(format!("`ids` holds at most {MOST} ids.")));
        }
        let view = view(ctx)?;
        let nodes = node::find(&view, caller(ctx)?, &ids).await?;
        Ok(Charged::list(&view, nodes))
    }

    /// The page with a slug; null where there is none, or none that the sender may see. With `asOf`, the page as it was
    /// shown at that time; null before it existed, `BEYOND_RETENTION` for a time whose events are not kept any more.
    async fn page(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The page's name in addresses.")] slug: String,
        #[graphql(desc = "The time to look at; now unless given, and for times to come.")] as_of: Option<DateTime>,
    ) -> Result<Option<Page>> {
        let view = view(ctx)?;
        let Some(at) = as_of.filter(|at| at.0 < view.instant()) else {
            let page = queries::page::by_slug(&view, &slug).await?;
            return Ok(page.map(|page| Page::new(page, view)));
        };
        let stood = queries::page::as_of(&view, &slug, at.0).await?;
        Ok(stood.map(|(page, past)| Page::new(page, past)))
    }

    /// The pages the sender may see, newest first.
    async fn pages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many items from the beginning, 1 to 100. Give this or `last`.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<Counting<Page>> {
        let view = view(ctx)?;
        let window = Arguments {
            first,
            after,
            last,
            before,
        }
        .window()?;
        let slice = queries::page::list(&view, window).await?;
        let key = |page: &crate::domain::page::Page| Key {
            order: page.created_at.millis(),
            id: page.id,
        };
        let node = |page| Page::new(Arc::new(page), view.clone());
        Ok(connection::build(&view, slice, Counted::Pages, key, node))
    }

    /// The tokens that were made, newest first. For admins of all pages (`FORBIDDEN`).
    async fn tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many items from the beginning, 1 to 100. Give this or `last`.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<Counting<Token>> {
        let view = view(ctx)?;
        let window = Arguments {
            first,
            after,
            last,
            before,
        }
        .window()?;
        let slice = queries::token::list(&view, window).await?;
        let node = |token| Token::new(token, view.clone());
        Ok(connection::build(
            &view,
            slice,
            Counted::Tokens,
            queries::token::key,
            node,
        ))
    }

    /// Who did what, newest first: each change is kept in the transaction that makes it. For admins of all pages
    /// (`FORBIDDEN`).
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many items from the beginning, 1 to 100. Give this or `last`.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<Counting<AuditEntry>> {
        let (view, caller) = (view(ctx)?, caller(ctx)?);
        let window = Arguments {
            first,
            after,
            last,
            before,
        }
        .window()?;
        let slice = queries::audit::list(&view, window).await?;
        let named = Named::new(view.clone(), caller.clone());
        let node = |entry| AuditEntry::new(entry, Arc::clone(&named));
        Ok(connection::build(
            &view,
            slice,
            Counted::Audit,
            queries::audit::key,
            node,
        ))
    }

    /// Who the sender is.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        let caller = admitted(ctx)?;
        let view = view(ctx)?;
        view.untie();
        let pages = match caller.holder.as_deref().map(|holder| &holder.scope) {
            Some(Scope::Pages(pages)) => Some(super::token::pages(&view, pages.iter().copied()).await?),
            Some(Scope::All) | None => None,
        };
        let role = caller.holder.as_ref().map(|holder| holder.role);
        Ok(Viewer {
            role: role.map_or(ViewerRole::Anonymous, ViewerRole::from),
            name: caller.holder.as_ref().map(|holder| holder.name.clone()),
            may_write: !caller.only_sees && role.is_some_and(|role| role > Role::Viewer),
            pages,
            expires_at: caller.expires_at.map(DateTime),
        })
    }

    /// The server that answers.
    async fn server(&self, ctx: &Context<'_>) -> Result<Server> {
        admitted(ctx)?;
        let limits = ctx
            .data::<Limits>()
            .map_err(|_| Error::Corrupt("a schema without limits".to_owned()))?;
        Ok(Server {
            version: env!("CARGO_PKG_VERSION"),
            limits: limits.clone(),
        })
    }
}

/// Who sends a request, and what they may do.
#[derive(SimpleObject, Debug)]
pub struct Viewer {
    /// What they are.
    role: ViewerRole,
    /// What people call their token; for a JWT its subject and, in brackets, its issuer; null for the public.
    name: Option<String>,
    /// Whether there are mutations that they may send.
    may_write: bool,
    /// The pages on which they are what they are; elsewhere they are the public. Null where it is so on all pages, and
    /// for the public.
    pages: Option<Charged<Vec<Page>>>,
    /// Until when their token, or JWT, holds; null where it has no end.
    expires_at: Option<DateTime>,
}

/// What the sender of a request is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerRole {
    /// Without a token: the public, on public pages.
    Anonymous,
    /// Sees what is private.
    Viewer,
    /// Tells of incidents and maintenances, and sets what components are like; and all of the above.
    Responder,
    /// Changes pages and what they consist of; and all of the above.
    Manager,
    /// Hands out tokens; and all of the above.
    Admin,
}

impl From<Role> for ViewerRole {
    fn from(role: Role) -> ViewerRole {
        match role {
            Role::Viewer => ViewerRole::Viewer,
            Role::Responder => ViewerRole::Responder,
            Role::Manager => ViewerRole::Manager,
            Role::Admin => ViewerRole::Admin,
        }
    }
}
