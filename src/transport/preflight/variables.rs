//! How large values are: those of variables, and those that stand in a document.

use async_graphql::{Name, Value, Variables};
use async_graphql_value::Value as Literal;

use super::limits::{Limits, within};
use crate::transport::RequestError;

/// What a value takes beside its text: the list or the object it stands in has a place for it.
const VALUE: u64 = 8;

/// The size of a value, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    values: u64,
    bytes: u64,
    nesting: u64,
}

/// Refuses variables that are too many, too large, or too deep.
pub(super) fn check(variables: &Variables, limits: &Limits) -> Result<(), RequestError> {
    let mut all = Size::default();
    for (name, value) in variables.iter() {
        let size = size(value);
        all.values = all.values.saturating_add(size.values);
        all.bytes = all.bytes.saturating_add(name.len() as u64).saturating_add(size.bytes);
        all.nesting = all.nesting.max(size.nesting);
    }
    within("variableNesting", all.nesting, limits.variable_nesting)?;
    within("variableValues", all.values, limits.variable_values)?;
    within("variableBytes", all.bytes, limits.variable_bytes)
}

/// Bytes of a variable's value.
pub(super) fn bytes(value: &Value) -> u64 {
    size(value).bytes
}

/// Bytes of a value that stands in a document; `variable` says those of a variable in it.
pub(super) fn literal_bytes(value: &Literal, variable: &impl Fn(&str) -> u64) -> u64 {
    let mut sum = 0_u64;
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        let text = match value {
            Literal::Variable(name) => {
                sum = sum.saturating_add(variable(name));
                continue;
            }
            Literal::String(text) => text.len() as u64,
            Literal::Enum(name) => name.len() as u64,
            Literal::Binary(bytes) => bytes.len() as u64,
            Literal::List(items) => {
                rest.extend(items);
                0
            }
            Literal::Object(members) => {
                rest.extend(members.values());
                members.keys().map(|name| name.len() as u64).sum()
            }
            Literal::Null | Literal::Boolean(_) | Literal::Number(_) => 0,
        };
        sum = sum.saturating_add(text).saturating_add(VALUE);
    }
    sum
}

/// How many values an argument has, lists and objects included; null is none. Without recursion, as below.
pub(super) fn literal_values<'a>(value: &'a Literal, variable: &impl Fn(&Name) -> Option<&'a Value>) -> u64 {
    let mut count = 0_u64;
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Literal::Null => continue,
            Literal::Variable(name) => {
                count = count.saturating_add(variable(name).map_or(0, values));
                continue;
            }
            Literal::List(items) => rest.extend(items),
            Literal::Object(members) => rest.extend(members.values()),
            Literal::Number(_) | Literal::String(_) | Literal::Boolean(_) | Literal::Enum(_) | Literal::Binary(_) => {}
        }
        count = count.saturating_add(1);
    }
    count
}

/// How many values a variable has; null is none.
fn values(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        value => size(value).values,
    }
}

/// Without recursion: nobody has bounded the nesting yet.
fn size(value: &Value) -> Size {
    let mut size = Size::default();
    let mut rest = vec![(value, 1_u64)];
    while let Some((value, level)) = rest.pop() {
        let text = match value {
            Value::String(text) => text.len(),
            Value::Enum(name) => name.len(),
            Value::Binary(bytes) => bytes.len(),
            Value::List(items) => {
                size.nesting = size.nesting.max(level);
                rest.extend(items.iter().map(|item| (item, level + 1)));
                0
            }
            Value::Object(members) => {
                size.nesting = size.nesting.max(level);
                rest.extend(members.values().map(|member| (member, level + 1)));
                members.keys().map(|name| name.len()).sum()
            }
            Value::Null | Value::Boolean(_) | Value::Number(_) => 0,
        };
        size.values += 1;
        size.bytes += text as u64 + VALUE;
    }
    size
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    fn limit(variables: Value, limits: &Limits) -> Option<String> {
        check(&Variables::from_value(variables), limits)
            .err()
            .map(|error| error.message)
    }

    #[test]
    fn a_value_is_as_large_as_its_text_and_its_places() {
        assert_eq!(
            size(&value!({"a": [1, "xyz", null], "bc": {}})),
            Size {
                values: 6,
                bytes: 6 * VALUE + 3 + 3,
                nesting: 2,
            }
        );
        assert_eq!(size(&value!("x")).nesting, 0);
    }

    #[test]
    fn variables_are_bounded_in_depth_number_and_bytes() {
        let limits = Limits {
            variable_nesting: 3,
            variable_values: 10,
            variable_bytes: 100,
            ..Limits::default()
        };
        let refused = |variables| limit(variables, &limits).unwrap_or_default();

        assert_eq!(refused(value!({"x": [[[1]]], "y": "text"})), "");
        assert!(refused(value!({"x": [[[[1]]]]})).contains("variableNesting is 4 and may be at most 3"));
        assert!(refused(value!({"x": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]})).contains("variableValues"));
        assert!(refused(value!({"x": "a text of a hundred bytes and more, which is one value and all by itself too long for this limit"})).contains("variableBytes"));
    }

    #[test]
    fn what_serde_reads_at_most_is_no_trouble() {
        let deep = (0..10_000).fold(Value::Null, |inner, _| Value::List(vec![inner]));

        assert_eq!(size(&deep).nesting, 10_000);
        // Dropped piece by piece: a value drops what is in it by recursion.
        let mut rest = deep;
        while let Value::List(mut items) = rest {
            rest = items.pop().unwrap_or_default();
        }
    }
}
