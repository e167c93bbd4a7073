//! The upgrade of an HTTP request to a WebSocket (RFC 6455, section 4.2).

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};

use super::SUBPROTOCOL;
use crate::transport::RequestError;
use crate::transport::http::names;
use crate::transport::wire::{Carrier, Wire};

/// What is appended to a client's key before it is hashed (RFC 6455, 1.3).
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The one version there is.
const VERSION: &str = "13";

/// A request that asks for a WebSocket.
pub(super) struct Handshake {
    accept: HeaderValue,
    /// Whether the client speaks our protocol.
    pub(super) speaks: bool,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// Reads the request.
    pub(super) fn read(request: &mut Request) -> Result<Handshake, RequestError> {
        let headers = request.headers();
        let asks = request.method() == Method::GET
            && names(headers, header::CONNECTION, "upgrade")
            && names(headers, header::UPGRADE, "websocket");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let (true, Some(key)) = (asks, key) else {
            return Err(upgrade_required("open it with a WebSocket handshake"));
        };
        if !names(headers, header::SEC_WEBSOCKET_VERSION, VERSION) {
            return Err(upgrade_required("the version of WebSocket is 13"));
        }
        let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
        let accept = HeaderValue::from_str(&STANDARD.encode(digest)).expect("base64 is a header's text");
        let speaks = names(headers, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        let Some(upgrade) = request.extensions_mut().remove() else {
            return Err(upgrade_required("this connection cannot be upgraded"));
        };
        Ok(Handshake {
            accept,
            speaks,
            upgrade,
        })
    }

    /// What the client is told.
    pub(super) fn response(&self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if self.speaks {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        response
    }

    /// Takes the connection out of hyper once it has sent the response, with what it has read beyond the request; none
    /// if the client is gone.
    pub(super) async fn finish(self) -> Option<(Arc<Wire>, Bytes)> {
        let upgraded = self.upgrade.await.ok()?;
        let parts = upgraded.downcast::<TokioIo<Carrier>>().ok()?;
        Some((parts.io.into_inner().into_wire(), parts.read_buf))
    }
}

/// A key is 16 bytes in base64.
fn is_key(key: &HeaderValue) -> bool {
    STANDARD.decode(key.as_bytes()).is_ok_and(|key| key.len() == 16)
}

fn upgrade_required(what: &str) -> RequestError {
    let message = format!("This is a WebSocket endpoint: {what}.");
    RequestError::new("UPGRADE_REQUIRED", StatusCode::BAD_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> Request {
        let mut request = Request::new(Body::empty());
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn what_asks_for_no_websocket_is_told_so() {
        let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let version = ("sec-websocket-version", "13");
        let (upgrade, connection) = (("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade"));
        for headers in [
            &[] as &[_],
            &[upgrade, connection, version],
            &[upgrade, connection, version, ("sec-websocket-key", "c2hvcnQ=")],
            &[upgrade, connection, key, ("sec-websocket-version", "8")],
            &[upgrade, version, key],
            &[connection, version, key],
            // All is right but the connection, which is none.
            &[upgrade, connection, version, key],
        ] {
            let error = Handshake::read(&mut request(headers)).err().expect("it is refused");
            assert_eq!(error.code, "UPGRADE_REQUIRED", "{headers:?}");
        }
    }
}
