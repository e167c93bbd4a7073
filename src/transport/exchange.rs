//! Notes at a connection's slot how far its request and its response have come, as hyper moves their bodies.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};

use super::wire::Wire;

/// The body of a request, until all of it has arrived or nobody reads it.
pub(super) struct RequestBody {
    body: Incoming,
    /// `None` once the connection is known to be busy.
    wire: Option<Arc<Wire>>,
}

/// The body of a response, until hyper has all of it.
pub(super) struct ResponseBody {
    body: Body,
    /// `None` for an upgrade, after which the connection does not wait for a request.
    wire: Option<Arc<Wire>>,
}

/// Takes a request whose head has arrived.
pub(super) fn request(wire: &Arc<Wire>, request: Request<Incoming>) -> Request<RequestBody> {
    request.map(|body| {
        let mut body = RequestBody {
            body,
            wire: Some(Arc::clone(wire)),
        };
        wire.slot().receiving();
        body.note_end();
        body
    })
}

/// Hands hyper a response.
pub(super) fn response(wire: Arc<Wire>, response: Response<Body>) -> Response<ResponseBody> {
    let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    response.map(|body| ResponseBody {
        body,
        wire: (!is_upgrade).then_some(wire),
    })
}

impl RequestBody {
    fn note_end(&mut self) {
        if self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(wire) = self.wire.take() {
            wire.slot().busy();
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => self.note_end(),
            Some(Err(_)) | None => self.end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.end();
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(wire) = self.wire.take() {
            wire.slot().answered();
        }
    }
}
