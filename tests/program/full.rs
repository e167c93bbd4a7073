//! A disk that takes no more: who changes something is told, who reads goes on reading, and nothing is lost.

use serde_json::{Value, json};

use crate::serving::{Client, start, start_limited};

/// 2 MiB of each file, in blocks of 512 bytes.
const ROOM: &str = "ulimit -f 4096";

const POST: &str =
    "mutation($input: IncidentUpdatePostInput!) { incidentUpdatePost(input: $input) { userErrors { code } } }";
const COUNT: &str = "{ page(slug: \"shop\") { incidents(first: 1) { nodes { updates(first: 1) { totalCount } } } } }";

async fn updates(client: &Client) -> u64 {
    let (status, answer) = client.ask(COUNT, Value::Null).await.expect("it runs");
    assert_eq!(status, 200, "{answer:#}");
    let updates = &answer["data"]["page"]["incidents"]["nodes"][0]["updates"];
    updates["totalCount"].as_u64().expect("a number")
}

#[tokio::test]
async fn a_disk_that_takes_no_more_is_told_of_and_what_was_acknowledged_is_there_when_it_does_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, client, _) = start_limited(folder.path(), ROOM).await;
    let page = client
        .make("pageCreate", json!({ "slug": "shop", "name": "Shop" }), "page")
        .await;
    let input = json!({ "page": page, "title": "Checkout fails", "body": "We are looking into it." });
    let incident = client.make("incidentOpen", input, "incident").await;

    let mut acknowledged = 1;
    let mut refused = 0;
    while refused < 5 {
        let input = json!({ "incident": incident, "body": "x".repeat(20_000) });
        let (status, answer) = client.ask(POST, json!({ "input": input })).await.expect("it runs");
        match status {
            200 => acknowledged += 1,
            _ => {
                let code = &answer["errors"][0]["extensions"]["code"];
                assert_eq!((status, code), (503, &json!("UNAVAILABLE")), "{answer:#}");
                refused += 1;
            }
        }
        assert_eq!(updates(&client).await, acknowledged);
    }
    child.kill().await.expect("it can be killed");
    let (mut child, client, _) = start(folder.path()).await;

    assert!(acknowledged > 1, "it began with room");
    assert_eq!(updates(&client).await, acknowledged);
    let input = json!({ "incident": incident, "body": "There is room again." });
    client.mutate("incidentUpdatePost", input, "update { id }").await;
    assert_eq!(updates(&client).await, acknowledged + 1);
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    let fault = log
        .lines()
        .find(|line| line.contains("panicked") || line.contains(" ERROR "));
    assert_eq!(fault, None);
    child.kill().await.expect("it can be killed");
}
