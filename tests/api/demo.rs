//! The demo: what a newcomer sees first.

use allclear::commands::{Context, demo};
use allclear::store::Author;
use serde_json::json;

use crate::support::database::Test;
use crate::support::for_each_database;

async fn fill(test: &Test) {
    let author = Author::server("demo");
    demo::fill(&Context {
        app: test.app.clone(),
        author,
    })
    .await
    .expect("the demo fits an empty database");
}

#[tokio::test]
async fn the_incident_we_start_from_reads_to_the_letter() {
    for_each_database(async |test| {
        fill(test).await;

        let data = test
            .public_data(
                r#"{ page(slug: "healthwise") { incidents(first: 10) { nodes { title impact summary duration } } } }"#,
                json!({}),
            )
            .await;

        let incident = &data["page"]["incidents"]["nodes"][1];
        assert_eq!(incident["impact"], "MAJOR");
        assert_eq!(incident["duration"], "PT2H39M34.877S");
        assert_eq!(
            incident["summary"],
            "Healthise experienced a major incident on August 4, 2021 affecting Coach and Custom Content Manager (CCM) \
             and 1 more component, lasting 2h 39m. The incident has been resolved; the full update timeline is below."
        );
    })
    .await;
}
