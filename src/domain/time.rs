//! Instants to the millisecond, as they are stored, compared and printed.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant: whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Both databases hold this number, so an instant sorts, compares and comes back the same on either; finer parts of a
/// given time are cut off. Pages show minutes, durations need the hidden seconds (DOMAIN.md, 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first instant that RFC 3339 can print: 0000-01-01T00:00:00Z.
    pub const EARLIEST: Timestamp = Timestamp(-62_167_219_200_000);
    /// The last one: 9999-12-31T23:59:59.999Z.
    pub const LATEST: Timestamp = Timestamp(253_402_300_799_999);

    /// The instant so many milliseconds after the epoch, held within what RFC 3339 can print.
    pub fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis.clamp(Self::EARLIEST.0, Self::LATEST.0))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This instant, so many milliseconds later (earlier where negative).
    pub fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative where this one comes first.
    pub const fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0 - earlier.0
    }

    /// The instant as chrono counts it.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// Reads RFC 3339 text with any offset; `None` where it is not one, names no real date, or is a leap second
    /// (no database holds one, so it would come back as another instant).
    pub fn parse(text: &str) -> Option<Timestamp> {
        let parsed = DateTime::parse_from_rfc3339(text).ok()?;
        let nanos = parsed.timestamp_subsec_nanos();
        let millis = parsed.timestamp_millis();
        let printable = (Self::EARLIEST.0..=Self::LATEST.0).contains(&millis);
        (nanos < 1_000_000_000 && printable).then_some(Timestamp(millis))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Timestamp {
        Timestamp::from_millis(at.timestamp_millis())
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 instant"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_offset_is_read_as_one_instant_to_the_millisecond() {
        let read = Timestamp::parse("2019-06-24T06:07:14.473-07:00").map(|at| at.to_string());
        assert_eq!(read.as_deref(), Some("2019-06-24T13:07:14.473Z"));
        let far_east = Timestamp::parse("2026-01-01T12:00:00+14:00").map(|at| at.to_string());
        assert_eq!(far_east.as_deref(), Some("2025-12-31T22:00:00.000Z"));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "2026-02-30T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "2026-01-01T00:00:00",
            "2016-12-31T23:59:60Z",
            "9999-12-31T23:59:59-01:00",
            "",
            "now",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn json_round_trips() {
        let at = Timestamp::from_millis(1_628_087_255_123);
        let json = serde_json::to_string(&at).expect("a timestamp is a string");
        assert_eq!(json, "\"2021-08-04T14:27:35.123Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).ok(), Some(at));
    }
}
