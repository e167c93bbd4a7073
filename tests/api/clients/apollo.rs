//! Apollo Client.

use serde_json::json;

use super::script::{run, shop};
use crate::support::for_each_database;

#[tokio::test]
async fn apollo_client_takes_what_a_mutation_returned_for_what_it_had_asked_before() {
    for_each_database(async |test| {
        let Some(result) = run("apollo-http.mjs", shop(test).await).await else {
            return;
        };

        assert_eq!(
            result,
            json!({ "before": [1], "cached": [2], "userErrors": 0, "wrong": "GRAPHQL_VALIDATION_FAILED" })
        );
    })
    .await;
}

#[tokio::test]
async fn apollo_client_follows_a_page_over_a_websocket() {
    follows("websocket").await;
}

#[tokio::test]
async fn apollo_client_follows_a_page_over_multipart() {
    follows("multipart").await;
}

async fn follows(transport: &str) {
    for_each_database(async |test| {
        let mut environment = shop(test).await;
        environment.push(("ALLCLEAR_TRANSPORT", transport.to_owned()));

        let Some(result) = run("apollo-subscription.mjs", environment).await else {
            return;
        };

        assert_eq!(
            result["told"],
            json!(["PageSnapshot", "first", "second", "third", "fourth"])
        );
        assert_eq!(result["connections"], 2);
        assert_eq!(result["refused"], "PAGE_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn apollo_client_sends_a_document_once_and_names_it_from_then_on() {
    for_each_database(async |test| {
        let Some(result) = run("apollo-persisted.mjs", shop(test).await).await else {
            return;
        };

        assert_eq!(result["slugs"], json!(["shop", "shop", "shop"]));
        let sent: Vec<_> = result["sent"].as_array().expect("requests").iter().collect();
        let held = |query: bool| json!({ "query": query, "hash": true });
        let of = |index: usize| json!({ "query": sent[index]["query"], "hash": sent[index]["hash"] });
        assert_eq!((sent.len(), of(0), of(1)), (4, held(false), held(true)), "{result}");
        assert_eq!((of(2), of(3)), (held(false), held(false)), "{result}");
    })
    .await;
}
