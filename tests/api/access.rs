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
                "{ server { version limits { bodyBytes documentTokens documentCost } } }",
                json!({}),
            )
            .await;

        assert_eq!(
            data["server"],
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "limits": { "bodyBytes": 1_048_576, "documentTokens": 1000, "documentCost": 50_000 },
            })
        );
    })
    .await;
}
