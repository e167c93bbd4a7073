//! `/graphql` over HTTP, as the GraphQL-over-HTTP draft has it.
//!
//! POST takes `application/json`, GET takes queries. An answer is `application/graphql-response+json` where the
//! client names it, else `application/json`. A request error has status 400, except that a client which names
//! `application/json` gets 200 for a document that does not parse or validate, as the draft asks for old clients' sake.

mod accept;
mod body;

use std::panic::AssertUnwindSafe;

use async_graphql::Executor;
use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::access::{self, Authenticate};
use super::answer::Answer;
use super::router::Edge;
use super::{RequestError, RequestId, preflight};
pub(super) use accept::Media;

/// Answers one GraphQL request.
pub(super) async fn graphql<E: Executor, A: Authenticate>(
    State(edge): State<Edge<E, A>>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Response {
    let Some(media) = Media::negotiate(request.headers()) else {
        return refuse(Media::Assumed, accept::not_acceptable());
    };
    match AssertUnwindSafe(answer(&edge, &request_id, request))
        .catch_unwind()
        .await
    {
        Ok(Ok(answer)) => respond(media, answer),
        Ok(Err(error)) => refuse(media, error),
        Err(_) => {
            tracing::error!(%request_id, "a resolver panicked");
            refuse(media, RequestError::internal(&request_id))
        }
    }
}

async fn answer<E: Executor, A: Authenticate>(
    edge: &Edge<E, A>,
    request_id: &RequestId,
    request: Request,
) -> Result<Answer, RequestError> {
    let method = request.method().clone();
    let (parts, content) = request.into_parts();
    let bearer = access::bearer(&parts.headers)?;
    let request = match method {
        Method::POST => body::posted(&parts.headers, content, &edge.config).await?,
        _ => body::in_query(parts.uri.query().unwrap_or_default())?,
    };
    let checked = preflight::check(request, &edge.config.limits)?;
    match checked.operation {
        OperationType::Query => {}
        OperationType::Mutation if method == Method::POST => {}
        OperationType::Subscription if method == Method::POST => {
            let message = "Subscriptions are served at /graphql/ws, over WebSocket (graphql-transport-ws).";
            return Err(RequestError::new(
                "SUBSCRIPTION_NEEDS_STREAM",
                StatusCode::BAD_REQUEST,
                message,
            ));
        }
        OperationType::Mutation | OperationType::Subscription => {
            let message = "GET is for queries: send anything else as POST.";
            return Err(RequestError::new(
                "METHOD_NOT_ALLOWED",
                StatusCode::METHOD_NOT_ALLOWED,
                message,
            ));
        }
    }

    let sender = edge.access.authenticate(bearer).await?;
    let request = edge.access.admit(&sender, request_id, checked.request).await?;
    Ok(Answer::new(
        edge.executor.execute(request).await,
        checked.compound,
        request_id,
    ))
}

/// The response to what the executor answered.
fn respond(media: Media, mut answer: Answer) -> Response {
    let status = if answer.has_code("UNAVAILABLE") {
        StatusCode::SERVICE_UNAVAILABLE
    } else if answer.has_code("UNAUTHENTICATED") {
        StatusCode::UNAUTHORIZED
    } else if answer.refused {
        media.request_error()
    } else {
        StatusCode::OK
    };
    response(media, status, answer.headers(), &answer)
}

/// The response to a request that does not reach the executor.
pub(super) fn refuse(media: Media, error: RequestError) -> Response {
    let status = match error.code {
        "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED" => media.request_error(),
        _ => error.status,
    };
    response(media, status, HeaderMap::new(), &Answer::refusal(error))
}

fn response(media: Media, status: StatusCode, mut headers: HeaderMap, answer: &Answer) -> Response {
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
    (status, headers, answer.to_json()).into_response()
}
