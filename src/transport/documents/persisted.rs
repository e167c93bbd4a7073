//! Documents that are known beforehand: a folder of what the compilers of clients write.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use serde_json::{Map, Value as Json};

use super::{Hash, hash, parse};
use crate::transport::preflight::{self, Limits};

/// Documents by their ids and by their hashes.
#[derive(Clone, Debug, Default)]
pub struct Persisted(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By the SHA-256 of their text.
    by_hash: HashMap<Hash, Arc<str>>,
    /// By what else they are called: Relay and codegen may use other hashes, or numbers.
    by_id: HashMap<String, Arc<str>>,
    texts: HashSet<Arc<str>>,
}

/// A file from which documents cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("{}: cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{}: {}", .0.display(), .1)]
    Wrong(PathBuf, String),
    #[error("{}: holds no .graphql, .gql or .json file with a document", .0.display())]
    Empty(PathBuf),
}

impl Persisted {
    /// Reads a folder and those within it. Each `.graphql` or `.gql` file is a document. Each `.json` file is a map of
    /// ids to documents, as relay-compiler and graphql-codegen write it, or Apollo's manifest. Other files are passed
    /// over.
    ///
    /// A document past the limits would never be run: it is refused here, where somebody sees it.
    pub fn read(folder: &Path, limits: &Limits) -> Result<Persisted, Unusable> {
        let mut known = Known::default();
        known.read(folder, limits)?;
        match known.texts.is_empty() {
            true => Err(Unusable::Empty(folder.to_owned())),
            false => Ok(Persisted(Arc::new(known))),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.texts.is_empty()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&str> {
        let by_hash = || self.0.by_hash.get(&parse(id)?);
        self.0.by_id.get(id).or_else(by_hash).map(|text| &**text)
    }

    pub(super) fn knows_text(&self, text: &str) -> bool {
        self.0.texts.contains(text)
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(documents: [(&str, &str); N]) -> Persisted {
        let mut known = Known::default();
        for (id, text) in documents {
            known.take(Some(id), text);
        }
        Persisted(Arc::new(known))
    }
}

impl Known {
    fn read(&mut self, folder: &Path, limits: &Limits) -> Result<(), Unusable> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error| Unusable::Unreadable(path, error)
        };
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            let entry = entry.map_err(unreadable(folder))?;
            let path = entry.path();
            // Not through links: one that leads back would be followed for ever.
            if entry.file_type().map_err(unreadable(&path))?.is_dir() {
                self.read(&path, limits)?;
                continue;
            }
            let extension = path.extension().and_then(|extension| extension.to_str());
            let documents = match extension {
                Some("graphql" | "gql" | "json") => {
                    let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
                    match extension {
                        Some("json") => entries(&text).map_err(|what| Unusable::Wrong(path.clone(), what))?,
                        _ => vec![(None, text)],
                    }
                }
                _ => continue,
            };
            for (id, text) in documents {
                preflight::check_document(&text, limits).map_err(|error| {
                    let id = id.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
                    Unusable::Wrong(path.clone(), format!("{id}{}", error.message))
                })?;
                self.take(id.as_deref(), &text);
            }
        }
        Ok(())
    }

    /// A file ends in a line break that the client's text has not: the document is known either way.
    fn take(&mut self, id: Option<&str>, text: &str) {
        for text in [text, text.trim()] {
            let shared: Arc<str> = text.into();
            self.by_hash.insert(hash(text), Arc::clone(&shared));
            self.texts.insert(shared);
        }
        if let Some(id) = id {
            self.by_id.insert(id.to_owned(), text.into());
        }
    }
}

type Entry = (Option<String>, String);

/// The documents of a JSON file.
fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let whole: Json = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let Json::Object(mut members) = whole else {
        return Err("not a map of ids to documents".to_owned());
    };
    match members.remove("operations") {
        Some(Json::Array(operations)) => operations.iter().map(operation).collect(),
        Some(other) => {
            members.insert("operations".to_owned(), other);
            map(members)
        }
        None => map(members),
    }
}

/// `{"id": "document", …}`.
fn map(members: Map<String, Json>) -> Result<Vec<Entry>, String> {
    let entries = members.into_iter().map(|(id, document)| match document {
        Json::String(text) => Ok((Some(id), text)),
        _ => Err(format!("{id}: not a document")),
    });
    entries.collect()
}

/// `{"id": "…", "body": "document", …}`, as Apollo's manifest has it.
fn operation(operation: &Json) -> Result<Entry, String> {
    match (operation["id"].as_str(), operation["body"].as_str()) {
        (Some(id), Some(body)) => Ok((Some(id.to_owned()), body.to_owned())),
        _ => Err("an operation without `id` and `body`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        folder
    }

    #[test]
    fn documents_are_taken_from_files_of_each_kind() {
        let folder = folder(&[
            ("a.graphql", "query A { a }\n"),
            ("within/b.gql", "query B { b }"),
            ("relay.json", r#"{"0cc175b9c0f1b6a831c399e269772661": "query C { c }"}"#),
            (
                "apollo.json",
                r#"{"format": "apollo-persisted-query-manifest", "version": 1,
                    "operations": [{"id": "d1", "name": "D", "type": "query", "body": "query D { d }"}]}"#,
            ),
            ("README.md", "{"),
        ]);

        let persisted = Persisted::read(folder.path(), &Limits::default()).expect("documents");

        for (id, text) in [
            ("0cc175b9c0f1b6a831c399e269772661", "query C { c }"),
            ("d1", "query D { d }"),
        ] {
            assert_eq!(persisted.by_id(id), Some(text));
        }
        for text in ["query A { a }\n", "query A { a }", "query B { b }", "query C { c }"] {
            let id = hex::encode(hash(text));
            assert_eq!(persisted.by_id(&id), Some(text));
            assert!(persisted.knows_text(text));
        }
        assert_eq!(persisted.by_id("README.md"), None);
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_its_place() {
        for (name, text, what) in [
            ("a.graphql", "query A {", "Syntax error"),
            ("a.graphql", "", "Syntax error"),
            ("a.json", "[]", "not a map"),
            ("a.json", "{", "not JSON"),
            ("a.json", r#"{"x": 7}"#, "x: not a document"),
            ("a.json", r#"{"x": "{"}"#, "x: Syntax error"),
            ("a.json", r#"{"operations": [{"id": "x"}]}"#, "without `id` and `body`"),
            ("within/a.gql", &"{ a".repeat(50), "nesting"),
            ("a.txt", "{ a }", "no .graphql, .gql or .json"),
        ] {
            let folder = folder(&[(name, text)]);
            let error = Persisted::read(folder.path(), &Limits::default()).expect_err("unusable");
            assert!(error.to_string().contains(what), "{name}: {error}");
        }
        let missing = Persisted::read(Path::new("/nowhere/at/all"), &Limits::default()).expect_err("no folder");
        assert!(missing.to_string().contains("/nowhere/at/all"));
    }
}
