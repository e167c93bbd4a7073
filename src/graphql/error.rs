//! The one place where an error becomes an answer.

use std::error::Error as _;

use async_graphql::ErrorExtensions;

use crate::budget::Exceeded;
use crate::error::Error;

/// The code of an execution that needed more than its budget.
pub(super) const EXECUTION_LIMIT: &str = "EXECUTION_LIMIT";

/// A top-level error of the API. It has no text of its own to be shown by accident: everything passes through here.
#[derive(Clone, Debug)]
pub(super) struct Failure(async_graphql::Error);

pub(super) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// An error with a code, in words for API users.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Failure {
        Failure(async_graphql::Error::new(message).extend_with(|_, extensions| extensions.set("code", code)))
    }

    pub(super) fn bad_user_input(message: impl Into<String>) -> Failure {
        Failure::new("BAD_USER_INPUT", message)
    }
}

impl From<Exceeded> for Failure {
    fn from(exceeded: Exceeded) -> Failure {
        let message = sentence(&exceeded.to_string());
        Failure(async_graphql::Error::new(message).extend_with(|_, extensions| {
            extensions.set("code", EXECUTION_LIMIT);
            extensions.set("limit", exceeded.limit.as_str());
            extensions.set("max", exceeded.max);
        }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        if let Error::ExecutionLimit(exceeded) = error {
            return exceeded.into();
        }
        let code = error.code();
        if error.is_internal() {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                code,
                "a request failed by our own fault"
            );
            return Failure::new(
                code,
                "Something went wrong on our side. Quote the request id when you report it.",
            );
        }
        if let Some(cause) = error.source().filter(|_| code == "UNAVAILABLE") {
            tracing::warn!(error = cause, code, "{error}");
        }
        Failure::new(code, sentence(&error.to_string()))
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(failure: Failure) -> async_graphql::Error {
        failure.0
    }
}

/// An error's words as a sentence for people.
pub(super) fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).chain(['.']).collect(),
        None => String::new(),
    }
}
