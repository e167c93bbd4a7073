//! Looking at a page's log, in the database itself and through a subscription.

use allclear::domain::cursor::Cursor;
use allclear::entity::{event, page_log};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{ColumnTrait, ConnectionTrait, Database, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Socket, Subscription};
use super::database::{ADMIN, Test};

/// What is told of each event.
const EVENT: &str = "
    __typename cursor at
    ... on PageSnapshot { page { name } }
    ... on PageReset { page { name } }
    ... on IncidentOpened { incident { title status } update { body } }
    ... on IncidentUpdatePosted { incident { title status } update { body number } }
    ... on IncidentAmended { incident { title } }
    ... on IncidentResolved { incident { title } }
    ... on ComponentStatusChanged { component { name } from to }
    ... on ComponentAmended { component { name } }";

/// The uuid in a global id.
pub(crate) fn uuid(id: &str) -> Uuid {
    let bytes = URL_SAFE_NO_PAD.decode(id).expect("an id is base64");
    Uuid::from_slice(&bytes[2..]).expect("an id ends with a uuid")
}

/// The number that a cursor holds.
pub(crate) fn number(cursor: &Value) -> u64 {
    let text = cursor.as_str().unwrap_or_else(|| panic!("no cursor: {cursor}"));
    Cursor::decode(text).expect("a cursor").number
}

impl Test {
    /// The events of a page, in the order of the staff's stream.
    pub(crate) async fn events(&self, page: &str) -> Vec<event::Model> {
        let snapshot = self.app.store.read().await.expect("the database answers");
        event::Entity::find()
            .filter(event::Column::PageId.eq(uuid(page)))
            .order_by_asc(event::Column::StaffNumber)
            .all(snapshot.db())
            .await
            .expect("the log is read")
    }

    /// The heads of a page's log.
    pub(crate) async fn heads(&self, page: &str) -> page_log::Model {
        let snapshot = self.app.store.read().await.expect("the database answers");
        page_log::Entity::find_by_id(uuid(page))
            .one(snapshot.db())
            .await
            .expect("the heads are read")
            .expect("the page has a log")
    }

    /// A connection of its own, past the server.
    pub(crate) async fn connection(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.expect("the database answers")
    }

    /// Changes the database behind the server's back.
    pub(crate) async fn tamper(&self, statement: &str) {
        let connection = self.connection().await;
        connection.execute_unprepared(statement).await.expect("a statement");
        connection.close().await.expect("the connection closes");
    }

    /// Posts an update that says this.
    pub(crate) async fn say(&self, incident: &str, body: &str) {
        let input = json!({ "incident": incident, "body": body });
        self.mutate("incidentUpdatePost", input, "update { id }").await;
    }

    /// Follows a page's events as the staff.
    pub(crate) async fn watch(&self, slug: &str, after: Option<&Value>) -> Watcher {
        self.watch_as(Some(ADMIN), slug, after, Value::Null).await
    }

    /// Follows those of a page's events that a filter lets through.
    pub(crate) async fn watch_as(
        &self,
        token: Option<&str>,
        slug: &str,
        after: Option<&Value>,
        filter: Value,
    ) -> Watcher {
        Watcher::on(self.socket(token).await, slug, after, filter).await
    }

    /// Follows a page as the staff, and takes its snapshot.
    pub(crate) async fn watch_from_now(&self, slug: &str) -> (Watcher, Value) {
        let mut watcher = self.watch(slug, None).await;
        let snapshot = watcher.next().await;
        assert_eq!(snapshot["__typename"], "PageSnapshot");
        (watcher, snapshot["cursor"].clone())
    }
}

/// One who follows a page's events.
pub(crate) struct Watcher {
    pub(crate) subscription: Subscription,
}

impl Watcher {
    /// Follows a page's events on a socket that is open already.
    pub(crate) async fn on(mut socket: Socket, slug: &str, after: Option<&Value>, filter: Value) -> Watcher {
        let document = format!(
            "subscription($page: String!, $after: Cursor, $filter: PageEventFilter) {{
                pageEvents(page: $page, after: $after, filter: $filter) {{ {EVENT} }} }}"
        );
        let variables = json!({ "page": slug, "after": after, "filter": filter });
        socket.subscribe("1", &document, variables).await;
        Watcher {
            subscription: Subscription { socket },
        }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Value {
        self.subscription.next().await["pageEvents"].clone()
    }

    /// The next event, which must be of this type.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["__typename"], kind, "{event:#}");
        event
    }

    /// The next message of the protocol: its type, and the code of its first error.
    pub(crate) async fn ending(&mut self) -> (String, Value) {
        let message = self.subscription.socket.next().await;
        let errors = match message["type"].as_str() {
            Some("error") => &message["payload"],
            _ => &message["payload"]["errors"],
        };
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        (kind, errors[0]["extensions"]["code"].clone())
    }
}
