//! `/graphql` over HTTP, as the GraphQL-over-HTTP draft has it.
//!
//! POST takes `application/json`, GET takes queries. An answer is `application/graphql-response+json` where the
//! client names it, else `application/json`. A request error has status 400, except that a client which names
//! `application/json` gets 200 for a document that does not parse or validate, as the draft asks for old clients' sake.

mod accept;
mod body;
mod reading;
pub(super) mod single;
mod stream;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::access::{Authenticate, Credentials};
use super::answer::Answer;
use super::concurrency::Queue;
use super::engine::Engine;
use super::read_cache::{Found, Raw};
use super::router::Edge;
use super::server::Link;
use super::throttle::RETRY_AFTER;
use super::{RequestError, RequestId, documents, origin, preflight};
pub(super) use accept::Media;
use accept::StreamMedia;
use reading::Delivery;
pub(super) use single::Streams;
use stream::Session;

/// The place where an `EventSource` that lost its connection goes on.
const LAST_EVENT_ID: &str = "last-event-id";

/// By which a request asks for what it costs; `1`.
const COST: &str = "graphql-cost";

/// What an answer may be.
#[derive(Clone, Copy)]
struct Accepted {
    /// One answer.
    media: Option<Media>,
    /// Results one after the other.
    stream: Option<StreamMedia>,
}

impl Accepted {
    fn negotiate(headers: &HeaderMap) -> Result<Accepted, RequestError> {
        let accepted = Accepted {
            media: Media::negotiate(headers),
            stream: StreamMedia::negotiate(headers),
        };
        match accepted {
            // Parts hold subscriptions alone.
            Accepted {
                media: None,
                stream: None | Some(StreamMedia::Multipart),
            } => Err(accept::not_acceptable()),
            accepted => Ok(accepted),
        }
    }

    /// In which form errors come that have no stream.
    fn plain(self) -> Media {
        self.media.unwrap_or(Media::Assumed)
    }
}

/// Answers one GraphQL request.
pub(super) async fn graphql<E: Engine, A: Authenticate>(
    State(edge): State<Edge<E, A>>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Response {
    let accepted = match Accepted::negotiate(request.headers()) {
        Ok(accepted) => accepted,
        Err(error) => return refuse(Media::Assumed, error),
    };
    let answered = AssertUnwindSafe(answer(&edge, &request_id, accepted, request)).catch_unwind();
    match answered.await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => edge.refuse(accepted.plain(), error).await,
        Err(_) => {
            tracing::error!(%request_id, "a resolver panicked");
            refuse(accepted.plain(), RequestError::internal(&request_id))
        }
    }
}

async fn answer<E: Engine, A: Authenticate>(
    edge: &Edge<E, A>,
    request_id: &RequestId,
    accepted: Accepted,
    request: Request,
) -> Result<Response, RequestError> {
    let (parts, content) = request.into_parts();
    let credentials = Credentials::of(&parts, &edge.config.proxies);
    let (sender, payer) = edge.let_in(&credentials).await?;
    edge.throttle.check(payer)?;
    let raw = match parts.method {
        Method::POST => Raw::Body(body::posted(&parts.headers, content, &edge.config).await?),
        _ => Raw::Query(parts.uri.query().unwrap_or_default().into()),
    };
    let delivery = Delivery::new(&parts, &credentials, accepted.plain());
    let key = reading::key(edge, &sender, &credentials, accepted, &parts.headers, raw.clone());
    let vacancy = match &key {
        None => None,
        Some(key) => match edge.read_cache.find(key).await {
            Found::Hit(found) => {
                edge.throttle.charge_hit(payer)?;
                return Ok(delivery.send_kept(&found, &parts.headers).await);
            }
            Found::Vacant(vacancy) => Some(vacancy),
            Found::Unfit => None,
        },
    };
    edge.throttle.charge_bytes(payer, raw.len())?;
    let request = match &raw {
        Raw::Body(body) => body::in_json(body, &edge.config.limits)?,
        Raw::Query(query) => body::in_query(query, &edge.config.limits)?,
    };
    let checked = edge.check_for(payer, asking_cost(request, &parts.headers))?;
    let operation = checked
        .as_ref()
        .map_or(OperationType::Query, |(checked, _)| checked.operation);
    match operation {
        OperationType::Mutation if parts.method != Method::POST => {
            let message = "GET is for queries and subscriptions: send mutations as POST.";
            return Err(RequestError::new(
                "METHOD_NOT_ALLOWED",
                StatusCode::METHOD_NOT_ALLOWED,
                message,
            ));
        }
        // A browser asks beforehand whether a page may post JSON, and is told no. This is for one that does not.
        OperationType::Mutation => origin::check(&parts.headers, &edge.config.allowed_origins)?,
        OperationType::Subscription if accepted.stream.is_none() => return Err(needs_stream()),
        _ => {}
    }
    // Requests that change something or follow something do not wait for others that are the same.
    let vacancy = match (vacancy, operation) {
        (Some(vacancy), OperationType::Mutation | OperationType::Subscription) => {
            vacancy.give_up();
            None
        }
        (vacancy, _) => vacancy,
    };
    match accepted.stream {
        Some(stream) if operation == OperationType::Subscription || accepted.media.is_none() => {
            let session = Session::only(edge, &parts, credentials.address(), stream, request_id)?;
            Ok(session.run_only(Arc::new(sender), request_id, checked, last_event_id(&parts)))
        }
        _ => {
            let (checked, charge) = checked?;
            let permit = match edge.executions.admit(charge.payer(), Queue::Request).await {
                Ok(permit) => permit,
                Err(error) => {
                    edge.throttle.settle(charge, Some(0));
                    return Err(error);
                }
            };
            let request = edge.access.admit(&sender, request_id, checked.request).await?;
            let executed = edge.engine.execute(request).await;
            drop(permit);
            edge.throttle.settle(charge, executed.work);
            let answer = Answer::new(executed.response, checked.manner, request_id);
            let sent = delivery.send_fresh(operation, answer, executed.validity, vacancy, &parts.headers);
            Ok(sent.await)
        }
    }
}

/// A request that asks for its cost, if a header does: not every client can set extensions.
fn asking_cost(mut request: async_graphql::Request, headers: &HeaderMap) -> async_graphql::Request {
    if headers.get(COST).is_some_and(|value| value == "1") {
        request.extensions.insert(preflight::ASKS_COST.to_owned(), true.into());
    }
    request
}

fn needs_stream() -> RequestError {
    let message = "Subscriptions come over WebSocket (/graphql/ws, graphql-transport-ws), or here with an `Accept` of \
                   text/event-stream or multipart/mixed;subscriptionSpec=1.0.";
    RequestError::new("SUBSCRIPTION_NEEDS_STREAM", StatusCode::BAD_REQUEST, message)
}

fn last_event_id(parts: &Parts) -> Option<String> {
    let id = parts.headers.get(LAST_EVENT_ID)?.to_str().ok()?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// The connection that a request came by, to be written straight to.
fn link(parts: &Parts, request_id: &RequestId) -> Result<Link, RequestError> {
    let link = parts.extensions.get::<ConnectInfo<Link>>();
    link.map(|ConnectInfo(link)| link.clone())
        .ok_or_else(|| RequestError::internal(request_id))
}

/// Whether a header's list names something.
pub(super) fn names(headers: &HeaderMap, name: HeaderName, sought: &str) -> bool {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut words = values.flat_map(|value| value.split(','));
    words.any(|word| word.trim().eq_ignore_ascii_case(sought))
}

/// The response to what the executor answered.
async fn respond(media: Media, mut answer: Answer) -> Response {
    let status = if answer.has_code("UNAVAILABLE") {
        StatusCode::SERVICE_UNAVAILABLE
    } else if answer.has_code("UNAUTHENTICATED") {
        StatusCode::UNAUTHORIZED
    } else if answer.refused && answer.has_code("EXECUTION_LIMIT") {
        // Known only after validation, so it is not one of the errors that old clients get 200 for.
        StatusCode::BAD_REQUEST
    } else if answer.refused {
        media.request_error()
    } else {
        StatusCode::OK
    };
    let headers = answer.headers();
    response(media, status, headers, answer.into_json().await)
}

/// The response to a request that does not reach the executor.
pub(super) fn refuse(media: Media, error: RequestError) -> Response {
    let status = match error.code {
        "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED" | documents::NOT_FOUND | documents::NOT_SUPPORTED => {
            media.request_error()
        }
        _ => error.status,
    };
    let mut headers = HeaderMap::new();
    let again = error.extensions.iter().find(|(name, _)| *name == RETRY_AFTER);
    if let Some(again) = again.and_then(|(_, seconds)| seconds.to_string().parse().ok()) {
        headers.insert(header::RETRY_AFTER, again);
    }
    response(media, status, headers, Answer::refusal(error).to_json())
}

fn response(media: Media, status: StatusCode, mut headers: HeaderMap, json: String) -> Response {
    headers.insert(header::CONTENT_TYPE, media.content_type());
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // A mutation came as GET; other methods do not get here.
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        // The rest of a body that is not read would be taken for the next request.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    (status, headers, json).into_response()
}
