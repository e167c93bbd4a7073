//! What a field's arguments say: how often what stands below it is resolved, and how much there is to read.

use std::cell::RefCell;
use std::collections::HashMap;

use async_graphql::parser::types::{Field, OperationDefinition};
use async_graphql::{Name, Value, Variables};
use async_graphql_value::Value as Literal;

use super::prices::Priced;
use super::variables::{bytes, literal_bytes, literal_values};

/// Reads page sizes from a document, with the variables it runs with.
pub(super) struct Pages<'a> {
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    longest: u64,
    /// Bytes of the variables that were met.
    sizes: RefCell<HashMap<String, u64>>,
}

/// The whole schema is answered at once, and is some hundred types; one type has some dozen fields.
const SCHEMA: u64 = 100;
const TYPE: u64 = 10;

impl<'a> Pages<'a> {
    pub(super) fn new(operation: &'a OperationDefinition, variables: &'a Variables, longest: u64) -> Pages<'a> {
        Pages {
            operation,
            variables,
            longest,
            sizes: RefCell::default(),
        }
    }

    /// Bytes of a field's arguments, with the variables in them.
    pub(super) fn argument_bytes(&self, field: &Field) -> u64 {
        let sizes = field
            .arguments
            .iter()
            .map(|(_, value)| literal_bytes(&value.node, &|name| self.variable_bytes(name)));
        sizes.fold(0, u64::saturating_add)
    }

    /// Measured once, however often it is used.
    fn variable_bytes(&self, name: &str) -> u64 {
        if let Some(&known) = self.sizes.borrow().get(name) {
            return known;
        }
        let size = self.variable(&Name::new(name)).map_or(0, bytes);
        self.sizes.borrow_mut().insert(name.to_owned(), size);
        size
    }

    /// Units for the arguments of a field, and how many items they ask for.
    pub(super) fn asked(&self, field: &Field, priced: &Priced) -> (u64, u64) {
        let price = &priced.price;
        let units = price.argument.map_or(0, |argument| {
            let values = self.values(field, argument.name);
            let given = if values > 0 { argument.given } else { 0 };
            given.saturating_add(values.saturating_mul(argument.each_value))
        });
        let Some(count) = price.count else {
            return (units, self.length(field));
        };
        let asked = match (field.get_argument(count.argument), &priced.default_count) {
            (Some(value), _) => self.size(&value.node),
            (None, Some(default)) => size(default),
            (None, None) => 1,
        };
        let asked = asked.clamp(1, count.most);
        (units.saturating_add(asked.saturating_mul(count.each)), asked)
    }

    /// Whether an argument is given, and not null.
    pub(super) fn is_given(&self, field: &Field, argument: &str) -> bool {
        self.values(field, argument) > 0
    }

    /// How many values an argument has, lists and objects included; none if it is not given, or null.
    fn values(&self, field: &Field, argument: &str) -> u64 {
        match field.get_argument(argument) {
            None => 0,
            Some(value) => literal_values(&value.node, &|name| self.variable(name)),
        }
    }

    /// The length of the list below a field: `first` or `last`, the number of `ids`, or 1.
    pub(super) fn length(&self, field: &Field) -> u64 {
        match field.name.node.as_str() {
            "__schema" => return SCHEMA,
            "__type" => return TYPE,
            _ => {}
        }
        let asked = field
            .arguments
            .iter()
            .filter(|(name, _)| matches!(name.node.as_str(), "first" | "last" | "ids"));
        let sizes = asked.map(|(_, value)| self.size(&value.node));
        sizes.max().unwrap_or(1).clamp(1, self.longest)
    }

    /// The number that an argument is, or the length of the list.
    fn size(&self, value: &Literal) -> u64 {
        match value {
            Literal::Variable(name) => self.variable(name).map_or(0, size),
            Literal::Number(number) => number.as_u64().unwrap_or(0),
            Literal::List(items) => items.len() as u64,
            _ => 0,
        }
    }

    fn variable(&self, name: &Name) -> Option<&Value> {
        self.variables.get(name).or_else(|| {
            let definition = self
                .operation
                .variable_definitions
                .iter()
                .find(|found| found.node.name.node == *name)?;
            definition.node.default_value.as_ref().map(|value| &value.node)
        })
    }
}

/// What is no size is refused later, and costs nothing until then.
fn size(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or(0),
        Value::List(items) => items.len() as u64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::Selection;
    use async_graphql::value;

    use super::*;

    fn length(field: &str, variables: Value) -> u64 {
        let document = parse_query(format!("query($n: Int, $m: Int = 3) {{ {field} }}")).expect("a document");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        let variables = Variables::from_value(variables);
        let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else {
            panic!("not a field");
        };
        Pages::new(&operation.node, &variables, 100).length(&field.node)
    }

    #[test]
    fn a_page_is_as_long_as_its_argument_says_up_to_the_longest_there_is() {
        for (field, expected) in [
            ("a", 1),
            ("a(first: 0)", 1),
            ("a(first: -5)", 1),
            ("a(first: null)", 1),
            ("a(first: \"x\")", 1),
            ("a(first: 50)", 50),
            ("a(last: 30, first: 20)", 30),
            ("a(first: 101)", 100),
            ("a(first: 99999999999999999999)", 1),
            ("a(ids: [1, 2])", 2),
            ("a(ids: [$n, $n, $m])", 3),
            ("a(count: 50)", 1),
        ] {
            assert_eq!(length(field, value!({})), expected, "{field}");
        }
    }

    #[test]
    fn a_variable_stands_for_its_value_or_its_default() {
        assert_eq!(length("a(first: $n)", value!({"n": 40})), 40);
        assert_eq!(length("a(ids: $n)", value!({"n": ["x", "y"]})), 2);
        assert_eq!(length("a(first: $n)", value!({})), 1);
        assert_eq!(length("a(first: $m)", value!({})), 3);
        assert_eq!(length("a(first: $unknown)", value!({})), 1);
    }
}
