//! Timings of reads of a big page. Run by hand, with optimisation:
//! `cargo test --release --test api past::big -- --ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "it prints what it has measured")]

use std::time::Instant;

use allclear::commands::incident::{self, ComponentState, Open, PostUpdate};
use allclear::commands::{Call, Context};
use allclear::domain::audience::Audience;
use allclear::domain::component::ComponentStatus;
use allclear::domain::incident::IncidentStatus;
use allclear::store::Author;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::Test;
use crate::support::for_each_database;
use crate::support::log::uuid;

/// How many incidents the page has, unless the variable `BIG_PAGE_INCIDENTS` says otherwise.
const INCIDENTS: usize = 5_000;
const COMPONENTS: usize = 200;
/// How many components each update changes.
const CHANGES: usize = 3;
/// Of how many runs the fastest is told.
const RUNS: usize = 5;

/// Each update changes other components: from the first one to the last, and again.
fn states(components: &[Uuid], next: &mut usize, status: ComponentStatus) -> Vec<ComponentState> {
    (0..CHANGES)
        .map(|_| {
            *next += 1;
            ComponentState {
                component: components[*next % components.len()],
                status,
            }
        })
        .collect()
}

async fn fill(test: &Test, incidents: usize) -> Vec<String> {
    let page = test.page("big").await;
    let mut ids = Vec::new();
    for number in 0..COMPONENTS {
        ids.push(test.component(&page, &format!("Part {number}")).await);
    }
    let components: Vec<Uuid> = ids.iter().map(|id| uuid(id)).collect();
    let context = Context {
        app: test.app.clone(),
        author: Author::server("test"),
    };
    let mut next = 0;
    for number in 0..incidents {
        test.pass_minutes(1);
        let open = Open {
            page: uuid(&page),
            title: format!("Incident {number}"),
            status: IncidentStatus::Investigating,
            body: "We are looking into it.".to_owned(),
            display_at: None,
            started_at: None,
            components: states(&components, &mut next, ComponentStatus::MajorOutage),
            impact_override: None,
            external_ref: None,
            metadata: None,
            audience: Audience::Public,
        };
        let opened = incident::open(&context, Call::PLAIN, open).await.expect("it opens");
        for status in [
            IncidentStatus::Identified,
            IncidentStatus::Identified,
            IncidentStatus::Monitoring,
            IncidentStatus::Resolved,
        ] {
            let update = PostUpdate {
                incident: opened.incident.id,
                expected_version: None,
                status: Some(status),
                body: "We are working on it.".to_owned(),
                display_at: None,
                components: states(&components, &mut next, ComponentStatus::Operational),
                audience: Audience::Public,
            };
            Box::pin(incident::post_update(&context, Call::PLAIN, update))
                .await
                .expect("it is posted");
        }
    }
    ids
}

async fn time(test: &Test, name: &str, document: &str, variables: Value) {
    let mut fastest = f64::MAX;
    for _ in 0..RUNS {
        let begun = Instant::now();
        test.public_data(document, variables.clone()).await;
        fastest = fastest.min(begun.elapsed().as_secs_f64());
    }
    println!("{name:30} {:8.2} ms", fastest * 1000.0);
}

#[tokio::test]
#[ignore = "it takes minutes and asserts nothing"]
async fn reads_of_a_big_page() {
    for_each_database(async |test| {
        let incidents = std::env::var("BIG_PAGE_INCIDENTS").map_or(INCIDENTS, |text| text.parse().expect("a number"));
        let begun = test.app.clock.now();
        let components = fill(test, incidents).await;
        let middle = begun.plus_millis(60_000 * i64::try_from(incidents / 2).expect("a number"));
        let end = test.app.clock.now();
        test.pass_minutes(1);
        println!("postgres: {}", test.is_postgres());

        let page = "name status { indicator } components { name status } activeIncidents { title } \
                    incidents(first: 20) { totalCount nodes { title status updates(first: 5) { nodes { body } } } }";
        let now = format!("{{ page(slug: \"big\") {{ {page} }} }}");
        let past = format!("query($at: DateTime) {{ page(slug: \"big\", asOf: $at) {{ {page} }} }}");
        time(test, "page, now", &now, json!({})).await;
        time(test, "page, as of the end", &past, json!({ "at": end.to_string() })).await;
        time(
            test,
            "page, as of the middle",
            &past,
            json!({ "at": middle.to_string() }),
        )
        .await;
        let total = "{ page(slug: \"big\") { incidents(first: 1) { totalCount } } }";
        time(test, "totalCount", total, json!({})).await;
        let filtered = "query($ids: [ID!], $at: DateTime) { page(slug: \"big\", asOf: $at) {
            incidents(first: 1, filter: { components: $ids }) { totalCount } } }";
        for named in [1, 16, 200] {
            let ids = &components[..named];
            time(
                test,
                &format!("{named} components, now"),
                filtered,
                json!({ "ids": ids }),
            )
            .await;
            let variables = json!({ "ids": ids, "at": middle.to_string() });
            time(test, &format!("{named} components, the middle"), filtered, variables).await;
        }
        let events =
            "{ page(slug: \"big\") { events(first: 20) { nodes { page { incidents(first: 1) { totalCount } } } } } }";
        time(test, "20 totals of the past", events, json!({})).await;
    })
    .await;
}
