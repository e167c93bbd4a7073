//! What people use: async-graphql with its own axum integration, every buffer as it comes, and the same fields of the
//! same names over a broadcast channel. Each subscriber's selection is executed for each event.

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, Enum, ID, Interface, Object, Schema, SimpleObject, Subscription};
use async_graphql_axum::GraphQLSubscription;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::broadcast;

use super::bare::{CHANNEL, serve_router};

type Events = broadcast::Sender<Arc<str>>;

const CURSOR: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz";
const AT: &str = "2026-01-01T00:00:00.000Z";

pub(super) fn serve() -> anyhow::Result<()> {
    let (events, _): (Events, _) = broadcast::channel(CHANNEL);
    let schema = Schema::build(Query, EmptyMutation, Root).data(events.clone()).finish();
    let router = Router::new()
        .route_service("/graphql/ws", GraphQLSubscription::new(schema))
        .route("/publish", post(publish))
        .with_state(events);
    serve_router(router)
}

async fn publish(State(events): State<Events>, body: String) {
    // Nobody may listen yet.
    let _ = events.send(body.into());
}

struct Query;

#[Object]
impl Query {
    async fn server(&self) -> &str {
        "stock"
    }
}

struct Root;

#[Subscription]
impl Root {
    async fn page_events(
        &self,
        ctx: &Context<'_>,
        page: String,
    ) -> async_graphql::Result<impl Stream<Item = PageEvent> + use<>> {
        let events = ctx.data::<Events>()?.subscribe();
        let live = stream::unfold(events, |mut events| async {
            // Who lags has lost events: the bench will see it.
            let body = events.recv().await.ok()?;
            Some((PageEvent::IncidentUpdatePosted(posted(body)), events))
        });
        let first = PageEvent::PageSnapshot(PageSnapshot {
            cursor: CURSOR,
            at: AT,
            page,
        });
        Ok(stream::iter([first]).chain(live))
    }
}

fn posted(body: Arc<str>) -> IncidentUpdatePosted {
    IncidentUpdatePosted {
        cursor: CURSOR,
        at: AT,
        incident: Incident {
            id: ID::from("aW5jaWRlbnQ6MDEyMzQ1Njc4OWFiY2RlZg"),
            title: "Checkout is slow",
            status: IncidentStatus::Investigating,
            impact: Impact::None,
        },
        update: IncidentUpdate {
            id: ID::from("dXBkYXRlOjAxMjM0NTY3ODlhYmNkZWY"),
            status: IncidentStatus::Investigating,
            body,
        },
    }
}

#[derive(Interface)]
#[expect(clippy::duplicated_attributes, reason = "two fields may well be of one type")]
#[graphql(
    field(name = "cursor", ty = "&&'static str"),
    field(name = "at", ty = "&&'static str")
)]
enum PageEvent {
    PageSnapshot(PageSnapshot),
    IncidentUpdatePosted(IncidentUpdatePosted),
}

#[derive(SimpleObject)]
struct PageSnapshot {
    cursor: &'static str,
    at: &'static str,
    page: String,
}

#[derive(SimpleObject)]
struct IncidentUpdatePosted {
    cursor: &'static str,
    at: &'static str,
    incident: Incident,
    update: IncidentUpdate,
}

#[derive(SimpleObject)]
struct Incident {
    id: ID,
    title: &'static str,
    status: IncidentStatus,
    impact: Impact,
}

#[derive(SimpleObject)]
struct IncidentUpdate {
    id: ID,
    status: IncidentStatus,
    body: Arc<str>,
}

#[derive(Clone, Copy, Enum, Eq, PartialEq)]
enum IncidentStatus {
    Investigating,
}

#[derive(Clone, Copy, Enum, Eq, PartialEq)]
enum Impact {
    None,
}
