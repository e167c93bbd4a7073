//! A request that is refused before it is executed.

use async_graphql::{ErrorExtensionValues, Pos, ServerError, Value};
use axum::http::StatusCode;

/// Why a request is not executed: a GraphQL error with a stable code, and the HTTP status it has.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestError {
    /// What clients decide by: `extensions.code`.
    pub code: &'static str,
    pub status: StatusCode,
    /// For people; may change.
    pub message: String,
    /// Where in the document the fault is, if it is in one place.
    pub locations: Vec<Pos>,
    /// What else is in `extensions`, beside the code.
    pub extensions: Vec<(&'static str, Value)>,
}

impl RequestError {
    pub fn new(code: &'static str, status: StatusCode, message: impl Into<String>) -> RequestError {
        RequestError {
            code,
            status,
            message: message.into(),
            locations: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// A request whose form is wrong: not the JSON, or not the members, that GraphQL over HTTP asks for.
    pub(super) fn malformed(message: impl Into<String>) -> RequestError {
        RequestError::new("BAD_REQUEST", StatusCode::BAD_REQUEST, message)
    }

    /// A document that is not GraphQL.
    pub(super) fn unparsable(message: impl Into<String>) -> RequestError {
        RequestError::new("GRAPHQL_PARSE_FAILED", StatusCode::BAD_REQUEST, message)
    }

    /// A document that is GraphQL, but breaks a rule that needs no schema to be checked.
    pub(super) fn invalid(message: impl Into<String>) -> RequestError {
        RequestError::new("GRAPHQL_VALIDATION_FAILED", StatusCode::BAD_REQUEST, message)
    }

    /// A fault of ours; the request id is all that the client learns.
    pub(super) fn internal(request_id: &super::RequestId) -> RequestError {
        RequestError::new(
            "INTERNAL",
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong on our side.",
        )
        .with("requestId", request_id.as_str())
    }

    /// The same, pointing at a place in the document.
    #[must_use]
    pub(super) fn at(mut self, pos: Pos) -> RequestError {
        self.locations.push(pos);
        self
    }

    /// The same, with one more extension.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> RequestError {
        self.extensions.push((name, value.into()));
        self
    }
}

impl From<RequestError> for ServerError {
    fn from(error: RequestError) -> ServerError {
        let mut extensions = ErrorExtensionValues::default();
        for (name, value) in error.extensions {
            extensions.set(name, value);
        }
        extensions.set("code", error.code);

        let mut server_error = ServerError::new(error.message, None);
        server_error.locations = error.locations;
        server_error.extensions = Some(extensions);
        server_error
    }
}
