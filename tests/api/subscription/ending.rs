//! How subscriptions end: with their page.

use serde_json::{Value, json};

use crate::support::database::ADMIN;
use crate::support::for_each_database;
use crate::support::log::number;

#[tokio::test]
async fn a_subscription_ends_when_its_page_is_taken_off() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let mut watchers = Vec::new();
        // Whoever asks for something else hears of the end all the same.
        for (token, filter) in [
            (None, json!(null)),
            (Some(ADMIN), json!({ "kinds": ["INCIDENT_OPENED"] })),
        ] {
            let mut watcher = test.watch_as(token, "shop", None, filter).await;
            watcher.expect("PageSnapshot").await;
            watchers.push(watcher);
        }
        let variables = json!({ "id": incident });
        let changed = "subscription($id: ID!) { incidentChanged(id: $id) { title } }";
        let mut of_incident = test.subscribe(changed, variables, None).await;
        of_incident.next().await;

        test.mutate("pageArchive", json!({ "page": page }), "archivedPageId")
            .await;

        for watcher in &mut watchers {
            watcher.expect("PageArchived").await;
            assert_eq!(watcher.ending().await, ("complete".to_owned(), Value::Null));
        }
        assert_eq!(of_incident.socket.next().await["type"], "complete");
    })
    .await;
}

#[tokio::test]
async fn the_publics_subscription_ends_when_its_page_is_made_private_and_the_staffs_goes_on() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let mut public = test.watch_as(None, "shop", None, json!(null)).await;
        public.expect("PageSnapshot").await;
        let (mut staff, _) = test.watch_from_now("shop").await;
        let mut of_page = test
            .subscribe("subscription { pageChanged(page: \"shop\") { name } }", json!({}), None)
            .await;
        of_page.next().await;

        test.mutate(
            "pageAmend",
            json!({ "page": page, "visibility": "PRIVATE" }),
            "page { id }",
        )
        .await;
        test.incident(&page, "Behind closed doors", None).await;

        assert_eq!(public.ending().await, ("next".to_owned(), json!("PAGE_NOT_FOUND")));
        assert_eq!(public.ending().await, ("complete".to_owned(), Value::Null));
        assert_eq!(of_page.socket.next().await["type"], "complete");
        staff.expect("PageAmended").await;
        staff.expect("IncidentOpened").await;
    })
    .await;
}

#[tokio::test]
async fn who_returns_to_a_page_that_was_hidden_meanwhile_is_reset_to_what_it_shows_now() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let mut public = test.watch_as(None, "shop", None, json!(null)).await;
        let cursor = public.expect("PageSnapshot").await["cursor"].clone();
        drop(public);
        for visibility in ["PRIVATE", "PUBLIC"] {
            let input = json!({ "page": page, "visibility": visibility });
            test.mutate("pageAmend", input, "page { id }").await;
        }

        let mut back = test.watch_as(None, "shop", Some(&cursor), json!(null)).await;
        let reset = back.expect("PageReset").await;
        test.incident(&page, "Checkout fails", None).await;
        let next = back.expect("IncidentOpened").await;

        assert_eq!(number(&reset["cursor"]), number(&cursor) + 2);
        assert_eq!(number(&next["cursor"]), number(&cursor) + 3);
    })
    .await;
}
