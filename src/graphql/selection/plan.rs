//! Which subscriptions ask for the same: what is a subscriber's own in a request, and what it shares with others.

use async_graphql::parser::types::{Field, OperationDefinition, OperationType, Selection};
use async_graphql::{Pos, Request, Value as ConstValue, Variables};
use async_graphql_value::Value;

use crate::domain::role::Sight;
use crate::graphql::execution::chosen;
use crate::seeded::{Bug, seeded};

/// The subscription that many follow.
const FIELD: &str = "pageEvents";

/// The argument that is a subscriber's own.
const AFTER: &str = "after";

/// What subscriptions have in common that show the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The text, without the cursor where it holds one.
    document: String,
    operation: Option<String>,
    /// As JSON: those that the operation takes, without the one that holds the cursor.
    variables: String,
    /// All that decides what is seen of the page.
    sight: Sight,
}

/// A subscription that can be shared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) key: Key,
    pub(super) after: After,
}

/// Where a subscriber goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    Cursor(String),
}

impl Plan {
    /// Reads a request that passed the preflight; none where it is better executed by itself.
    pub(super) fn of(request: &mut Request, sight: Sight) -> Option<Plan> {
        let name = request.operation_name.clone();
        let document = request.parsed_query().ok()?.clone();
        let operation = chosen(&document, name.as_deref(), OperationType::Subscription)?;
        let field = only_field(operation)?;
        let asked = field.arguments.iter().find(|(name, _)| name.node == AFTER);

        let mut text = request.query.clone();
        let mut own_variable = None;
        let after = match asked.map(|(_, value)| (&value.node, value.pos)) {
            None | Some((Value::Null, _)) => After::Nothing,
            Some((Value::String(cursor), pos)) => {
                cut_literal(&mut text, cursor, pos)?;
                After::Cursor(cursor.clone())
            }
            Some((Value::Variable(variable), _)) => {
                // Used anywhere else, it is part of what is asked for.
                if uses(&text, variable) != 2 || has_default(operation, variable) {
                    return None;
                }
                own_variable = Some(variable.clone());
                match request.variables.get(variable) {
                    None | Some(ConstValue::Null) => After::Nothing,
                    Some(ConstValue::String(cursor)) => After::Cursor(cursor.clone()),
                    Some(_) => return None,
                }
            }
            Some(_) => return None,
        };
        let taken = operation
            .variable_definitions
            .iter()
            .map(|definition| &definition.node.name.node)
            .filter(|name| Some(*name) != own_variable.as_ref())
            .filter_map(|name| Some((name.as_str(), request.variables.get(name)?)));
        let variables: std::collections::BTreeMap<&str, &ConstValue> = taken.collect();
        Some(Plan {
            key: Key {
                document: text,
                operation: name,
                variables: serde_json::to_string(&variables).ok()?,
                sight: match seeded(Bug::AudienceForgotten) {
                    true => Sight::ALL,
                    false => sight,
                },
            },
            after,
        })
    }
}

/// A request for the same, without what was put into it for its resolvers.
pub(super) fn copy(request: &mut Request) -> Option<Request> {
    let document = request.parsed_query().ok()?.clone();
    let mut copy = Request::new(request.query.clone());
    copy.operation_name.clone_from(&request.operation_name);
    copy.variables = Variables::from_value(ConstValue::Object(
        request
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    ));
    copy.set_parsed_query(document);
    Some(copy)
}

fn only_field(operation: &OperationDefinition) -> Option<&Field> {
    match operation.selection_set.node.items.as_slice() {
        [only] => match &only.node {
            Selection::Field(field) if field.node.name.node == FIELD => Some(&field.node),
            _ => None,
        },
        _ => None,
    }
}

fn has_default(operation: &OperationDefinition, variable: &str) -> bool {
    let mut definitions = operation.variable_definitions.iter();
    definitions.any(|definition| definition.node.name.node == variable && definition.node.default_value.is_some())
}

/// How often a text names a variable: where it is declared, and where it is used. A text that only looks so, in a string
/// or a comment, counts too: then the subscription is executed by itself.
fn uses(text: &str, variable: &str) -> usize {
    let ends = |rest: &str| !rest.starts_with(|next: char| next == '_' || next.is_ascii_alphanumeric());
    text.split('$')
        .skip(1)
        .filter_map(|after| after.trim_start().strip_prefix(variable))
        .filter(|rest| ends(rest))
        .count()
}

/// Takes a string out of a document, where it is written as it is; none where it is not.
fn cut_literal(text: &mut String, literal: &str, pos: Pos) -> Option<()> {
    let line = text
        .split_inclusive('\n')
        .take(pos.line - 1)
        .map(str::len)
        .sum::<usize>();
    let column = text[line..].char_indices().nth(pos.column - 1)?.0;
    let start = line + column;
    let quoted = format!("\"{literal}\"");
    if !text[start..].starts_with(&quoted) {
        return None;
    }
    text.replace_range(start..start + quoted.len(), "\"\"");
    Some(())
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    fn plan(document: &str, variables: ConstValue) -> Option<Plan> {
        let mut request = Request::new(document).variables(Variables::from_value(variables));
        Plan::of(&mut request, Sight::Public)
    }

    #[test]
    fn those_who_ask_for_the_same_from_different_places_share() {
        let by_variable = |variables| {
            plan(
                "subscription($p: String!, $c: Cursor) { pageEvents(page: $p, after: $c) { cursor } }",
                variables,
            )
            .expect("it can be shared")
        };
        let fresh = by_variable(value!({"p": "a"}));
        let back = by_variable(value!({"p": "a", "c": "x1", "unused": 7}));
        let other = by_variable(value!({"p": "b", "c": "x1"}));

        assert_eq!(fresh.after, After::Nothing);
        assert_eq!(back.after, After::Cursor("x1".to_owned()));
        assert_eq!(fresh.key, back.key);
        assert_ne!(back.key, other.key);

        let by_literal = |cursor: &str| {
            let document =
                format!("subscription {{\n  # ü\n  ü: pageEvents(page: \"ü\", after: \"{cursor}\") {{ cursor }} }}");
            plan(&document.replace("ü:", "a:"), value!({})).expect("it can be shared")
        };
        assert_eq!(by_literal("x1").key, by_literal("x2").key);
        assert_eq!(by_literal("x2").after, After::Cursor("x2".to_owned()));
    }

    #[test]
    fn another_selection_operation_filter_or_sight_is_another() {
        let of = |document: &str, operation: Option<&str>, sight| {
            let mut request = Request::new(document);
            if let Some(operation) = operation {
                request = request.operation_name(operation);
            }
            Plan::of(&mut request, sight).expect("it can be shared").key
        };
        let two =
            "subscription A { pageEvents(page: \"a\") { cursor } } subscription B { pageEvents(page: \"b\") { at } }";
        let keys = [
            of(
                "subscription { pageEvents(page: \"a\") { cursor } }",
                None,
                Sight::Public,
            ),
            of("subscription { pageEvents(page: \"a\") { cursor } }", None, Sight::ALL),
            of("subscription { pageEvents(page: \"a\") { at } }", None, Sight::Public),
            of(
                "subscription { pageEvents(page: \"a\", filter: {kinds: []}) { at } }",
                None,
                Sight::Public,
            ),
            of(
                "subscription { pageEvents(page: \"a\") { cursor } }",
                None,
                Sight::Staff([uuid::Uuid::nil()].into_iter().collect()),
            ),
            of(two, Some("A"), Sight::Public),
            of(two, Some("B"), Sight::Public),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{key:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_executed_by_itself() {
        for (document, variables) in [
            ("{ server { version } }", value!({})),
            ("subscription { pageChanged(page: \"a\") { id } }", value!({})),
            ("subscription { pageEvents(page: \"a\", after: 7) { at } }", value!({})),
            (
                "subscription { pageEvents(page: \"a\", after: \"a\\u0062\") { at } }",
                value!({}),
            ),
            (
                "subscription { pageEvents(page: \"a\", after: \"\"\"ab\"\"\") { at } }",
                value!({}),
            ),
            (
                "subscription($c: Cursor) { pageEvents(page: \"a\", after: $c) { at } }",
                value!({"c": 7}),
            ),
            (
                "subscription($c: Cursor = \"x\") { pageEvents(page: \"a\", after: $c) { at } }",
                value!({}),
            ),
            (
                "subscription($c: Cursor) { pageEvents(page: \"a\", after: $c) { page { events(first: 1, after: $c) { totalCount } } } }",
                value!({"c": "x"}),
            ),
        ] {
            assert_eq!(plan(document, variables), None, "{document}");
        }
    }
}
