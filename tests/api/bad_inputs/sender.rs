//! Who sends it, and whether they keep to the protocol.

use std::time::Duration;

use allclear::app::Settings;
use allclear::transport::Config;
use serde_json::json;

use crate::support::database::{ADMIN, for_each_database_with};
use crate::support::words::code;
use crate::support::{for_each_database, harmless};

/// Short enough to be waited for.
const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn row_30_a_viewer_changes_nothing() {
    for_each_database(async |test| {
        let page = test.page("seen").await;
        let incident = test.incident(&page, "Down", None).await;
        let (_, everywhere) = test.token("VIEWER", None).await;
        let (_, here) = test.token("VIEWER", Some(&[&page])).await;

        harmless(test, &page, async || {
            for viewer in [&everywhere, &here] {
                for (mutation, input) in [
                    ("incidentOpen", format!("page: \"{page}\", title: \"x\", body: \"x\"")),
                    ("incidentResolve", format!("incident: \"{incident}\"")),
                    ("componentCreate", format!("page: \"{page}\", name: \"x\"")),
                    ("pageArchive", format!("page: \"{page}\"")),
                    ("pageCreate", "slug: \"new\", name: \"x\"".to_owned()),
                    ("tokenCreate", "name: \"x\", role: ADMIN".to_owned()),
                ] {
                    let document =
                        format!("mutation {{ {mutation}(input: {{ {input} }}) {{ userErrors {{ code }} }} }}");
                    let (status, answer) = test.told(&document, json!({}), Some(viewer)).await;
                    assert_eq!((status, code(&answer)), (200, "FORBIDDEN"), "{mutation}");
                    assert_eq!(answer["data"], json!(null), "{mutation}");
                }
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn row_32_a_socket_that_does_not_keep_to_the_protocol_is_closed_with_its_code() {
    let mut config = Config::default();
    config.websocket.init_timeout = SOON;
    for_each_database_with(Settings::default(), config, async |test| {
        let page = test.page("closed").await;
        let document = r#"subscription { pageEvents(page: "closed") { at } }"#;
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": document } }).to_string();
        let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {ADMIN}") } });
        let init = init.to_string();

        harmless(test, &page, async || {
            for (messages, expected) in [
                (vec![&subscribe], 4401),
                (vec![], 4408),
                (vec![&init, &subscribe, &subscribe], 4409),
                (vec![&init, &init], 4429),
                (vec![&"noise".to_owned()], 4400),
                (vec![&init, &"{}".to_owned()], 4400),
                (vec![&init, &r#"{"type":"subscribe"}"#.to_owned()], 4400),
                (
                    vec![
                        &init,
                        &r#"{"id":"","type":"subscribe","payload":{"query":"{ x }"}}"#.to_owned(),
                    ],
                    4400,
                ),
            ] {
                let mut socket = test.raw_socket(None).await;
                for message in &messages {
                    socket.send_text((*message).clone()).await;
                }
                let closed = loop {
                    // What was begun before may be told of.
                    if let Err((code, _)) = socket.next_or_close().await {
                        break code;
                    }
                };
                assert_eq!(closed, expected, "{messages:?}");
            }
        })
        .await;
    })
    .await;
}
