//! Keys that make a repeated call have one effect, and versions that let one of two writers win.

use allclear::store::Author;
use futures_util::future::{join_all, select};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test};
use crate::support::words::id;
use crate::support::{blameless, for_each_database, harmless, unchanged};

async fn open(test: &Test, page: &str, key: &str, title: &str) -> Value {
    let input = json!({ "page": page, "title": title, "body": "Down.", "idempotencyKey": key });
    test.try_mutate("incidentOpen", input, "incident { id version title } update { id }")
        .await
}

const POST: &str = "mutation($input: IncidentUpdatePostInput!) { incidentUpdatePost(input: $input) {
    incident { version } userErrors { code ... on StaleVersion { current } } } }";

async fn count(test: &Test, page: &str) -> Value {
    let shown = test.thing("Page", page, "incidents(first: 1) { totalCount }").await;
    shown["incidents"]["totalCount"].clone()
}

fn is_in_progress(answer: &Value) -> bool {
    answer["userErrors"][0]["code"] == "IDEMPOTENCY_IN_PROGRESS"
}

#[tokio::test]
async fn fifty_racing_copies_have_one_effect() {
    for_each_database(async |test| {
        let page = test.page("race").await;
        let other = test.another().await;

        // Two servers on one database where it can be shared.
        let server = |number: usize| {
            if test.is_postgres() && number % 2 == 1 {
                &other
            } else {
                test
            }
        };
        let answers = join_all((0..50).map(|number| open(server(number), &page, "key-1", "Down"))).await;

        let first = open(test, &page, "key-1", "Down").await;
        assert_eq!(first["userErrors"], json!([]));
        assert!(answers.contains(&first));
        for answer in answers {
            assert!(answer == first || is_in_progress(&answer), "{answer:#}");
        }
        assert_eq!(count(test, &page).await, 1);
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn row_22_the_first_answer_comes_again_although_the_thing_has_changed() {
    for_each_database(async |test| {
        let page = test.page("again").await;
        let first = open(test, &page, "key-1", "Down").await;
        test.post(&id(&first["incident"]), "IDENTIFIED", "Found it.").await;

        let again = harmless(test, &page, async || {
            let input = json!({ "page": page, "title": "Down", "body": "Down.", "idempotencyKey": "key-1" });
            let document = "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) {
                incident { id version title } update { id } userErrors { code } } }";
            let (_, answer) = test.told(document, json!({ "input": input }), Some(ADMIN)).await;
            answer["data"]["incidentOpen"].clone()
        })
        .await;

        assert_eq!(again, first);
        assert_eq!(again["incident"]["version"], 1);
    })
    .await;
}

#[tokio::test]
async fn every_mutation_that_appends_takes_a_key() {
    for_each_database(async |test| {
        let page = test.page("all").await;
        let component = test.component(&page, "Search").await;
        let incident = test.incident(&page, "Down", Some(&component)).await;
        let over = test.incident(&page, "Over", None).await;
        test.resolve(&over).await;
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
        let window = json!({
            "page": page, "title": "More", "body": "Disks.", "scheduledFor": test.in_minutes(60),
            "scheduledUntil": test.in_minutes(90),
        });
        let backfill = json!({ "page": page, "title": "Old", "updates": [
            { "status": "RESOLVED", "body": "Over.", "displayAt": "2026-03-01T12:00:00Z" },
        ] });

        for (number, (field, thing, input)) in [
            ("pageCreate", "page", json!({ "slug": "new", "name": "New" })),
            ("componentGroupCreate", "group", json!({ "page": page, "name": "Core" })),
            ("componentCreate", "component", json!({ "page": page, "name": "Mail" })),
            ("incidentBackfill", "incident", backfill),
            (
                "incidentUpdatePost",
                "incident",
                json!({ "incident": incident, "body": "News." }),
            ),
            ("incidentResolve", "incident", json!({ "incident": incident })),
            (
                "incidentReopen",
                "incident",
                json!({ "incident": incident, "reason": "Again." }),
            ),
            (
                "postmortemDraft",
                "incident",
                json!({ "incident": over, "body": "Learnt." }),
            ),
            ("postmortemPublish", "incident", json!({ "incident": over })),
            ("maintenanceSchedule", "maintenance", window),
            (
                "maintenanceUpdatePost",
                "maintenance",
                json!({ "maintenance": maintenance, "body": "Soon." }),
            ),
            ("maintenanceStart", "maintenance", json!({ "maintenance": maintenance })),
            (
                "maintenanceComplete",
                "maintenance",
                json!({ "maintenance": maintenance }),
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let mut input = input;
            input["idempotencyKey"] = json!(format!("key-{number}"));
            let selection = format!("{thing} {{ id version }}");
            let first = test.mutate(field, input.clone(), &selection).await;

            let again = unchanged(test, &page, async || test.mutate(field, input, &selection).await).await;

            assert_eq!(again, first, "{field}");
        }
    })
    .await;
}

#[tokio::test]
async fn row_23_a_key_with_another_input_or_of_another_mutation_is_refused() {
    for_each_database(async |test| {
        let page = test.page("reused").await;
        let first = open(test, &page, "key-1", "Down").await;

        harmless(test, &page, async || {
            let other = open(test, &page, "key-1", "Up").await;
            assert_eq!(other["incident"], Value::Null);
            let path = ["input", "idempotencyKey"];
            let input = json!({ "page": page, "title": "Up", "body": "Down.", "idempotencyKey": "key-1" });
            test.refused_with("incidentOpen", input, "IDEMPOTENCY_KEY_REUSED", &path)
                .await;
            let input = json!({ "incident": first["incident"]["id"], "body": "News.", "idempotencyKey": "key-1" });
            test.refused_with("incidentUpdatePost", input, "IDEMPOTENCY_KEY_REUSED", &path)
                .await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_call_that_was_refused_does_not_use_its_key_up() {
    for_each_database(async |test| {
        let page = test.page("retry").await;

        unchanged(test, &page, async || {
            let refused = open(test, &page, "key-1", " ").await;
            assert_eq!(refused["userErrors"][0]["code"], "TITLE_REQUIRED");
        })
        .await;
        let mended = open(test, &page, "key-1", "Down").await;

        assert_eq!(mended["userErrors"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_key_is_kept_for_a_day() {
    for_each_database(async |test| {
        let page = test.page("day").await;
        let first = open(test, &page, "key-1", "Down").await;

        test.pass_minutes(24 * 60);
        assert_eq!(open(test, &page, "key-1", "Down").await, first);
        test.pass_minutes(1);
        let second = open(test, &page, "key-1", "Down").await;

        assert_ne!(second["incident"], first["incident"]);
        assert_eq!(count(test, &page).await, 2);
    })
    .await;
}

#[tokio::test]
async fn row_24_a_key_whose_first_call_still_runs_is_in_progress() {
    for_each_database(async |test| {
        let page = test.page("running").await;
        let author = Author::server("test");
        // SQLite has one writer, so a transaction holds up every other; PostgreSQL needs the row they all want.
        let held = test
            .app
            .store
            .begin(author, "test", &test.app.clock)
            .await
            .expect("a writer");
        if test.is_postgres() {
            let wanted = "SELECT 1 FROM page_log FOR UPDATE";
            held.db().execute_unprepared(wanted).await.expect("the row is free");
        }

        let calls = ["key-1", "key-1"].map(|key| Box::pin(open(test, &page, key, "Down")));
        let [one, two] = calls;
        let (refused, first) = blameless(async || {
            let (refused, running) = select(one, two).await.factor_first();
            // Nor does another way in get past the one that runs.
            let input = json!({ "page": page, "title": "Down", "body": "Down.", "idempotencyKey": "key-1" });
            let path = ["input", "idempotencyKey"];
            test.refused_with("incidentOpen", input, "IDEMPOTENCY_IN_PROGRESS", &path)
                .await;
            drop(held);
            (refused, running.await)
        })
        .await;

        assert!(is_in_progress(&refused), "{refused:#}");
        assert_eq!(refused["userErrors"][0]["field"], json!(["input", "idempotencyKey"]));
        assert_eq!(first["userErrors"], json!([]));
        assert_eq!(count(test, &page).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    for_each_database(async |test| {
        let page = test.page("none").await;

        unchanged(test, &page, async || {
            for key in ["", " ", "\u{0}", "ключ", &"k".repeat(201)] {
                let refused = open(test, &page, key, "Down").await;
                assert_eq!(refused["userErrors"][0]["code"], "INVALID_IDEMPOTENCY_KEY", "{key}");
            }
        })
        .await;
        assert_eq!(
            open(test, &page, &"k".repeat(200), "Down").await["userErrors"],
            json!([])
        );
    })
    .await;
}

#[tokio::test]
async fn row_03_of_two_racing_updates_with_one_version_exactly_one_succeeds() {
    for_each_database(async |test| {
        let page = test.page("versions").await;
        let incident = test.incident(&page, "Down", None).await;

        for version in 1..=10 {
            let post = async |body: &str| {
                let input = json!({ "incident": incident, "body": body, "expectedVersion": version });
                let variables = json!({ "input": input });
                let answer = match body {
                    "One." => test.answer(POST, variables).await,
                    _ => test.respond_over_socket(POST, variables, Some(ADMIN)).await,
                };
                answer["data"]["incidentUpdatePost"].clone()
            };
            let (one, two) = blameless(async || tokio::join!(post("One."), post("Two."))).await;

            let (won, lost) = if one["userErrors"] == json!([]) {
                (one, two)
            } else {
                (two, one)
            };
            assert_eq!(won["incident"]["version"], version + 1);
            assert_eq!(
                (&lost["userErrors"][0]["code"], &lost["userErrors"][0]["current"]),
                (&json!("STALE_VERSION"), &json!(version + 1))
            );
        }
        let shown = test
            .thing("Incident", &incident, "updates(first: 1) { totalCount }")
            .await;
        assert_eq!(shown["updates"]["totalCount"], 11);
    })
    .await;
}
