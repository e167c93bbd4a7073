//! How much a document may ask for.

use std::sync::Arc;

use axum::http::StatusCode;

use super::prices::Prices;
use crate::transport::RequestError;

/// What a document may hold at most. Past any of these it is refused with `DOCUMENT_TOO_COMPLEX`.
///
/// The figures leave several times the room of the largest documents that explorers and clients send (GraphiQL's
/// introspection: 2 KB, 184 tokens, 15 levels).
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Length of the document in bytes: 64 KiB.
    pub bytes: usize,
    /// Words and signs of the document, a string being one: 1,000. The parser takes 1.8 µs for each, and no document
    /// that is refused may take us 2 ms.
    pub tokens: usize,
    /// How deep `{}`, `[]` and `()` may stand in one another as written: 32. Bounds the parser's recursion.
    pub nesting: usize,
    /// Selection sets within one another, fragments counted where they are used: 32, where the library stops too.
    pub depth: u64,
    /// Selections after expanding fragments, over all operations: 10,000, or 1 ms of the library's validation.
    pub fields: u64,
    /// Aliases after expanding fragments, over all operations: 200, for clients that ask for many things by key.
    pub aliases: u64,
    /// Directives after expanding fragments, over all operations: 200.
    pub directives: u64,
    /// Units of work: each field has its price, and counts as often as the lists above it are long. One unit is about 5 µs
    /// of CPU, so 50,000 are a quarter of a second, and several times a full page of 50 incidents with their timelines.
    pub cost: u64,
    /// What each field of the schema costs.
    pub prices: Arc<Prices>,
    /// Bytes of arguments, each as often as it is read: those below a page as often as the page is long, a variable
    /// wherever it is used. 4 MiB, four of the largest bodies: the library copies a value each time.
    pub arguments: u64,
    /// Whether the schema may be asked for.
    pub introspectable: bool,
    /// Where the list fields of introspection stand within one another: 2, as graphql-js has it. Types refer to types,
    /// so each further level multiplies the answer by the size of the schema.
    pub introspection: u64,
    /// How deep lists and objects of variables may stand in one another: 32, as in a document.
    pub variable_nesting: u64,
    /// Values in all variables, each list and object being one: 10,000, more than a backfilled incident of 500 updates.
    pub variable_values: u64,
    /// Bytes of all variables: 1 MiB, as of an HTTP body.
    pub variable_bytes: u64,
    /// No page is longer: 100. A larger `first` costs no more, for it is refused when it is resolved.
    pub page: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes: 64 << 10,
            tokens: 1_000,
            nesting: 32,
            depth: 32,
            fields: 10_000,
            aliases: 200,
            directives: 200,
            cost: 50_000,
            prices: Arc::default(),
            arguments: 4 << 20,
            introspectable: true,
            introspection: 2,
            variable_nesting: 32,
            variable_values: 10_000,
            variable_bytes: 1 << 20,
            page: 100,
        }
    }
}

impl Limits {
    pub(super) fn bytes(&self, found: usize) -> Result<(), RequestError> {
        within("bytes", found as u64, self.bytes as u64)
    }

    pub(super) fn tokens(&self, found: usize) -> Result<(), RequestError> {
        within("tokens", found as u64, self.tokens as u64)
    }

    /// The refusal of variables that have so many values, or more.
    pub(in crate::transport) fn too_many_values(&self, found: u64) -> RequestError {
        exceeded("variableValues", found, self.variable_values)
    }

    pub(super) fn nesting(&self, found: usize) -> Result<(), RequestError> {
        within("nesting", found as u64, self.nesting as u64)
    }
}

/// Refuses what is more than `max`, saying which limit that is, and by how much it is exceeded.
pub(super) fn within(limit: &'static str, found: u64, max: u64) -> Result<(), RequestError> {
    match found <= max {
        true => Ok(()),
        false => Err(exceeded(limit, found, max)),
    }
}

fn exceeded(limit: &'static str, found: u64, max: u64) -> RequestError {
    let message = format!("This request is too complex: its {limit} is {found} and may be at most {max}.");
    RequestError::new("DOCUMENT_TOO_COMPLEX", StatusCode::BAD_REQUEST, message)
        .with("limit", limit)
        .with("requested", found)
        .with("max", max)
}
