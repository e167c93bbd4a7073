//! Requests generated from the schema: every cycle of fields, and dear selections in every place where they can stand.

use std::collections::HashMap;

use anyhow::Context;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};

use super::kind::{Facts, Kind, nested};

const SCHEMA: &str = include_str!("../../../../schema.graphql");

/// The most fields of a cycle. Longer ones add nothing but depth.
const LONGEST_CYCLE: usize = 4;

/// Levels of a nested cycle: just below the default limit of the server.
const LEVELS: usize = 30;

/// How the types that cycles start from are reached on a page.
const STARTS: [(&str, &str, &str); 3] = [
    ("Page", "", ""),
    ("Component", "components {", "}"),
    ("Incident", "incidents(first: 1) { nodes {", "} }"),
];

/// Fields that lead where another one leads too.
const SKIPPED: [&str; 2] = ["edges", "pageInfo"];

type Types = HashMap<String, Vec<FieldDefinition>>;

pub(super) fn kinds(facts: &Facts) -> anyhow::Result<Vec<Kind>> {
    let types = types()?;
    let mut kinds = Vec::new();
    for (start, open, close) in STARTS {
        for cycle in cycles(&types, start) {
            let name = cycle
                .iter()
                .map(|field| field.name.node.as_str())
                .collect::<Vec<_>>()
                .join(".");
            for (manner, items, times) in [
                ("deep", 1, LEVELS / cycle.len() - 1),
                ("wide", 100, 2),
                ("short", 10, 1),
            ] {
                let selection = format!("{open} {} {close}", repeat(&cycle, items, times));
                kinds.push(Kind::query(
                    format!("{manner} cycle {start}.{name}"),
                    &facts.on_page(&selection),
                ));
            }
        }
    }
    for (what, selection) in dear(facts) {
        for (place, document) in places(facts, &selection) {
            kinds.push(Kind::query(format!("{what}, {place}"), &document));
        }
        let subscription = format!(
            "subscription {{ pageEvents(page: \"{}\") {{ page {{ {selection} }} }} }}",
            facts.slug
        );
        let changed = format!(
            "subscription {{ pageChanged(page: \"{}\") {{ {selection} }} }}",
            facts.slug
        );
        kinds.push(Kind::socket(
            format!("{what}, in subscriptions"),
            vec![subscription, changed],
        ));
    }
    Ok(kinds)
}

/// Selections on a page that are small to write and dear to answer.
fn dear(facts: &Facts) -> Vec<(&'static str, String)> {
    let filter = facts.components_filter(100);
    vec![
        ("a total", "incidents(first: 1) { totalCount } maintenances(first: 1) { totalCount }".to_owned()),
        ("a total of a filter", format!("incidents(first: 1, {filter}) {{ totalCount }}")),
        (
            "a filter that nothing matches",
            "incidents(first: 100, filter: { externalRef: \"none\", minimumImpact: MINOR, \
             startedAfter: \"2020-01-01T00:00:00Z\" }) { nodes { id } totalCount }"
                .to_owned(),
        ),
        (
            "uptime by day",
            "components { uptime(days: 366) { days { date percentage majorOutageSeconds } } }".to_owned(),
        ),
        ("uptime of groups", "componentGroups { uptimePercentage(days: 366) }".to_owned()),
        ("status changes", "components { statusChanges(first: 1) { totalCount nodes { at } } }".to_owned()),
        (
            "bodies as HTML",
            "incidents(first: 100) { nodes { updates(first: 10) { nodes { body bodyHtml } } } }".to_owned(),
        ),
        (
            "affected components",
            "incidents(first: 100) { nodes { affectedComponents { worstStatus intervals { __typename } } } }".to_owned(),
        ),
        (
            "component changes",
            "incidents(last: 100) { nodes { updates(last: 10) { nodes { componentChanges { component { name } } } } } }"
                .to_owned(),
        ),
        (
            "summaries",
            "incidents(first: 100) { nodes { summary(timeZone: \"America/Boise\") duration allowedTransitions } }".to_owned(),
        ),
        ("groups of components of groups", nested("componentGroups { components { group {", " } } }", "components { id }", 1)),
    ]
}

/// Documents that ask for a selection in different places: the present page many times, the past, events, and nodes.
fn places(facts: &Facts, selection: &str) -> Vec<(&'static str, String)> {
    let Facts { slug, as_of, page, .. } = facts;
    let many = |count: usize, field: &str| -> String {
        (0..count)
            .map(|number| format!("a{number}: {field} {{ ...Dear }} "))
            .collect()
    };
    let with_fragment = |operation: String| format!("{operation} fragment Dear on Page {{ {selection} }}");
    let pages = vec![format!("\"{page}\""); 50].join(", ");
    vec![
        ("once", facts.on_page(selection)),
        (
            "5 aliases",
            with_fragment(format!("{{ {} }}", many(5, &format!("page(slug: \"{slug}\")")))),
        ),
        (
            "as of a time",
            with_fragment(format!(
                "{{ {} }}",
                many(1, &format!("page(slug: \"{slug}\", asOf: \"{as_of}\")"))
            )),
        ),
        (
            "in 5 events",
            with_fragment(facts.on_page("events(first: 5) { nodes { page { ...Dear } } }")),
        ),
        (
            "50 aliases",
            with_fragment(format!("{{ {} }}", many(50, &format!("page(slug: \"{slug}\")")))),
        ),
        (
            "as of 20 times",
            with_fragment(format!(
                "{{ {} }}",
                many(20, &format!("page(slug: \"{slug}\", asOf: \"{as_of}\")"))
            )),
        ),
        (
            "in 100 events",
            with_fragment(facts.on_page("events(first: 100) { nodes { page { ...Dear } } }")),
        ),
        (
            "as 50 nodes",
            with_fragment(format!("{{ nodes(ids: [{pages}]) {{ ...Dear }} }}")),
        ),
        (
            "of 100 incidents",
            with_fragment(facts.on_page("incidents(first: 100) { nodes { page { ...Dear } } }")),
        ),
        (
            "in two interfaces",
            with_fragment(facts.on_page(
                "events(first: 100) { nodes { ... on IncidentUpdatePosted { page { ...Dear } } \
                 ... on PageAmended { page { ...Dear } } ... on IncidentOpened { page { ...Dear } } } }",
            )),
        ),
    ]
}

fn types() -> anyhow::Result<Types> {
    let document = parse_schema(SCHEMA).context("schema.graphql cannot be read")?;
    let mut types = Types::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let fields = match definition.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            _ => continue,
        };
        let fields = fields.into_iter().map(|field| field.node).collect();
        types.insert(definition.node.name.node.to_string(), fields);
    }
    Ok(types)
}

/// The paths of fields from a type back to it, through no type twice, and through the page only from the page.
fn cycles<'a>(types: &'a Types, start: &'a str) -> Vec<Vec<&'a FieldDefinition>> {
    let mut found = Vec::new();
    let mut path = Vec::new();
    walk(types, start, start, &mut Vec::new(), &mut path, &mut found);
    found
}

fn walk<'a>(
    types: &'a Types,
    start: &str,
    at: &'a str,
    seen: &mut Vec<&'a str>,
    path: &mut Vec<&'a FieldDefinition>,
    found: &mut Vec<Vec<&'a FieldDefinition>>,
) {
    for field in types.get(at).into_iter().flatten() {
        let target = target(&field.ty.node);
        let is_known = seen.contains(&target) || (target == "Page" && start != "Page");
        if SKIPPED.contains(&field.name.node.as_str()) || !types.contains_key(target) || is_known {
            continue;
        }
        path.push(field);
        if target == start {
            found.push(path.clone());
        } else if path.len() < LONGEST_CYCLE {
            seen.push(target);
            walk(types, start, target, seen, path, found);
            seen.pop();
        }
        path.pop();
    }
}

/// A cycle so many times, with lists of so many items where it can be said.
fn repeat(cycle: &[&FieldDefinition], items: usize, times: usize) -> String {
    let open: String = cycle
        .iter()
        .map(|field| {
            let is_paged = field
                .arguments
                .iter()
                .any(|argument| argument.node.name.node == "first");
            let arguments = if is_paged {
                format!("(first: {items})")
            } else {
                String::new()
            };
            format!("{}{arguments} {{ ", field.name.node)
        })
        .collect();
    nested(&open, &"} ".repeat(cycle.len()), "__typename ", times)
}

fn target(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => target(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cycle_of_components_and_their_page_is_found() {
        let types = types().expect("the schema is read");
        let cycles = cycles(&types, "Page");
        let name = |cycle: &Vec<&FieldDefinition>| -> Vec<String> {
            cycle.iter().map(|field| field.name.node.to_string()).collect()
        };
        let names: Vec<Vec<String>> = cycles.iter().map(name).collect();

        assert!(
            names.contains(&vec!["components".to_owned(), "page".to_owned()]),
            "{names:?}"
        );
        assert!(
            names.contains(&["incidents", "nodes", "page"].map(str::to_owned).to_vec()),
            "{names:?}"
        );
    }

    #[test]
    fn more_than_sixty_requests_are_generated() {
        let facts = Facts {
            slug: "big",
            page: "p".to_owned(),
            components: vec!["c".to_owned()],
            incidents: vec!["i".to_owned()],
            as_of: "2026-01-01T00:00:00Z".to_owned(),
        };

        let kinds = kinds(&facts).expect("the schema is read");

        assert!(kinds.len() >= 60, "{}", kinds.len());
    }
}
