//! `EventSource`, as browsers have it.

use serde_json::{Value, json};

use super::script::{run, shop};
use crate::support::for_each_database;

#[tokio::test]
async fn an_event_source_that_is_cut_off_goes_on_after_the_last_id_it_was_told() {
    for_each_database(async |test| {
        let Some(result) = run("event-source.mjs", shop(test).await).await else {
            return;
        };

        assert_eq!(
            result["told"],
            json!(["PageSnapshot", "first", "second", "third", "fourth"])
        );
        assert_eq!(result["unlike"], json!([]));
        let requested = result["requested"].as_array().expect("a list of ids");
        assert!(
            matches!(requested.as_slice(), [Value::Null, Value::String(_)]),
            "{requested:?}"
        );
        assert_eq!(result["refused"], 405);
    })
    .await;
}
