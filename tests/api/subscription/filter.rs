//! Wishes: who asks for part of a page hears that part, and how far the log has come.

use allclear::app::Settings;
use allclear::transport::Config;
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, for_each_database_with};
use crate::support::log::{Watcher, number};
use crate::support::words::id;

/// So short that a quiet subscriber soon hears how far it has come.
fn soon() -> Settings {
    Settings {
        heartbeat_millis: 20,
        ..Settings::default()
    }
}

/// What a watcher hears until it has come to a number, without the heartbeats.
async fn heard_until(watcher: &mut Watcher, head: u64) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let event = watcher.next().await;
        let position = number(&event["cursor"]);
        if event["__typename"] != "Heartbeat" {
            heard.push(event);
        }
        if position >= head {
            return heard;
        }
    }
}

struct Scene {
    page: String,
    group: String,
    in_group: String,
    single: String,
}

async fn scene(test: &Test) -> Scene {
    let page = test.page("shop").await;
    let input = json!({ "page": page, "name": "Core" });
    let group = id(&test.mutate("componentGroupCreate", input, "group { id }").await["group"]);
    let input = json!({ "page": page, "name": "Api", "group": group });
    let in_group = id(&test.mutate("componentCreate", input, "component { id }").await["component"]);
    let single = test.component(&page, "Mail").await;
    Scene {
        page,
        group,
        in_group,
        single,
    }
}

#[tokio::test]
async fn each_wish_lets_through_what_it_asks_for() {
    for_each_database_with(soon(), Config::default(), async |test| {
        let Scene {
            page,
            group,
            in_group,
            single,
        } = scene(test).await;
        let (_, start) = test.watch_from_now("shop").await;
        let api = test.incident(&page, "Api fails", Some(&in_group)).await;
        let plain = test.incident(&page, "Nobody knows", None).await;
        let input = json!({ "component": single, "status": "DEGRADED_PERFORMANCE" });
        test.mutate("componentStatusSet", input, "component { id }").await;
        test.say(&api, "We found it").await;
        test.say(&plain, "We know no more").await;
        test.mutate(
            "componentGroupAmend",
            json!({ "group": group, "name": "Kernel" }),
            "group { id }",
        )
        .await;
        test.mutate("pageAmend", json!({ "page": page, "name": "The shop" }), "page { id }")
            .await;
        let head = test.heads(&page).await.staff_head as u64;

        let all = [
            "IncidentOpened",
            "ComponentStatusChanged",
            "IncidentOpened",
            "ComponentStatusChanged",
            "IncidentUpdatePosted",
            "IncidentUpdatePosted",
            "ComponentGroupAmended",
            "PageAmended",
        ];
        for (filter, expected) in [
            (json!(null), &all[..]),
            (json!({}), &all[..]),
            (
                json!({ "components": [in_group] }),
                &["IncidentOpened", "ComponentStatusChanged", "IncidentUpdatePosted"],
            ),
            (json!({ "components": [single] }), &["ComponentStatusChanged"]),
            (
                json!({ "groups": [group] }),
                &[
                    "IncidentOpened",
                    "ComponentStatusChanged",
                    "IncidentUpdatePosted",
                    "ComponentGroupAmended",
                ],
            ),
            (
                json!({ "incidents": [plain] }),
                &["IncidentOpened", "IncidentUpdatePosted"],
            ),
            (
                json!({ "incidents": [api] }),
                &["IncidentOpened", "ComponentStatusChanged", "IncidentUpdatePosted"],
            ),
            (
                json!({ "components": [single], "incidents": [plain] }),
                &["IncidentOpened", "ComponentStatusChanged", "IncidentUpdatePosted"],
            ),
            (json!({ "kinds": ["PAGE_AMENDED"] }), &["PageAmended"]),
            (
                json!({ "kinds": ["INCIDENT_OPENED"], "incidents": [api] }),
                &["IncidentOpened"],
            ),
            (
                json!({ "minimumImpact": "MINOR", "kinds": ["INCIDENT_OPENED", "PAGE_AMENDED"] }),
                &["IncidentOpened", "PageAmended"],
            ),
            (json!({ "kinds": [] }), &[]),
        ] {
            let mut watcher = test.watch_as(Some(ADMIN), "shop", Some(&start), filter.clone()).await;

            let heard = heard_until(&mut watcher, head).await;

            let kinds: Vec<_> = heard.iter().map(|event| event["__typename"].clone()).collect();
            assert_eq!(kinds, expected, "{filter}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_heartbeat_says_how_far_a_quiet_subscription_has_come() {
    for_each_database_with(soon(), Config::default(), async |test| {
        let Scene { page, single, .. } = scene(test).await;
        let incident = test.incident(&page, "Nobody knows", None).await;
        let filter = json!({ "components": [single] });
        let mut watcher = test.watch_as(Some(ADMIN), "shop", None, filter.clone()).await;
        watcher.expect("PageSnapshot").await;
        test.say(&incident, "Not of interest").await;
        let head = test.heads(&page).await.staff_head as u64;
        let mut heartbeat = watcher.expect("Heartbeat").await;
        while number(&heartbeat["cursor"]) < head {
            heartbeat = watcher.expect("Heartbeat").await;
        }
        drop(watcher);

        test.say(&incident, "Not of interest either").await;
        let input = json!({ "component": single, "status": "MAJOR_OUTAGE" });
        test.mutate("componentStatusSet", input, "component { id }").await;
        let mut back = test
            .watch_as(Some(ADMIN), "shop", Some(&heartbeat["cursor"]), filter)
            .await;
        let heard = heard_until(&mut back, head + 2).await;

        assert_eq!(number(&heartbeat["cursor"]), head);
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0]["component"]["name"], "Mail");
    })
    .await;
}
