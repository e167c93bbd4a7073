//! What a sender learns of themselves and of the server.

use serde_json::json;

use crate::support::for_each_database;

const VIEWER: &str = "{ viewer { role name mayWrite pages { slug } expiresAt } }";

#[tokio::test]
async fn a_viewer_learns_what_they_may_do() {
    for_each_database(async |test| {
        let admin = test.data(VIEWER, json!({})).await;
        let public = test.public_data(VIEWER, json!({})).await;

        assert_eq!(
            admin["viewer"],
            json!({ "role": "ADMIN", "name": "admin", "mayWrite": true, "pages": null, "expiresAt": null })
        );
        assert_eq!(
            public["viewer"],
            json!({ "role": "ANONYMOUS", "name": null, "mayWrite": false, "pages": null, "expiresAt": null })
        );
    })
    .await;
}

#[tokio::test]
async fn the_server_tells_its_limits() {
    for_each_database(async |test| {
        let data = test
            .public_data(
                "{ server { version limits {
                    bodyBytes documentBytes documentTokens documentNesting documentDepth documentFields documentAliases
                    documentDirectives documentCost variableNesting variableValues variableBytes
                    subscriptionsPerSocket framesPerSecond socketsPerAddress costPerSecond costAtOnce } } }",
                json!({}),
            )
            .await;

        assert_eq!(
            data["server"],
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "limits": {
                    "bodyBytes": 1_048_576, "documentBytes": 65_536, "documentTokens": 1_000, "documentNesting": 32,
                    "documentDepth": 32, "documentFields": 10_000, "documentAliases": 200, "documentDirectives": 200,
                    "documentCost": 50_000, "variableNesting": 32, "variableValues": 10_000,
                    "variableBytes": 1_048_576, "subscriptionsPerSocket": 100, "framesPerSecond": 500,
                    "socketsPerAddress": 2_000, "costPerSecond": 20_000, "costAtOnce": 200_000,
                },
            })
        );
    })
    .await;
}
