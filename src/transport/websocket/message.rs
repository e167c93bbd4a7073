//! The messages of `graphql-transport-ws`, as text and as values.

use std::borrow::Cow;

use async_graphql::Request;
use serde_json::{Map, Value as Json, json};

use crate::transport::access::bearer_token;
use crate::transport::{json, parameters};

/// A longer id is no id: it is kept and repeated for as long as its operation runs. So it is on a stream (`http/single`).
pub(in crate::transport) const MAX_ID: usize = 256;

/// The longest reason that a close frame has room for, in bytes (RFC 6455, 5.5).
const MAX_REASON: usize = 123;

/// What a client says.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The token of the payload, if it has one.
    Init(Option<String>),
    /// With the payload, which the answer repeats.
    Ping(Option<Json>),
    Pong,
    Subscribe {
        id: String,
        request: Box<Request>,
    },
    Complete {
        id: String,
    },
}

impl Incoming {
    /// Reads a message, whose variables may have so many values; the error says what is wrong with it.
    pub(super) fn parse(text: &str, variable_values: u64) -> Result<Incoming, Close> {
        let Ok(Json::Object(mut message)) = json::read(text.as_bytes(), variable_values) else {
            return Err(Close::invalid("Invalid message: not a JSON object"));
        };
        let Some(Json::String(kind)) = message.remove("type") else {
            return Err(Close::invalid("Invalid message: `type` is not a string"));
        };
        match kind.as_str() {
            "connection_init" => Ok(Incoming::Init(payload(&mut message)?.as_ref().and_then(token))),
            "ping" => Ok(Incoming::Ping(payload(&mut message)?.map(Json::Object))),
            "pong" => payload(&mut message).map(|_| Incoming::Pong),
            "subscribe" => {
                let id = id(&mut message)?;
                let Some(members) = payload(&mut message)? else {
                    return Err(Close::invalid("Invalid message: subscribe without a payload"));
                };
                let request = parameters::request(members)
                    .map_err(|error| Close::invalid(format!("Invalid message: {}", error.message)))?;
                Ok(Incoming::Subscribe {
                    id,
                    request: Box::new(request),
                })
            }
            "complete" => Ok(Incoming::Complete { id: id(&mut message)? }),
            _ => Err(Close::invalid("Invalid message: clients send no messages of this type")),
        }
    }
}

fn id(message: &mut Map<String, Json>) -> Result<String, Close> {
    match message.remove("id") {
        Some(Json::String(id)) if (1..=MAX_ID).contains(&id.len()) => Ok(id),
        _ => Err(Close::invalid(format!(
            "Invalid message: `id` is not a string of 1 to {MAX_ID} bytes"
        ))),
    }
}

fn payload(message: &mut Map<String, Json>) -> Result<Option<Map<String, Json>>, Close> {
    match message.remove("payload") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err(Close::invalid("Invalid message: `payload` is not an object")),
    }
}

/// The token that a client gives when it initialises: a browser cannot set headers on a WebSocket.
///
/// Taken are `{"authorization": "Bearer …"}`, in any case of its name since clients pass their headers on, and
/// `{"token": "…"}`. What is there and is neither stands for a wrong token.
fn token(payload: &Map<String, Json>) -> Option<String> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    if let Some((_, value)) = payload
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    {
        return Some(
            value
                .as_str()
                .and_then(bearer_token)
                .map(str::to_owned)
                .unwrap_or_default(),
        );
    }
    match payload.get("token")? {
        Json::Null => None,
        value => Some(text(value).unwrap_or_default()),
    }
}

pub(super) const CONNECTION_ACK: &str = r#"{"type":"connection_ack"}"#;

pub(super) fn pong(payload: Option<Json>) -> String {
    match payload {
        Some(payload) => json!({"type": "pong", "payload": payload}).to_string(),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

/// What stands around the payload of a result.
const NEXT: [&str; 3] = [r#"{"type":"next","id":"#, r#","payload":"#, "}"];

/// How long [`next`] is, in bytes.
pub(in crate::transport) fn next_length(id: &str, payload: usize) -> usize {
    NEXT.iter().map(|part| part.len()).sum::<usize>() + id.len() + payload
}

/// Appends one result; `id` and `payload` are JSON already.
pub(in crate::transport) fn next(out: &mut Vec<u8>, id: &str, payload: &[u8]) {
    let [before, between, after] = NEXT.map(str::as_bytes);
    for part in [before, id.as_bytes(), between, payload, after] {
        out.extend_from_slice(part);
    }
}

/// The end of an operation that failed to start; `id` and `errors`, a list, are JSON already.
pub(in crate::transport) fn error(id: &str, errors: &str) -> String {
    format!(r#"{{"type":"error","id":{id},"payload":{errors}}}"#)
}

/// The end of an operation; `id` is JSON already.
pub(in crate::transport) fn complete(id: &str) -> String {
    format!(r#"{{"type":"complete","id":{id}}}"#)
}

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Close {
    pub(super) const GOING_AWAY: Close = Close::new(1001, "Going away");
    pub(super) const TOO_BIG: Close = Close::new(1009, "Message too big");
    pub(super) const PROTOCOL_ERROR: Close = Close::new(1002, "Not a WebSocket frame");
    pub(super) const NOT_UTF8: Close = Close::new(1007, "Not UTF-8");
    /// For sockets that send without measure.
    pub(super) const TOO_MANY_FRAMES: Close = Close::new(1008, "Too many messages");
    /// For sockets whose server makes way for another: clients come back at once.
    pub(super) const SERVICE_RESTART: Close = Close::new(1012, "Service restart");
    /// For sockets that take nothing or answer no ping. Clients come back after 1013; graphql-ws counts most other
    /// codes below 2000 as fatal.
    pub(super) const TRY_AGAIN_LATER: Close = Close::new(1013, "Try again later");
    pub(super) const UNAUTHORIZED: Close = Close::new(4401, "Unauthorized");
    pub(super) const FORBIDDEN: Close = Close::new(4403, "Forbidden");
    pub(super) const SUBPROTOCOL_NOT_ACCEPTABLE: Close = Close::new(4406, "Subprotocol not acceptable");
    pub(super) const INIT_TIMEOUT: Close = Close::new(4408, "Connection initialisation timeout");
    pub(super) const TOO_MANY_INITS: Close = Close::new(4429, "Too many initialisation requests");
    pub(super) const INTERNAL: Close = Close::new(4500, "Internal server error");

    const fn new(code: u16, reason: &'static str) -> Close {
        Close {
            code,
            reason: Cow::Borrowed(reason),
        }
    }

    pub(super) fn invalid(reason: impl Into<Cow<'static, str>>) -> Close {
        Close {
            code: 4400,
            reason: shortened(reason.into()),
        }
    }

    pub(super) fn subscriber_exists(id: &str) -> Close {
        Close {
            code: 4409,
            reason: shortened(format!("Subscriber for {id} already exists").into()),
        }
    }
}

/// A reason with as many whole characters as there is room for.
fn shortened(reason: Cow<'static, str>) -> Cow<'static, str> {
    match reason.len() > MAX_REASON {
        true => reason[..reason.floor_char_boundary(MAX_REASON)].to_owned().into(),
        false => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_as_authorization_or_as_token() {
        let given = |payload: &str| match Incoming::parse(
            &format!(r#"{{"type":"connection_init","payload":{payload}}}"#),
            10_000,
        ) {
            Ok(Incoming::Init(token)) => token,
            other => panic!("not an init: {other:?}"),
        };
        for (payload, token) in [
            ("null", None),
            ("{}", None),
            (r#"{"other":1}"#, None),
            (r#"{"token":null}"#, None),
            (r#"{"token":"abc"}"#, Some("abc")),
            (r#"{"authorization":"Bearer abc"}"#, Some("abc")),
            (r#"{"Authorization":"bearer abc"}"#, Some("abc")),
            (r#"{"authorization":"abc"}"#, Some("")),
            (r#"{"authorization":7}"#, Some("")),
            (r#"{"token":7}"#, Some("")),
        ] {
            assert_eq!(given(payload).as_deref(), token, "{payload}");
        }
    }

    #[test]
    fn noise_is_told_apart_in_reasons_that_fit_a_close_frame() {
        let long_id = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(300));
        for noise in [
            "",
            "noise",
            "[]",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"start"}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"connection_init","payload":"x"}"#,
            r#"{"type":"ping","payload":[]}"#,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
            r#"{"type":"complete"}"#,
            &long_id,
        ] {
            let close = Incoming::parse(noise, 10_000).expect_err("noise");
            assert_eq!(close.code, 4400, "{noise}");
            assert!(close.reason.len() <= MAX_REASON, "{noise}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let close = Close::subscriber_exists(&"ü".repeat(200));

        assert!((MAX_REASON - 1..=MAX_REASON).contains(&close.reason.len()));
        assert!(close.reason.ends_with('ü'));
    }

    #[test]
    fn messages_are_json_whatever_the_id() {
        let id = Json::from("a\"b\\").to_string();
        let mut text = Vec::new();
        next(&mut text, &id, br#"{"data":null}"#);

        assert_eq!(text.len(), next_length(&id, 13));
        let message: Json = serde_json::from_slice(&text).expect("JSON");

        assert_eq!(
            message,
            json!({"type": "next", "id": "a\"b\\", "payload": {"data": null}})
        );
        assert_eq!(pong(None), r#"{"type":"pong"}"#);
        assert_eq!(pong(Some(json!({"a": 1}))), r#"{"payload":{"a":1},"type":"pong"}"#);
    }
}
