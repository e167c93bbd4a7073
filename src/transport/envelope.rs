//! What stands around a payload on the wire, for each way to send one: the rest of the bytes is the same for everybody.

use std::io::Write as _;
use std::sync::Arc;

use serde_json::Value as Json;

use super::rendering::Payload;
use super::websocket::{frame, message};

/// Digits of a chunk's length (RFC 9112, 7.1): as many as any length needs, so that it can be filled in afterwards.
const CHUNK_DIGITS: usize = 8;

/// How an operation's results are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    form: Form,
    /// What the client calls the operation, as JSON; empty where the connection has but one.
    id: Arc<str>,
}

/// A protocol, and how its bytes are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `graphql-transport-ws`.
    WebSocket,
    /// `graphql-sse`, one operation to a connection.
    Distinct(Framing),
    /// `graphql-sse`, many operations to a connection.
    Single(Framing),
    /// `multipart/mixed` by subscriptionSpec 1.0.
    Multipart(Framing),
}

/// How HTTP frames a body whose length is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// In chunks.
    Chunked,
    /// Not at all: it ends with the connection (HTTP/1.0).
    Bare,
}

impl Form {
    /// The envelope of an operation by the client's name for it.
    pub(super) fn envelope(self, id: &str) -> Envelope {
        Envelope {
            form: self,
            id: Json::from(id).to_string().into(),
        }
    }

    /// The envelope of the only operation there is.
    pub(super) fn only(self) -> Envelope {
        Envelope {
            form: self,
            id: "".into(),
        }
    }

    /// What the body begins with.
    pub(super) fn opening(self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Form::WebSocket => {}
            // A comment: the client knows at once that the stream is there.
            Form::Distinct(framing) | Form::Single(framing) => framing.wrap(&mut out, |out| out.extend(b":\n\n")),
            Form::Multipart(framing) => framing.wrap(&mut out, |out| out.extend(b"\r\n--graphql")),
        }
        out
    }

    /// What the body ends with.
    pub(super) fn closing(self) -> Vec<u8> {
        match self {
            Form::Distinct(framing) | Form::Single(framing) | Form::Multipart(framing) => framing.closing().to_vec(),
            Form::WebSocket => Vec::new(),
        }
    }

    /// What tells a client, and proxies on the way, that the connection lives.
    pub(super) fn keep_alive(self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Form::WebSocket => out = frame::ping(),
            Form::Distinct(framing) | Form::Single(framing) => framing.wrap(&mut out, |out| out.extend(b":\n\n")),
            Form::Multipart(framing) => framing.wrap(&mut out, |out| part(out, |out| out.extend(b"{}"))),
        }
        out
    }
}

impl Framing {
    /// The chunk that is the last.
    const fn closing(self) -> &'static [u8] {
        match self {
            Framing::Chunked => b"0\r\n\r\n",
            Framing::Bare => b"",
        }
    }

    fn wrap(self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
        if self == Framing::Bare {
            return fill(out);
        }
        let start = out.len();
        out.extend_from_slice(&[b'0'; CHUNK_DIGITS]);
        out.extend_from_slice(b"\r\n");
        let before = out.len();
        fill(out);
        let length = format!("{:0CHUNK_DIGITS$x}", out.len() - before);
        out[start..start + CHUNK_DIGITS].copy_from_slice(&length.as_bytes()[..CHUNK_DIGITS]);
        out.extend_from_slice(b"\r\n");
    }
}

/// A part of a multipart body, up to the delimiter after it: a client takes no part before that has come.
fn part(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"\r\ncontent-type: application/json\r\n\r\n");
    fill(out);
    out.extend_from_slice(b"\r\n--graphql");
}

impl Envelope {
    /// Appends one result.
    pub(super) fn next(&self, payload: &Payload, out: &mut Vec<u8>) {
        let json = payload.json.as_ref();
        match self.form {
            Form::WebSocket => {
                let length = message::next_length(&self.id, json.len());
                frame::text(out, length, |out| message::next(out, &self.id, json));
            }
            Form::Distinct(framing) => framing.wrap(out, |out| {
                if let Some(cursor) = &payload.cursor {
                    append(out, &["id: ", cursor, "\n"]);
                }
                out.extend_from_slice(b"event: next\ndata: ");
                out.extend_from_slice(json);
                out.extend_from_slice(b"\n\n");
            }),
            Form::Single(framing) => framing.wrap(out, |out| {
                append(out, &["event: next\ndata: {\"id\":", &self.id, ",\"payload\":"]);
                out.extend_from_slice(json);
                out.extend_from_slice(b"}\n\n");
            }),
            Form::Multipart(framing) => framing.wrap(out, |out| {
                part(out, |out| {
                    out.extend_from_slice(b"{\"payload\":");
                    out.extend_from_slice(json);
                    out.push(b'}');
                });
            }),
        }
    }

    /// Appends that an operation could not start; `errors` is a JSON list. Nothing follows but, where the protocol has
    /// it so, the operation's end.
    pub(super) fn error(&self, errors: &str, out: &mut Vec<u8>) {
        match self.form {
            Form::WebSocket => frame::whole(out, &message::error(&self.id, errors)),
            Form::Multipart(framing) => framing.wrap(out, |out| {
                part(out, |out| append(out, &["{\"payload\":null,\"errors\":", errors, "}"]));
                out.extend_from_slice(b"--\r\n");
            }),
            // As the protocol asks: errors of a document are a result, and its only one.
            Form::Distinct(_) | Form::Single(_) => {
                self.next(&Payload::from(format!("{{\"errors\":{errors}}}")), out);
                self.complete(out);
            }
        }
    }

    /// Appends that nothing more will come.
    pub(super) fn complete(&self, out: &mut Vec<u8>) {
        match self.form {
            Form::WebSocket => frame::whole(out, &message::complete(&self.id)),
            // `data` must stand there, or a browser passes the event over.
            Form::Distinct(framing) => framing.wrap(out, |out| out.extend_from_slice(b"event: complete\ndata:\n\n")),
            Form::Single(framing) => framing.wrap(out, |out| {
                append(out, &["event: complete\ndata: {\"id\":", &self.id, "}\n\n"]);
            }),
            Form::Multipart(framing) => framing.wrap(out, |out| out.extend_from_slice(b"--\r\n")),
        }
    }
}

fn append(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        // Writing to memory does not fail.
        let _ = out.write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(form: Form) -> String {
        let envelope = form.envelope("a\"b");
        let payload = Payload {
            json: r#"{"data":1}"#.into(),
            cursor: Some("c1".into()),
        };
        let mut out = form.opening();
        envelope.next(&payload, &mut out);
        out.extend(form.keep_alive());
        envelope.complete(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn refused(form: Form) -> String {
        let mut out = Vec::new();
        form.envelope("a").error("[1]", &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_stream_of_events_names_the_place_after_each() {
        assert_eq!(
            sent(Form::Distinct(Framing::Bare)),
            ":\n\nid: c1\nevent: next\ndata: {\"data\":1}\n\n:\n\nevent: complete\ndata:\n\n"
        );
        assert_eq!(
            refused(Form::Distinct(Framing::Bare)),
            "event: next\ndata: {\"errors\":[1]}\n\nevent: complete\ndata:\n\n"
        );
    }

    #[test]
    fn a_shared_stream_of_events_names_the_operation_of_each() {
        assert_eq!(
            sent(Form::Single(Framing::Bare)),
            ":\n\nevent: next\ndata: {\"id\":\"a\\\"b\",\"payload\":{\"data\":1}}\n\n:\n\n\
             event: complete\ndata: {\"id\":\"a\\\"b\"}\n\n"
        );
    }

    #[test]
    fn a_part_ends_with_the_delimiter_of_the_next() {
        assert_eq!(
            sent(Form::Multipart(Framing::Bare)),
            "\r\n--graphql\r\ncontent-type: application/json\r\n\r\n{\"payload\":{\"data\":1}}\r\n--graphql\
             \r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql--\r\n"
        );
        assert!(
            refused(Form::Multipart(Framing::Bare)).ends_with("{\"payload\":null,\"errors\":[1]}\r\n--graphql--\r\n")
        );
    }

    #[test]
    fn chunks_say_how_long_they_are() {
        assert_eq!(
            refused(Form::Distinct(Framing::Chunked)),
            "00000022\r\nevent: next\ndata: {\"errors\":[1]}\n\n\r\n00000017\r\nevent: complete\ndata:\n\n\r\n"
        );
    }

    #[test]
    fn a_frame_holds_the_message() {
        let sent = sent(Form::WebSocket);

        assert!(
            sent.contains(r#"{"type":"next","id":"a\"b","payload":{"data":1}}"#),
            "{sent}"
        );
        assert!(sent.contains(r#"{"type":"complete","id":"a\"b"}"#), "{sent}");
    }
}
