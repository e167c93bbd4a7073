//! npm's `graphql-sse`.

use serde_json::{Value, json};

use super::node::Node;
use super::script::{Script, run, shop};
use crate::support::for_each_database;

#[tokio::test]
async fn the_graphql_sse_client_that_is_cut_off_receives_the_rest_once_and_in_order() {
    follows("graphql-sse.mjs", |result| {
        assert_eq!(result["connections"], 2);
        assert_eq!(
            result["asked"],
            json!([{ "data": { "viewer": { "role": "ANONYMOUS" } } }])
        );
    })
    .await;
}

#[tokio::test]
async fn the_graphql_sse_client_that_is_cut_off_from_its_single_connection_goes_on_over_another() {
    follows("graphql-sse-single.mjs", |result| {
        assert_eq!(result["brought"], json!(["next 2", "complete 2"]));
        assert_eq!(result["streams"], 2);
        assert_eq!(result["asked"], json!([{ "data": { "viewer": { "role": "ADMIN" } } }]));
    })
    .await;
}

/// What is the same in both modes.
async fn follows(script: &'static str, more: impl Fn(&Value)) {
    for_each_database(async |test| {
        let Some(result) = run(script, shop(test).await).await else {
            return;
        };

        assert_eq!(
            result["told"],
            json!(["PageSnapshot", "first", "second", "third", "fourth", "over the stream"])
        );
        assert_eq!(
            result["posted"][0]["data"]["incidentUpdatePost"]["userErrors"],
            json!([])
        );
        assert_eq!(
            result["refused"][0]["errors"][0]["extensions"]["code"],
            "GRAPHQL_VALIDATION_FAILED"
        );
        more(&result);
    })
    .await;
}

#[tokio::test]
async fn the_graphql_sse_client_of_a_server_that_stops_goes_on_at_another() {
    goes_on_at_another("distinct").await;
}

#[tokio::test]
async fn the_graphql_sse_client_whose_single_connection_stops_goes_on_at_another() {
    goes_on_at_another("single").await;
}

async fn goes_on_at_another(mode: &str) {
    for_each_database(async |test| {
        let node = Node::beside(test).await;
        let mut environment = node.environment(test).await;
        environment.push(("ALLCLEAR_MODE", mode.to_owned()));
        let Some(mut script) = Script::start("graphql-sse-closed.mjs", environment) else {
            return;
        };
        assert_eq!(script.line().await, "watching");

        node.stop.shut_down();

        assert_eq!(script.result().await, json!(["PageSnapshot", "first"]));
        node.ended().await;
    })
    .await;
}
