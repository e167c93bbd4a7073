//! An answer as text, made once and sent to everybody who asked for the same.

use std::sync::Arc;

use async_graphql::Response;
use axum::body::Bytes;

use super::RequestId;
use super::answer::Answer;
use super::preflight::Manner;

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can be sent.
    Sound,
    /// It could not be made, for the database is away: a client must not take it for the item.
    Unavailable,
    /// It ends the subscription; the text is the errors that say why.
    Ended,
    /// A resolver panicked.
    Panicked,
}

/// One item of a subscription, as JSON. Clones share it.
#[derive(Clone, Debug)]
pub struct Rendering {
    pub(super) json: Bytes,
    pub(super) verdict: Verdict,
}

impl Rendering {
    /// Makes an item of what a subscription answered.
    pub async fn new(response: Response, request_id: &RequestId) -> Rendering {
        let answer = Answer::new(response, Manner::default(), request_id);
        Rendering {
            verdict: match answer.has_code("UNAVAILABLE") {
                true => Verdict::Unavailable,
                false => Verdict::Sound,
            },
            json: answer.into_json().await.into(),
        }
    }

    /// What ends a subscription, for the errors of an answer.
    pub fn ended(response: Response, request_id: &RequestId) -> Rendering {
        let answer = Answer::new(response, Manner::default(), request_id);
        Rendering {
            json: answer.errors_to_json().into(),
            verdict: Verdict::Ended,
        }
    }

    /// An item that nothing was executed for.
    #[cfg(test)]
    pub(super) fn of_text(json: String) -> Rendering {
        Rendering {
            json: json.into(),
            verdict: Verdict::Sound,
        }
    }

    /// What there is where a resolver panicked.
    pub fn panicked() -> Rendering {
        Rendering {
            json: Bytes::new(),
            verdict: Verdict::Panicked,
        }
    }

    /// Whether asking again would bring the same.
    pub fn is_lasting(&self) -> bool {
        matches!(self.verdict, Verdict::Sound | Verdict::Ended)
    }

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        self.json.len()
    }
}

/// What is sent as one item, and where a client may resume after it.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) json: Bytes,
    pub(super) cursor: Option<Arc<str>>,
}

impl From<String> for Payload {
    fn from(json: String) -> Payload {
        Payload {
            json: json.into(),
            cursor: None,
        }
    }
}
