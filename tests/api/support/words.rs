//! Words for what tests do over and over: a page, its components, an incident.

use serde_json::{Value, json};

use super::database::{ADMIN, Test};

/// All that is known of what a sender can mend.
const USER_ERRORS: &str = "userErrors { __typename code message field ... on TooLong { max unit } \
    ... on StaleVersion { current } ... on IllegalTransition { from to allowed } \
    ... on IllegalMaintenanceTransition { stands: from wished: to open: allowed } }";

/// A mutation `field(input:)` that tells what the sender can mend.
fn mutation(field: &str, selection: &str) -> String {
    let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
    format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} {USER_ERRORS} }} }}")
}

impl Test {
    /// Sends a mutation `field(input:)` and returns its payload, which must be without user errors.
    pub(crate) async fn mutate(&self, field: &str, input: Value, selection: &str) -> Value {
        let payload = self.try_mutate(field, input, selection).await;
        assert_eq!(payload["userErrors"], json!([]), "{field}");
        payload
    }

    /// Sends a mutation `field(input:)` and returns its payload, with what the sender can mend.
    pub(crate) async fn try_mutate(&self, field: &str, input: Value, selection: &str) -> Value {
        self.data(&mutation(field, selection), json!({ "input": input })).await[field].clone()
    }

    /// Sends a mutation, over HTTP and over a WebSocket, that must be refused by both for one reason, and returns that.
    pub(crate) async fn refused(&self, field: &str, input: Value) -> Value {
        let (status, answer) = self
            .told(&mutation(field, ""), json!({ "input": input }), Some(ADMIN))
            .await;
        assert_eq!((status, answer.get("errors")), (200, None), "{field}: {answer:#}");
        let payload = &answer["data"][field];
        let errors = payload["userErrors"].as_array().expect("a list").clone();
        assert_eq!(errors.len(), 1, "{field}: {payload:#}");
        errors.into_iter().next().expect("one")
    }

    /// Sends a mutation that must be refused with a code, at a field of its input.
    pub(crate) async fn refused_with(&self, field: &str, input: Value, code: &str, path: &[&str]) -> Value {
        let error = self.refused(field, input).await;
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!(code), &json!(path)),
            "{field}"
        );
        error
    }

    /// What the staff sees of a thing.
    pub(crate) async fn thing(&self, kind: &str, id: &str, selection: &str) -> Value {
        let document = format!("query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {selection} }} }} }}");
        self.data(&document, json!({ "id": id })).await["node"].clone()
    }

    /// What the public sees of a thing.
    pub(crate) async fn public_thing(&self, kind: &str, id: &str, selection: &str) -> Value {
        let document = format!("query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {selection} }} }} }}");
        self.public_data(&document, json!({ "id": id })).await["node"].clone()
    }

    /// Makes a token for a role, on these pages or on all, and returns its id and its text.
    pub(crate) async fn token(&self, role: &str, pages: Option<&[&str]>) -> (String, String) {
        let input = json!({ "name": format!("The {role}"), "role": role, "pages": pages });
        let made = self.mutate("tokenCreate", input, "secret token { id }").await;
        let text = made["secret"].as_str().expect("a text").to_owned();
        (id(&made["token"]), text)
    }

    /// Moves the clock on.
    pub(crate) fn pass_minutes(&self, minutes: i64) {
        let clock = &self.app.clock;
        clock.set(clock.now().plus_millis(minutes * 60_000));
    }

    /// The time it is, so many minutes later (earlier where negative).
    pub(crate) fn in_minutes(&self, minutes: i64) -> String {
        self.app.clock.now().plus_millis(minutes * 60_000).to_string()
    }

    /// Makes a page, and returns its id.
    pub(crate) async fn page(&self, slug: &str) -> String {
        let input = json!({ "slug": slug, "name": format!("The {slug} service") });
        id(&self.mutate("pageCreate", input, "page { id }").await["page"])
    }

    /// Makes a component, and returns its id.
    pub(crate) async fn component(&self, page: &str, name: &str) -> String {
        let input = json!({ "page": page, "name": name });
        id(&self.mutate("componentCreate", input, "component { id }").await["component"])
    }

    /// Makes a component group, and returns its id.
    pub(crate) async fn group(&self, page: &str, name: &str) -> String {
        let input = json!({ "page": page, "name": name });
        id(&self.mutate("componentGroupCreate", input, "group { id }").await["group"])
    }

    /// Makes a component in a group, and returns its id.
    pub(crate) async fn component_in(&self, page: &str, group: &str, name: &str) -> String {
        let input = json!({ "page": page, "group": group, "name": name });
        id(&self.mutate("componentCreate", input, "component { id }").await["component"])
    }

    /// Sets a component's status by itself.
    pub(crate) async fn set_status(&self, component: &str, status: &str) {
        let input = json!({ "component": component, "status": status });
        self.mutate("componentStatusSet", input, "component { id }").await;
    }

    /// Says something of an incident, which gives it a status.
    pub(crate) async fn post(&self, incident: &str, status: &str, body: &str) -> Value {
        let input = json!({ "incident": incident, "status": status, "body": body });
        self.mutate("incidentUpdatePost", input, "update { id number } incident { version }")
            .await
    }

    /// Resolves an incident.
    pub(crate) async fn resolve(&self, incident: &str) {
        self.mutate("incidentResolve", json!({ "incident": incident }), "incident { id }")
            .await;
    }

    /// Keeps a draft of an incident's postmortem.
    pub(crate) async fn draft(&self, incident: &str, body: &str) {
        let input = json!({ "incident": incident, "body": body });
        self.mutate("postmortemDraft", input, "incident { id }").await;
    }

    /// Announces a maintenance of a component, in so many minutes and for one hour, and returns its id.
    pub(crate) async fn maintenance(&self, page: &str, title: &str, component: &str, minutes: i64) -> String {
        let input = json!({
            "page": page, "title": title, "body": "We replace disks.", "components": [component],
            "scheduledFor": self.in_minutes(minutes), "scheduledUntil": self.in_minutes(minutes + 60),
        });
        id(&self.mutate("maintenanceSchedule", input, "maintenance { id }").await["maintenance"])
    }

    /// Opens an incident that affects one component badly, or none, and returns its id.
    pub(crate) async fn incident(&self, page: &str, title: &str, component: Option<&str>) -> String {
        let components: Vec<Value> = component
            .into_iter()
            .map(|component| json!({ "component": component, "status": "MAJOR_OUTAGE" }))
            .collect();
        let input =
            json!({ "page": page, "title": title, "body": "We are looking into it.", "components": components });
        id(&self.mutate("incidentOpen", input, "incident { id }").await["incident"])
    }
}

/// The id of a thing in an answer.
pub(crate) fn id(thing: &Value) -> String {
    thing["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id in {thing}"))
        .to_owned()
}

/// The code of an answer's first error.
pub(crate) fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_else(|| panic!("no code in {answer:#}"))
}

/// One value of each item of a list.
pub(crate) fn each(list: &Value, name: &str) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    items.iter().map(|item| text(&item[name])).collect()
}
