//! Where the log cannot go on from a cursor, the reader is told so, with the page as it stands.

use allclear::domain::cursor::Cursor;
use serde_json::json;

use crate::support::database::{ADMIN, noon};
use crate::support::for_each_database;
use crate::support::log::number;

const DAY: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn a_cursor_of_another_epoch_is_reset() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let (watcher, cursor) = test.watch_from_now("shop").await;
        drop(watcher);
        test.tamper("UPDATE setting SET value = '0123456789abcdef' WHERE name = 'epoch'")
            .await;
        let restored = test.another().await;

        let mut back = restored.watch("shop", Some(&cursor)).await;
        let reset = back.expect("PageReset").await;
        restored.incident(&page, "After the restore", None).await;
        let next = back.expect("IncidentOpened").await;

        assert_eq!(reset["page"]["name"], "The shop service");
        assert_eq!(number(&reset["cursor"]), number(&cursor));
        assert_eq!(number(&next["cursor"]), number(&cursor) + 1);
        restored.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_cursor_whose_events_were_pruned_is_reset_and_one_at_the_floor_is_not() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let (mut watcher, start) = test.watch_from_now("shop").await;
        test.say(&incident, "one").await;
        let floor = watcher.expect("IncidentUpdatePosted").await["cursor"].clone();
        test.app.clock.set(noon().plus_millis(2 * DAY));
        test.say(&incident, "two").await;
        let pruned = test.app.store.prune(noon().plus_millis(DAY)).await.expect("it prunes");

        let mut from_floor = test.watch("shop", Some(&floor)).await;
        let mut from_start = test.watch("shop", Some(&start)).await;
        let next = from_floor.expect("IncidentUpdatePosted").await;
        let reset = from_start.expect("PageReset").await;

        assert!(pruned > 0);
        assert_eq!(next["update"]["body"], "two");
        assert_eq!(reset["cursor"], next["cursor"]);
    })
    .await;
}

#[tokio::test]
async fn a_cursor_ahead_of_the_log_is_reset() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let (watcher, cursor) = test.watch_from_now("shop").await;
        drop(watcher);
        let mut ahead = Cursor::decode(cursor.as_str().expect("text")).expect("a cursor");
        ahead.number += 1;

        let mut back = test.watch("shop", Some(&json!(ahead.encode()))).await;
        let reset = back.expect("PageReset").await;
        test.incident(&page, "Checkout fails", None).await;
        let next = back.expect("IncidentOpened").await;

        assert_eq!(reset["cursor"], cursor);
        assert_eq!(number(&next["cursor"]), ahead.number);
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_is_told_when_events_were_pruned_before_it_could_read_them() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let (mut watcher, cursor) = test.watch_from_now("shop").await;

        // As another node leaves it that appends and prunes while this one cannot read.
        test.tamper(
            "UPDATE page_log SET staff_head = staff_head + 5, public_head = public_head + 5, \
             staff_floor = staff_head + 5, public_floor = public_head + 5",
        )
        .await;
        test.incident(&page, "Checkout fails", None).await;
        let reset = watcher.expect("PageReset").await;
        test.incident(&page, "Search fails", None).await;
        let next = watcher.expect("IncidentOpened").await;

        assert_eq!(number(&reset["cursor"]), number(&cursor) + 6);
        assert_eq!(next["incident"]["title"], "Search fails");
    })
    .await;
}

#[tokio::test]
async fn polling_from_a_cursor_that_cannot_be_gone_on_from_gives_one_reset() {
    for_each_database(async |test| {
        test.page("shop").await;
        let (watcher, cursor) = test.watch_from_now("shop").await;
        drop(watcher);
        let mut ahead = Cursor::decode(cursor.as_str().expect("text")).expect("a cursor");
        ahead.number += 7;

        let document = "query($after: Cursor) { page(slug: \"shop\") { cursor events(first: 5, after: $after) {
            nodes { __typename cursor } pageInfo { hasNextPage endCursor } } } }";
        let data = test.data(document, json!({ "after": ahead.encode() })).await;

        assert_eq!(
            data["page"],
            json!({ "cursor": cursor, "events": {
                "nodes": [{ "__typename": "PageReset", "cursor": cursor }],
                "pageInfo": { "hasNextPage": false, "endCursor": cursor } } })
        );
    })
    .await;
}

#[tokio::test]
async fn an_event_source_that_is_reset_is_told_where_it_goes_on() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let (watcher, cursor) = test.watch_from_now("shop").await;
        drop(watcher);
        let start = cursor.as_str().expect("a cursor");
        test.incident(&page, "Checkout fails", None).await;
        test.app.clock.set(noon().plus_millis(2 * DAY));
        test.incident(&page, "Search is slow", None).await;
        test.app.store.prune(noon().plus_millis(DAY)).await.expect("it prunes");
        let document = "subscription { pageEvents(page: \"shop\") { __typename cursor } }";
        let url = url::Url::parse_with_params(&test.graphql(), [("query", document)]).expect("a URL");

        let get = test.http.get(url.as_str()).bearer_auth(ADMIN);
        let get = get.header("accept", "text/event-stream").header("last-event-id", start);
        let mut response = get.send().await.expect("the server answers");
        let mut text = String::new();
        while !text.contains("IncidentOpened") {
            if text.contains("PageReset") {
                test.incident(&page, "And mail", None).await;
            }
            let chunk = response.chunk().await.expect("a chunk").expect("not the end");
            text += std::str::from_utf8(&chunk).expect("text");
        }

        let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
        assert_eq!(ids.len(), 2, "{text}");
        for id in ids {
            assert!(text.contains(&format!("\"cursor\":\"{id}\"")), "{text}");
        }
    })
    .await;
}
