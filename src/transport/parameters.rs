//! A GraphQL request's members, in the strict form that GraphQL over HTTP and over WebSocket share.

use async_graphql::{Request, Value, Variables, value};
use serde_json::{Map, Value as Json};

use super::RequestError;
use super::documents::PERSISTED;

/// Reads `query`, `documentId`, `operationName`, `variables` and `extensions`. The last three may be absent or null, and
/// so may `query` where the request names its document otherwise: it is then empty.
///
/// `documentId`, as GraphQL over HTTP has it, is read as the extension that clients have long sent instead.
pub(super) fn request(mut members: Map<String, Json>) -> Result<Request, RequestError> {
    let query = match members.remove("query") {
        Some(Json::String(query)) => Some(query),
        None => None,
        Some(Json::Null) if names_document(&members) => None,
        Some(_) => return Err(RequestError::malformed("`query` must be a string.")),
    };
    let document_id = text(&mut members, "documentId")?;
    let mut request = Request::new("");
    request.operation_name = text(&mut members, "operationName")?;
    if let Some(variables) = object(&mut members, "variables")? {
        request.variables = Variables::from_json(Json::Object(variables));
    }
    if let Some(extensions) = object(&mut members, "extensions")? {
        for (name, value) in extensions {
            // JSON always is a GraphQL value.
            request
                .extensions
                .insert(name, Value::from_json(value).unwrap_or_default());
        }
    }
    if let Some(id) = document_id {
        let name = value!({ "version": 1, "sha256Hash": id });
        request.extensions.insert(PERSISTED.to_owned(), name);
    }
    request.query = match query {
        Some(query) => query,
        None if request.extensions.contains_key(PERSISTED) => String::new(),
        None => return Err(RequestError::malformed("`query` is missing.")),
    };
    Ok(request)
}

fn names_document(members: &Map<String, Json>) -> bool {
    let is_named = |id: &Json| !id.is_null();
    members.get("documentId").is_some_and(is_named)
        || members
            .get("extensions")
            .and_then(|all| all.get(PERSISTED))
            .is_some_and(is_named)
}

fn text(members: &mut Map<String, Json>, name: &str) -> Result<Option<String>, RequestError> {
    match members.remove(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(RequestError::malformed(format!("`{name}` must be a string."))),
    }
}

fn object(members: &mut Map<String, Json>, name: &str) -> Result<Option<Map<String, Json>>, RequestError> {
    match members.remove(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(object)) => Ok(Some(object)),
        Some(_) => Err(RequestError::malformed(format!("`{name}` must be an object."))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Json) -> Result<Request, RequestError> {
        match body {
            Json::Object(members) => request(members),
            other => panic!("not an object: {other}"),
        }
    }

    #[test]
    fn optional_members_may_be_absent_or_null() {
        for body in [
            json!({"query": "{a}"}),
            json!({"query": "{a}", "operationName": null, "variables": null, "extensions": null}),
            json!({"query": "{a}", "operationName": "A", "variables": {"x": 1}, "extensions": {}, "other": 7}),
        ] {
            assert!(read(body.clone()).is_ok(), "{body}");
        }
    }

    #[test]
    fn a_document_may_be_named_instead_of_sent() {
        let name = json!({"persistedQuery": {"version": 1, "sha256Hash": "abc"}});
        for body in [
            json!({"documentId": "abc"}),
            json!({"query": null, "documentId": "abc"}),
            json!({"extensions": name}),
            json!({"query": null, "extensions": name}),
        ] {
            let request = read(body.clone()).expect("a request");
            assert_eq!(request.query, "", "{body}");
            let named = request.extensions[PERSISTED].clone().into_json().expect("JSON");
            assert_eq!(named, name["persistedQuery"], "{body}");
        }
    }

    #[test]
    fn members_of_a_wrong_type_are_refused() {
        for body in [
            json!({}),
            json!({"query": null}),
            json!({"query": 7}),
            json!({"query": {}}),
            json!({"query": "{a}", "operationName": 7}),
            json!({"query": "{a}", "documentId": 7}),
            json!({"query": null, "documentId": null}),
            json!({"documentId": ["a"]}),
            json!({"query": null, "extensions": {"persistedQuery": null}}),
            json!({"query": "{a}", "variables": []}),
            json!({"query": "{a}", "variables": "{}"}),
            json!({"query": "{a}", "extensions": []}),
        ] {
            let error = read(body.clone()).expect_err("a wrong type");
            assert_eq!((error.code, error.status.as_u16()), ("BAD_REQUEST", 400), "{body}");
        }
    }
}
