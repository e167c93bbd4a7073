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
mod tests;
