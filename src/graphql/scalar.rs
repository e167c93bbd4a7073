//! Scalars: how instants, durations, cursors and Markdown are written.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use crate::domain::time::Timestamp;

/// An instant as RFC 3339 writes it, always in UTC with `Z` and milliseconds on output; any offset is taken on input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub Timestamp);

/// An instant as RFC 3339 writes it, always in UTC with `Z` and milliseconds on output; any offset is taken on input.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => match Timestamp::parse(text) {
                Some(at) => Ok(DateTime(at)),
                None => Err(InputValueError::custom("not an RFC 3339 instant with a zone")),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    /// The library checks a custom scalar only while it executes, and then fails the whole answer; with this, validation
    /// refuses it before anything runs.
    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(text) if Timestamp::parse(text).is_some())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl From<Timestamp> for DateTime {
    fn from(at: Timestamp) -> DateTime {
        DateTime(at)
    }
}

/// Declares a scalar that is text on the wire and takes any text on input.
macro_rules! text_scalar {
    ($(#[$meta:meta])* $name:ident, $graphql:literal, $specified_by:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub String);

        $(#[$meta])*
        #[Scalar(name = $graphql, specified_by_url = $specified_by)]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                match value {
                    Value::String(text) => Ok($name(text)),
                    other => Err(InputValueError::expected_type(other)),
                }
            }

            fn is_valid(value: &Value) -> bool {
                matches!(value, Value::String(_))
            }

            fn to_value(&self) -> Value {
                Value::String(self.0.clone())
            }
        }
    };
}

text_scalar! {
    /// A length of time as ISO 8601 writes it, to the millisecond, such as `PT2H39M35S`.
    Duration, "Duration", "https://www.rfc-editor.org/rfc/rfc3339#appendix-A"
}

text_scalar! {
    /// A place in a page's log: opaque text, to be kept and handed back as it came.
    Cursor, "Cursor", "https://relay.dev/graphql/connections.htm#sec-Cursor"
}

text_scalar! {
    /// Text as people wrote it, in CommonMark. Render it yourself, or take the sanitised HTML that stands beside it.
    Markdown, "Markdown", "https://spec.commonmark.org/"
}

text_scalar! {
    /// An absolute address.
    Url, "URL", "https://url.spec.whatwg.org/"
}
