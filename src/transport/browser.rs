//! What browsers are told: whose pages may read our answers (CORS), and how to treat what we serve.
//!
//! Nothing that a browser sends by itself says who asks: there are no cookies. So no answer is made "with credentials",
//! and a page that may ask anything sees no more than anybody else who does.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Config;
use super::http::{Media, refuse};
use super::origin::{self, Origin};

/// What pages of an origin that is allowed may do; the methods of `/graphql` and `/graphql/stream`.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE");

/// How long a browser may keep what it was told, in seconds: two hours, the most that Chromium does.
const KEPT: HeaderValue = HeaderValue::from_static("7200");

/// What a page may look at beside the body and its type.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id, retry-after");

/// For a document that brings no rules of its own: nothing in it is fetched, run, sent, or shown in a frame.
const NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

/// Answers what browsers ask beforehand, and says of each answer who may read it and as what.
pub(super) async fn guard(State(config): State<Arc<Config>>, request: Request, next: Next) -> Response {
    let grant = grant(request.headers(), &config.allowed_origins);
    let mut response = match asks_beforehand(&request) {
        Some(wanted) => consent(grant.as_ref(), wanted),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    // Whoever keeps answers must keep those for one origin apart from those for another.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(grant) = grant {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, grant);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_html(headers) {
        secure(headers);
    }
    response
}

/// Whom an answer is opened to; none where no page but our own may read it.
fn grant(headers: &HeaderMap, allowed: &[String]) -> Option<HeaderValue> {
    match origin::of(headers, allowed) {
        Origin::Allowed(_) if allowed.iter().any(|origin| origin == origin::ANY) => {
            Some(HeaderValue::from_static(origin::ANY))
        }
        Origin::Allowed(origin) => Some(origin.clone()),
        Origin::Unsaid | Origin::Own | Origin::Foreign => None,
    }
}

/// The headers that a page wants to send, where the browser asks for it before it does (the Fetch standard, 4.8).
fn asks_beforehand(request: &Request) -> Option<Option<HeaderValue>> {
    let headers = request.headers();
    let asks = request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    asks.then(|| headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned())
}

/// The answer to that. Any header may be sent: what it says comes from the page, not from the browser's user, and
/// clients have many of their own.
fn consent(grant: Option<&HeaderValue>, wanted: Option<HeaderValue>) -> Response {
    if grant.is_none() {
        return refuse(Media::Assumed, origin::foreign());
    }
    let mut headers = HeaderMap::from_iter([
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_MAX_AGE, KEPT),
        (
            header::VARY,
            HeaderValue::from_static("access-control-request-method, access-control-request-headers"),
        ),
    ]);
    if let Some(wanted) = wanted {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn is_html(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|value| value.starts_with(b"text/html"))
}

/// What every document is sent with.
fn secure(headers: &mut HeaderMap) {
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    for (name, value) in [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use axum::response::Html;

    use super::*;

    #[test]
    fn a_document_without_rules_of_its_own_may_do_nothing() {
        let mut response = Html("<p>hello</p>").into_response();
        assert!(is_html(response.headers()));

        secure(response.headers_mut());

        assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], NOTHING);
        assert_eq!(response.headers()[header::X_FRAME_OPTIONS], "DENY");
        assert!(!is_html("text".into_response().headers()));
    }
}
