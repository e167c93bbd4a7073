//! One walk over a document that measures it with its fragments expanded, each fragment being walked once.
//!
//! Written out, fifty fragments that use the next one twice are 2^50 fields. Fragments are measured before those that
//! use them, so a use is an addition. The only recursion goes down one selection set, whose nesting the scan bounds.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Positioned, Variables};
use axum::http::StatusCode;

use super::cost::{Cost, Costs, View};
use super::limits::{Limits, within};
use super::measure::Measure;
use super::page::Pages;
use super::prices::{Priced, Prices, TypeId};
use crate::price::{Items, Past};
use crate::transport::RequestError;

/// Measures the whole document against the limits; the answer is the cost of the operation that is to run.
pub(super) fn walk(
    document: &ExecutableDocument,
    chosen: &Positioned<OperationDefinition>,
    variables: &Variables,
    limits: &Limits,
) -> Result<u64, RequestError> {
    let mut walk = Walk {
        limits,
        prices: &limits.prices,
        pages: Pages::new(&chosen.node, variables, limits.page),
        fragments: HashMap::new(),
    };
    for (name, fragment) in in_order_of_use(document)? {
        let on = walk.prices.id(&fragment.node.type_condition.node.on.node);
        let (measure, costs) = walk.selection_set(&fragment.node.selection_set.node, on)?;
        let measure = measure.beside(directives(fragment.node.directives.len()));
        within("depth", measure.depth, limits.depth)?;
        walk.fragments.insert(name, Fragment { measure, on, costs });
    }

    let mut whole = Measure::default();
    let mut cost = 0;
    for (_, operation) in document.operations.iter() {
        let root = match operation.node.ty {
            OperationType::Query => walk.prices.query,
            OperationType::Mutation => walk.prices.mutation,
            OperationType::Subscription => walk.prices.subscription,
        };
        let (measure, costs) = walk.selection_set(&operation.node.selection_set.node, root)?;
        if std::ptr::eq(operation, chosen) {
            cost = costs.most().now.asking(1);
        }
        whole = whole
            .beside(measure)
            .beside(directives(operation.node.directives.len()));
    }
    whole.check(limits)?;
    within("cost", cost, limits.cost)?;
    Ok(cost)
}

struct Walk<'a> {
    limits: &'a Limits,
    prices: &'a Prices,
    pages: Pages<'a>,
    /// Those that were measured: all that the next one may use.
    fragments: HashMap<&'a str, Fragment>,
}

/// A fragment that was measured.
struct Fragment {
    measure: Measure,
    on: Option<TypeId>,
    costs: Costs,
}

impl Walk<'_> {
    /// Measures a selection on a type; `None` where the type is not known.
    fn selection_set(&self, set: &SelectionSet, of: Option<TypeId>) -> Result<(Measure, Costs), RequestError> {
        let mut sum = Measure::default();
        let mut costs = Costs::default();
        for selection in &set.items {
            let measure = match &selection.node {
                Selection::Field(field) => {
                    let (measure, cost) = self.field(&field.node, of)?;
                    costs.add(cost);
                    measure
                }
                // A fragment that is not there is left for validation to name.
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    self.fragments.get(name).map_or_else(Measure::default, |fragment| {
                        costs.add_fragment(self.prices, of, fragment.on, &fragment.costs);
                        fragment.measure
                    })
                }
                Selection::InlineFragment(inline) => {
                    let on = match &inline.node.type_condition {
                        Some(condition) => self.prices.id(&condition.node.on.node),
                        None => of,
                    };
                    let (measure, inner) = self.selection_set(&inline.node.selection_set.node, on)?;
                    costs.add_fragment(self.prices, of, on, &inner);
                    measure
                }
            };
            sum = sum
                .beside(measure)
                .beside(Measure {
                    fields: 1,
                    ..Measure::default()
                })
                .beside(directives(selection.node.directives().len()));
        }
        let measure = Measure {
            depth: sum.depth.saturating_add(1),
            ..sum
        };
        Ok((measure, costs))
    }

    fn field(&self, field: &Field, parent: Option<TypeId>) -> Result<(Measure, Cost), RequestError> {
        let name = field.name.node.as_str();
        let priced = parent.and_then(|parent| self.prices.field(parent, name));
        let (below, costs) = match field.selection_set.node.items.as_slice() {
            [] => (Measure::default(), Costs::default()),
            _ => self.selection_set(&field.selection_set.node, priced.and_then(|priced| priced.of))?,
        };
        if matches!(name, "__schema" | "__type") {
            if !self.limits.introspectable {
                return Err(hidden_schema().at(field.name.pos));
            }
            within("introspection", below.introspection, self.limits.introspection)?;
        }
        let (cost, times) = match priced {
            Some(priced) => self.known(field, priced, costs.most()),
            None => self.unknown(field, costs.most()),
        };
        let measure = Measure {
            arguments: below
                .arguments
                .saturating_mul(times)
                .saturating_add(self.pages.argument_bytes(field)),
            aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
            introspection: below.introspection.saturating_add(u64::from(lists_types(name))),
            ..below
        };
        Ok((measure, cost))
    }

    /// The cost of a field that has a price, and how often what stands below it is resolved at most.
    fn known(&self, field: &Field, priced: &Priced, below: Cost) -> (Cost, u64) {
        let price = &priced.price;
        let (arguments, asked) = self.pages.asked(field, priced);
        let is_past = match price.past {
            Past::Unchanged => false,
            Past::Always => true,
            Past::IfGiven(argument) => self.pages.is_given(field, argument),
        };
        let items = match price.items {
            Items::One | Items::Asked => 1,
            Items::AtMost(items) => items,
            Items::Counted => asked,
        };
        // Where the field counts its own items, there is nothing left to ask for.
        let (asked, times) = match price.items {
            Items::Counted => (1, items),
            _ => (asked, items.saturating_mul(asked)),
        };
        let view = |view: View, units: u64| {
            let sum = view.asking(asked).saturating_mul(items).saturating_add(units);
            match price.items {
                Items::Asked => View { once: 0, each: sum },
                _ => View { once: sum, each: 0 },
            }
        };
        let units = price.units.saturating_add(arguments);
        let cost = Cost {
            now: view(if is_past { below.past } else { below.now }, units),
            past: view(below.past, units.saturating_add(price.past_units)),
        };
        (cost, times)
    }

    /// The same for a field that the schema does not have, or that is part of introspection.
    fn unknown(&self, field: &Field, below: Cost) -> (Cost, u64) {
        let length = self.pages.length(field);
        let cost = below.now.asking(1).saturating_mul(length).saturating_add(1);
        (Cost::once(cost), length)
    }
}

fn hidden_schema() -> RequestError {
    let message = "This server does not tell its schema; see its documentation.";
    RequestError::new("INTROSPECTION_DISABLED", StatusCode::BAD_REQUEST, message)
}

/// The fields of introspection that lead from one type to many; only looked at below `__schema` and `__type`.
fn lists_types(field: &str) -> bool {
    matches!(field, "fields" | "inputFields" | "interfaces" | "possibleTypes")
}

fn directives(count: usize) -> Measure {
    Measure {
        directives: count as u64,
        ..Measure::default()
    }
}

/// All fragments, each after those that it uses; an error where they use one another in a circle.
fn in_order_of_use(
    document: &ExecutableDocument,
) -> Result<Vec<(&str, &Positioned<FragmentDefinition>)>, RequestError> {
    let mut missing: HashMap<&str, usize> = HashMap::new();
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, fragment) in &document.fragments {
        let mut uses = Vec::new();
        spreads(&fragment.node.selection_set.node, &mut uses);
        uses.retain(|used| document.fragments.contains_key(*used));
        missing.insert(name, uses.len());
        for used in uses {
            users.entry(used).or_default().push(name);
        }
    }

    let mut ready: Vec<&str> = missing
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(name, _)| *name)
        .collect();
    let mut ordered = Vec::with_capacity(document.fragments.len());
    while let Some(name) = ready.pop() {
        ordered.push((name, &document.fragments[name]));
        for user in users.remove(name).unwrap_or_default() {
            let count = missing.get_mut(user).expect("every fragment is counted");
            *count -= 1;
            if *count == 0 {
                ready.push(user);
            }
        }
    }
    if ordered.len() == document.fragments.len() {
        return Ok(ordered);
    }
    Err(RequestError::invalid("Fragments use one another in a circle."))
}

/// The names of the fragments that are used in a selection, once for each use.
pub(super) fn spreads<'a>(set: &'a SelectionSet, names: &mut Vec<&'a str>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => spreads(&field.node.selection_set.node, names),
            Selection::InlineFragment(inline) => spreads(&inline.node.selection_set.node, names),
            Selection::FragmentSpread(spread) => names.push(spread.node.fragment_name.node.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::value;

    use super::*;

    fn measured(document: &str, variables: &Variables, limits: &Limits) -> Result<u64, String> {
        let document = parse_query(document).expect("a document");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        walk(&document, operation, variables, limits).map_err(|error| error.message)
    }

    fn cost(document: &str) -> u64 {
        measured(
            document,
            &Variables::default(),
            &Limits {
                cost: u64::MAX,
                ..Limits::default()
            },
        )
        .expect("a cost")
    }

    #[test]
    fn fields_count_one_and_those_below_a_page_as_often_as_it_is_long() {
        assert_eq!(cost("{ a b { c d } }"), 4);
        assert_eq!(cost("{ a(first: 10) { nodes { b } } }"), 1 + 10 * 2);
        assert_eq!(
            cost("{ a(last: 10) { b(first: 20) { c d } e } }"),
            1 + 10 * (1 + 20 * 2 + 1)
        );
        assert_eq!(cost("{ nodes(ids: [1, 2, 3]) { id } }"), 1 + 3);
    }

    #[test]
    fn a_fragment_costs_where_it_is_used() {
        assert_eq!(
            cost("{ ...f ...f x(first: 5) { ...f } } fragment f on T { a ... on U { b } }"),
            2 + 2 + 1 + 5 * 2
        );
        assert_eq!(cost("{ a } fragment f on T { b }"), 1);
        assert_eq!(cost("{ a ...missing }"), 1);
    }

    #[test]
    fn a_page_with_incidents_and_their_updates_is_well_within_the_limits() {
        let incident = "id title status impact impactOverride startedAt monitoringAt resolvedAt duration summary \
            externalRef metadata backfilled version createdAt updatedAt allowedTransitions \
            affectedComponents { component { id name } status worst intervals { from to status } } \
            updates(first: 20) { nodes { id status body bodyHtml displayAt createdAt editedAt \
            componentChanges { component { id name } from to } } pageInfo { hasNextPage endCursor } }";
        let document = format!("{{ page(slug: \"a\") {{ incidents(first: 50) {{ nodes {{ {incident} }} }} }} }}");

        let cost = measured(&document, &Variables::default(), &Limits::default()).expect("within the limits");

        assert!((10_000..25_000).contains(&cost), "{cost}");
    }

    #[test]
    fn pages_within_pages_within_pages_are_past_the_cost() {
        let document = "{ a(first: 100) { b(first: 100) { c(first: 100) { d } } } }";

        let refusal = measured(document, &Variables::default(), &Limits::default());

        assert_eq!(
            refusal,
            Err("This request is too complex: its cost is 1010101 and may be at most 50000.".to_owned())
        );
    }

    #[test]
    fn only_the_operation_that_runs_has_a_cost() {
        let document = parse_query("query A { a } query B { b(first: 100) { c(first: 100) { d(first: 100) { e } } } }")
            .expect("a document");
        let of = |name: &str| {
            let operation = document
                .operations
                .iter()
                .find(|(found, _)| found.is_some_and(|found| found == name));
            walk(
                &document,
                operation.expect("the operation").1,
                &Variables::default(),
                &Limits::default(),
            )
        };

        assert_eq!(of("A"), Ok(1));
        assert_eq!(of("B").map_err(|error| error.code), Err("DOCUMENT_TOO_COMPLEX"));
    }

    #[test]
    fn nothing_overflows() {
        let mut document = "{ ...f0 }".to_owned();
        for i in 0..100 {
            document += &format!(
                " fragment f{i} on T {{ x(first: 100) {{ ...f{next} ...f{next} }} }}",
                next = i + 1
            );
        }
        let all = Limits {
            depth: u64::MAX,
            fields: u64::MAX,
            aliases: u64::MAX,
            cost: u64::MAX,
            arguments: u64::MAX,
            ..Limits::default()
        };

        assert_eq!(measured(&document, &Variables::default(), &all), Ok(u64::MAX));
    }

    #[test]
    fn introspection_that_goes_round_is_refused() {
        let round = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
        let through_fragments = "{ __type(name: \"A\") { ...t } } fragment t on __Type { fields { type { ...u } } } \
            fragment u on __Type { possibleTypes { ...v } } fragment v on __Type { fields { name } }";

        for document in [round, through_fragments] {
            let refusal = measured(document, &Variables::default(), &Limits::default());
            assert_eq!(
                refusal,
                Err("This request is too complex: its introspection is 3 and may be at most 2.".to_owned())
            );
        }
        // The same names elsewhere are nobody's concern.
        assert_eq!(cost("{ fields { fields { fields { fields { a } } } } }"), 5);
    }

    #[test]
    fn the_introspection_of_clients_passes() {
        let of_type = (0..9).fold("name kind".to_owned(), |inner, _| {
            format!("name kind ofType {{ {inner} }}")
        });
        let document = format!(
            "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} types {{ ...FullType }} \
             directives {{ name description isRepeatable locations args(includeDeprecated: true) {{ ...InputValue }} }} }} }} \
             fragment FullType on __Type {{ kind name description specifiedByURL isOneOf \
             fields(includeDeprecated: true) {{ name args(includeDeprecated: true) {{ ...InputValue }} type {{ ...TypeRef }} }} \
             inputFields(includeDeprecated: true) {{ ...InputValue }} interfaces {{ ...TypeRef }} \
             enumValues(includeDeprecated: true) {{ name isDeprecated }} possibleTypes {{ ...TypeRef }} }} \
             fragment InputValue on __InputValue {{ name type {{ ...TypeRef }} defaultValue isDeprecated }} \
             fragment TypeRef on __Type {{ {of_type} }}"
        );

        let cost = measured(&document, &Variables::default(), &Limits::default()).expect("within the limits");

        assert!(cost < 30_000, "{cost}");
    }

    #[test]
    fn an_argument_counts_as_often_as_it_is_read() {
        let variables = Variables::from_value(value!({"x": "12345678"}));
        let limits = |arguments| Limits {
            arguments,
            ..Limits::default()
        };
        // Eight bytes of text and eight for its place; `first` is a value too.
        for (document, bytes) in [
            ("query($x: String) { a(b: $x) }", 16),
            ("query($x: String) { a(b: $x) c(d: $x) }", 32),
            ("query($x: String) { a(first: 10) { b(c: $x) } }", 8 + 160),
            (
                "query($x: String) { a(first: 10) { b(last: 5) { c(d: $x) } } }",
                8 + 10 * (8 + 5 * 16),
            ),
            ("query($x: String) { ...f ...f } fragment f on T { a(b: $x) }", 32),
            ("{ a(b: \"12345678\") }", 16),
            ("{ a(b: {c: [\"1234\"]}) }", 3 * 8 + 1 + 4),
            ("query($y: String = \"12345678\") { a(b: $y) }", 16),
        ] {
            assert!(measured(document, &variables, &limits(bytes)).is_ok(), "{document}");
            let refusal = measured(document, &variables, &limits(bytes - 1)).expect_err("one too many");
            assert!(refusal.contains("arguments"), "{document}: {refusal}");
        }
    }

    #[test]
    fn a_schema_that_is_not_told_is_not_told_anywhere() {
        let limits = Limits {
            introspectable: false,
            ..Limits::default()
        };
        for document in [
            "{ __schema { types { name } } }",
            "{ a __type(name: \"A\") { name } }",
            "{ ...f } fragment f on Query { ... { x: __schema { queryType { name } } } }",
            "query A { a } query B { __schema { queryType { name } } }",
        ] {
            let document = parse_query(document).expect("a document");
            let (_, operation) = document.operations.iter().next().expect("an operation");
            let error = walk(&document, operation, &Variables::default(), &limits).expect_err("refused");
            assert_eq!((error.code, error.locations.len()), ("INTROSPECTION_DISABLED", 1));
        }
        assert_eq!(measured("{ a { __typename } }", &Variables::default(), &limits), Ok(2));
    }

    #[test]
    fn variables_say_how_long_a_page_is() {
        let document = "query($n: Int = 7) { a(first: $n) { b } }";
        let with = |variables| measured(document, &Variables::from_value(variables), &Limits::default());

        assert_eq!(with(value!({"n": 20})), Ok(21));
        assert_eq!(with(value!({})), Ok(8));
    }
}
