//! Readers that take nothing for a while, and what becomes of their page meanwhile. What they had coming they get, and then
//! what everybody else got: nothing of the time when they were not to see it.

use serde_json::{Value, json};

use crate::support::client::Subscription;
use crate::support::database::Test;
use crate::support::for_each_database;
use crate::support::log::number;

/// Bytes of each update's text.
const TEXT: usize = 20_000;

/// How often each is asked for: one event is then more than the kernel holds for a reader.
const TIMES: usize = 100;

/// A page, an incident on it, and a reader of the public's that takes none of three updates.
async fn stalled(test: &Test) -> (String, String, Subscription) {
    let page = test.page("shop").await;
    let incident = test.incident(&page, "Checkout fails", None).await;
    let texts: String = (0..TIMES).map(|time| format!("a{time}: body ")).collect();
    let document = format!(
        "subscription {{ pageEvents(page: \"shop\") {{ __typename cursor ... on IncidentUpdatePosted {{ update {{ {texts} }} }} }} }}"
    );
    let mut reader = test.subscribe(&document, json!({}), None).await;
    assert_eq!(reader.next().await["pageEvents"]["__typename"], "PageSnapshot");
    for post in ["a", "b", "c"] {
        test.say(&incident, &post.repeat(TEXT)).await;
    }
    reader.socket.something_unread().await;
    (page, incident, reader)
}

/// What each of the updates that it had coming says, in short; and the cursor of the last.
async fn posts(reader: &mut Subscription) -> (Vec<Value>, Value) {
    let (mut said, mut cursor) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let event = reader.next().await["pageEvents"].take();
        let text = event["update"]["a0"].as_str().expect("a text");
        said.push(json!(text[..1]));
        assert_eq!(event["update"][format!("a{}", TIMES - 1)], text);
        cursor = event["cursor"].clone();
    }
    (said, cursor)
}

async fn amend(test: &Test, page: &str, visibility: &str) {
    let input = json!({ "page": page, "visibility": visibility });
    test.mutate("pageAmend", input, "page { id }").await;
}

#[tokio::test]
async fn who_takes_nothing_while_a_page_is_hidden_and_shown_is_reset_to_what_it_shows_now() {
    for_each_database(async |test| {
        let (page, incident, mut reader) = stalled(test).await;
        amend(test, &page, "PRIVATE").await;
        test.incident(&page, "Behind closed doors", None).await;
        amend(test, &page, "PUBLIC").await;
        test.say(&incident, "Before anything was read.").await;

        let (said, cursor) = posts(&mut reader).await;
        let reset = reader.next().await["pageEvents"].take();
        test.say(&incident, "After that.").await;
        let next = reader.next().await["pageEvents"].take();

        assert_eq!(said, [json!("a"), json!("b"), json!("c")]);
        assert_eq!(reset["__typename"], "PageReset");
        // The page's farewell, its return and the update before anything was read; nothing of what was behind closed doors.
        assert_eq!(number(&reset["cursor"]), number(&cursor) + 3);
        assert_eq!(
            (&next["__typename"], number(&next["cursor"])),
            (&json!("IncidentUpdatePosted"), number(&reset["cursor"]) + 1)
        );
        assert_eq!(next["update"]["a0"], "After that.");
    })
    .await;
}

#[tokio::test]
async fn who_takes_nothing_while_a_page_is_hidden_for_good_hears_what_came_before_and_that_it_is_gone() {
    for_each_database(async |test| {
        let (page, _, mut reader) = stalled(test).await;
        amend(test, &page, "PRIVATE").await;
        test.incident(&page, "Behind closed doors", None).await;

        let (said, _) = posts(&mut reader).await;
        let gone = reader.socket.next().await;

        assert_eq!(said, [json!("a"), json!("b"), json!("c")]);
        let errors = &gone["payload"]["errors"];
        assert_eq!(errors[0]["extensions"]["code"], "PAGE_NOT_FOUND", "{gone:#}");
        assert_eq!(reader.socket.next().await["type"], "complete");
    })
    .await;
}

#[tokio::test]
async fn who_takes_nothing_while_a_page_is_taken_off_hears_so_after_what_came_before() {
    for_each_database(async |test| {
        let (page, _, mut reader) = stalled(test).await;
        test.mutate("pageArchive", json!({ "page": page }), "archivedPageId")
            .await;

        let (said, cursor) = posts(&mut reader).await;
        let archived = reader.next().await["pageEvents"].take();

        assert_eq!(said, [json!("a"), json!("b"), json!("c")]);
        assert_eq!(archived["__typename"], "PageArchived");
        assert_eq!(number(&archived["cursor"]), number(&cursor) + 1);
        assert_eq!(reader.socket.next().await["type"], "complete");
    })
    .await;
}
