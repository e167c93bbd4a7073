//! A name for each request, so that a line in our log can be found from what a client saw.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, field};
use uuid::Uuid;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer names than a trace id or two UUIDs are noise in our log.
const MAX_LENGTH: usize = 64;

/// What a request is called: as its sender says in `X-Request-Id`, or a fresh UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    pub fn fresh() -> RequestId {
        RequestId(Uuid::new_v4().to_string().into())
    }

    /// The sender's name for its request, where it is printable and not too long.
    fn given(value: &HeaderValue) -> Option<RequestId> {
        let text = value.to_str().ok()?;
        let sane = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        sane.then(|| RequestId(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs one request in a span of its own, and names it in the answer.
///
/// The span holds the path without its query: that may be a document with data in it.
pub(super) async fn identify(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(X_REQUEST_ID)
        .and_then(RequestId::given)
        .unwrap_or_else(RequestId::fresh);
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        method = %request.method(),
        path = request.uri().path(),
        status = field::Empty,
    );
    request.extensions_mut().insert(id.clone());

    let mut response = next.run(request).instrument(span.clone()).await;

    span.record("status", response.status().as_u16());
    span.in_scope(|| tracing::debug!("answered"));
    let headers = response.headers_mut();
    headers.insert(
        X_REQUEST_ID,
        HeaderValue::from_str(id.as_str()).expect("an id of printable ASCII"),
    );
    // Answers differ by token and change at any moment.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_name_for_its_request_is_kept_if_it_is_short_and_printable() {
        let given = |text: &str| HeaderValue::from_str(text).ok().as_ref().and_then(RequestId::given);

        assert_eq!(given("abc-123").as_ref().map(RequestId::as_str), Some("abc-123"));
        assert!(given(&"x".repeat(MAX_LENGTH)).is_some());
        for wrong in ["", "two words", "tab\there", "ü", &"x".repeat(MAX_LENGTH + 1)] {
            assert_eq!(given(wrong), None, "{wrong:?}");
        }
    }
}
