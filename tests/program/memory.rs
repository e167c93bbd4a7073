//! The memory that a request may take, whatever it asks for.

use serde_json::{Value, json};
use tokio::process::Child;

use crate::serving::{Client, TURN, start_limited_told};

/// Address space of the server, in KiB: 3 GiB. Its threads reserve 1 GiB that they do not use. A query of the demo that
/// goes around in circles nine times would need more than 10 GiB.
const ADDRESS_SPACE: &str = "ulimit -v 3145728";

/// By how much one request may raise the memory in use, in KiB: 64 MiB.
const MOST_KIB: u64 = 64 << 10;

/// A line of what Linux tells of a process, in KiB.
fn memory(child: &Child, line: &str) -> u64 {
    let status = format!("/proc/{}/status", child.id().expect("it runs"));
    let status = std::fs::read_to_string(status).expect("it runs");
    let line = status.lines().find_map(|text| text.strip_prefix(line)).expect("a line");
    let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    kib.parse().expect("a number")
}

/// Sends a query, and returns its answer. Fails if it takes more memory than it may.
async fn bounded(child: &Child, client: &Client, name: &str, document: &str) -> Value {
    let clear = format!("/proc/{}/clear_refs", child.id().expect("it runs"));
    // From now on the peak is that of this request.
    std::fs::write(clear, "5").expect("the peak can be reset");
    let before = memory(child, "VmRSS");

    let (_, answer) = client.ask(document, Value::Null).await.expect("the server survives");

    let grown = memory(child, "VmHWM").saturating_sub(before);
    assert!(grown <= MOST_KIB, "{name}: {grown} KiB");
    answer
}

/// A selection that goes from components to their page and back, so many times.
fn cycle(levels: usize) -> String {
    (0..levels).fold("id".to_owned(), |inner, _| {
        format!("components {{ page {{ {inner} }} }}")
    })
}

#[tokio::test]
async fn no_request_takes_more_memory_than_its_budget() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, client, _) = start_limited_told(
        folder.path(),
        ADDRESS_SPACE,
        &[
            "--demo",
            "--rate-limit",
            "0",
            "--execution-timeout",
            "60",
            // What the static cost refuses must be bounded while it is executed, too.
            "--document-cost",
            "9000000000000000000",
        ],
    )
    .await;
    let limit = |answer: &Value| answer["errors"][0]["extensions"]["limit"].clone();

    let circles = |levels| format!("{{ page(slug: \"healthwise\") {{ {} }} }}", cycle(levels));
    let answer = bounded(&child, &client, "circles", &circles(9)).await;
    assert_eq!(limit(&answer), json!("fields"), "{answer:.200}");

    // As much as the budget of fields admits.
    let components = client.ask(&circles(1), Value::Null).await.expect("an answer").1;
    let components = components["data"]["page"]["components"]
        .as_array()
        .expect("a list")
        .len();
    let times = 95_000 / (components * 4);
    let fields: String = (0..190).map(|n| format!("a{n}: status ")).collect();
    let lists: String = (0..(95_000 / (components * 190)).min(9))
        .map(|n| format!("b{n}: components {{ ...fields }} "))
        .collect();
    assert!(times > 1);
    let wide = format!("{{ page(slug: \"healthwise\") {{ {lists} }} }} fragment fields on Component {{ {fields} }}");
    let answer = bounded(&child, &client, "wide", &wide).await;
    assert_ne!(limit(&answer), json!("fields"), "{answer:.200}");

    let page = client.ask("{ page(slug: \"healthwise\") { id } }", Value::Null).await;
    let page = page.expect("an answer").1["data"]["page"]["id"].clone();
    let input = json!({ "page": page, "title": "Long", "body": "x" });
    let incident = client.make("incidentOpen", input, "incident").await;
    for _ in 0..40 {
        let input = json!({ "incident": incident, "body": "x\n".repeat(12_000) });
        client
            .mutate("incidentUpdatePost", input, "update { id }")
            .await
            .expect("nobody kills it");
    }
    let bodies = |field: &str, times: usize| {
        let updates: String = (0..times)
            .map(|n| format!("a{n}: updates(first: 50) {{ nodes {{ {field} }} }} "))
            .collect();
        format!("{{ page(slug: \"healthwise\") {{ incidents(first: 1) {{ nodes {{ {updates} }} }} }} }}")
    };
    for (field, times, expected) in [
        ("body", 12, Value::Null),
        ("body", 60, json!("bytes")),
        ("bodyHtml", 60, json!("bytes")),
    ] {
        let name = format!("{times} times {field}");
        let answer = bounded(&child, &client, &name, &bodies(field, times)).await;
        assert_eq!(limit(&answer), expected, "{name}");
    }
    child.kill().await.expect("it can be killed");
}
