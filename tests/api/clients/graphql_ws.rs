//! npm's `graphql-ws`.

use std::time::Duration;

use allclear::app::Settings;
use allclear::transport::{Config, Stop};
use serde_json::json;
use tracing::Level;

use super::node::Node;
use super::script::{Script, run, shop};
use crate::support::database::for_each_database_with;
use crate::support::for_each_database;
use crate::support::lines::Lines;

#[tokio::test]
async fn the_graphql_ws_client_that_is_cut_off_receives_the_rest_once_and_in_order() {
    for_each_database(async |test| {
        let Some(result) = run("graphql-ws.mjs", shop(test).await).await else {
            return;
        };

        assert_eq!(
            result["told"],
            json!(["PageSnapshot", "first", "second", "third", "fourth"])
        );
        assert_eq!(result["connections"], 2);
    })
    .await;
}

#[tokio::test]
async fn the_graphql_ws_client_of_a_server_that_shuts_down_goes_on_at_another() {
    goes_on_at_another(Stop::shut_down, 1001).await;
}

#[tokio::test]
async fn the_graphql_ws_client_of_a_server_that_makes_way_goes_on_at_another() {
    goes_on_at_another(Stop::restart, 1012).await;
}

async fn goes_on_at_another(end: fn(&Stop), code: u16) {
    for_each_database(async |test| {
        let node = Node::beside(test).await;
        let Some(mut script) = Script::start("graphql-ws-closed.mjs", node.environment(test).await) else {
            return;
        };
        assert_eq!(script.line().await, "watching");

        end(&node.stop);

        let result = script.result().await;
        assert_eq!(result["told"], json!(["PageSnapshot", "first"]));
        assert_eq!(result["codes"], json!([code]));
        node.ended().await;
    })
    .await;
}

#[tokio::test]
async fn the_graphql_ws_client_that_is_not_heard_any_more_is_closed_and_comes_back() {
    let mut config = Config::default();
    config.websocket.ping_every = Duration::from_millis(500);
    config.websocket.closing_time = Duration::from_millis(50);
    for_each_database_with(Settings::default(), config, async |test| {
        let mut environment = shop(test).await;
        environment.push(("ALLCLEAR_MUTE", "yes".to_owned()));

        let Some(result) = run("graphql-ws-closed.mjs", environment).await else {
            return;
        };

        assert_eq!(result["told"], json!(["PageSnapshot", "first"]));
        assert_eq!(result["codes"], json!([1013]));
    })
    .await;
}

#[tokio::test]
async fn the_graphql_ws_client_that_stops_reading_is_cut_off_and_misses_nothing() {
    let lines = Lines::default();
    let _kept = lines.keep(Level::DEBUG);
    let mut config = Config::default();
    config.websocket.send_timeout = Duration::from_millis(500);
    config.websocket.closing_time = Duration::from_secs(60);
    for_each_database_with(Settings::default(), config, async |test| {
        lines.forget();
        let Some(mut script) = Script::start("graphql-ws-stalled.mjs", shop(test).await) else {
            return;
        };
        assert_eq!(script.line().await, "stalled");

        lines.until("closing code=1013").await;
        script.go_on().await;

        let result = script.result().await;
        assert_eq!(result["told"], json!(["PageSnapshot", "0", "1", "2", "3"]));
        assert_eq!(result["codes"], json!([1013]));
    })
    .await;
}

#[tokio::test]
async fn the_graphql_ws_client_does_everything_over_one_socket_with_the_token_it_begins_with() {
    for_each_database(async |test| {
        let Some(result) = run("graphql-ws-operations.mjs", shop(test).await).await else {
            return;
        };

        assert_eq!(result["viewer"], json!({ "data": { "viewer": { "role": "ADMIN" } } }));
        assert_eq!(result["posted"]["data"]["incidentUpdatePost"]["userErrors"], json!([]));
        assert_eq!(result["heard"], json!(vec![["PageSnapshot", "over the socket"]; 50]));
        assert_eq!(result["sockets"], 1);
        assert_eq!(result["refused"], "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(result["closed"], 4403);
    })
    .await;
}
