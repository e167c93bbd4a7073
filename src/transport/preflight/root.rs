//! What stands at the root of mutations and subscriptions, where the library does not do what the specification says.
//!
//! It runs two mutation fields of the same response key both; it starts every root field of a subscription, and
//! none that stands in a fragment.

use std::collections::HashSet;

use async_graphql::Positioned;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use axum::http::StatusCode;

use super::walk::spreads;
use crate::transport::RequestError;

/// Refuses a mutation that would run twice under one key of the answer; says how many fields it has.
pub(super) fn distinct_keys(
    document: &ExecutableDocument,
    root: &Positioned<SelectionSet>,
) -> Result<usize, RequestError> {
    let mut keys = HashSet::new();
    for found in Fields::new(document, root) {
        let key = found.field.node.response_key();
        if !keys.insert(key.node.as_str()) {
            let message = format!(
                "A mutation may have the key `{}` only once at its root; use aliases.",
                key.node
            );
            return Err(
                RequestError::new("DUPLICATE_RESPONSE_KEY", StatusCode::BAD_REQUEST, message).at(found.field.pos),
            );
        }
    }
    Ok(keys.len())
}

/// The one field of a subscription; it may be in a fragment, but depend on nothing.
pub(super) fn single_field(
    document: &ExecutableDocument,
    root: &Positioned<SelectionSet>,
) -> Result<Positioned<Field>, RequestError> {
    let mut fields = Fields::new(document, root);
    let Some(first) = fields.next() else {
        return Err(RequestError::invalid("A subscription must have one field at its root.").at(root.pos));
    };
    if let Some(second) = fields.next() {
        return Err(RequestError::invalid("A subscription may have only one field at its root.").at(second.field.pos));
    }
    if first.conditional {
        let message = "The field of a subscription may not depend on @skip or @include.";
        return Err(RequestError::invalid(message).at(first.field.pos));
    }
    if first.field.node.name.node.starts_with("__") {
        return Err(RequestError::invalid("A subscription cannot be to introspection.").at(first.field.pos));
    }
    Ok(first.field.clone())
}

/// Puts the field of a subscription at the root, out of any fragment, and drops the fragments it stood in.
pub(super) fn lift(document: &mut ExecutableDocument, name: Option<&str>, field: Positioned<Field>) {
    let items = &mut operation_mut(document, name).selection_set.node.items;
    if matches!(items.as_slice(), [only] if matches!(only.node, Selection::Field(_))) {
        return;
    }
    let before = used(document);
    let pos = field.pos;
    operation_mut(document, name).selection_set.node.items = vec![Positioned::new(Selection::Field(field), pos)];
    let after = used(document);
    // A fragment that nobody ever used stays: validation has something to say about it.
    document
        .fragments
        .retain(|name, _| after.contains(name.as_str()) || !before.contains(name.as_str()));
}

fn operation_mut<'a>(document: &'a mut ExecutableDocument, name: Option<&str>) -> &'a mut OperationDefinition {
    let operation = match (&mut document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get_mut(name),
        (DocumentOperations::Multiple(operations), None) => operations.values_mut().next(),
    };
    &mut operation.expect("the operation that was chosen").node
}

/// The names of the fragments that operations use, directly or through others.
fn used(document: &ExecutableDocument) -> HashSet<String> {
    let mut names = Vec::new();
    for (_, operation) in document.operations.iter() {
        spreads(&operation.node.selection_set.node, &mut names);
    }
    let mut used = HashSet::new();
    while let Some(name) = names.pop() {
        if used.insert(name.to_owned())
            && let Some(fragment) = document.fragments.get(name)
        {
            spreads(&fragment.node.selection_set.node, &mut names);
        }
    }
    used
}

/// The fields of a selection with fragments expanded, without those below fields.
struct Fields<'a> {
    document: &'a ExecutableDocument,
    /// What is still to be looked at, the next one last; and whether a condition stands around it.
    stack: Vec<(&'a Positioned<Selection>, bool)>,
}

struct RootField<'a> {
    field: &'a Positioned<Field>,
    conditional: bool,
}

impl<'a> Fields<'a> {
    fn new(document: &'a ExecutableDocument, root: &'a Positioned<SelectionSet>) -> Fields<'a> {
        let mut fields = Fields {
            document,
            stack: Vec::new(),
        };
        fields.push(root, false);
        fields
    }

    fn push(&mut self, set: &'a Positioned<SelectionSet>, conditional: bool) {
        self.stack
            .extend(set.node.items.iter().rev().map(|selection| (selection, conditional)));
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = RootField<'a>;

    fn next(&mut self) -> Option<RootField<'a>> {
        while let Some((selection, outer)) = self.stack.pop() {
            let is_condition = |name: &str| matches!(name, "skip" | "include");
            let conditional = outer
                || selection
                    .node
                    .directives()
                    .iter()
                    .any(|directive| is_condition(&directive.node.name.node));
            match &selection.node {
                Selection::Field(field) => return Some(RootField { field, conditional }),
                Selection::InlineFragment(inline) => self.push(&inline.node.selection_set, conditional),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        self.push(&fragment.node.selection_set, conditional);
                    }
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Name, Request};

    use super::super::{Limits, check};

    fn code(document: &str) -> Result<(), &'static str> {
        check(Request::new(document), &Limits::default())
            .map(|_| ())
            .map_err(|error| error.code)
    }

    #[test]
    fn a_mutation_has_each_key_once() {
        assert_eq!(code("mutation { a b c: a }"), Ok(()));
        assert_eq!(code("mutation { a { x } b { x } }"), Ok(()));
        assert_eq!(code("{ a a }"), Ok(()));
        for document in [
            "mutation { a a }",
            "mutation { a b: a b }",
            "mutation { a ... { a } }",
            "mutation { ...f ...f } fragment f on M { a }",
            "mutation { ... on M { ...f } a: b } fragment f on M { a }",
        ] {
            assert_eq!(code(document), Err("DUPLICATE_RESPONSE_KEY"), "{document}");
        }
    }

    #[test]
    fn a_subscription_has_one_field() {
        assert_eq!(code("subscription { a { b c } }"), Ok(()));
        for document in [
            "subscription { a b }",
            "subscription { a __typename }",
            "subscription { __typename }",
            "subscription { a a }",
            "subscription { a ...f } fragment f on S { b }",
            "subscription { ...f } fragment f on S { a ... { b } }",
            "subscription($x: Boolean!) { a @skip(if: $x) }",
            "subscription { ... @include(if: true) { a } }",
            "subscription { ...f @skip(if: false) } fragment f on S { a }",
            "subscription { ...missing }",
        ] {
            assert_eq!(code(document), Err("GRAPHQL_VALIDATION_FAILED"), "{document}");
        }
    }

    #[test]
    fn a_subscriptions_field_is_lifted_out_of_its_fragments() {
        let document = "subscription A { ... { ...f } } subscription B { b { ...g } } \
            fragment f on S { a { ...g } } fragment g on T { x } fragment unused on T { y }";

        let request = Request::new(document).operation_name("A");
        let mut request = check(request, &Limits::default()).expect("a fine document").request;

        let parsed = request.parsed_query().expect("it is parsed");
        let mut fragments: Vec<&str> = parsed.fragments.keys().map(Name::as_str).collect();
        fragments.sort_unstable();
        assert_eq!(fragments, ["g", "unused"]);
        let (_, operation) = parsed
            .operations
            .iter()
            .find(|(name, _)| name.is_some_and(|name| name == "A"))
            .expect("A");
        assert_eq!(operation.node.selection_set.node.items.len(), 1);
    }
}
