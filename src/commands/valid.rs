//! Checking what a command was given, with the field of the input it stands in.

use crate::domain::refusal::{Refusal, Refused};
use crate::domain::text::{self, TextError};

/// How many bytes an incident's metadata may take as JSON: every event carries them.
const METADATA_BYTES: usize = 16 * 1024;

/// The longest address of a page, in characters.
const URL_LENGTH: usize = 2000;

/// The most components one call names: a page shows tens, and each is locked.
pub(super) const MAX_COMPONENTS: usize = 500;

fn checked(field: &str, required: &'static str, result: Result<String, TextError>) -> Result<String, Refused> {
    result.map_err(|error| Refusal::Text { error, required }.at([field]))
}

pub(super) fn title(raw: &str) -> Result<String, Refused> {
    checked("title", "TITLE_REQUIRED", text::title(raw))
}

pub(super) fn body(raw: &str) -> Result<String, Refused> {
    body_of("body", raw)
}

pub(super) fn body_of(field: &str, raw: &str) -> Result<String, Refused> {
    checked(field, "BODY_REQUIRED", text::body(raw))
}

pub(super) fn name(raw: &str) -> Result<String, Refused> {
    checked("name", "NAME_REQUIRED", text::name(raw))
}

pub(super) fn description(raw: Option<&str>) -> Result<Option<String>, Refused> {
    raw.map(|raw| checked("description", "DESCRIPTION_REQUIRED", text::description(raw)))
        .transpose()
}

pub(super) fn slug(raw: &str) -> Result<String, Refused> {
    checked("slug", "INVALID_SLUG", text::slug(raw))
}

pub(super) fn external_ref(raw: Option<&str>) -> Result<Option<String>, Refused> {
    raw.map(|raw| checked("externalRef", "EXTERNAL_REF_REQUIRED", text::external_ref(raw)))
        .transpose()
}

pub(super) fn idempotency_key(raw: &str) -> Result<String, Refused> {
    text::idempotency_key(raw).map_err(|_| Refusal::InvalidIdempotencyKey.at(["idempotencyKey"]))
}

pub(super) fn time_zone(raw: &str) -> Result<String, Refused> {
    match raw.parse::<chrono_tz::Tz>() {
        Ok(zone) => Ok(zone.name().to_owned()),
        Err(_) => Err(Refusal::InvalidTimeZone.at(["timeZone"])),
    }
}

pub(super) fn url(raw: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    let parsed = url::Url::parse(raw)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    match parsed {
        Some(_) if raw.chars().count() <= URL_LENGTH && !raw.chars().any(char::is_control) => Ok(Some(raw.to_owned())),
        _ => Err(Refusal::InvalidUrl.at(["url"])),
    }
}

pub(super) fn metadata(raw: Option<serde_json::Value>) -> Result<Option<serde_json::Value>, Refused> {
    let Some(value) = raw.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let text = value.to_string();
    if text.len() > METADATA_BYTES {
        return Err(Refusal::MetadataTooLarge { max: METADATA_BYTES }.at(["metadata"]));
    }
    // No text of ours may hold U+0000 (DOMAIN.md, 8).
    if holds_nul(&value) {
        let refusal = Refusal::Text {
            error: TextError::ControlCharacter,
            required: "METADATA_REQUIRED",
        };
        return Err(refusal.at(["metadata"]));
    }
    Ok(Some(value))
}

fn holds_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(items) => items.iter().any(holds_nul),
        serde_json::Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => false,
    }
}

/// Refuses a version that is not the one the caller expects.
pub(super) fn version(expected: Option<i32>, current: i32) -> Result<(), Refused> {
    match expected {
        Some(expected) if expected != current => Err(Refusal::StaleVersion { current }.at(["expectedVersion"])),
        _ => Ok(()),
    }
}
