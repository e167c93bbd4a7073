//! Reads JSON from strangers: at most as many values as a request may have.
//!
//! The body limit alone does not bound the work: 1 MiB of `[[[…` or of `0,0,0,…` is hundreds of thousands of values, each of
//! which is allocated. Reading stops at the first value too many.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Number, Value};

/// How many values a request may have beside its variables: its members, and extensions.
const BESIDE_VARIABLES: u64 = 100;

/// Why JSON was not read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It has this many values, or more: too many for a request.
    TooMany(u64),
    Invalid(serde_json::Error),
}

/// Reads one JSON text of a request whose variables may have so many values. Each object, array, string, number, boolean and
/// null is one value.
///
/// # Errors
/// When it is not JSON, or has more values than all variables may have and a few beside them.
pub(super) fn read(text: &[u8], variable_values: u64) -> Result<Value, Unreadable> {
    let most = variable_values.saturating_add(BESIDE_VARIABLES);
    let mut left = most;
    let mut deserializer = Deserializer::from_slice(text);
    let read = Bounded(&mut left).deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(_) if left == 0 => Err(Unreadable::TooMany(most)),
        Err(error) => Err(Unreadable::Invalid(error)),
    }
}

/// A value, and how many more may be read; 0 once there were too many.
struct Bounded<'a>(&'a mut u64);

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        // One is kept back: `left` must not reach 0 by what is allowed.
        if *self.0 <= 1 {
            *self.0 = 0;
            return Err(D::Error::custom("too many values"));
        }
        *self.0 -= 1;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Bounded(self.0))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            members.insert(name, access.next_value_seed(Bounded(self.0))?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUES: u64 = 10_000;

    fn array(items: usize) -> String {
        format!("[{}0]", "0,".repeat(items - 1))
    }

    #[test]
    fn as_many_values_are_read_as_a_request_may_have() {
        // The array is one, and one is kept back.
        let most = 10 + 100 - 2;

        assert!(read(array(most).as_bytes(), 10).is_ok());
        let Err(Unreadable::TooMany(found)) = read(array(most + 1).as_bytes(), 10) else {
            panic!("one too many")
        };

        assert_eq!(found, 10 + 100);
    }

    #[test]
    fn a_large_body_is_refused_after_its_first_values() {
        // Read as a whole these would be errors of another kind: the end is missing.
        for endless in ["0,".repeat(500_000), "\"x\",".repeat(200_000), "{},".repeat(300_000)] {
            let text = format!("[{endless}");
            let refused = read(text.as_bytes(), VALUES);
            assert!(matches!(refused, Err(Unreadable::TooMany(_))));
        }
    }

    #[test]
    fn invalid_json_says_where() {
        for invalid in ["", "{", "[1,]", "{\"a\":1} x", "nul", &"[".repeat(200)] {
            let Err(Unreadable::Invalid(error)) = read(invalid.as_bytes(), VALUES) else {
                panic!("{invalid}")
            };
            assert!(error.to_string().contains("line 1"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_reads(text in "[\\[\\]{}\":,0-9.eE\\-a-ntrufls ]{0,40}") {
            let bounded = read(text.as_bytes(), VALUES).ok();
            prop_assert_eq!(bounded, serde_json::from_str::<Value>(&text).ok());
        }
    }
}
