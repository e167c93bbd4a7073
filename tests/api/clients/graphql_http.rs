//! npm's `graphql-http`: the audits of GraphQL over HTTP.

use serde_json::json;

use super::script::{run, server};
use crate::support::for_each_database;

#[tokio::test]
async fn every_audit_of_graphql_http_passes() {
    for_each_database(async |test| {
        let Some(result) = run("http-audits.mjs", server(test)).await else {
            return;
        };

        assert_eq!(result["failed"], json!([]));
        assert_eq!(result["audits"], 61);
    })
    .await;
}
