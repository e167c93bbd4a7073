//! Anything that has an id, and finding it by that.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{ID, Interface};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::component::{Component, ComponentGroup};
use super::id::{self, Kind};
use super::incident::{Incident, IncidentUpdate};
use super::maintenance::{Maintenance, MaintenanceUpdate};
use super::page::Page;
use super::token::Token;
use crate::access::Caller;
use crate::domain;
use crate::error::Result;
use crate::queries::{self, View};

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
    /// What opens the API.
    Token(Token),
}

/// The things with these ids, in their order; `None` for each that is not there.
pub(super) async fn find(view: &View, caller: &Caller, ids: &[ID]) -> Result<Vec<Option<Node>>> {
    let named: Vec<Option<(Kind, Uuid)>> = ids.iter().map(id::decode).collect();
    let found = of_all(view, caller, named.iter().flatten().copied()).await?;
    let node = |named: &Option<(Kind, Uuid)>| named.and_then(|named| found.get(&named).cloned());
    Ok(named.iter().map(node).collect())
}

/// Those of these things that are there. Those of one kind are read together.
pub(super) async fn of_all(
    view: &View,
    caller: &Caller,
    named: impl IntoIterator<Item = (Kind, Uuid)>,
) -> Result<HashMap<(Kind, Uuid), Node>> {
    let mut wanted: HashMap<Kind, Vec<Uuid>> = HashMap::new();
    for (kind, uuid) in named {
        wanted.entry(kind).or_default().push(uuid);
    }
    let mut found = HashMap::new();
    // Whoever may not list tokens finds none.
    if !caller.may("tokens") {
        wanted.remove(&Kind::Token);
    }
    for (kind, uuids) in wanted {
        let nodes = of_kind(view, kind, &uuids).await?;
        found.extend(nodes.into_iter().map(|(uuid, node)| ((kind, uuid), node)));
    }
    Ok(found)
}

async fn of_kind(view: &View, kind: Kind, ids: &[Uuid]) -> Result<Vec<(Uuid, Node)>> {
    let of = || view.clone();
    Ok(match kind {
        Kind::Page => {
            let pages = try_join_all(ids.iter().map(|id| queries::page::by_id(view, *id))).await?;
            let node = |page: Arc<domain::page::Page>| (page.id, Node::Page(Page::new(page, of())));
            pages.into_iter().flatten().map(node).collect()
        }
        Kind::ComponentGroup => {
            let groups = queries::component::groups_by_ids(view, ids).await?.into_iter();
            groups
                .map(|state| (state.id, Node::ComponentGroup(ComponentGroup { state, view: of() })))
                .collect()
        }
        Kind::Component => {
            let components = queries::component::by_ids(view, ids).await?.into_iter();
            components
                .map(|state| (state.id, Node::Component(Component { state, view: of() })))
                .collect()
        }
        Kind::Incident => {
            let incidents = queries::incident::by_ids(view, ids).await?.into_iter();
            incidents
                .map(|incident| (incident.id, Node::Incident(Incident::new(incident, of()))))
                .collect()
        }
        Kind::IncidentUpdate => {
            let incidents = queries::incident::by_updates(view, ids).await?;
            let incidents: Vec<_> = incidents.into_iter().map(|one| Incident::new(one, of())).collect();
            let update = |id: &Uuid| incidents.iter().find_map(|incident| incident.update(*id));
            let node = |id: &Uuid| Some((*id, Node::IncidentUpdate(update(id)?)));
            ids.iter().filter_map(node).collect()
        }
        Kind::Maintenance => {
            let maintenances = queries::maintenance::by_ids(view, ids).await?.into_iter();
            maintenances
                .map(|one| (one.id, Node::Maintenance(Maintenance::new(one, of()))))
                .collect()
        }
        Kind::MaintenanceUpdate => {
            let maintenances = queries::maintenance::by_updates(view, ids).await?;
            let maintenances: Vec<_> = maintenances
                .into_iter()
                .map(|one| Maintenance::new(one, of()))
                .collect();
            let update = |id: &Uuid| maintenances.iter().find_map(|maintenance| maintenance.update(*id));
            let node = |id: &Uuid| Some((*id, Node::MaintenanceUpdate(update(id)?)));
            ids.iter().filter_map(node).collect()
        }
        Kind::Token => {
            let tokens = queries::token::by_ids(view, ids).await?.into_iter();
            tokens.map(|one| (one.id, Node::Token(Token::new(one, of())))).collect()
        }
    })
}
