//! The floor of the read benchmark: an axum handler that returns the same bytes to everyone, or 304 to clients that have them.

use std::path::Path;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::bare::serve_router;

const TAG: &str = "\"0123456789abcdef\"";

pub(super) fn serve(file: &Path) -> anyhow::Result<()> {
    let answer = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let router = Router::new()
        .route("/graphql", post(posted).get(got))
        .with_state(Bytes::from(answer));
    serve_router(router)
}

async fn posted(State(answer): State<Bytes>, _request: Bytes) -> Response {
    (
        [(CONTENT_TYPE, "application/graphql-response+json"), (ETAG, TAG)],
        answer,
    )
        .into_response()
}

async fn got(State(answer): State<Bytes>, headers: HeaderMap) -> Response {
    match headers.get(IF_NONE_MATCH) {
        Some(tag) if tag == TAG => (StatusCode::NOT_MODIFIED, [(ETAG, TAG)]).into_response(),
        _ => (
            [(CONTENT_TYPE, "application/graphql-response+json"), (ETAG, TAG)],
            answer,
        )
            .into_response(),
    }
}
