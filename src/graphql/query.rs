//! Query: everything that can be looked at.

use std::sync::{Arc, OnceLock};

use async_graphql::{Context, Enum, ID, Interface, Object, SimpleObject};

use super::component::{Component, ComponentGroup};
use super::connection::{self, Arguments, Counted, Counting, MOST};
use super::error::{Failure, Result};
use super::id::{self, Kind};
use super::incident::{Incident, IncidentUpdate};
use super::maintenance::{Maintenance, MaintenanceUpdate};
use super::page::Page;
use super::scalar::DateTime;
use super::server::{Limits, Server};
use crate::access::{Caller, Role};
use crate::app::App;
use crate::error::Error;
use crate::queries::{self, Key, View};

/// Anything that has an id.
#[derive(Interface, Clone, Debug)]
#[graphql(field(name = "id", ty = "ID", desc = "Its global id: opaque, and the same for ever."))]
pub enum Node {
    /// A status page.
    Page(Page),
    /// Components that are shown together.
    ComponentGroup(ComponentGroup),
    /// One part of a service.
    Component(Component),
    /// Something that went wrong.
    Incident(Incident),
    /// One entry of an incident's timeline.
    IncidentUpdate(IncidentUpdate),
    /// Planned work.
    Maintenance(Maintenance),
    /// One entry of a maintenance's timeline.
    MaintenanceUpdate(MaintenanceUpdate),
}

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

/// The view that the root fields of one query share: begun by the first that looks.
#[derive(Debug, Default)]
pub(super) struct SharedView(OnceLock<View>);

/// What the sender of a query sees now: one state of the database for the whole answer.
pub(super) fn view(ctx: &Context<'_>) -> Result<View> {
    let fresh = View::now(app(ctx)?, caller(ctx)?.audience());
    Ok(match ctx.data::<SharedView>() {
        Ok(shared) => shared.0.get_or_init(|| fresh).clone(),
        Err(_) => fresh,
    })
}

/// Everything that can be looked at. All of one answer is of one state of the database.
#[derive(Debug, Default)]
pub struct Query;

/// Everything that can be looked at. All of one answer is of one state of the database.
#[Object]
impl Query {
    /// The thing with an id; null where there is none, or none that the sender may see.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        find(&view(ctx)?, &id).await
    }

    /// The things with these ids, 100 at most, in their order; null for each that is not there.
    async fn nodes(&self, ctx: &Context<'_>, ids: Vec<ID>) -> Result<Vec<Option<Node>>> {
        if ids.len() > MOST {
            return Err(Failure::bad_user_input(format!("`ids` holds at most {MOST} ids.")));
        }
        find_all(&view(ctx)?, &ids).await
    }

    /// The page with a slug; null where there is none, or none that the sender may see. With `asOf`, the page as it was
    /// shown at that time; null before it existed, `BEYOND_RETENTION` for a time whose events are not kept any more.
    async fn page(&self, ctx: &Context<'_>, slug: String, as_of: Option<DateTime>) -> Result<Option<Page>> {
        let view = view(ctx)?;
        let Some(at) = as_of.filter(|at| at.0 < view.instant()) else {
            let page = queries::page::by_slug(&view, &slug).await?;
            return Ok(page.map(|page| Page::new(Arc::new(page), view)));
        };
        let stood = queries::page::as_of(&view, &slug, at.0).await?;
        Ok(stood.map(|(page, past)| Page::new(Arc::new(page), past)))
    }

    /// The pages the sender may see, newest first.
    async fn pages(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
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

    /// Who the sender is.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        let role = match caller(ctx)?.role {
            Role::Anonymous => ViewerRole::Anonymous,
            Role::Admin => ViewerRole::Admin,
        };
        Ok(Viewer {
            role,
            may_write: role == ViewerRole::Admin,
        })
    }

    /// The server that answers.
    async fn server(&self, ctx: &Context<'_>) -> Result<Server> {
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
    /// Whether they may send mutations.
    may_write: bool,
}

/// What the sender of a request is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerRole {
    /// Without a token: the public, on public pages.
    Anonymous,
    /// With the admin token: everything.
    Admin,
}

async fn find(view: &View, id: &ID) -> Result<Option<Node>> {
    let Some((kind, uuid)) = id::decode(id) else {
        return Ok(None);
    };
    let of = view.clone();
    Ok(match kind {
        Kind::Page => queries::page::by_id(view, uuid)
            .await?
            .map(|state| Node::Page(Page::new(state, of))),
        Kind::ComponentGroup => queries::component::group_by_id(view, uuid)
            .await?
            .map(|state| Node::ComponentGroup(ComponentGroup { state, view: of })),
        Kind::Component => queries::component::by_id(view, uuid)
            .await?
            .map(|state| Node::Component(Component { state, view: of })),
        Kind::Incident => {
            let found = queries::incident::by_ids(view, &[uuid]).await?.pop();
            found.map(|incident| Node::Incident(Incident::new(incident, of)))
        }
        Kind::IncidentUpdate => {
            let found = queries::incident::by_update(view, uuid).await?;
            found
                .and_then(|incident| Incident::new(incident, of).update(uuid))
                .map(Node::IncidentUpdate)
        }
        Kind::Maintenance => {
            let found = queries::maintenance::by_ids(view, &[uuid]).await?.pop();
            found.map(|maintenance| Node::Maintenance(Maintenance::new(maintenance, of)))
        }
        Kind::MaintenanceUpdate => {
            let found = queries::maintenance::by_update(view, uuid).await?;
            found
                .and_then(|one| Maintenance::new(one, of).update(uuid))
                .map(Node::MaintenanceUpdate)
        }
    })
}

/// Incidents and maintenances, which clients refetch by the dozen, are read together; the rest one by one.
async fn find_all(view: &View, ids: &[ID]) -> Result<Vec<Option<Node>>> {
    let of_kind = |wanted: Kind| -> Vec<uuid::Uuid> {
        ids.iter()
            .filter_map(id::decode)
            .filter(|(kind, _)| *kind == wanted)
            .map(|(_, uuid)| uuid)
            .collect()
    };
    let incidents = match of_kind(Kind::Incident) {
        wanted if wanted.is_empty() => Vec::new(),
        wanted => queries::incident::by_ids(view, &wanted).await?,
    };
    let maintenances = match of_kind(Kind::Maintenance) {
        wanted if wanted.is_empty() => Vec::new(),
        wanted => queries::maintenance::by_ids(view, &wanted).await?,
    };
    let mut nodes = Vec::with_capacity(ids.len());
    for id in ids {
        nodes.push(match id::decode(id) {
            Some((Kind::Incident, uuid)) => incidents
                .iter()
                .find(|incident| incident.id == uuid)
                .map(|incident| Node::Incident(Incident::new(incident.clone(), view.clone()))),
            Some((Kind::Maintenance, uuid)) => maintenances
                .iter()
                .find(|maintenance| maintenance.id == uuid)
                .map(|maintenance| Node::Maintenance(Maintenance::new(maintenance.clone(), view.clone()))),
            _ => find(view, id).await?,
        });
    }
    Ok(nodes)
}
