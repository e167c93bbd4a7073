//! Reading a JSON object field by field, so that what cannot be read is named by its place.

use serde_json::{Map, Value};

use crate::domain::code::Word;
use crate::domain::component::ComponentStatus;
use crate::domain::time::Timestamp;

/// How much of a value that cannot be read is shown: enough to find it, and still one line of a report.
const SHOWN: usize = 60;

/// One object, and where it stands in its record. A field that is missing or null counts as not given: captures of
/// different years have different fields.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    place: String,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, place: &str) -> Result<Fields<'a>, String> {
        match value {
            Value::Object(object) => Ok(Fields {
                object,
                place: place.to_owned(),
            }),
            other => Err(format!("{}is not an object: {}", at(place), shown(other))),
        }
    }

    /// Whether the field stands there, be it as null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "text", other)),
        }
    }

    /// An id of origin. Some compatible servers number their records.
    pub(super) fn id(&self, name: &str) -> Result<Option<String>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.wrong(name, "an id", other)),
        }
    }

    pub(super) fn instant(&self, name: &str) -> Result<Option<Timestamp>, String> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match value.as_str().and_then(Timestamp::parse) {
            Some(at) => Ok(Some(at)),
            None => Err(self.wrong(name, "an RFC 3339 instant", value)),
        }
    }

    pub(super) fn word<W: Word>(&self, name: &str) -> Result<Option<W>, String> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match value.as_str().and_then(W::from_word) {
            Some(word) => Ok(Some(word)),
            None => Err(self.wrong(name, "a known word", value)),
        }
    }

    /// The status of a component. Some compatible servers say `full_outage` for `major_outage` (DOMAIN.md, 9).
    pub(super) fn component_status(&self, name: &str) -> Result<Option<ComponentStatus>, String> {
        match self.value(name).and_then(Value::as_str) {
            Some("full_outage") => Ok(Some(ComponentStatus::MajorOutage)),
            _ => self.word(name),
        }
    }

    pub(super) fn integer(&self, name: &str) -> Option<i32> {
        let number = self.value(name).and_then(Value::as_i64)?;
        i32::try_from(number).ok()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.value(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn list(&self, name: &str) -> Result<&'a [Value], String> {
        match self.value(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(self.wrong(name, "a list", other)),
        }
    }

    pub(super) fn required<T>(&self, name: &str, read: Option<T>) -> Result<T, String> {
        read.ok_or_else(|| format!("{}{name} is missing", at(&self.place)))
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, wanted: &str, found: &Value) -> String {
        format!("{}{name} is not {wanted}: {}", at(&self.place), shown(found))
    }
}

/// The id in a list of ids, or of whole objects.
pub(super) fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()).filter(|id| !id.is_empty()),
        Value::Object(_) => Fields::of(value, "").ok()?.id("id").ok()?,
        _ => None,
    }
}

fn at(place: &str) -> String {
    if place.is_empty() {
        String::new()
    } else {
        format!("{place}: ")
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
