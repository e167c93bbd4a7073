//! The schema as API users read it: exported, described, shaped as Relay wants.

use std::path::Path;

use allclear::app::Settings;
use allclear::transport::Config;
use serde_json::{Value, json};

use crate::support::database::{Test, places};

const INTROSPECTION: &str = "{ __schema { types {
    kind name description specifiedByURL
    fields(includeDeprecated: true) { name description type { ...ref } args(includeDeprecated: true) { name description type { ...ref } } }
    inputFields(includeDeprecated: true) { name description }
    enumValues(includeDeprecated: true) { name description }
    interfaces { name }
} } }
fragment ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

#[test]
fn the_exported_schema_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");

    let exported = std::fs::read_to_string(&file).unwrap_or_default();

    assert!(
        exported.trim_end() == allclear::graphql::sdl().trim_end(),
        "schema.graphql is stale. Look at what changed, and run: cargo run -- schema > schema.graphql"
    );
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// A type as the schema writes it.
fn written(of: &Value) -> String {
    match text(of, "kind") {
        "NON_NULL" => format!("{}!", written(&of["ofType"])),
        "LIST" => format!("[{}]", written(&of["ofType"])),
        _ => text(of, "name").to_owned(),
    }
}

/// The types that are ours: not GraphQL's own.
async fn types(document: &str) -> Vec<Value> {
    let own = ["Boolean", "Float", "ID", "Int", "String"];
    let test = Test::start(places().await.swap_remove(0), Settings::default(), Config::default()).await;
    let data = test.public_data(document, json!({})).await;
    test.stop().await;
    let mut types = list(&data["__schema"], "types").to_vec();
    types.retain(|one| !text(one, "name").starts_with("__") && !own.contains(&text(one, "name")));
    assert!(types.len() > 50, "the schema has types");
    types
}

#[tokio::test]
async fn everything_is_described() {
    let mut silent = Vec::new();
    for one in types(INTROSPECTION).await {
        let mut check = |place: String, thing: &Value| {
            if text(thing, "description").trim().is_empty() {
                silent.push(place);
            }
        };
        let name = text(&one, "name");
        // The library makes connections' types from those of their nodes.
        if !name.ends_with("Connection") {
            check(name.to_owned(), &one);
        }
        for field in list(&one, "fields") {
            check(format!("{name}.{}", text(field, "name")), field);
            for argument in list(field, "args") {
                check(
                    format!("{name}.{}({}:)", text(field, "name"), text(argument, "name")),
                    argument,
                );
            }
        }
        for part in list(&one, "inputFields").iter().chain(list(&one, "enumValues")) {
            check(format!("{name}.{}", text(part, "name")), part);
        }
    }
    assert!(silent.is_empty(), "without a description: {silent:#?}");
}

#[tokio::test]
async fn scalars_of_ours_say_where_they_are_specified() {
    for one in types(INTROSPECTION).await {
        // `JSON` is the library's.
        if text(&one, "kind") == "SCALAR" && text(&one, "name") != "JSON" {
            assert!(
                text(&one, "specifiedByURL").starts_with("https://"),
                "{}",
                text(&one, "name")
            );
        }
    }
}

#[tokio::test]
async fn connections_are_shaped_as_relay_wants() {
    let types = types(INTROSPECTION).await;
    let field = |of: &Value, name: &str| {
        let found = list(of, "fields").iter().find(|field| text(field, "name") == name);
        found.map(|field| written(&field["type"]))
    };
    let named = |name: &str| types.iter().find(|one| text(one, "name") == name);

    let mut connections = 0;
    for one in &types {
        for from in list(one, "fields") {
            let arguments: Vec<String> = list(from, "args")
                .iter()
                .map(|argument| format!("{}: {}", text(argument, "name"), written(&argument["type"])))
                .collect();
            let is_connection = written(&from["type"]).ends_with("Connection!");
            assert_eq!(
                is_connection,
                arguments.iter().any(|argument| argument.starts_with("first:")),
                "{}.{}",
                text(one, "name"),
                text(from, "name")
            );
        }
        let Some(node) = text(one, "name").strip_suffix("Connection") else {
            continue;
        };
        connections += 1;
        assert_eq!(field(one, "nodes"), Some(format!("[{node}!]!")));
        assert_eq!(field(one, "edges"), Some(format!("[{node}Edge!]!")));
        assert_eq!(field(one, "pageInfo"), Some("PageInfo!".to_owned()));
        let edge = named(&format!("{node}Edge")).unwrap_or_else(|| panic!("no {node}Edge"));
        assert_eq!(field(edge, "node"), Some(format!("{node}!")));
        assert_eq!(field(edge, "cursor"), Some("String!".to_owned()));
    }
    assert!(connections >= 6, "{connections}");
    let info = named("PageInfo").expect("PageInfo");
    assert_eq!(field(info, "hasNextPage"), Some("Boolean!".to_owned()));
    assert_eq!(field(info, "endCursor"), Some("String".to_owned()));
}

#[tokio::test]
async fn everything_with_an_id_can_be_refetched() {
    for one in types(INTROSPECTION).await {
        let has_id = list(&one, "fields").iter().any(|field| text(field, "name") == "id");
        let is_node = list(&one, "interfaces").iter().any(|of| text(of, "name") == "Node");
        assert_eq!(
            has_id && text(&one, "kind") == "OBJECT",
            is_node,
            "{}",
            text(&one, "name")
        );
    }
}
