//! Words for what tests do over and over: a page, its components, an incident.

use serde_json::{Value, json};

use super::database::Test;

impl Test {
    /// Sends a mutation `field(input:)` and returns its payload, which must be without user errors.
    pub(crate) async fn mutate(&self, field: &str, input: Value, selection: &str) -> Value {
        let payload = self.try_mutate(field, input, selection).await;
        assert_eq!(payload["userErrors"], json!([]), "{field}");
        payload
    }

    /// Sends a mutation `field(input:)` and returns its payload, with what the sender can mend.
    pub(crate) async fn try_mutate(&self, field: &str, input: Value, selection: &str) -> Value {
        let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let document = format!(
            "mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} userErrors {{ __typename code message field }} }} }}"
        );
        self.data(&document, json!({ "input": input })).await[field].clone()
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
