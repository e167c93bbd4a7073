//! What is made of `schema.graphql` before a client runs: relay-compiler, graphql-codegen.

use serde_json::json;

use super::script::{run, shop};
use crate::support::for_each_database;
use crate::support::words::id;

#[tokio::test]
async fn what_relay_compiles_of_our_schema_is_answered() {
    for_each_database(async |test| {
        let environment = shop(test).await;
        let page = test.data("{ page(slug: \"shop\") { id } }", json!({})).await;
        test.incident(&id(&page["page"]), "Checkout fails", None).await;

        let Some(result) = run("relay.mjs", environment).await else {
            return;
        };

        assert_eq!(
            result["compiled"],
            json!([
                "ChangesAgainQuery",
                "ChangesPostMutation",
                "ChangesSubscription",
                "PageViewComponentQuery",
                "PageViewHistoryQuery",
                "PageViewIncidentQuery",
                "PageViewQuery"
            ])
        );
        assert_eq!(result["incidents"], json!(["Checkout fails", "Search is slow"]));
        assert_eq!(result["again"], "Checkout fails");
        assert_eq!(result["component"], "Search");
        assert_eq!(result["both"], json!(["Incident", "Page"]));
        assert_eq!(result["posted"]["userErrors"], json!([]));
        assert_eq!(result["events"], json!(["PageSnapshot", "IncidentUpdatePosted"]));
        assert_eq!(result["told"], result["posted"]["update"]);
    })
    .await;
}

#[tokio::test]
async fn graphql_codegen_makes_types_of_our_schema_that_typescript_holds_a_program_to() {
    let Some(result) = run("codegen.mjs", Vec::new()).await else {
        return;
    };

    assert_eq!(result["complaints"], json!([]));
    assert_eq!(
        result["types"],
        json!([
            "PageQuery",
            "AgainQuery",
            "PostMutation",
            "EventsSubscription",
            "IncidentFragment"
        ])
    );
}
