//! Many writers at once, and readers who read along.

use allclear::domain::audience::Audience;
use allclear::domain::cursor::StreamId;
use allclear::store;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::database::Test;
use crate::support::for_each_database;
use crate::support::log::uuid;
use crate::support::words::id;

/// A page with something of each kind that writers change.
struct Scene {
    slug: &'static str,
    page: String,
    group: String,
    components: Vec<String>,
    incident: String,
    resolved: String,
}

async fn scene(test: &Test, slug: &'static str) -> Scene {
    let page = test.page(slug).await;
    let input = json!({ "page": page, "name": "Core" });
    let group = id(&test.mutate("componentGroupCreate", input, "group { id }").await["group"]);
    let mut components = Vec::new();
    for name in ["Api", "Search", "Mail", "Web"] {
        components.push(test.component(&page, name).await);
    }
    let incident = test.incident(&page, "Search is slow", Some(&components[1])).await;
    let resolved = test.incident(&page, "Mail was late", None).await;
    test.mutate("incidentResolve", json!({ "incident": resolved }), "incident { id }")
        .await;
    Scene {
        slug,
        page,
        group,
        components,
        incident,
        resolved,
    }
}

/// One of the changes that the writers make, by turns.
async fn change(test: &Test, scene: &Scene, turn: usize) {
    let component = &scene.components[turn % scene.components.len()];
    let status = ["PARTIAL_OUTAGE", "OPERATIONAL", "MAJOR_OUTAGE"][turn % 3];
    let (mutation, input, selection) = match turn % 8 {
        0 => (
            "incidentOpen",
            json!({ "page": scene.page, "title": "One more", "body": "We look." }),
            "update { id }",
        ),
        1 => (
            "componentStatusSet",
            json!({ "component": component, "status": status }),
            "component { id }",
        ),
        2 => (
            "postmortemDraft",
            json!({ "incident": scene.resolved, "body": format!("Draft {turn}") }),
            "incident { id }",
        ),
        3 => (
            "pageAmend",
            json!({ "page": scene.page, "name": format!("Name {turn}"), "slug": format!("{}-{turn}", scene.slug) }),
            "page { id }",
        ),
        4 => (
            "componentMove",
            json!({ "component": component, "position": turn % 4, "group": if turn % 16 == 4 { Some(&scene.group) } else { None } }),
            "component { id }",
        ),
        5 => (
            "incidentUpdatePost",
            json!({ "incident": scene.incident, "body": "Moving both.",
                "components": scene.components.iter().rev().map(|one| json!({ "component": one, "status": status })).collect::<Vec<_>>() }),
            "update { id }",
        ),
        _ => (
            "incidentUpdatePost",
            json!({ "incident": scene.incident, "body": format!("Update {turn}") }),
            "update { id }",
        ),
    };
    test.mutate(mutation, input, selection).await;
}

/// Reads a stream as its readers do, from the start, while it grows: never a gap, never a number that comes late.
async fn read_along(test: &Test, scene: &Scene, audience: Audience, done: &tokio::sync::Notify) -> u64 {
    let stream = StreamId {
        page: uuid(&scene.page),
        audience,
    };
    let mut doorbell = test.app.store.doorbell();
    let mut last = 0;
    let mut is_last_look = false;
    loop {
        let snapshot = test.app.store.read().await.expect("the database answers");
        let entries = store::log::after(snapshot.db(), stream, last, 100)
            .await
            .expect("the log is read");
        drop(snapshot);
        for entry in &entries {
            let number = entry.number(audience).expect("an entry of this stream");
            assert_eq!(number, last + 1, "{audience:?}");
            last = number;
        }
        if entries.is_empty() && is_last_look {
            return last;
        }
        if entries.is_empty() {
            tokio::select! {
                _ = doorbell.recv() => {}
                () = done.notified() => is_last_look = true,
            }
        }
    }
}

#[tokio::test]
async fn two_hundred_writers_leave_numbers_without_a_gap_in_the_order_of_their_commits() {
    for_each_database(async |test| {
        let mut scenes = Vec::new();
        for slug in ["one", "two", "three", "four", "five"] {
            scenes.push(scene(test, slug).await);
        }
        // Half of the writers on the first page, the others on all.
        let writers = (0..200).map(|turn| {
            let page = if turn < 100 { 0 } else { turn % scenes.len() };
            change(test, &scenes[page], turn)
        });
        let (done_public, done_staff) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());

        let (_, public, staff) = tokio::join!(
            async {
                join_all(writers).await;
                done_public.notify_one();
                done_staff.notify_one();
            },
            read_along(test, &scenes[0], Audience::Public, &done_public),
            read_along(test, &scenes[0], Audience::Staff, &done_staff),
        );

        assert!(public < staff, "drafts are the staff's alone");
        for scene in &scenes {
            let events = test.events(&scene.page).await;
            let staff: Vec<i64> = events.iter().map(|event| event.staff_number).collect();
            let public: Vec<i64> = events.iter().filter_map(|event| event.public_number).collect();
            assert_eq!(staff, (1..=events.len() as i64).collect::<Vec<_>>());
            assert_eq!(public, (1..=public.len() as i64).collect::<Vec<_>>());
            let heads = test.heads(&scene.page).await;
            assert_eq!(
                (heads.staff_head, heads.public_head),
                (staff.len() as i64, public.len() as i64)
            );
            assert!(
                events
                    .iter()
                    .all(|event| (event.kind == "postmortem_drafted") == event.public_number.is_none())
            );
        }
    })
    .await;
}
