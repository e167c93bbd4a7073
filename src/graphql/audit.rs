//! The audit: who did what.

use std::sync::Arc;

use async_graphql::Object;
use uuid::Uuid;

use super::error::Result;
use super::id::Kind;
use super::node::{self, Node};
use super::page::Page;
use super::scalar::DateTime;
use super::token::Token;
use crate::access::Caller;
use crate::domain::time::Timestamp;
use crate::queries::{Loader, View, audit::Entry};

/// Something that somebody did.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    entry: Arc<Entry>,
    named: Arc<Named>,
}

impl AuditEntry {
    pub(super) fn new(entry: Entry, named: Arc<Named>) -> AuditEntry {
        AuditEntry {
            entry: Arc::new(entry),
            named,
        }
    }
}

/// What the entries of a list name, read together for all of them.
#[derive(Debug)]
pub(super) struct Named {
    view: View,
    caller: Caller,
    nodes: Loader<(Kind, Uuid), Option<Node>>,
}

impl Named {
    pub(super) fn new(view: View, caller: Caller) -> Arc<Named> {
        Arc::new(Named {
            nodes: Loader::within(view.budget().clone()),
            view,
            caller,
        })
    }

    async fn node(&self, kind: Kind, id: Uuid) -> Result<Option<Node>> {
        let read = async |named| {
            let found = node::of_all(&self.view, &self.caller, named).await?;
            Ok(found.into_iter().map(|(named, node)| (named, Some(node))).collect())
        };
        Ok(self.nodes.load((kind, id), read).await?)
    }
}

/// Something that somebody did.
#[Object]
impl AuditEntry {
    /// When.
    async fn at(&self) -> DateTime {
        Timestamp::from_millis(self.entry.at).into()
    }

    /// Who: what people called the token; for a JWT its subject and, in brackets, its issuer; `admin` for the token that
    /// the server begins with, `server` for what it does by itself.
    async fn actor(&self) -> &str {
        &self.entry.actor
    }

    /// With which token; null for a JWT, for the admin token that the server begins with, and for what it does by itself.
    async fn token(&self) -> Result<Option<Token>> {
        let Some(id) = self.entry.token_id else {
            return Ok(None);
        };
        match self.named.node(Kind::Token, id).await? {
            Some(Node::Token(token)) => Ok(Some(token)),
            _ => Ok(None),
        }
    }

    /// From which address the request came; null for what came by none.
    async fn address(&self) -> Option<&str> {
        self.entry.address.as_deref()
    }

    /// What: the name of the mutation, mostly.
    async fn action(&self) -> &str {
        &self.entry.action
    }

    /// Under which request.
    async fn request_id(&self) -> &str {
        &self.entry.request_id
    }

    /// On which page; null for what is on none, and where the page was taken off since.
    async fn page(&self) -> Result<Option<Page>> {
        let Some(id) = self.entry.page_id else {
            return Ok(None);
        };
        let view = &self.named.view;
        let found = view.page(id).await?;
        Ok(found.map(|page| Page::new(page, view.clone())))
    }

    /// What it was done to; null where that is not there any more.
    async fn subject(&self) -> Result<Option<Node>> {
        match self.subject_named() {
            Some((kind, id)) => self.named.node(kind, id).await,
            None => Ok(None),
        }
    }

    /// Its number in the chain of its page, or of the server where it is on none: 1, 2, 3, …; null for what was kept
    /// before there were chains.
    async fn number(&self) -> Option<String> {
        self.entry.number.map(|number| number.to_string())
    }

    /// The hash over it and the entry before it in the chain, in hexadecimal; null for what was kept before there were
    /// chains.
    async fn hash(&self) -> Option<&str> {
        self.entry.hash.as_deref()
    }
}

impl AuditEntry {
    fn subject_named(&self) -> Option<(Kind, Uuid)> {
        let kind = match self.entry.subject_kind.as_deref()? {
            "page" => Kind::Page,
            "component_group" => Kind::ComponentGroup,
            "component" => Kind::Component,
            "incident" => Kind::Incident,
            "maintenance" => Kind::Maintenance,
            "token" => Kind::Token,
            _ => return None,
        };
        Some((kind, self.entry.subject_id?))
    }
}
