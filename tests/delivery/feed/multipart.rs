//! Multipart subscriptions, as Apollo's clients read them: a part is there once the boundary after it is.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Body, End, Request};

/// What a client asks for.
const ACCEPT: &str = "multipart/mixed;subscriptionSpec=1.0, application/json";
const BOUNDARY: &[u8] = b"--graphql";

pub(crate) struct Parts(Body);

impl Parts {
    pub(super) async fn open(address: SocketAddr, request: &Request) -> Result<Parts, End> {
        let mut body = Body::post(address, request, ACCEPT, "multipart/mixed").await?;
        body.until(BOUNDARY).await?;
        Ok(Parts(body))
    }

    pub(super) async fn next(&mut self) -> Result<Value, End> {
        loop {
            let part = self.0.until(&[b"\r\n", BOUNDARY].concat()).await?;
            if part.starts_with(b"--") {
                return Err(End::cut("the last part"));
            }
            let part = String::from_utf8(part).map_err(End::cut)?;
            let (_, body) = part
                .split_once("\r\n\r\n")
                .ok_or_else(|| End::cut("a part without a body"))?;
            let mut part: Value = serde_json::from_str(body).map_err(End::cut)?;
            match part.get_mut("payload").map(Value::take) {
                Some(payload) if !payload.is_null() => return Ok(payload),
                // A heartbeat is an empty object; what ends the stream as a whole says why.
                _ => {
                    if let Some(errors) = part.get("errors") {
                        return Err(End::Refused(errors.clone()));
                    }
                }
            }
        }
    }
}
