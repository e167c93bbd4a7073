//! Real clients from npm, against a running server.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::database::{ADMIN, Test};
use crate::support::{for_each_database, require};

/// Runs a script of `tests/clients` with Node, and returns what it prints; `None` where there is no Node, or its
/// packages are not installed (`npm ci` in that folder).
async fn run(script: &str, test: &Test, environment: &[(&str, &str)]) -> Option<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    if !folder.join("node_modules").is_dir() {
        require::lacking("node", "`npm ci` was not run in tests/clients");
        return None;
    }
    let output = Command::new("node")
        .arg(folder.join(script))
        .current_dir(&folder)
        .env("ALLCLEAR_ADDRESS", test.address.to_string())
        .env("ALLCLEAR_TOKEN", ADMIN)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            require::lacking("node", &error.to_string());
            return None;
        }
    };
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_slice(&output.stdout).expect("the script prints JSON"))
}

#[tokio::test]
async fn the_graphql_ws_client_that_is_cut_off_receives_the_rest_once_and_in_order() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Search is slow", None).await;

        let environment = [("ALLCLEAR_PAGE", "shop"), ("ALLCLEAR_INCIDENT", incident.as_str())];
        let Some(told) = run("graphql-ws.mjs", test, &environment).await else {
            return;
        };

        let told: Vec<(Value, Value)> = told
            .as_array()
            .expect("a list of events")
            .iter()
            .map(|event| (event["__typename"].clone(), event["body"].clone()))
            .collect();
        let posted = |body: &str| (json!("IncidentUpdatePosted"), json!(body));
        let expected = vec![
            (json!("PageSnapshot"), Value::Null),
            posted("first"),
            posted("second"),
            posted("third"),
            posted("fourth"),
            posted("fifth"),
        ];
        assert_eq!(told, expected);
    })
    .await;
}

#[tokio::test]
async fn every_audit_of_graphql_http_passes() {
    for_each_database(async |test| {
        let Some(result) = run("http-audits.mjs", test, &[]).await else {
            return;
        };

        assert_eq!(result["failed"], json!([]));
        assert_eq!(result["audits"], 61);
    })
    .await;
}
