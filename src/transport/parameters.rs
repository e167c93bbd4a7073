//! A GraphQL request's four members, in the strict form that GraphQL over HTTP and over WebSocket share.

use async_graphql::{Request, Value, Variables};
use serde_json::{Map, Value as Json};

use super::RequestError;

/// Reads `query`, `operationName`, `variables` and `extensions`; the last three may be absent or null.
pub(super) fn request(mut members: Map<String, Json>) -> Result<Request, RequestError> {
    let query = match members.remove("query") {
        Some(Json::String(query)) => query,
        Some(_) => return Err(RequestError::malformed("`query` must be a string.")),
        None => return Err(RequestError::malformed("`query` is missing.")),
    };
    let mut request = Request::new(query);
    request.operation_name = match members.remove("operationName") {
        None | Some(Json::Null) => None,
        Some(Json::String(name)) => Some(name),
        Some(_) => return Err(RequestError::malformed("`operationName` must be a string.")),
    };
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
    Ok(request)
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
    fn members_of_a_wrong_type_are_refused() {
        for body in [
            json!({}),
            json!({"query": null}),
            json!({"query": 7}),
            json!({"query": {}}),
            json!({"query": "{a}", "operationName": 7}),
            json!({"query": "{a}", "variables": []}),
            json!({"query": "{a}", "variables": "{}"}),
            json!({"query": "{a}", "extensions": []}),
        ] {
            let error = read(body.clone()).expect_err("a wrong type");
            assert_eq!((error.code, error.status.as_u16()), ("BAD_REQUEST", 400), "{body}");
        }
    }
}
