//! The yardstick of uncached reads: async-graphql with its axum integration and sea-orm over Allclear's own tables, written
//! the way an application usually is. It reads with as few statements as is easy: page, groups, and components once, and
//! incidents with their updates only if they are asked for.

mod entity;

use std::sync::Arc;

use anyhow::Context as _;
use async_graphql::{Context, EmptyMutation, EmptySubscription, ID, Object, Schema, SimpleObject};
use async_graphql_axum::GraphQL;
use axum::Router;
use axum::routing::post_service;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat};
use sea_orm::{
    ColumnTrait, Database, DatabaseConnection, EntityTrait, LoaderTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

use super::bare::{runtime, serve_on};
use entity::{ComponentStatus, Impact, IncidentStatus, component, component_group, incident, page, timeline_update};

const PUBLIC: &str = "public";

pub(super) fn serve(url: &str) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let database = runtime.block_on(Database::connect(url)).context("cannot connect")?;
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
        .data(database)
        .finish();
    let router = Router::new().route("/graphql", post_service(GraphQL::new(schema)));
    serve_on(&runtime, router)
}

struct Query;

#[Object]
impl Query {
    async fn page(&self, ctx: &Context<'_>, slug: String) -> async_graphql::Result<Option<Page>> {
        let database = ctx.data::<DatabaseConnection>()?;
        let found = page::Entity::find()
            .filter(page::Column::Slug.eq(slug))
            .filter(page::Column::ArchivedAt.is_null())
            .one(database)
            .await?;
        let Some(row) = found else { return Ok(None) };
        let mut groups = component_group::Entity::find()
            .filter(component_group::Column::PageId.eq(row.id))
            .filter(component_group::Column::ArchivedAt.is_null())
            .all(database)
            .await?;
        let mut components = component::Entity::find()
            .filter(component::Column::PageId.eq(row.id))
            .filter(component::Column::ArchivedAt.is_null())
            .all(database)
            .await?;
        groups.sort_by_key(|group| (group.position, group.id));
        let position = |id: Uuid| groups.iter().find(|group| group.id == id).map(|group| group.position);
        components.sort_by_key(
            |component| match component.group_id.and_then(|id| Some((id, position(id)?))) {
                Some((group, position)) => (position, Some(group), component.position, component.id),
                None => (component.position, None, 0, component.id),
            },
        );
        Ok(Some(Page {
            row,
            groups,
            components: Arc::new(components),
        }))
    }
}

struct Page {
    row: page::Model,
    groups: Vec<component_group::Model>,
    components: Arc<Vec<component::Model>>,
}

#[Object]
impl Page {
    async fn name(&self) -> &str {
        &self.row.name
    }

    async fn status(&self) -> PageStatus {
        page_status(&self.components)
    }

    async fn component_groups(&self) -> Vec<ComponentGroup> {
        let group = |row: &component_group::Model| ComponentGroup {
            row: row.clone(),
            components: Arc::clone(&self.components),
        };
        self.groups.iter().map(group).collect()
    }

    async fn components(&self) -> Vec<Component<'_>> {
        self.components.iter().map(Component).collect()
    }

    async fn active_incidents(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Incident>> {
        let open = [
            IncidentStatus::Investigating,
            IncidentStatus::Identified,
            IncidentStatus::Monitoring,
        ];
        let select = self
            .incidents_newest_first()
            .filter(incident::Column::Status.is_in(open));
        let with_updates = ctx.look_ahead().field("updates").exists();
        load(ctx, select, with_updates).await
    }

    async fn incidents(&self, ctx: &Context<'_>, first: u64) -> async_graphql::Result<IncidentConnection> {
        let select = self.incidents_newest_first().limit(first.min(100));
        let with_updates = ctx.look_ahead().field("nodes").field("updates").exists();
        let nodes = load(ctx, select, with_updates).await?;
        Ok(IncidentConnection { nodes })
    }
}

impl Page {
    fn incidents_newest_first(&self) -> Select<incident::Entity> {
        incident::Entity::find()
            .filter(incident::Column::PageId.eq(self.row.id))
            .filter(incident::Column::Audience.eq(PUBLIC))
            .order_by_desc(incident::Column::StartedAt)
            .order_by_desc(incident::Column::Id)
    }
}

/// Incidents with their public updates, oldest update first.
async fn load(
    ctx: &Context<'_>,
    select: Select<incident::Entity>,
    with_updates: bool,
) -> async_graphql::Result<Vec<Incident>> {
    let database = ctx.data::<DatabaseConnection>()?;
    let rows = select.all(database).await?;
    let updates = match with_updates {
        true => {
            let oldest_first = timeline_update::Entity::find()
                .filter(timeline_update::Column::Audience.eq(PUBLIC))
                .order_by_asc(timeline_update::Column::DisplayAt)
                .order_by_asc(timeline_update::Column::Number);
            rows.load_many(oldest_first, database).await?
        }
        false => rows.iter().map(|_| Vec::new()).collect(),
    };
    Ok(rows
        .into_iter()
        .zip(updates)
        .map(|(row, updates)| Incident { row, updates })
        .collect())
}

#[derive(SimpleObject)]
struct PageStatus {
    indicator: Impact,
    description: &'static str,
}

fn page_status(components: &[component::Model]) -> PageStatus {
    use ComponentStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};
    let worst = worst(components);
    let shared = components.iter().all(|component| component.status == worst);
    let (indicator, description) = match (worst, shared) {
        (MajorOutage, true) => (Impact::Critical, "Major System Outage"),
        (MajorOutage, false) | (PartialOutage, true) => (Impact::Major, "Partial System Outage"),
        (PartialOutage, false) => (Impact::Minor, "Minor Service Outage"),
        (DegradedPerformance, true) => (Impact::Minor, "Degraded System Service"),
        (DegradedPerformance, false) => (Impact::Minor, "Partially Degraded Service"),
        (UnderMaintenance, _) => (Impact::Maintenance, "Service Under Maintenance"),
        (Operational, _) => (Impact::None, "All Systems Operational"),
    };
    PageStatus { indicator, description }
}

fn worst<'a>(components: impl IntoIterator<Item = &'a component::Model>) -> ComponentStatus {
    let statuses = components.into_iter().map(|component| component.status);
    statuses.max().unwrap_or(ComponentStatus::Operational)
}

struct ComponentGroup {
    row: component_group::Model,
    components: Arc<Vec<component::Model>>,
}

#[Object]
impl ComponentGroup {
    async fn id(&self) -> ID {
        global_id(2, self.row.id)
    }

    async fn name(&self) -> &str {
        &self.row.name
    }

    async fn status(&self) -> ComponentStatus {
        worst(
            self.components
                .iter()
                .filter(|component| component.group_id == Some(self.row.id)),
        )
    }
}

struct Component<'a>(&'a component::Model);

#[Object]
impl Component<'_> {
    async fn id(&self) -> ID {
        global_id(3, self.0.id)
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn status(&self) -> ComponentStatus {
        self.0.status
    }

    async fn group(&self) -> Option<GroupOfComponent> {
        let id = global_id(2, self.0.group_id?);
        Some(GroupOfComponent { id })
    }
}

#[derive(SimpleObject)]
struct GroupOfComponent {
    id: ID,
}

#[derive(SimpleObject)]
struct IncidentConnection {
    nodes: Vec<Incident>,
}

struct Incident {
    row: incident::Model,
    updates: Vec<timeline_update::Model>,
}

#[Object]
impl Incident {
    async fn id(&self) -> ID {
        global_id(4, self.row.id)
    }

    async fn title(&self) -> &str {
        &self.row.title
    }

    async fn status(&self) -> IncidentStatus {
        self.row.status
    }

    async fn impact(&self) -> Impact {
        self.row.impact_override.unwrap_or(self.row.peak_impact)
    }

    async fn started_at(&self) -> Option<String> {
        instant(self.row.started_at)
    }

    async fn resolved_at(&self) -> Option<String> {
        self.row.resolved_at.and_then(instant)
    }

    async fn updates(&self, first: usize) -> UpdateConnection<'_> {
        UpdateConnection {
            nodes: self.updates.iter().take(first).map(Update).collect(),
        }
    }
}

struct UpdateConnection<'a> {
    nodes: Vec<Update<'a>>,
}

#[Object]
impl<'a> UpdateConnection<'a> {
    async fn nodes(&self) -> &[Update<'a>] {
        &self.nodes
    }
}

struct Update<'a>(&'a timeline_update::Model);

#[Object]
impl Update<'_> {
    async fn id(&self) -> ID {
        global_id(5, self.0.id)
    }

    async fn status(&self) -> IncidentStatus {
        self.0.status
    }

    async fn body(&self) -> &str {
        &self.0.body
    }

    async fn display_at(&self) -> Option<String> {
        instant(self.0.display_at)
    }
}

/// An id as Allclear writes it: version, kind, UUID.
fn global_id(kind: u8, id: Uuid) -> ID {
    let mut bytes = vec![1, kind];
    bytes.extend(id.as_bytes());
    ID(URL_SAFE_NO_PAD.encode(bytes))
}

fn instant(millis: i64) -> Option<String> {
    let at = DateTime::from_timestamp_millis(millis)?;
    Some(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}
