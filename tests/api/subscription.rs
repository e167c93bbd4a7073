//! Following a page: a snapshot, then everything in order, each once, however often the reader goes and comes back.

mod ending;
mod fair;
mod filter;
mod folded;
mod many;
mod replay;
mod reset;
mod snapshot;
mod stalled;

use serde_json::json;

use crate::support::database::ADMIN;
use crate::support::for_each_database;
use crate::support::log::number;

#[tokio::test]
async fn a_subscriber_sees_the_page_first_and_then_strictly_what_comes_after() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let document = "subscription { pageEvents(page: \"shop\") { __typename cursor
            ... on PageSnapshot { page { slug incidents(first: 5) { nodes { title } } } }
            ... on IncidentUpdatePosted { update { body } } } }";

        let mut subscription = test.subscribe(document, json!({}), None).await;
        let first = subscription.next().await["pageEvents"].clone();
        test.say(&incident, "We found it").await;
        let second = subscription.next().await["pageEvents"].clone();

        assert_eq!(first["__typename"], "PageSnapshot");
        assert_eq!(
            first["page"],
            json!({ "slug": "shop", "incidents": { "nodes": [{ "title": "Checkout fails" }] } })
        );
        assert_eq!(second["update"]["body"], "We found it");
        assert_eq!(number(&second["cursor"]), number(&first["cursor"]) + 1);
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_that_returns_with_its_cursor_misses_nothing_and_meets_nothing_twice() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let (mut watcher, _) = test.watch_from_now("shop").await;
        test.say(&incident, "one").await;
        test.say(&incident, "two").await;
        let handled = watcher.expect("IncidentUpdatePosted").await["cursor"].clone();
        // The second was sent as well, and is lost with the socket.
        drop(watcher);

        test.say(&incident, "three").await;
        let mut back = test.watch("shop", Some(&handled)).await;
        let mut heard = Vec::new();
        for _ in 0..2 {
            heard.push(back.expect("IncidentUpdatePosted").await["update"]["body"].clone());
        }
        test.say(&incident, "four").await;
        heard.push(back.expect("IncidentUpdatePosted").await["update"]["body"].clone());

        assert_eq!(heard, ["two", "three", "four"]);
    })
    .await;
}

/// More than a ring holds (`live/ring.rs`).
const FAR: usize = 1_100;

#[tokio::test]
async fn a_subscriber_that_is_further_behind_than_the_ring_reads_on_from_the_log() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let mut components = Vec::new();
        for index in 0..50 {
            components.push(test.component(&page, &format!("Part {index}")).await);
        }
        let incident = test.incident(&page, "Everything blinks", None).await;
        // Holds the ring, which moves on.
        let (mut staying, start) = test.watch_from_now("shop").await;
        for turn in 0..FAR.div_ceil(components.len() + 1) {
            let status = ["MAJOR_OUTAGE", "OPERATIONAL"][turn % 2];
            let named: Vec<_> = components
                .iter()
                .map(|component| json!({ "component": component, "status": status }))
                .collect();
            let input = json!({ "incident": incident, "body": format!("Turn {turn}"), "components": named });
            test.mutate("incidentUpdatePost", input, "update { id }").await;
        }
        let head = test.heads(&page).await.staff_head as u64;
        while number(&staying.next().await["cursor"]) < head {}

        let mut back = test.watch("shop", Some(&start)).await;
        let mut numbers = Vec::new();
        while numbers.last() != Some(&head) {
            numbers.push(number(&back.next().await["cursor"]));
        }
        test.say(&incident, "And live again").await;
        let live = back.expect("IncidentUpdatePosted").await;

        assert_eq!(numbers, (number(&start) + 1..=head).collect::<Vec<_>>());
        assert!(numbers.len() >= FAR);
        assert_eq!(number(&live["cursor"]), head + 1);
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_is_none_and_one_of_another_stream_are_refused() {
    for_each_database(async |test| {
        test.page("shop").await;
        test.page("blog").await;
        let (_, staff) = test.watch_from_now("shop").await;
        let (_, other_page) = test.watch_from_now("blog").await;
        let mut public = test.watch_as(None, "shop", None, json!(null)).await;
        let public = public.expect("PageSnapshot").await["cursor"].clone();

        for (token, cursor, code) in [
            (Some(ADMIN), json!("no cursor"), "CURSOR_INVALID"),
            (Some(ADMIN), json!(""), "CURSOR_INVALID"),
            (Some(ADMIN), other_page, "CURSOR_WRONG_STREAM"),
            (Some(ADMIN), public, "CURSOR_WRONG_STREAM"),
            (None, staff, "CURSOR_WRONG_STREAM"),
        ] {
            let mut watcher = test.watch_as(token, "shop", Some(&cursor), json!(null)).await;

            assert_eq!(watcher.ending().await, ("error".to_owned(), json!(code)), "{cursor}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_that_is_not_there_cannot_be_followed() {
    for_each_database(async |test| {
        let input = json!({ "slug": "secret", "name": "Secret", "visibility": "PRIVATE" });
        test.mutate("pageCreate", input, "page { id }").await;

        for slug in ["secret", "nowhere"] {
            let mut watcher = test.watch_as(None, slug, None, json!(null)).await;

            assert_eq!(
                watcher.ending().await,
                ("error".to_owned(), json!("PAGE_NOT_FOUND")),
                "{slug}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_public_hears_nothing_of_drafts_and_finds_no_gap_where_they_are() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let document = "subscription { pageEvents(page: \"shop\") { __typename cursor
            ... on PostmortemPublished { incident { postmortem { body draft } } }
            ... on IncidentAmended { incident { postmortem { body draft } } } } }";
        let mut public = test.subscribe(document, json!({}), None).await;
        let mut staff = test.subscribe(document, json!({}), Some(ADMIN)).await;
        public.next().await;
        staff.next().await;

        test.mutate("incidentResolve", json!({ "incident": incident }), "incident { id }")
            .await;
        for (mutation, input) in [
            (
                "postmortemDraft",
                json!({ "incident": incident, "body": "A secret draft" }),
            ),
            ("postmortemPublish", json!({ "incident": incident })),
            (
                "postmortemDraft",
                json!({ "incident": incident, "body": "The next secret" }),
            ),
            (
                "incidentAmend",
                json!({ "incident": incident, "title": "Checkout failed" }),
            ),
        ] {
            test.mutate(mutation, input, "incident { id }").await;
        }

        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.push(public.next().await["pageEvents"].clone());
        }
        let kinds: Vec<_> = heard.iter().map(|event| event["__typename"].clone()).collect();
        assert_eq!(kinds, ["IncidentResolved", "PostmortemPublished", "IncidentAmended"]);
        let numbers: Vec<u64> = heard.iter().map(|event| number(&event["cursor"])).collect();
        assert_eq!(numbers, [3, 4, 5]);
        let published = json!({ "postmortem": { "body": "A secret draft", "draft": null } });
        assert_eq!((&heard[1]["incident"], &heard[2]["incident"]), (&published, &published));

        let mut kinds = Vec::new();
        for _ in 0..5 {
            kinds.push(staff.next().await["pageEvents"]["__typename"].clone());
        }
        assert_eq!(
            kinds,
            [
                "IncidentResolved",
                "PostmortemDrafted",
                "PostmortemPublished",
                "PostmortemDrafted",
                "IncidentAmended"
            ]
        );
    })
    .await;
}
