//! The log: every change is numbered without a gap in the order of the commits, or leaves nothing.

use allclear::domain::audience::Audience;
use allclear::domain::cursor::StreamId;
use allclear::entity::{audit, event};
use allclear::store;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, Statement};
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, noon};
use crate::support::for_each_database;
use crate::support::log::uuid;
use crate::support::words::id;

const HOUR: i64 = 60 * 60 * 1000;

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

#[tokio::test]
async fn nobody_is_rung_for_a_change_before_it_can_be_read() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let before = test.heads(&page).await.staff_head;
        let mut doorbell = test.app.store.doorbell();

        let posting = async {
            for turn in 0..20 {
                test.say(&incident, &format!("Update {turn}")).await;
            }
        };
        let listening = async {
            for rung in 1..=20 {
                assert_eq!(doorbell.recv().await.expect("it rings"), uuid(&page));
                assert!(test.heads(&page).await.staff_head >= before + rung);
            }
        };

        tokio::join!(posting, listening);
    })
    .await;
}

/// Everything that a change of a page may leave, counted.
async fn rows(test: &Test) -> Vec<i64> {
    let snapshot = test.app.store.read().await.expect("the database answers");
    let mut counts = Vec::new();
    for table in [
        "event",
        "audit",
        "incident",
        "timeline_update",
        "component_change",
        "idempotency_key",
    ] {
        let counted = Statement::from_string(
            snapshot.db().get_database_backend(),
            format!("SELECT COUNT(*) AS counted FROM {table}"),
        );
        let row = snapshot
            .db()
            .query_one_raw(counted)
            .await
            .expect("a count")
            .expect("a row");
        counts.push(row.try_get("", "counted").expect("a number"));
    }
    counts
}

#[tokio::test]
async fn a_mutation_that_is_refused_leaves_no_number_and_no_row() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let incident = test.incident(&page, "Checkout fails", Some(&component)).await;
        test.mutate("incidentResolve", json!({ "incident": incident }), "incident { id }")
            .await;
        let (heads, rows_before) = (test.heads(&page).await, rows(test).await);
        let mut doorbell = test.app.store.doorbell();

        let input = json!({ "incident": incident, "body": "Still.", "status": "MONITORING", "idempotencyKey": "k",
            "components": [{ "component": component, "status": "MAJOR_OUTAGE" }] });
        let refused = test.try_mutate("incidentUpdatePost", input, "update { id }").await;

        assert_eq!(refused["userErrors"][0]["code"], "ILLEGAL_TRANSITION");
        assert_eq!(test.heads(&page).await, heads);
        assert_eq!(rows(test).await, rows_before);
        assert!(doorbell.try_recv().is_err(), "nothing happened");
    })
    .await;
}

#[tokio::test]
async fn a_change_whose_last_row_fails_gives_its_number_back() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let (heads, rows_before) = (test.heads(&page).await, rows(test).await);
        refuse_moves(test).await;

        let input = json!({ "page": page, "title": "Checkout fails", "body": "We look.", "idempotencyKey": "k",
            "components": [{ "component": component, "status": "MAJOR_OUTAGE" }] });
        let document = "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) { incident { id } } }";
        let failed = test.answer(document, json!({ "input": input })).await;

        assert_eq!(failed["errors"][0]["extensions"]["code"], "INTERNAL");
        assert_eq!(test.heads(&page).await, heads);
        assert_eq!(rows(test).await, rows_before);

        test.incident(&page, "It works again", None).await;
        let next = test.events(&page).await.pop().expect("an event");
        assert_eq!(next.staff_number, heads.staff_head + 1);
    })
    .await;
}

/// Makes the database refuse the last event of an opening that moves a component.
async fn refuse_moves(test: &Test) {
    if test.is_postgres() {
        test.tamper(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH ROW
             WHEN (NEW.kind = 'component_status_changed') EXECUTE FUNCTION refuse()",
        )
        .await;
    } else {
        test.tamper(
            "CREATE TRIGGER refuse BEFORE INSERT ON event WHEN NEW.kind = 'component_status_changed'
             BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .await;
    }
}

#[tokio::test]
async fn what_the_staff_alone_hears_is_numbered_in_the_staffs_stream_alone() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        test.mutate("incidentResolve", json!({ "incident": incident }), "incident { id }")
            .await;

        for body in ["A draft", "A better one"] {
            let input = json!({ "incident": incident, "body": body });
            test.mutate("postmortemDraft", input, "incident { id }").await;
        }
        test.mutate("postmortemPublish", json!({ "incident": incident }), "incident { id }")
            .await;

        let told: Vec<_> = test
            .events(&page)
            .await
            .into_iter()
            .map(|event| (event.kind, event.staff_number, event.public_number))
            .collect();
        let expected = [
            ("page_created", 1, Some(1)),
            ("incident_opened", 2, Some(2)),
            ("incident_resolved", 3, Some(3)),
            ("postmortem_drafted", 4, None),
            ("postmortem_drafted", 5, None),
            ("postmortem_published", 6, Some(4)),
        ];
        assert_eq!(
            told,
            expected.map(|(kind, staff, public)| (kind.to_owned(), staff, public))
        );
    })
    .await;
}

#[tokio::test]
async fn every_change_says_who_made_it_with_which_request() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let input = json!({ "page": page, "title": "Checkout fails", "body": "We look.",
            "components": [{ "component": component, "status": "MAJOR_OUTAGE" }] });
        let document = "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) { incident { id } } }";

        let response = test
            .http
            .post(format!("http://{}/graphql", test.address))
            .bearer_auth(ADMIN)
            .header("x-request-id", "trace-4711")
            .json(&json!({ "query": document, "variables": { "input": input } }))
            .send()
            .await
            .expect("the server answers");

        assert_eq!(response.headers()["x-request-id"], "trace-4711");
        let answer: Value = response.json().await.expect("the answer is JSON");
        let snapshot = test.app.store.read().await.expect("the database answers");
        let kept = audit::Entity::find()
            .order_by_asc(audit::Column::Id)
            .all(snapshot.db())
            .await
            .expect("the audit is read");
        let actions: Vec<&str> = kept.iter().map(|row| row.action.as_str()).collect();
        assert_eq!(actions, ["pageCreate", "componentCreate", "incidentOpen"]);
        let last = kept.last().expect("a row");
        assert_eq!((last.actor.as_str(), last.request_id.as_str()), ("admin", "trace-4711"));
        assert_eq!((last.at, last.page_id), (noon().millis(), Some(uuid(&page))));
        let incident = answer["data"]["incidentOpen"]["incident"]["id"]
            .as_str()
            .expect("an id");
        assert_eq!(
            (last.subject_kind.as_deref(), last.subject_id),
            (Some("incident"), Some(uuid(incident)))
        );
    })
    .await;
}

#[tokio::test]
async fn an_event_carries_what_stood_after_it() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        test.incident(&page, "Checkout fails", Some(&component)).await;

        let events = test.events(&page).await;

        let payloads: Vec<Value> = events.iter().map(payload).collect();
        assert!(
            payloads
                .iter()
                .all(|payload| payload["v"] == 1 && payload["page"]["slug"] == "shop")
        );
        let opened = &payloads[2];
        assert_eq!(opened["subject"]["incident"]["title"], "Checkout fails");
        assert_eq!(opened["subject"]["incident"]["updates"][0]["id"], opened["update"]);
        assert_eq!(opened["components"][0]["status"], "major_outage");
        let moved = &payloads[3];
        assert_eq!(moved["subject"]["component"]["name"], "Checkout");
        assert_eq!(moved["status_move"]["from"], "operational");
    })
    .await;
}

fn payload(event: &event::Model) -> Value {
    serde_json::from_str(&event.payload).expect("a payload is JSON")
}

#[tokio::test]
async fn the_time_of_events_never_goes_back_when_the_clock_does() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        test.app.clock.set(noon().plus_millis(2 * HOUR));
        test.say(&incident, "Two hours later").await;

        test.app.clock.set(noon().plus_millis(HOUR));
        test.say(&incident, "The clock went back").await;
        test.app.clock.set(noon().plus_millis(3 * HOUR));
        test.say(&incident, "And forth").await;

        let at: Vec<i64> = test.events(&page).await.iter().map(|event| event.at).collect();
        let hours: Vec<i64> = at.iter().map(|at| (at - noon().millis()) / HOUR).collect();
        assert_eq!(hours, [0, 0, 2, 2, 3]);
    })
    .await;
}
