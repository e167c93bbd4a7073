//! Server-sent events, as `graphql-sse` has them in its distinct mode.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Body, End, Request};

pub(crate) struct Events(Body);

impl Events {
    pub(super) async fn open(address: SocketAddr, request: &Request) -> Result<Events, End> {
        let kind = "text/event-stream";
        Ok(Events(Body::open(address, request, kind, kind).await?))
    }

    pub(super) async fn next(&mut self) -> Result<Value, End> {
        loop {
            let event = self.0.until(b"\n\n").await?;
            let event = String::from_utf8(event).map_err(End::cut)?;
            let (mut name, mut data) = ("", String::new());
            for line in event.lines() {
                // A comment begins with a colon, and is there to be seen.
                let Some((field, value)) = line.split_once(':') else {
                    continue;
                };
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "event" => name = value,
                    "data" => data.push_str(value),
                    _ => {}
                }
            }
            match name {
                "next" => return serde_json::from_str(&data).map_err(End::cut),
                "complete" => return Err(End::cut("complete")),
                "" => {}
                other => return Err(End::cut(format!("an event named {other:?}"))),
            }
        }
    }
}
