//! urql.

use serde_json::json;

use super::script::{run, shop};
use crate::support::for_each_database;

#[tokio::test]
async fn urql_asks_posts_and_follows_a_page_by_its_own_fetch() {
    follows("fetch").await;
}

#[tokio::test]
async fn urql_asks_posts_and_follows_a_page_through_graphql_sse() {
    follows("graphql-sse").await;
}

async fn follows(transport: &str) {
    for_each_database(async |test| {
        let mut environment = shop(test).await;
        environment.push(("ALLCLEAR_TRANSPORT", transport.to_owned()));

        let Some(result) = run("urql.mjs", environment).await else {
            return;
        };

        assert_eq!(result["asked"]["viewer"]["role"], "ADMIN");
        assert_eq!(result["posted"], json!([]));
        assert_eq!(
            result["told"],
            json!(["PageSnapshot", "first", "second", "third", "fourth"])
        );
    })
    .await;
}
