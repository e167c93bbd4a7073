//! What each message of `graphql-transport-ws` means, given those before it. Pure: no socket, no clock, no executor.

use std::collections::HashMap;

use async_graphql::Request;
use axum::http::StatusCode;

use super::message::{self, Close, Incoming};
use crate::transport::RequestError;
use crate::transport::answer::Answer;
use crate::transport::envelope::{Envelope, Form};
use crate::transport::operation::Key;

/// What to do about a message.
#[derive(Debug)]
pub(super) enum Action {
    Nothing,
    Send(String),
    /// Look at the token, then [`Protocol::acknowledge`] or close.
    Authenticate(Option<String>),
    Start(Key, Box<Request>),
    Stop(Key),
    Close(Close),
}

/// The state of one socket.
#[derive(Debug)]
pub(super) struct Protocol {
    initialised: bool,
    acknowledged: bool,
    max_operations: usize,
    /// Values that all variables of a request may have.
    variable_values: u64,
    keys: HashMap<String, Key>,
    ids: HashMap<Key, (String, Envelope)>,
    last: u64,
}

impl Protocol {
    pub(super) fn new(max_operations: usize, variable_values: u64) -> Protocol {
        Protocol {
            initialised: false,
            acknowledged: false,
            max_operations,
            variable_values,
            keys: HashMap::new(),
            ids: HashMap::new(),
            last: 0,
        }
    }

    /// Whether the client has said who it is.
    pub(super) fn is_initialised(&self) -> bool {
        self.initialised
    }

    /// Takes a message of the client.
    pub(super) fn receive(&mut self, text: &str) -> Action {
        match Incoming::parse(text, self.variable_values) {
            Err(close) => Action::Close(close),
            Ok(Incoming::Init(_)) if self.initialised => Action::Close(Close::TOO_MANY_INITS),
            Ok(Incoming::Init(token)) => {
                self.initialised = true;
                Action::Authenticate(token)
            }
            Ok(Incoming::Ping(payload)) => Action::Send(message::pong(payload)),
            Ok(Incoming::Pong) => Action::Nothing,
            Ok(Incoming::Subscribe { id, request }) => self.subscribe(id, request),
            Ok(Incoming::Complete { id }) => match self.keys.remove(&id) {
                // The operation may have ended while this was under way.
                None => Action::Nothing,
                Some(key) => {
                    self.ids.remove(&key);
                    Action::Stop(key)
                }
            },
        }
    }

    fn subscribe(&mut self, id: String, request: Box<Request>) -> Action {
        if !self.acknowledged {
            return Action::Close(Close::UNAUTHORIZED);
        }
        if self.keys.contains_key(&id) {
            return Action::Close(Close::subscriber_exists(&id));
        }
        if self.keys.len() >= self.max_operations {
            let message = format!("A socket may have {} operations at a time.", self.max_operations);
            let error = RequestError::new("TOO_MANY_OPERATIONS", StatusCode::TOO_MANY_REQUESTS, message)
                .with("max", self.max_operations);
            let id = serde_json::Value::from(id).to_string();
            return Action::Send(message::error(&id, &Answer::refusal(error).errors_to_json()));
        }
        self.last += 1;
        let key = Key(self.last);
        let envelope = Form::WebSocket.envelope(&id);
        self.keys.insert(id.clone(), key);
        self.ids.insert(key, (id, envelope));
        Action::Start(key, request)
    }

    /// The token was looked at and is fine: operations may come.
    pub(super) fn acknowledge(&mut self) -> &'static str {
        self.acknowledged = true;
        message::CONNECTION_ACK
    }

    /// How results of an operation are sent; none if the client has ended it.
    pub(super) fn envelope(&self, key: Key) -> Option<&Envelope> {
        self.ids.get(&key).map(|(_, envelope)| envelope)
    }

    /// The same for what is the last of an operation: its id may be used again.
    pub(super) fn free(&mut self, key: Key) -> Option<Envelope> {
        let (id, envelope) = self.ids.remove(&key)?;
        self.keys.remove(&id);
        Some(envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: &str = r#"{"type":"connection_init"}"#;

    fn subscribe(id: &str) -> String {
        format!(r#"{{"type":"subscribe","id":"{id}","payload":{{"query":"{{ a }}"}}}}"#)
    }

    fn complete(id: &str) -> String {
        format!(r#"{{"type":"complete","id":"{id}"}}"#)
    }

    fn acknowledged(max_operations: usize) -> Protocol {
        let mut protocol = Protocol::new(max_operations, 10_000);
        assert!(matches!(protocol.receive(INIT), Action::Authenticate(None)));
        assert_eq!(protocol.acknowledge(), r#"{"type":"connection_ack"}"#);
        protocol
    }

    fn start(protocol: &mut Protocol, id: &str) -> Key {
        match protocol.receive(&subscribe(id)) {
            Action::Start(key, _) => key,
            other => panic!("not started: {other:?}"),
        }
    }

    fn closed(action: Action) -> u16 {
        match action {
            Action::Close(close) => close.code,
            other => panic!("not closed: {other:?}"),
        }
    }

    #[test]
    fn nothing_is_subscribed_to_before_the_acknowledgement() {
        assert_eq!(closed(Protocol::new(1, 10_000).receive(&subscribe("a"))), 4401);

        let mut protocol = Protocol::new(1, 10_000);
        protocol.receive(INIT);
        assert_eq!(closed(protocol.receive(&subscribe("a"))), 4401);
    }

    #[test]
    fn a_second_init_closes_acknowledged_or_not() {
        assert_eq!(closed(acknowledged(1).receive(INIT)), 4429);

        let mut protocol = Protocol::new(1, 10_000);
        protocol.receive(INIT);
        assert_eq!(closed(protocol.receive(INIT)), 4429);
    }

    #[test]
    fn an_id_is_in_use_until_its_operation_ends_by_whichever_side() {
        let ends: [fn(&mut Protocol, Key) -> bool; 2] = [
            |protocol, key| protocol.free(key) == Some(Form::WebSocket.envelope("a")),
            |protocol, key| matches!(protocol.receive(&complete("a")), Action::Stop(stopped) if stopped == key),
        ];
        for end in ends {
            let mut protocol = acknowledged(1);
            let key = start(&mut protocol, "a");

            assert!(end(&mut protocol, key));

            let again = start(&mut protocol, "a");
            assert_ne!(key, again);
            assert_eq!(closed(protocol.receive(&subscribe("a"))), 4409);
        }
    }

    #[test]
    fn what_an_ended_operation_still_says_is_not_sent() {
        let mut protocol = acknowledged(1);
        let old = start(&mut protocol, "a");
        protocol.receive(&complete("a"));
        let new = start(&mut protocol, "a");

        assert_eq!(protocol.envelope(old), None);
        assert_eq!(protocol.free(old), None);
        assert_eq!(protocol.envelope(new), Some(&Form::WebSocket.envelope("a")));
    }

    #[test]
    fn completing_what_does_not_run_is_no_fault() {
        assert!(matches!(acknowledged(1).receive(&complete("a")), Action::Nothing));
    }

    #[test]
    fn an_operation_too_many_is_an_error_of_its_own_and_the_socket_stays() {
        let mut protocol = acknowledged(2);
        start(&mut protocol, "a");
        start(&mut protocol, "b");

        let Action::Send(error) = protocol.receive(&subscribe("c")) else {
            panic!("not refused")
        };

        assert!(error.starts_with(r#"{"type":"error","id":"c","payload":[{"#), "{error}");
        assert!(error.contains("TOO_MANY_OPERATIONS"), "{error}");
        protocol.receive(&complete("a"));
        start(&mut protocol, "c");
    }

    #[test]
    fn pings_are_answered_at_any_time() {
        let ping = r#"{"type":"ping","payload":{"a":1}}"#;
        for mut protocol in [Protocol::new(1, 10_000), acknowledged(1)] {
            assert!(
                matches!(protocol.receive(ping), Action::Send(pong) if pong == r#"{"payload":{"a":1},"type":"pong"}"#)
            );
            assert!(matches!(protocol.receive(r#"{"type":"pong"}"#), Action::Nothing));
        }
    }

    #[test]
    fn noise_closes() {
        assert_eq!(closed(acknowledged(1).receive("noise")), 4400);
    }
}
