//! Connections, cursors and ids: walking lists, and finding things by id.

use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::words::{code, each};
use crate::support::{for_each_database, harmless};

/// A page with five incidents, of which two began at the same instant.
async fn five(test: &Test) -> (String, Vec<String>) {
    let page = test.page("five").await;
    let mut incidents = Vec::new();
    for (title, minutes) in [("A", 1), ("B", 1), ("C", 0), ("D", 1), ("E", 1)] {
        incidents.push(test.incident(&page, title, None).await);
        test.pass_minutes(minutes);
    }
    (page, incidents)
}

async fn window(test: &Test, arguments: &str) -> Value {
    let document = format!(
        r#"{{ page(slug: "five") {{ incidents({arguments}) {{
            totalCount nodes {{ title }} edges {{ cursor node {{ title }} }}
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
        }} }} }}"#
    );
    test.public_data(&document, json!({})).await["page"]["incidents"].clone()
}

fn cursor(connection: &Value, index: usize) -> String {
    connection["edges"][index]["cursor"]
        .as_str()
        .expect("a cursor")
        .to_owned()
}

#[tokio::test]
async fn a_list_is_walked_forwards_and_backwards() {
    for_each_database(async |test| {
        five(test).await;
        let all = window(test, "first: 100").await;
        assert_eq!(each(&all["nodes"], "title"), ["E", "D", "C", "B", "A"]);
        let (second, fourth) = (cursor(&all, 1), cursor(&all, 3));

        for (arguments, titles, next, previous) in [
            ("first: 2".to_owned(), vec!["E", "D"], true, false),
            ("first: 5".to_owned(), vec!["E", "D", "C", "B", "A"], false, false),
            (format!(r#"first: 2, after: "{second}""#), vec!["C", "B"], true, true),
            (
                format!(r#"first: 3, after: "{second}""#),
                vec!["C", "B", "A"],
                false,
                true,
            ),
            ("last: 2".to_owned(), vec!["B", "A"], false, true),
            (format!(r#"last: 2, before: "{fourth}""#), vec!["D", "C"], true, true),
            (
                format!(r#"last: 3, before: "{fourth}""#),
                vec!["E", "D", "C"],
                true,
                false,
            ),
            (
                format!(r#"first: 9, after: "{second}", before: "{fourth}""#),
                vec!["C"],
                true,
                true,
            ),
            (
                format!(r#"first: 9, after: "{fourth}", before: "{second}""#),
                vec![],
                true,
                true,
            ),
        ] {
            let found = window(test, &arguments).await;
            assert_eq!(each(&found["nodes"], "title"), titles, "{arguments}");
            assert_eq!(found["totalCount"], 5, "{arguments}");
            assert_eq!(
                (&found["pageInfo"]["hasNextPage"], &found["pageInfo"]["hasPreviousPage"]),
                (&json!(next), &json!(previous)),
                "{arguments}"
            );
        }
        assert_eq!(all["pageInfo"]["startCursor"], json!(cursor(&all, 0)));
        assert_eq!(all["pageInfo"]["endCursor"], json!(cursor(&all, 4)));
    })
    .await;
}

#[tokio::test]
async fn a_walk_that_began_is_not_disturbed_by_what_is_new() {
    for_each_database(async |test| {
        let (page, _) = five(test).await;
        let begun = window(test, "first: 2").await;

        test.incident(&page, "F", None).await;

        let rest = window(test, &format!(r#"first: 9, after: "{}""#, cursor(&begun, 1))).await;
        assert_eq!(each(&rest["nodes"], "title"), ["C", "B", "A"]);
    })
    .await;
}

#[tokio::test]
async fn an_empty_list_has_no_cursors() {
    for_each_database(async |test| {
        test.page("five").await;

        let none = window(test, "first: 5").await;

        assert_eq!(
            none,
            json!({
                "totalCount": 0, "nodes": [], "edges": [],
                "pageInfo": {
                    "hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null,
                },
            })
        );
    })
    .await;
}

#[tokio::test]
async fn ids_are_looked_up_in_their_order_and_null_stands_for_what_is_not_there() {
    for_each_database(async |test| {
        let (page, incidents) = five(test).await;
        let group = test.group(&page, "Core").await;
        let component = test.component(&page, "Search").await;
        let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
        let update = async |kind: &str, id: &str| {
            let shown = test.thing(kind, id, "latestUpdate { id }").await;
            shown["latestUpdate"]["id"].as_str().expect("an id").to_owned()
        };
        let said = update("Incident", &incidents[0]).await;
        let planned = update("Maintenance", &maintenance).await;

        let ids = json!([
            component,
            "noise",
            incidents[1],
            page,
            group,
            said,
            maintenance,
            planned,
            incidents[1]
        ]);
        let data = test
            .public_data(
                "query($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }",
                json!({ "ids": ids }),
            )
            .await;

        let nodes = data["nodes"].as_array().expect("a list");
        let kinds: Vec<&str> = nodes
            .iter()
            .map(|node| node["__typename"].as_str().unwrap_or("null"))
            .collect();
        assert_eq!(
            kinds,
            [
                "Component",
                "null",
                "Incident",
                "Page",
                "ComponentGroup",
                "IncidentUpdate",
                "Maintenance",
                "MaintenanceUpdate",
                "Incident",
            ]
        );
        for (node, asked) in nodes.iter().zip(ids.as_array().expect("a list")) {
            assert!(node.is_null() || node["id"] == *asked);
        }
        assert_eq!(
            test.data("{ nodes(ids: []) { id } }", json!({})).await["nodes"],
            json!([])
        );
    })
    .await;
}

#[tokio::test]
async fn more_than_a_hundred_ids_are_bad_input() {
    for_each_database(async |test| {
        let document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";

        let most = test.data(document, json!({ "ids": vec!["noise"; 100] })).await;
        let more = test.answer(document, json!({ "ids": vec!["noise"; 101] })).await;

        assert_eq!(most["nodes"], json!(vec![Value::Null; 100]));
        assert_eq!(code(&more), "BAD_USER_INPUT");
    })
    .await;
}

/// What each list of the API answers to some arguments.
async fn ask_every_list(test: &Test, arguments: &[String], expected: &str) {
    let (page, incidents) = five(test).await;
    let component = test.component(&page, "Search").await;
    let maintenance = test.maintenance(&page, "Disks", &component, 60).await;
    harmless(test, &page, async || {
        for (kind, id, list) in [
            ("Page", &page, "incidents"),
            ("Page", &page, "maintenances"),
            ("Incident", &incidents[0], "updates"),
            ("Maintenance", &maintenance, "updates"),
            ("Component", &component, "statusChanges"),
        ] {
            for arguments in arguments {
                let list_of = format!("... on {kind} {{ {list}{arguments} {{ totalCount }} }}");
                let document = format!("query($id: ID!) {{ node(id: $id) {{ {list_of} }} }}");
                let (_, answer) = test.told(&document, json!({ "id": id }), None).await;
                assert_eq!(code(&answer), expected, "{list_of}");
                assert_eq!(answer["errors"][0]["path"], json!(["node", list]));
            }
        }
        for arguments in arguments {
            let document = format!("{{ pages{arguments} {{ totalCount }} }}");
            let (_, answer) = test.told(&document, json!({}), None).await;
            assert_eq!(code(&answer), expected, "pages{arguments}");
        }
    })
    .await;
}

#[tokio::test]
async fn row_25_a_mangled_cursor_is_refused_by_every_list() {
    for_each_database(async |test| {
        let sound = "AQAAAAAAAAAAAZxg1X8AAAAAAAAAAAAAAA";
        let mangled = ["", "noise", &sound[1..], "💥", &format!("{sound}=")]
            .map(|cursor| format!(r#"(first: 1, after: "{cursor}")"#));

        ask_every_list(test, &mangled, "CURSOR_INVALID").await;
        let before = [r#"(last: 1, before: "noise")"#.to_owned()];
        assert_eq!(
            code(
                &test
                    .public_answer(&format!("{{ pages{} {{ totalCount }} }}", before[0]), json!({}))
                    .await
            ),
            "CURSOR_INVALID"
        );
    })
    .await;
}

#[tokio::test]
async fn row_28_a_list_is_asked_for_1_to_100_from_one_end() {
    for_each_database(async |test| {
        let wrong = [
            "",
            "(first: 0)",
            "(first: -1)",
            "(first: 101)",
            "(last: 0)",
            "(last: 101)",
            "(first: 1, last: 1)",
        ];

        ask_every_list(test, &wrong.map(ToOwned::to_owned), "BAD_USER_INPUT").await;
    })
    .await;
}
