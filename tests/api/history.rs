//! The past: a page as it stood at a time, and its log by polling.

use allclear::domain::cursor::{Cursor, Epoch};
use allclear::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::database::for_each_database_at_any_cost;
use crate::support::words::{code, each};
use crate::support::{for_each_database, harmless};

const SHOWN: &str = "name status { indicator } components { name status } componentGroups { name }
                     incidents(first: 9) { totalCount nodes { title status impact updates(first: 9) { totalCount } } }
                     activeIncidents { title } maintenances(first: 9) { nodes { title status } }
                     activeMaintenances { title }";

async fn as_of(test: &Test, at: &str) -> Value {
    let document = format!(r#"query($at: DateTime) {{ page(slug: "past", asOf: $at) {{ {SHOWN} }} }}"#);
    test.public_data(&document, json!({ "at": at })).await["page"].clone()
}

async fn now(test: &Test) -> Value {
    let document = format!(r#"{{ page(slug: "past") {{ {SHOWN} }} }}"#);
    test.public_data(&document, json!({})).await["page"].clone()
}

/// Does all that can become of a page, a minute apart; returns what was shown after each step.
async fn story(test: &Test) -> (String, Vec<(String, Value)>) {
    let mut steps = Vec::new();
    let page = test.page("past").await;
    let mut step = async || {
        steps.push((test.in_minutes(0), now(test).await));
        test.pass_minutes(1);
    };
    step().await;
    let group = test.group(&page, "Core").await;
    step().await;
    let search = test.component_in(&page, &group, "Search").await;
    let mail = test.component(&page, "Mail").await;
    step().await;
    let incident = test.incident(&page, "Search is down", Some(&search)).await;
    step().await;
    test.post(&incident, "IDENTIFIED", "Found it.").await;
    let input = json!({ "incident": incident, "title": "Search was down", "impactOverride": "MINOR" });
    test.mutate("incidentAmend", input, "incident { id }").await;
    step().await;
    test.resolve(&incident).await;
    step().await;
    let maintenance = test.maintenance(&page, "New disks", &mail, 600).await;
    step().await;
    test.mutate(
        "maintenanceStart",
        json!({ "maintenance": maintenance }),
        "maintenance { id }",
    )
    .await;
    step().await;
    test.mutate("componentGroupRemove", json!({ "group": group }), "group { id }")
        .await;
    step().await;
    test.mutate("componentArchive", json!({ "component": mail }), "component { id }")
        .await;
    step().await;
    test.mutate(
        "pageAmend",
        json!({ "page": page, "name": "Another name" }),
        "page { id }",
    )
    .await;
    step().await;
    (page, steps)
}

#[tokio::test]
async fn a_page_is_shown_as_it_stood_at_each_step() {
    for_each_database(async |test| {
        let (_, steps) = story(test).await;

        for (at, shown) in &steps {
            assert_eq!(as_of(test, at).await, *shown, "{at}");
        }
        let between = as_of(test, "2026-03-02T12:03:59.999Z").await;
        assert_eq!(between, steps[3].1);
        assert_eq!(as_of(test, "2030-01-01T00:00:00Z").await, now(test).await);
    })
    .await;
}

#[tokio::test]
async fn before_it_was_made_there_is_no_page() {
    for_each_database(async |test| {
        test.page("past").await;

        assert_eq!(as_of(test, "2026-03-02T11:59:59.999Z").await, Value::Null);
        assert_eq!(as_of(test, "1970-01-01T00:00:00Z").await, Value::Null);
        assert_ne!(as_of(test, "2026-03-02T12:00:00Z").await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_time_whose_events_are_gone_is_beyond_retention_and_later_ones_are_not() {
    for_each_database(async |test| {
        let (_, steps) = story(test).await;
        let kept_from = 6;

        let oldest = Timestamp::parse(&steps[kept_from].0).expect("an instant");
        let gone = test.app.store.prune(oldest).await.expect("the database answers");

        assert!(gone > 0);
        for (at, shown) in &steps[kept_from - 1..] {
            assert_eq!(as_of(test, at).await, *shown, "{at}");
        }
        let document = r#"query($at: DateTime) { page(slug: "past", asOf: $at) { name } }"#;
        for (at, _) in &steps[..kept_from - 1] {
            let answer = test.public_answer(document, json!({ "at": at })).await;
            assert_eq!(code(&answer), "BEYOND_RETENTION", "{at}");
        }
        assert_eq!(as_of(test, "2026-03-02T11:59:59Z").await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn an_event_shows_what_stood_at_that_event() {
    for_each_database_at_any_cost(async |test| {
        let (_, steps) = story(test).await;
        let document = format!(
            r#"{{ page(slug: "past") {{ events(first: 100) {{ nodes {{
                __typename at cursor page {{ cursor {SHOWN} }}
                ... on IncidentOpened {{ incident {{ title status impact }} update {{ body }} }}
            }} }} }} }}"#
        );

        let data = test.public_data(&document, json!({})).await;

        let events = data["page"]["events"]["nodes"].as_array().expect("a list");
        for (at, shown) in &steps {
            let last = events
                .iter()
                .rfind(|event| event["at"] == json!(at))
                .expect("an event of each step");
            let mut page = last["page"].clone();
            assert_eq!(page["cursor"], last["cursor"]);
            page.as_object_mut().expect("an object").remove("cursor");
            assert_eq!(page, *shown, "{at}");
        }
        let opened = events
            .iter()
            .find(|event| event["__typename"] == "IncidentOpened")
            .expect("one");
        assert_eq!(
            (&opened["incident"], &opened["update"]),
            (
                &json!({ "title": "Search is down", "status": "INVESTIGATING", "impact": "CRITICAL" }),
                &json!({ "body": "We are looking into it." })
            )
        );
    })
    .await;
}

async fn events(test: &Test, arguments: &str) -> Value {
    let document = format!(
        r#"{{ page(slug: "past") {{ cursor events({arguments}) {{
            edges {{ cursor }} pageInfo {{ hasNextPage endCursor }}
            nodes {{ __typename cursor ... on PageReset {{ page {{ name cursor }} }} }}
        }} }} }}"#
    );
    test.public_data(&document, json!({})).await["page"].clone()
}

#[tokio::test]
async fn the_log_is_polled_in_order_to_its_end_and_on() {
    for_each_database(async |test| {
        let (page, _) = story(test).await;
        let all = events(test, "first: 100").await;

        let (mut polled, mut after) = (Vec::new(), String::new());
        loop {
            let part = events(test, &format!("first: 3{after}")).await["events"].clone();
            assert_eq!(each(&part["edges"], "cursor"), each(&part["nodes"], "cursor"));
            polled.extend(each(&part["nodes"], "__typename"));
            after = format!(
                r#", after: "{}""#,
                part["pageInfo"]["endCursor"].as_str().expect("a cursor")
            );
            if part["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }

        assert_eq!(polled, each(&all["events"]["nodes"], "__typename"));
        assert_eq!(
            polled,
            [
                "PageCreated",
                "ComponentGroupCreated",
                "ComponentCreated",
                "ComponentCreated",
                "IncidentOpened",
                "ComponentStatusChanged",
                "IncidentUpdatePosted",
                "IncidentAmended",
                "IncidentResolved",
                "ComponentStatusChanged",
                "MaintenanceScheduled",
                "MaintenanceStarted",
                "ComponentStatusChanged",
                "ComponentAmended",
                "ComponentGroupRemoved",
                "ComponentArchived",
                "PageAmended",
            ]
        );
        assert_eq!(all["cursor"], all["events"]["pageInfo"]["endCursor"]);
        let end = events(test, &format!("first: 3{after}")).await["events"].clone();
        assert_eq!(
            (&end["nodes"], &end["pageInfo"]["hasNextPage"]),
            (&json!([]), &json!(false))
        );
        test.component(&page, "New").await;
        let next = events(test, &format!("first: 3{after}")).await["events"].clone();
        assert_eq!(each(&next["nodes"], "__typename"), ["ComponentCreated"]);
    })
    .await;
}

#[tokio::test]
async fn row_27_a_cursor_the_log_cannot_go_on_from_gives_a_reset() {
    for_each_database(async |test| {
        let (page, _) = story(test).await;
        let standing = events(test, "first: 1").await;
        let first = standing["events"]["pageInfo"]["endCursor"]
            .as_str()
            .expect("a cursor")
            .to_owned();
        let head = Cursor::decode(standing["cursor"].as_str().expect("a cursor")).expect("a sound one");
        let ahead = Cursor {
            number: head.number + 1,
            ..head
        };
        let foreign = Cursor {
            epoch: Epoch([7; 8]),
            ..head
        };
        test.app
            .store
            .prune(test.app.clock.now())
            .await
            .expect("the database answers");

        harmless(test, &page, async || {
            for cursor in [first, ahead.encode(), foreign.encode()] {
                let found = events(test, &format!(r#"first: 5, after: "{cursor}""#)).await;

                assert_eq!(each(&found["events"]["nodes"], "__typename"), ["PageReset"]);
                let reset = &found["events"]["nodes"][0];
                assert_eq!(reset["cursor"], found["cursor"]);
                assert_eq!(
                    reset["page"],
                    json!({ "name": "Another name", "cursor": found["cursor"] })
                );
                let cursor = json!(cursor);
                let mut follower = test.watch_as(None, "past", Some(&cursor), Value::Null).await;
                let reset = follower.expect("PageReset").await;
                assert_eq!(
                    (&reset["page"]["name"], &reset["cursor"]),
                    (&json!("Another name"), &found["cursor"])
                );
            }
        })
        .await;
        let standing = events(test, "first: 1").await;
        let head = Cursor::decode(standing["cursor"].as_str().expect("a cursor")).expect("a sound one");
        let on = events(test, &format!(r#"first: 5, after: "{}""#, head.encode())).await;
        assert_eq!(on["events"]["nodes"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn row_26_a_cursor_of_another_stream_and_one_that_is_none_are_refused() {
    for_each_database(async |test| {
        let page = test.page("past").await;
        test.page("other").await;
        let staff = test.data(r#"{ past: page(slug: "past") { cursor } }"#, json!({})).await;
        let other = test
            .public_data(r#"{ other: page(slug: "other") { cursor } }"#, json!({}))
            .await;
        let document =
            r#"query($after: Cursor) { page(slug: "past") { events(first: 5, after: $after) { nodes { at } } } }"#;

        harmless(test, &page, async || {
            for (cursor, expected) in [
                (&staff["past"]["cursor"], "CURSOR_WRONG_STREAM"),
                (&other["other"]["cursor"], "CURSOR_WRONG_STREAM"),
                (&json!("noise"), "CURSOR_INVALID"),
                (&json!(""), "CURSOR_INVALID"),
            ] {
                let (_, answer) = test.told(document, json!({ "after": cursor }), None).await;
                assert_eq!(code(&answer), expected);
                let mut follower = test.watch_as(None, "past", Some(cursor), Value::Null).await;
                assert_eq!(follower.ending().await, ("error".to_owned(), json!(expected)));
            }
            for first in [0, -1, 101] {
                let document = format!(r#"{{ page(slug: "past") {{ events(first: {first}) {{ nodes {{ at }} }} }} }}"#);
                let (_, answer) = test.told(&document, json!({}), None).await;
                assert_eq!(code(&answer), "BAD_USER_INPUT");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_log_that_was_pruned_begins_at_the_oldest_event_it_keeps() {
    for_each_database(async |test| {
        let (_, steps) = story(test).await;
        let oldest = Timestamp::parse(&steps[5].0).expect("an instant");

        test.app.store.prune(oldest).await.expect("the database answers");

        let kept = events(test, "first: 100").await;
        assert_eq!(
            each(&kept["events"]["nodes"], "__typename")[..3],
            ["IncidentResolved", "ComponentStatusChanged", "MaintenanceScheduled"]
        );
    })
    .await;
}

#[tokio::test]
async fn the_floor_of_the_public_log_does_not_go_back_when_only_the_staff_hears_of_something() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Search is slow", None).await;
        let early = test.public_data(CURSOR, json!({})).await["page"]["cursor"].clone();
        test.mutate("incidentResolve", json!({ "incident": incident }), "incident { id }")
            .await;
        let draft = async |body: &str| {
            test.pass_minutes(1);
            let input = json!({ "incident": incident, "body": body });
            test.mutate("postmortemDraft", input, "incident { id }").await;
            test.pass_minutes(1);
            test.app.store.prune(test.app.clock.now()).await.expect("it prunes");
        };

        draft("One.").await;
        draft("Two.").await;

        let polled = test.public_data(RESUME, json!({ "after": early })).await;
        assert_eq!(each(&polled["page"]["events"]["nodes"], "__typename"), ["PageReset"]);
    })
    .await;
}

const CURSOR: &str = r#"{ page(slug: "shop") { cursor } }"#;
const RESUME: &str =
    r#"query($after: Cursor) { page(slug: "shop") { events(first: 9, after: $after) { nodes { __typename } } } }"#;
