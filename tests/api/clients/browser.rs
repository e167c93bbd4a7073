//! A browser.

use std::path::Path;

use serde_json::{Value, json};

use super::script::{run, shop};
use crate::support::for_each_database;
use crate::support::require;

/// Where Debian and others have it.
const CHROMIUM: &str = "/usr/bin/chromium";

#[tokio::test]
async fn a_browser_that_is_cut_off_receives_the_rest_once_and_in_order_by_its_event_source_and_its_websocket() {
    if !Path::new(CHROMIUM).exists() {
        require::lacking("browser", &format!("{CHROMIUM} is not there"));
        return;
    }
    for_each_database(async |test| {
        let mut environment = shop(test).await;
        environment.push(("ALLCLEAR_BROWSER", CHROMIUM.to_owned()));

        let Some(result) = run("browser.mjs", environment).await else {
            return;
        };

        let told = json!(["PageSnapshot", "first", "second", "third", "fourth"]);
        assert_eq!(result["told"], told);
        assert_eq!(result["unlike"], json!([]));
        let ids = result["ids"].as_array().expect("a list of ids");
        assert!(matches!(ids.as_slice(), [Value::Null, Value::String(_)]), "{ids:?}");
        assert_eq!(result["socket"]["told"], told);
    })
    .await;
}

#[tokio::test]
async fn the_explorer_may_do_in_a_browser_what_it_needs_and_nothing_that_is_put_into_it() {
    if !Path::new(CHROMIUM).exists() {
        require::lacking("browser", &format!("{CHROMIUM} is not there"));
        return;
    }
    for_each_database(async |test| {
        let mut environment = shop(test).await;
        environment.push(("ALLCLEAR_BROWSER", CHROMIUM.to_owned()));

        let Some(result) = run("graphiql.mjs", environment).await else {
            return;
        };

        // The worker says what it was refused: nothing of the host that it needs.
        let refused = "https://evil.example/worker.js";
        let may = json!({ "query": true, "socket": true, "style": true, "worker": refused });
        let may_not = json!({
            "eval": false, "inject": false, "data": false, "script": false, "fetch": false, "image": false,
        });
        assert_eq!((&result["may"], &result["mayNot"]), (&may, &may_not), "{result}");
        assert_eq!(result["missing"], json!([]));
    })
    .await;
}
