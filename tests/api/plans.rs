//! Every query that is made has an index: none reads the whole of a table that grows.

use std::collections::BTreeSet;

use allclear::commands::{Context, import, maintenance};
use allclear::statuspage::Capture;
use allclear::store::Author;
use serde_json::{Value, json};

use crate::support::database::{Test, noon};
use crate::support::for_each_database_unheld;
use crate::support::import::fixture;
use crate::support::plan::Planner;
use crate::support::statements::recorded;

const INCIDENT: &str = "title impact summary postmortem { body } affectedComponents { component { name } }
    updates(first: 5) { totalCount nodes { revisions { body } componentChanges { to } } }";
const MAINTENANCE: &str = "title components { name } updates(first: 5) { nodes { body } }";

/// Every list and every way to find a thing.
fn queries() -> Vec<String> {
    let page = |fields: &str| format!("{{ page(slug: \"shop\") {{ {fields} }} }}");
    let mut queries = vec![
        page("cursor status { indicator } componentGroups { status uptimePercentage } components { uptime { percentage } }"),
        page("components { statusChanges(first: 3) { totalCount nodes { to } } }"),
        page(&format!("activeIncidents {{ {INCIDENT} }} activeMaintenances {{ {MAINTENANCE} }} upcomingMaintenances {{ title }}")),
        page("events(first: 50) { nodes { __typename page { components { name } } } }"),
        page(&format!("maintenances(last: 5) {{ totalCount nodes {{ {MAINTENANCE} }} }}")),
        page("maintenances(first: 5, filter: { statuses: [COMPLETED, CANCELLED] }) { totalCount nodes { title } }"),
        "{ pages(first: 20) { totalCount nodes { components { name } activeIncidents { title } activeMaintenances { title } } } }".to_owned(),
        "{ pages(last: 20) { nodes { name } } }".to_owned(),
        "{ tokens(first: 5) { totalCount nodes { name pages { slug } } } }".to_owned(),
        "{ auditEntries(first: 5) { totalCount nodes { page { slug } subject { id } token { name } } } }".to_owned(),
        "{ auditEntries(last: 5) { nodes { action } } }".to_owned(),
        format!(
            "{{ page(slug: \"shop\", asOf: \"2026-03-02T12:00:00.000Z\") {{ components {{ name uptime {{ percentage }} }}
                componentGroups {{ name }} incidents(first: 5) {{ totalCount nodes {{ {INCIDENT} }} }}
                maintenances(first: 5) {{ nodes {{ {MAINTENANCE} }} }} cursor }} }}"
        ),
    ];
    // More than those whose incidents are collected.
    let many = vec!["\"AQPBA2rKcKhwQ6W_gjC8ZzMD\""; 20].join(", ");
    let by_many = format!("first: 5, filter: {{ components: [{many}] }}");
    for arguments in [
        by_many.as_str(),
        "first: 5",
        "last: 5",
        "first: 5, filter: { statuses: [RESOLVED] }",
        "first: 5, filter: { minimumImpact: MAJOR }",
        "first: 5, filter: { externalRef: \"r\" }",
        "first: 5, filter: { startedAfter: \"2026-01-01T00:00:00Z\", startedBefore: \"2027-01-01T00:00:00Z\" }",
        "first: 5, filter: { components: [\"AQPBA2rKcKhwQ6W_gjC8ZzMD\"] }",
    ] {
        let list = format!("incidents({arguments}) {{ totalCount nodes {{ {INCIDENT} }} }}");
        // What an event's page shows is of the past.
        queries.push(page(&format!("events(first: 2) {{ nodes {{ page {{ {list} }} }} }}")));
        queries.push(page(&list));
    }
    queries.push(page(
        "events(first: 2) { nodes { page { activeIncidents { title } activeMaintenances { title } componentGroups { name }
            maintenances(first: 5, filter: { statuses: [COMPLETED] }) { totalCount nodes { title } } } } }",
    ));
    queries
}

/// What the queries of a test take, and what gives their lists.
struct Recording {
    statements: BTreeSet<String>,
}

impl Recording {
    async fn ask(&mut self, test: &Test, document: &str, variables: Value) -> Value {
        let (data, statements) = test.recorded(document, variables).await;
        self.statements.extend(statements);
        data
    }

    async fn mutate(&mut self, test: &Test, field: &str, input: Value, selection: &str) -> Value {
        let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let document = format!(
            "mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code field }} }} }}"
        );
        let payload = self.ask(test, &document, json!({ "input": input })).await[field].clone();
        assert_eq!(payload["userErrors"], json!([]), "{field}");
        payload
    }
}

/// Makes one of each thing, and changes it in every way there is.
async fn change_everything(test: &Test, recording: &mut Recording) -> Vec<Value> {
    let run = async |recording: &mut Recording, field: &str, input: Value, thing: &str| -> Value {
        let payload = recording.mutate(test, field, input, &format!("{thing} {{ id }}")).await;
        payload[thing]["id"].clone()
    };
    let recording = &mut *recording;
    let page = run(
        recording,
        "pageCreate",
        json!({ "slug": "shop", "name": "Shop" }),
        "page",
    )
    .await;
    run(
        recording,
        "pageAmend",
        json!({ "page": page, "name": "The shop" }),
        "page",
    )
    .await;
    let group = json!({ "page": page, "name": "Core", "idempotencyKey": "a" });
    let group = run(recording, "componentGroupCreate", group, "group").await;
    run(
        recording,
        "componentGroupAmend",
        json!({ "group": group, "name": "Edge" }),
        "group",
    )
    .await;
    let mut components = Vec::new();
    for name in ["Api", "Mail"] {
        let input = json!({ "page": page, "group": group, "name": name });
        components.push(run(recording, "componentCreate", input, "component").await);
    }
    let component = &components[0];
    run(
        recording,
        "componentMove",
        json!({ "component": component, "position": 1 }),
        "component",
    )
    .await;
    run(
        recording,
        "componentAmend",
        json!({ "component": component, "name": "Web" }),
        "component",
    )
    .await;
    let input = json!({ "component": component, "status": "PARTIAL_OUTAGE" });
    run(recording, "componentStatusSet", input, "component").await;

    let input = json!({ "page": page, "title": "Api fails", "body": "We look.", "externalRef": "r", "idempotencyKey": "b",
        "components": [{ "component": component, "status": "MAJOR_OUTAGE" }] });
    let opened = recording
        .mutate(test, "incidentOpen", input, "incident { id } update { id }")
        .await;
    let (incident, update) = (&opened["incident"]["id"], &opened["update"]["id"]);
    let input = json!({ "incident": incident, "body": "Better.", "status": "MONITORING" });
    run(recording, "incidentUpdatePost", input, "incident").await;
    run(
        recording,
        "incidentUpdateEdit",
        json!({ "update": update, "body": "We looked." }),
        "incident",
    )
    .await;
    run(
        recording,
        "incidentAmend",
        json!({ "incident": incident, "title": "It fails" }),
        "incident",
    )
    .await;
    run(
        recording,
        "incidentResolve",
        json!({ "incident": incident }),
        "incident",
    )
    .await;
    run(
        recording,
        "incidentReopen",
        json!({ "incident": incident, "reason": "Again." }),
        "incident",
    )
    .await;
    run(
        recording,
        "incidentResolve",
        json!({ "incident": incident }),
        "incident",
    )
    .await;
    run(
        recording,
        "postmortemDraft",
        json!({ "incident": incident, "body": "Learnt." }),
        "incident",
    )
    .await;
    run(
        recording,
        "postmortemPublish",
        json!({ "incident": incident }),
        "incident",
    )
    .await;
    run(
        recording,
        "postmortemWithdraw",
        json!({ "incident": incident }),
        "incident",
    )
    .await;
    let input = json!({ "page": page, "title": "Old", "updates": [
        { "status": "INVESTIGATING", "body": "Old.", "displayAt": "2026-01-01T00:00:00Z" },
        { "status": "RESOLVED", "body": "Over.", "displayAt": "2026-01-01T01:00:00Z" }] });
    run(recording, "incidentBackfill", input, "incident").await;

    let input = json!({ "page": page, "title": "Upgrade", "body": "We will.", "components": components,
        "automatic": true, "scheduledFor": noon().plus_millis(3_600_000).to_string(),
        "scheduledUntil": noon().plus_millis(7_200_000).to_string() });
    let planned = recording
        .mutate(
            test,
            "maintenanceSchedule",
            input,
            "maintenance { id updates(first: 1) { nodes { id } } }",
        )
        .await;
    let maintenance = &planned["maintenance"]["id"];
    run(
        recording,
        "maintenanceAmend",
        json!({ "maintenance": maintenance, "title": "Upgrades" }),
        "maintenance",
    )
    .await;
    run(
        recording,
        "maintenanceStart",
        json!({ "maintenance": maintenance }),
        "maintenance",
    )
    .await;
    let input = json!({ "maintenance": maintenance, "body": "Half." });
    run(recording, "maintenanceUpdatePost", input, "maintenance").await;
    run(
        recording,
        "maintenanceComplete",
        json!({ "maintenance": maintenance }),
        "maintenance",
    )
    .await;
    vec![
        page,
        group,
        component.clone(),
        incident.clone(),
        update.clone(),
        maintenance.clone(),
        planned["maintenance"]["updates"]["nodes"][0]["id"].clone(),
    ]
}

/// What runs beside the requests.
async fn run_beside(test: &Test, recording: &mut Recording) {
    let (_, statements) = recorded(maintenance::run_due(&test.app)).await;
    recording.statements.extend(statements);
    let (_, statements) = recorded(test.app.store.prune(noon().plus_millis(1))).await;
    recording.statements.extend(statements);
    let context = Context {
        app: test.app.clone(),
        author: Author::server("import"),
    };
    let capture = Capture::read(&fixture()).expect("a capture");
    let (report, statements) = recorded(import::statuspage(&context, &capture, "parcelway", |_| {})).await;
    report.expect("it is imported");
    recording.statements.extend(statements);
}

#[tokio::test]
async fn no_query_reads_the_whole_of_a_table_that_grows() {
    for_each_database_unheld(async |test| {
        let mut recording = Recording {
            statements: BTreeSet::new(),
        };
        let ids = change_everything(test, &mut recording).await;
        for query in queries() {
            recording.ask(test, &query, json!({})).await;
        }
        let first = "{ page(slug: \"shop\") { incidents(first: 1) { pageInfo { endCursor } } } }";
        let end = recording.ask(test, first, json!({})).await["page"]["incidents"]["pageInfo"]["endCursor"].clone();
        for arguments in ["first: 5, after: $key", "last: 5, before: $key"] {
            let next = format!(
                "query($key: String) {{ page(slug: \"shop\") {{ incidents({arguments}) {{ nodes {{ title }} }} }} }}"
            );
            recording.ask(test, &next, json!({ "key": end })).await;
        }
        for id in &ids {
            recording
                .ask(test, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": id }))
                .await;
        }
        recording
            .ask(
                test,
                "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
                json!({ "ids": ids }),
            )
            .await;
        Box::pin(run_beside(test, &mut recording)).await;
        assert!(
            recording.statements.len() > 60,
            "{} statements",
            recording.statements.len()
        );

        let planner = Planner::new(test).await;
        let mut scans = Vec::new();
        // Some are sent many at once.
        let each: BTreeSet<&str> = recording.statements.iter().flat_map(|text| text.split(";\n")).collect();
        for statement in each {
            for scan in planner.full_scans(statement).await {
                scans.push(format!("{scan}\n    in {statement}"));
            }
        }
        planner.close().await;

        assert!(scans.is_empty(), "{}", scans.join("\n"));
    })
    .await;
}

#[tokio::test]
async fn a_query_without_an_index_is_caught() {
    for_each_database_unheld(async |test| {
        let planner = Planner::new(test).await;
        let parameter = if test.is_postgres() { "$1" } else { "?" };
        for (statement, is_scan) in [
            (format!("SELECT id FROM incident WHERE title = {parameter}"), true),
            ("SELECT COUNT(*) FROM event".to_owned(), true),
            (format!("SELECT MAX(at) FROM event WHERE kind = {parameter}"), true),
            (format!("DELETE FROM audit WHERE actor = {parameter}"), true),
            (
                format!("SELECT p.id FROM page p JOIN incident ON incident.title = p.name WHERE p.id = {parameter}"),
                true,
            ),
            (format!("SELECT id FROM incident WHERE page_id = {parameter}"), false),
            (
                format!("SELECT * FROM event WHERE page_id = {parameter} AND staff_number > 7"),
                false,
            ),
            ("SELECT COUNT(*) FROM page".to_owned(), false),
        ] {
            let scans = planner.full_scans(&statement).await;

            assert_eq!(!scans.is_empty(), is_scan, "{statement}: {scans:?}");
        }
        planner.close().await;
    })
    .await;
}
