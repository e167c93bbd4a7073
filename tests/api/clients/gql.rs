//! Python's `gql`.

use serde_json::json;

use super::script::{run, shop};
use crate::support::for_each_database;

#[tokio::test]
async fn gql_asks_posts_and_follows_a_page_and_misses_nothing_while_it_is_away() {
    for_each_database(async |test| {
        let Some(result) = run("gql_page.py", shop(test).await).await else {
            return;
        };

        assert_eq!(result["incidents"], json!(["Search is slow"]));
        assert_eq!(result["told"], json!(["PageSnapshot", "first", "second", "third"]));
    })
    .await;
}
