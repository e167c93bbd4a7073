//! Queries through the read cache, and what HTTP caches are told of their answers.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::accept::Media;
use super::{Accepted, COST, respond};
use crate::transport::access::{Authenticate, Credentials};
use crate::transport::answer::Answer;
use crate::transport::cached::{CachedAnswer, Encoding, is_known};
use crate::transport::engine::{Engine, Validity};
use crate::transport::read_cache::{Key, Raw, Vacancy};
use crate::transport::router::Edge;

/// What shared caches may do with an answer for the public: give it out for 10 s, for 20 s more while they ask for a new one, and for an
/// hour if this server cannot be reached.
const PUBLIC: HeaderValue =
    HeaderValue::from_static("public, max-age=10, s-maxage=10, stale-while-revalidate=20, stale-if-error=3600");

/// What anybody may do with an answer that took a token.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

/// Says what the read cache did for an answer (RFC 9211).
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const HIT: HeaderValue = HeaderValue::from_static("allclear; hit");
const MISSED: HeaderValue = HeaderValue::from_static("allclear; fwd=miss; stored");
const BYPASSED: HeaderValue = HeaderValue::from_static("allclear; fwd=bypass");

/// The headers of a request by which answers differ, beside those that [`browser`](crate::transport::browser) adds.
const VARY: HeaderValue = HeaderValue::from_static("accept, accept-encoding, authorization");

/// How one answer is sent.
pub(super) struct Delivery {
    media: Media,
    encoding: Encoding,
    /// What HTTP caches are told of a query that succeeded; `None` for a POST, which they do not keep.
    caching: Option<HeaderValue>,
}

impl Delivery {
    pub(super) fn new(parts: &Parts, credentials: &Credentials, media: Media) -> Delivery {
        let is_get = parts.method != Method::POST;
        let caching = if credentials.has_any() { PRIVATE } else { PUBLIC };
        Delivery {
            media,
            encoding: Encoding::negotiate(&parts.headers),
            caching: is_get.then_some(caching),
        }
    }

    /// Sends an answer that was kept.
    pub(super) async fn send_kept(self, answer: &CachedAnswer, request_headers: &HeaderMap) -> Response {
        self.send(answer, HIT, request_headers).await
    }

    /// Sends an answer that may be given to others, or says that the client has it.
    async fn send(self, answer: &CachedAnswer, cache_status: HeaderValue, request_headers: &HeaderMap) -> Response {
        let mut headers = HeaderMap::with_capacity(7);
        headers.insert(CACHE_STATUS, cache_status);
        if let Some(caching) = self.caching {
            headers.insert(header::VARY, VARY);
            headers.insert(header::CACHE_CONTROL, caching);
            headers.insert(header::ETAG, answer.etag().clone());
            if is_known(request_headers, answer.etag()) {
                return (StatusCode::NOT_MODIFIED, headers).into_response();
            }
        }
        headers.insert(header::CONTENT_TYPE, self.media.content_type());
        let (bytes, encoding) = answer.encoded(self.encoding).await;
        headers.extend(encoding.name().map(|name| (header::CONTENT_ENCODING, name)));
        (headers, bytes).into_response()
    }

    /// Sends the answer that was just made. It is kept if it is one to a query, without errors, and stays right for a while.
    pub(super) async fn send_fresh(
        self,
        operation: OperationType,
        answer: Answer,
        validity: Option<Arc<dyn Validity>>,
        vacancy: Option<Vacancy<'_>>,
        request_headers: &HeaderMap,
    ) -> Response {
        if operation != OperationType::Query || !answer.is_plain() {
            if let Some(vacancy) = vacancy {
                vacancy.give_up();
            }
            return respond(self.media, answer).await;
        }
        let is_lasting = validity.is_some();
        let answer = Arc::new(CachedAnswer::new(answer.into_json().await.into(), validity));
        let mut cache_status = BYPASSED;
        match vacancy {
            Some(vacancy) if is_lasting => {
                vacancy.fill(&answer);
                cache_status = MISSED;
            }
            Some(vacancy) => vacancy.give_up(),
            None => {}
        }
        self.send(&answer, cache_status, request_headers).await
    }
}

/// The key under which the answer to a request may be found; `None` if it is not to be looked for.
pub(super) fn key<E: Engine, A: Authenticate>(
    edge: &Edge<E, A>,
    sender: &A::Sender,
    credentials: &Credentials,
    accepted: Accepted,
    headers: &HeaderMap,
    request: Raw,
) -> Option<Key> {
    // A ticket is part of the request and is used once.
    let is_plain = !credentials.is_ticket() && !headers.contains_key(COST);
    let media = accepted
        .media
        .filter(|_| is_plain && edge.read_cache.takes(request.len()))?;
    let view = edge.access.view(sender)?.into();
    Some(Key { view, media, request })
}
