//! What the executor answers, made fit for clients: every error has a code, none shows our insides.
//!
//! async-graphql gives its own errors no code and does not say whether it executed anything. What can be told apart:
//! errors found before the execution have no path; a value that a scalar or an input object does not take is found
//! during it, has a path, and a message of one of two forms. A test holds this, so that an upgrade is a decision.

use async_graphql::{Response, ServerError, Value, value};
use serde::Serialize;

use super::preflight::Manner;
use super::{RequestError, RequestId};

/// Up to which weight an answer is written where it is: 512 KiB, which takes 1 ms.
const SMALL: usize = 512 << 10;

/// The weight of a value beside its text, in bytes: writing one takes as long as copying so much text.
const VALUE: usize = 32;

/// The answer to one request, or one item of a subscription.
pub(super) struct Answer {
    response: Response,
    /// Whether nothing was executed: such an answer has no `data`.
    pub(super) refused: bool,
}

/// The members of an answer, in the order in which the specification has them.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a std::collections::BTreeMap<String, Value>>,
}

impl Answer {
    /// Looks through what the executor answered to a request.
    ///
    /// A value that does not fit counts as found before the execution, unless it is a compound mutation's: then
    /// another field of it may have run, and the client must not be told that nothing did.
    pub(super) fn new(mut response: Response, manner: Manner, request_id: &RequestId) -> Answer {
        let nothing = response.data == Value::Null && !response.errors.is_empty();
        let before = |error: &ServerError| error.path.is_empty() || (!manner.compound && is_coercion(error));
        let refused = nothing && response.errors.iter().all(before);
        for error in &mut response.errors {
            label(error, request_id);
            if manner.discreet {
                hush(error);
            }
        }
        if let Some((cost, max)) = manner.cost {
            let cost = value!({ "requestedQueryCost": cost, "maximumQueryCost": max });
            response.extensions.insert("cost".to_owned(), cost);
        }
        Answer { response, refused }
    }

    pub(super) fn refusal(error: RequestError) -> Answer {
        Answer {
            response: Response::from_errors(vec![error.into()]),
            refused: true,
        }
    }

    pub(super) fn to_json(&self) -> String {
        let extensions = &self.response.extensions;
        let body = Body {
            errors: &self.response.errors,
            data: (!self.refused).then_some(&self.response.data),
            extensions: (!extensions.is_empty()).then_some(extensions),
        };
        serde_json::to_string(&body).expect("GraphQL values are JSON")
    }

    /// The same as text, without holding a thread of the runtime for long: a large answer is written on a thread for
    /// blocking work.
    pub(super) async fn into_json(self) -> String {
        let mut left = SMALL;
        if weigh(&self.response.data, &mut left) {
            return self.to_json();
        }
        match tokio::task::spawn_blocking(move || self.to_json()).await {
            Ok(json) => json,
            // It is not cancelled, so it panicked.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// The `errors` alone, as a WebSocket's `error` message has them.
    pub(super) fn errors_to_json(&self) -> String {
        serde_json::to_string(&self.response.errors).expect("GraphQL values are JSON")
    }

    /// Whether this is the error of something that could not start: no data and nothing but errors.
    pub(super) fn is_failure(&self) -> bool {
        self.response.data == Value::Null && !self.response.errors.is_empty()
    }

    /// Whether there is nothing to it but data: it was executed without an error, and resolvers set no headers.
    pub(super) fn is_plain(&self) -> bool {
        !self.refused && self.response.errors.is_empty() && self.response.http_headers.is_empty()
    }

    /// Whether an error has this code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.response.errors.iter().any(|error| code_of(error) == Some(code))
    }

    /// Headers that resolvers set.
    pub(super) fn headers(&mut self) -> axum::http::HeaderMap {
        std::mem::take(&mut self.response.http_headers)
    }
}

/// Takes what a value weighs off what is left; `false` once that is more. An object's or a list's own weight is that of one
/// value.
fn weigh(value: &Value, left: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len(),
        Value::Enum(name) => name.len(),
        _ => 0,
    };
    match left.checked_sub(VALUE + own) {
        Some(rest) => *left = rest,
        None => return false,
    }
    match value {
        Value::List(items) => items.iter().all(|item| weigh(item, left)),
        Value::Object(members) => members.values().all(|member| weigh(member, left)),
        _ => true,
    }
}

fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// Gives an error a code if it has none; one of ours that nobody foresaw keeps its text to our log.
fn label(error: &mut ServerError, request_id: &RequestId) {
    if code_of(error).is_none() {
        let code = if is_coercion(error) {
            "BAD_USER_INPUT"
        } else if error.path.is_empty() {
            "GRAPHQL_VALIDATION_FAILED"
        } else {
            tracing::error!(%request_id, path = ?error.path, error = error.message, "an error without a code");
            error.message = RequestError::internal(request_id).message;
            "INTERNAL"
        };
        error.extensions.get_or_insert_default().set("code", code);
    }
    if code_of(error) == Some("INTERNAL") {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("requestId").is_none() {
            extensions.set("requestId", request_id.as_str());
        }
    }
}

/// Takes out of an error what the library suggests instead of a name that is unknown: it is a way to find the names
/// of a schema that is not told. The schema is built without suggestions there; the library makes those of directives' arguments
/// all the same.
fn hush(error: &mut ServerError) {
    if error.path.is_empty()
        && let Some(at) = error.message.find(" Did you mean")
    {
        error.message.truncate(at);
    }
}

/// Whether a value was not of the type that is asked for: in the document or in the variables.
fn is_coercion(error: &ServerError) -> bool {
    let text = error.message.as_str();
    let forms: &[&str] = match error.path.as_slice() {
        [] => &["Invalid value for argument ", "Invalid default value for argument"],
        _ => &["Failed to parse \"", "Expected input type \""],
    };
    code_of(error).is_none_or(|code| code == "BAD_USER_INPUT") && forms.iter().any(|form| text.starts_with(form))
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptySubscription, ErrorExtensions, Object, Request, Schema, Variables, value};
    use chrono::{DateTime, Utc};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::transport::preflight::{Limits, check};

    struct Query;
    struct Mutation;

    #[Object]
    impl Query {
        async fn hello(&self) -> &str {
            "world"
        }
        async fn number(&self, value: i32) -> i32 {
            value
        }
        async fn at(&self, value: DateTime<Utc>) -> Option<DateTime<Utc>> {
            Some(value)
        }
        async fn year(&self, value: DateTime<Utc>) -> String {
            value.to_rfc3339()
        }
        async fn secret(&self) -> async_graphql::Result<i32> {
            Err("a secret".into())
        }
        async fn coded(&self) -> async_graphql::Result<i32> {
            Err(async_graphql::Error::new("no").extend_with(|_, extensions| extensions.set("code", "FORBIDDEN")))
        }
    }

    #[Object]
    impl Mutation {
        async fn go(&self, at: Option<DateTime<Utc>>) -> bool {
            at.is_none()
        }
    }

    async fn answer(document: &str, variables: Value) -> (bool, Json) {
        let schema = Schema::new(Query, Mutation, EmptySubscription);
        let request = Request::new(document).variables(Variables::from_value(variables));
        let checked = check(request, &Limits::default()).expect("a document that passes the preflight");
        let answer = Answer::new(
            schema.execute(checked.request).await,
            checked.manner,
            &RequestId::fresh(),
        );
        (answer.refused, serde_json::from_str(&answer.to_json()).expect("JSON"))
    }

    async fn refusal(document: &str, variables: Value) -> String {
        let (refused, body) = answer(document, variables).await;
        assert!(refused, "{document}: {body}");
        assert_eq!(body.get("data"), None, "{document}");
        body["errors"][0]["extensions"]["code"]
            .as_str()
            .expect("a code")
            .to_owned()
    }

    #[tokio::test]
    async fn what_validation_finds_is_a_refusal_without_data() {
        for document in [
            "{ nothing }",
            "{ hello { x } }",
            "{ number }",
            "query($x: Int) { hello }",
            "subscription { x }",
        ] {
            assert_eq!(
                refusal(document, value!({})).await,
                "GRAPHQL_VALIDATION_FAILED",
                "{document}"
            );
        }
    }

    #[tokio::test]
    async fn a_value_of_a_wrong_type_is_bad_input_wherever_the_library_notices() {
        for (document, variables) in [
            ("{ number(value: \"x\") }", value!({})),
            ("query($x: Int!) { number(value: $x) }", value!({"x": "x"})),
            ("query($x: Int!) { number(value: $x) }", value!({})),
            ("query($x: Int!) { number(value: $x) }", value!({"x": 99999999999i64})),
            ("{ year(value: \"2026-02-30T00:00:00Z\") }", value!({})),
            (
                "query($x: DateTime!) { year(value: $x) }",
                value!({"x": "99999-01-01T00:00:00Z"}),
            ),
        ] {
            assert_eq!(refusal(document, variables).await, "BAD_USER_INPUT", "{document}");
        }
    }

    #[tokio::test]
    async fn what_was_executed_has_data_even_if_it_is_null() {
        let (refused, body) = answer("{ coded }", value!({})).await;

        assert!(!refused);
        assert_eq!(body["data"], Json::Null);
        assert!(body.as_object().expect("an object").contains_key("data"));
        assert_eq!(body["errors"][0]["extensions"], json!({"code": "FORBIDDEN"}));
    }

    #[tokio::test]
    async fn a_value_that_does_not_fit_takes_all_data_with_it_even_that_of_nullable_fields() {
        assert_eq!(
            refusal("{ hello at(value: \"noon\") }", value!({})).await,
            "BAD_USER_INPUT"
        );
    }

    #[tokio::test]
    async fn a_mutation_that_may_have_run_in_part_is_not_said_to_be_refused() {
        let (refused, body) = answer("mutation { a: go(at: \"noon\") }", value!({})).await;
        assert!(refused, "{body}");

        let (refused, body) = answer("mutation { a: go b: go(at: \"noon\") }", value!({})).await;
        assert!(!refused, "{body}");
        assert_eq!(body["data"], Json::Null);
        assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }

    #[tokio::test]
    async fn an_error_that_nobody_foresaw_does_not_show_its_text() {
        let (_, body) = answer("{ secret }", value!({})).await;

        assert!(!body.to_string().contains("a secret"), "{body}");
        assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(body["errors"][0]["extensions"]["requestId"].is_string());
    }

    #[tokio::test]
    async fn a_large_answer_is_the_same_wherever_it_is_written() {
        for size in [1, SMALL / VALUE - 2, SMALL / VALUE, 3 * SMALL] {
            let list = Value::List(vec![Value::from(7); size]);
            let answer = || Answer {
                response: Response::new(list.clone()),
                refused: false,
            };

            assert_eq!(weigh(&list, &mut { SMALL }), size < SMALL / VALUE);
            assert_eq!(answer().into_json().await, answer().to_json());
        }
    }

    #[tokio::test]
    async fn an_answer_without_errors_is_its_data() {
        assert_eq!(
            answer("{ hello }", value!({})).await,
            (false, json!({"data": {"hello": "world"}}))
        );
    }
}
