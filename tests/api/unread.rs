//! Readers that do not read what they are sent: nobody else waits for them.

use serde_json::{Value, json};

use crate::support::for_each_database;
use crate::support::words::id;

/// How much one of them asks for at once: several times what there are connections to the database.
const QUESTIONS: usize = 40;

/// How often a text is asked for in each question, so that one answer is more than the kernel holds.
const TIMES: usize = 100;

/// Bytes of the text.
const TEXT: usize = 24_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_takes_nothing_keeps_no_connection_to_the_database_and_no_place_in_a_queue() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let input = json!({ "page": page, "title": "Checkout fails", "body": "x".repeat(TEXT) });
        let incident = id(&test.mutate("incidentOpen", input, "incident { id }").await["incident"]);
        let texts: String = (0..TIMES).map(|time| format!("a{time}: body ")).collect();
        let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on Incident {{ updates(first: 1) {{ nodes {{ {texts} }} }} }} }} }}");
        let follow = |index: usize| format!("subscription {{ a{index}: pageEvents(page: \"shop\") {{ __typename }} }}");
        let question = |index: usize| match index % 2 {
            0 => json!({ "query": query, "variables": { "id": incident } }),
            _ => json!({ "query": follow(index) }),
        };

        let mut unread = test.socket(None).await;
        unread.ask_at_once((0..QUESTIONS).map(question)).await;
        unread.something_unread().await;

        // All that there are connections for, at once.
        let ask = || test.public_data("{ page(slug: \"shop\") { name } }", Value::Null);
        let asked = futures_util::future::join_all((0..QUESTIONS).map(|_| ask()));
        let followed = async {
            let mut subscription = test.subscribe(&follow(QUESTIONS), json!({}), None).await;
            subscription.next().await
        };
        let (answers, first) = tokio::join!(asked, followed);

        for answer in answers {
            assert_eq!(answer["page"]["name"], "The shop service");
        }
        assert_eq!(first[format!("a{QUESTIONS}")]["__typename"], "PageSnapshot");
    })
    .await;
}
