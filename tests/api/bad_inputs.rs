//! Bad input, row by row: what the API is promised to answer, that nothing comes of it, and that no row goes untested.
//!
//! A test that begins with `row_` and a number is of that row. Those that are about a topic, such as idempotency, stand with
//! it; the rest is here. Whatever is a GraphQL operation is sent over HTTP and over a WebSocket, on both databases.

mod missing;
mod request;
mod rule;
mod sender;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use futures_util::FutureExt;
use serde_json::json;

use crate::support::database::ADMIN;
use crate::support::{for_each_database, harmless};

/// The rows: their number, what is sent, and what is answered.
const ROWS: [(usize, &str, &str); 40] = [
    (
        1,
        "a resolved incident moved without a reopen",
        "ILLEGAL_TRANSITION, with from, to and allowed",
    ),
    (
        2,
        "a version that is not the current one",
        "STALE_VERSION, with the current one",
    ),
    (3, "two updates that race with one version", "one of them is done"),
    (
        4,
        "a component that is nowhere",
        "COMPONENT_NOT_FOUND, at its place in the list",
    ),
    (
        5,
        "a component of another page",
        "COMPONENT_NOT_FOUND, as if it were nowhere",
    ),
    (6, "a component twice in one call", "DUPLICATE_COMPONENT"),
    (7, "an update dated before the incident began", "UPDATE_BEFORE_START"),
    (8, "a time more than five minutes ahead", "TIME_IN_FUTURE"),
    (9, "a maintenance that ends before it has begun", "INVALID_WINDOW"),
    (10, "a day, a year or a zone that is none", "BAD_USER_INPUT, 400"),
    (
        11,
        "an offset of 14 hours; a leap second",
        "taken as UTC; BAD_USER_INPUT, 400",
    ),
    (12, "a title of nothing that is seen", "TITLE_REQUIRED"),
    (
        13,
        "a title or a body that is too long",
        "TOO_LONG, with the most there may be after NFC",
    ),
    (
        14,
        "a body of too many bytes; a request of too many",
        "TOO_LONG; PAYLOAD_TOO_LARGE, 413, or 1009",
    ),
    (
        15,
        "a control character; a lone surrogate",
        "CONTROL_CHARACTER; 400, or 4400",
    ),
    (
        16,
        "emoji with joiners, stacked marks, scripts from the right",
        "kept as they are",
    ),
    (
        17,
        "an override of direction in a title; in a body",
        "CONTROL_CHARACTER; isolated when rendered",
    ),
    (
        18,
        "scripts, links and images that act",
        "kept as written, and inert as HTML",
    ),
    (19, "a slug that is none", "INVALID_SLUG, or null where it is read"),
    (20, "a slug that is taken", "SLUG_TAKEN"),
    (
        21,
        "an id of another type or version, or noise",
        "null where it is read, or not found",
    ),
    (22, "a key again, with the same input", "the first answer"),
    (23, "a key again, with another input", "IDEMPOTENCY_KEY_REUSED"),
    (24, "a key whose first call still runs", "IDEMPOTENCY_IN_PROGRESS"),
    (25, "a mangled cursor", "CURSOR_INVALID"),
    (26, "a cursor of another page or audience", "CURSOR_WRONG_STREAM"),
    (
        27,
        "a cursor that the log cannot go on from",
        "PageReset, with the page as it is",
    ),
    (
        28,
        "a list asked for by 0, by 101, from both ends, from none",
        "BAD_USER_INPUT",
    ),
    (
        29,
        "a private page, by somebody without the right",
        "as if it did not exist",
    ),
    (30, "a mutation with a viewer's token", "FORBIDDEN"),
    (
        31,
        "a token that is wrong, revoked or expired",
        "UNAUTHENTICATED, 401, in one text; 4403",
    ),
    (32, "a socket out of order", "4400, 4401, 4408, 4409, 4429"),
    (33, "a socket from a foreign origin", "403, before the upgrade"),
    (34, "a mutation by GET, or of another content type", "405; 415"),
    (35, "a batch", "BATCHING_DISABLED, 400; 4400"),
    (
        36,
        "a document past a limit",
        "DOCUMENT_TOO_COMPLEX, 400, with the limit",
    ),
    (
        37,
        "one key twice at the root of a mutation",
        "DUPLICATE_RESPONSE_KEY, 400",
    ),
    (
        38,
        "a subscription of two root fields",
        "GRAPHQL_VALIDATION_FAILED, 400",
    ),
    (
        39,
        "whatever, while the database is away",
        "UNAVAILABLE, 503, in time; 1013",
    ),
    (40, "what was taken off meanwhile", "not found"),
];

/// Rows of which something comes by right: one of two is done, a text is kept, or it is told of the database's return. They
/// are only held to log nothing at ERROR.
const TAKING_EFFECT: [usize; 5] = [3, 16, 18, 24, 39];

/// The rows that no WebSocket can send: they are about methods and content types.
const HTTP_ALONE: [usize; 1] = [34];

/// Ways to send something over a WebSocket, those that send it over HTTP too among them.
const BY_SOCKET: [&str; 8] = [
    ".told(",
    "refused_with(",
    "refused(",
    "socket(",
    "respond_over_socket(",
    "watch_as(",
    "connect_async(",
    "ws://",
];

/// The functions of each file of these tests: their names and their bodies.
fn functions(folder: &Path) -> Vec<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(functions(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
            let named = text.split("\nasync fn ").skip(1).map(|function| {
                let name = function.split(['(', '<']).next().unwrap_or_default().to_owned();
                let body = function.split("\n}\n").next().unwrap_or_default().to_owned();
                (name, body)
            });
            files.push(named.collect());
        }
    }
    files
}

/// What the tests of each row do, with what those functions of their file do that they call, and those that these call.
fn tests_by_row() -> BTreeMap<usize, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let mut rows: BTreeMap<usize, String> = BTreeMap::new();
    for file in functions(&folder) {
        let is_test = |name: &str| name.starts_with("row_");
        let called_by = |body: &str| -> String {
            let is_called = |name: &str| !is_test(name) && body.contains(&format!("{name}("));
            let called = file.iter().filter(|(name, _)| is_called(name));
            called.map(|(_, body)| body.as_str()).collect()
        };
        for (name, body) in file.iter().filter(|(name, _)| is_test(name)) {
            let number = name[4..].split('_').next().and_then(|number| number.parse().ok());
            let called = called_by(body);
            let does = rows.entry(number.expect("a row's number")).or_default();
            does.extend([body.as_str(), &called, &called_by(&called)]);
        }
    }
    rows
}

#[test]
fn every_row_has_a_test_and_every_such_test_a_row() {
    let numbers: Vec<usize> = ROWS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=ROWS.len()).collect::<Vec<_>>());
    assert!(
        ROWS.iter()
            .all(|(_, input, answer)| !input.is_empty() && !answer.is_empty())
    );

    assert_eq!(tests_by_row().into_keys().collect::<Vec<_>>(), numbers);
}

#[test]
fn the_tests_of_each_row_ask_both_databases_both_ways_and_look_for_harm() {
    let lacking = |words: &[&str], but: &[usize]| -> Vec<usize> {
        let lacks =
            |(number, does): &(usize, String)| !but.contains(number) && !words.iter().any(|word| does.contains(word));
        tests_by_row()
            .into_iter()
            .filter(lacks)
            .map(|(number, _)| number)
            .collect()
    };
    let none: [usize; 0] = [];

    assert_eq!(lacking(&["for_each_database"], &[]), none);
    assert_eq!(lacking(&["harmless("], &TAKING_EFFECT), none);
    assert_eq!(lacking(&["harmless(", "blameless("], &[]), none);
    assert_eq!(lacking(&BY_SOCKET, &HTTP_ALONE), none);
}

/// Whether something fails its test.
async fn fails(act: impl AsyncFnOnce()) -> bool {
    AssertUnwindSafe(act()).catch_unwind().await.is_err()
}

#[tokio::test]
async fn what_harms_is_seen() {
    for_each_database(async |test| {
        let page = test.page("harmed").await;
        let other = test.page("other").await;
        let incident = test.incident(&page, "Down", None).await;

        assert!(!fails(async || harmless(test, &page, async || {}).await).await);
        // No row more, and on another page.
        let rename = async || test.tamper("UPDATE page SET name = 'x' WHERE slug = 'other'").await;
        assert!(fails(async || harmless(test, &page, rename).await).await);
        let say = async || test.say(&incident, "News.").await;
        assert!(fails(async || harmless(test, &page, say).await).await);
        let complain = async || tracing::error!("it is our own fault");
        assert!(fails(async || harmless(test, &page, complain).await).await);
        let warn = async || tracing::warn!("it is somebody else's");
        assert!(!fails(async || harmless(test, &page, warn).await).await);
        let lose = async || test.tamper("DELETE FROM audit").await;
        assert!(fails(async || harmless(test, &other, lose).await).await);
    })
    .await;
}

#[tokio::test]
async fn what_is_told_differently_over_a_socket_is_seen() {
    for_each_database(async |test| {
        // Done the first time, and refused the second.
        let create = "mutation { pageCreate(input: { slug: \"x\", name: \"x\" }) { userErrors { code } } }";

        let told = async || {
            test.told(create, json!({}), Some(ADMIN)).await;
        };

        assert!(fails(told).await);
    })
    .await;
}
