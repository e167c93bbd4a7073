//! Documents that a request names by a hash instead of sending them: those that are known beforehand (`persisted`), and
//! those that clients have sent once (`memory`, Apollo's automatic persisted queries).

mod memory;
mod persisted;

use std::sync::{Mutex, PoisonError};

use async_graphql::{Request, Value};
use axum::http::StatusCode;
use sha2::{Digest, Sha256};

use super::{Config, RequestError};
use memory::Memory;
pub use persisted::{Persisted, Unusable};

/// The extension that names a document.
pub(super) const PERSISTED: &str = "persistedQuery";

/// What clients look for to send the document after all; so they do for the text `PersistedQueryNotFound`.
pub(super) const NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";

/// What clients look for to name no documents any more.
pub(super) const NOT_SUPPORTED: &str = "PERSISTED_QUERY_NOT_SUPPORTED";

/// How GraphQL over HTTP writes a SHA-256 as an id of a document.
const PREFIX: &str = "sha256:";

/// A SHA-256.
type Hash = [u8; 32];

/// The documents that can be named.
#[derive(Debug)]
pub(super) struct Documents {
    persisted: Persisted,
    only_persisted: bool,
    /// None where nothing is remembered.
    memory: Option<Mutex<Memory>>,
}

/// A document that was sent with its hash, to be remembered if it is fit to be executed.
#[derive(Debug)]
pub(super) struct Fresh {
    hash: Hash,
    text: String,
}

impl Documents {
    pub(super) fn new(config: &Config) -> Documents {
        let config = &config.documents;
        let remembers = config.remembered > 0 && !config.only_persisted;
        Documents {
            persisted: config.persisted.clone(),
            only_persisted: config.only_persisted,
            memory: remembers.then(|| Mutex::new(Memory::new(config.remembered, config.remembered_bytes))),
        }
    }

    /// Gives a request the document that it names, and says whether it is to be remembered.
    pub(super) fn find(&self, mut request: Request) -> Result<(Request, Option<Fresh>), RequestError> {
        let name = request.extensions.remove(PERSISTED).map(name).transpose()?;
        let sent = !request.query.is_empty();
        let fresh = match name {
            None if self.only_persisted && !self.persisted.knows_text(&request.query) => return Err(not_persisted()),
            None => None,
            Some(name) if sent => self.named_and_sent(&name, &request.query)?,
            Some(name) => {
                request.query = self.named(&name)?;
                None
            }
        };
        Ok((request, fresh))
    }

    fn named(&self, name: &str) -> Result<String, RequestError> {
        if let Some(text) = self.persisted.by_id(name) {
            return Ok(text.to_owned());
        }
        let Some(memory) = &self.memory else {
            return Err(match self.persisted.is_empty() {
                true => not_supported(),
                false => not_found(),
            });
        };
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        let text = parse(name).and_then(|hash| memory.get(&hash));
        text.map(|text| text.to_string()).ok_or_else(not_found)
    }

    fn named_and_sent(&self, name: &str, text: &str) -> Result<Option<Fresh>, RequestError> {
        // Nobody may have another's document run in place of this one, now or later.
        let hash = hash(text);
        if parse(name) != Some(hash) && self.persisted.by_id(name) != Some(text) {
            let message = "The document is not the one that its hash names.";
            return Err(RequestError::new(
                "PERSISTED_QUERY_HASH_MISMATCH",
                StatusCode::BAD_REQUEST,
                message,
            ));
        }
        if self.persisted.knows_text(text) {
            return Ok(None);
        }
        if self.only_persisted {
            return Err(not_persisted());
        }
        // A server that remembers nothing runs it all the same.
        Ok(self.memory.is_some().then(|| Fresh {
            hash,
            text: text.to_owned(),
        }))
    }

    /// Keeps a document for those who will name it.
    pub(super) fn remember(&self, fresh: Fresh) {
        if let Some(memory) = &self.memory {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.insert(fresh.hash, fresh.text.into());
        }
    }
}

/// Reads `{version: 1, sha256Hash: "…"}`.
fn name(extension: Value) -> Result<String, RequestError> {
    let malformed = |what: &str| Err(RequestError::malformed(format!("`extensions.{PERSISTED}` {what}.")));
    let Value::Object(mut members) = extension else {
        return malformed("must be an object");
    };
    match members.swap_remove("version") {
        Some(Value::Number(version)) if version.as_u64() == Some(1) => {}
        _ => return malformed("must be of version 1"),
    }
    match members.swap_remove("sha256Hash") {
        Some(Value::String(hash)) if !hash.is_empty() => Ok(hash),
        _ => malformed("must have a string `sha256Hash`"),
    }
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text).into()
}

/// A hash as clients write it.
fn parse(name: &str) -> Option<Hash> {
    let digits = name.strip_prefix(PREFIX).unwrap_or(name);
    let mut hash = Hash::default();
    hex::decode_to_slice(digits, &mut hash).ok()?;
    Some(hash)
}

fn not_found() -> RequestError {
    RequestError::new(NOT_FOUND, StatusCode::BAD_REQUEST, "PersistedQueryNotFound")
}

fn not_supported() -> RequestError {
    RequestError::new(NOT_SUPPORTED, StatusCode::BAD_REQUEST, "PersistedQueryNotSupported")
}

fn not_persisted() -> RequestError {
    let message = "This server runs only documents that it knows; name one by `documentId`.";
    RequestError::new("DOCUMENT_NOT_PERSISTED", StatusCode::BAD_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;
    use crate::transport::DocumentConfig;

    const DOCUMENT: &str = "{ hello }";

    fn hex(text: &str) -> String {
        hex::encode(hash(text))
    }

    fn documents(change: impl FnOnce(&mut DocumentConfig)) -> Documents {
        let mut config = Config::default();
        change(&mut config.documents);
        Documents::new(&config)
    }

    fn ask(documents: &Documents, query: &str, name: Option<&str>) -> Result<String, &'static str> {
        let mut request = Request::new(query);
        if let Some(name) = name {
            let extension = value!({"version": 1, "sha256Hash": name});
            request.extensions.insert(PERSISTED.to_owned(), extension);
        }
        let (request, fresh) = documents.find(request).map_err(|error| error.code)?;
        if let Some(fresh) = fresh {
            documents.remember(fresh);
        }
        assert!(!request.extensions.contains_key(PERSISTED));
        Ok(request.query)
    }

    #[test]
    fn a_document_is_remembered_once_it_was_sent_with_its_hash() {
        let documents = documents(|_| {});
        let name = hex(DOCUMENT);

        assert_eq!(ask(&documents, "", Some(&name)), Err(NOT_FOUND));
        assert_eq!(ask(&documents, DOCUMENT, None), Ok(DOCUMENT.to_owned()));
        assert_eq!(ask(&documents, "", Some(&name)), Err(NOT_FOUND));
        assert_eq!(ask(&documents, DOCUMENT, Some(&name)), Ok(DOCUMENT.to_owned()));
        for name in [&name, &name.to_uppercase(), &format!("sha256:{name}")] {
            assert_eq!(ask(&documents, "", Some(name)), Ok(DOCUMENT.to_owned()), "{name}");
        }
    }

    #[test]
    fn a_document_is_not_taken_under_the_hash_of_another() {
        let documents = documents(|_| {});
        let name = hex("{ other }");

        for wrong in [name.as_str(), "abc", "", "sha256:", &"é".repeat(32)] {
            let refused = ask(&documents, DOCUMENT, Some(wrong)).expect_err("another's hash");
            let expected = ["PERSISTED_QUERY_HASH_MISMATCH", "BAD_REQUEST"];
            assert!(expected.contains(&refused), "{wrong}: {refused}");
        }
        assert_eq!(ask(&documents, "", Some(&name)), Err(NOT_FOUND));
    }

    #[test]
    fn what_is_known_beforehand_is_found_by_the_hash_of_its_text_and_by_its_own_id() {
        let documents = documents(|config| config.persisted = Persisted::of([("md5-of-relay", DOCUMENT)]));

        for name in [
            hex(DOCUMENT),
            format!("sha256:{}", hex(DOCUMENT)),
            "md5-of-relay".to_owned(),
        ] {
            assert_eq!(ask(&documents, "", Some(&name)), Ok(DOCUMENT.to_owned()), "{name}");
            assert_eq!(
                ask(&documents, DOCUMENT, Some(&name)),
                Ok(DOCUMENT.to_owned()),
                "{name}"
            );
        }
        assert_eq!(ask(&documents, "", Some("another")), Err(NOT_FOUND));
    }

    #[test]
    fn where_only_persisted_documents_run_no_other_does_however_it_comes() {
        let documents = documents(|config| {
            config.persisted = Persisted::of([("a", DOCUMENT)]);
            config.only_persisted = true;
        });
        let other = "{ other }";

        assert_eq!(ask(&documents, other, None), Err("DOCUMENT_NOT_PERSISTED"));
        assert_eq!(ask(&documents, other, Some(&hex(other))), Err("DOCUMENT_NOT_PERSISTED"));
        assert_eq!(ask(&documents, "", Some(&hex(other))), Err(NOT_FOUND));
        assert_eq!(ask(&documents, "", None), Err("DOCUMENT_NOT_PERSISTED"));
        // It is known, so it does not matter that it is sent whole.
        assert_eq!(ask(&documents, DOCUMENT, None), Ok(DOCUMENT.to_owned()));
        assert_eq!(ask(&documents, "", Some("a")), Ok(DOCUMENT.to_owned()));
    }

    #[test]
    fn a_server_that_remembers_nothing_says_so_and_runs_what_is_sent() {
        let documents = documents(|config| config.remembered = 0);
        let name = hex(DOCUMENT);

        assert_eq!(ask(&documents, DOCUMENT, Some(&name)), Ok(DOCUMENT.to_owned()));
        assert_eq!(ask(&documents, "", Some(&name)), Err(NOT_SUPPORTED));
    }

    #[test]
    fn an_extension_of_another_form_is_malformed() {
        for extension in [
            value!(7),
            value!({}),
            value!({"version": 2, "sha256Hash": "a"}),
            value!({"version": 1}),
            value!({"version": 1, "sha256Hash": 7}),
            value!({"version": 1, "sha256Hash": ""}),
            value!({"sha256Hash": "a"}),
        ] {
            assert_eq!(
                name(extension.clone()).expect_err("malformed").code,
                "BAD_REQUEST",
                "{extension}"
            );
        }
    }
}
