//! The log: every change is numbered without a gap in the order of the commits, or leaves nothing.

mod writers;

use allclear::entity::{audit, event};
use allclear::store::log;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, QuerySelect, Statement};
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, noon};
use crate::support::for_each_database;
use crate::support::log::uuid;

const HOUR: i64 = 60 * 60 * 1000;

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

#[tokio::test]
async fn the_newest_events_are_as_many_as_fit() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        for turn in 0..5 {
            test.say(&incident, &"ü".repeat(1_000 * (turn + 1))).await;
        }
        let view = test.app.store.read().await.expect("it can be read");
        let head = u64::try_from(test.heads(&page).await.staff_head).expect("a number");
        let page = uuid(&page);
        let rows = event::Entity::find()
            .order_by_desc(event::Column::StaffNumber)
            .limit(2)
            .all(view.db())
            .await
            .expect("rows");
        let two = rows[0].payload.len() + rows[1].payload.len();

        let after = async |most, bytes| {
            let newest = log::newest(view.db(), page, most, bytes).await;
            newest.expect("it can be read")
        };

        assert_eq!(after(100, usize::MAX).await, 0);
        assert_eq!(after(3, usize::MAX).await, head - 3);
        assert_eq!(after(100, two).await, head - 2);
        assert_eq!(after(100, two - 1).await, head - 1);
        assert_eq!(after(100, 0).await, head - 1);
        let nowhere = log::newest(view.db(), sea_orm::prelude::Uuid::nil(), 100, two).await;
        assert_eq!(nowhere.expect("it can be read"), 0);
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
