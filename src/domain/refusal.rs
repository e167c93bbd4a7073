//! Why a rule refuses what was asked: one variant for each thing a caller can act on.

use super::incident::IncidentStatus;
use super::maintenance::MaintenanceStatus;
use super::text::{LengthUnit, TextError};
use super::time::Timestamp;

/// A move that an incident's lifecycle does not allow (DOMAIN.md, 3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an incident that is {from} cannot become {to}")]
pub struct IllegalTransition {
    pub from: IncidentStatus,
    pub to: IncidentStatus,
    pub allowed: Vec<IncidentStatus>,
}

/// A move that a maintenance's lifecycle does not allow (DOMAIN.md, 4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a maintenance that is {from} cannot become {to}")]
pub struct IllegalMaintenanceTransition {
    pub from: MaintenanceStatus,
    pub to: MaintenanceStatus,
    pub allowed: Vec<MaintenanceStatus>,
}

/// The kinds of things a caller can name by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    Page,
    ComponentGroup,
    Component,
    Incident,
    IncidentUpdate,
    Postmortem,
    Maintenance,
    Token,
}

impl Thing {
    /// The code that says that such a thing does not exist for the caller.
    pub const fn not_found_code(self) -> &'static str {
        match self {
            Thing::Page => "PAGE_NOT_FOUND",
            Thing::ComponentGroup => "COMPONENT_GROUP_NOT_FOUND",
            Thing::Component => "COMPONENT_NOT_FOUND",
            Thing::Incident => "INCIDENT_NOT_FOUND",
            Thing::IncidentUpdate => "INCIDENT_UPDATE_NOT_FOUND",
            Thing::Postmortem => "POSTMORTEM_NOT_FOUND",
            Thing::Maintenance => "MAINTENANCE_NOT_FOUND",
            Thing::Token => "TOKEN_NOT_FOUND",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Thing::Page => "page",
            Thing::ComponentGroup => "component group",
            Thing::Component => "component",
            Thing::Incident => "incident",
            Thing::IncidentUpdate => "update",
            Thing::Postmortem => "postmortem",
            Thing::Maintenance => "maintenance",
            Thing::Token => "token",
        }
    }
}

/// Why a rule refuses what was asked. `code()` is the API's stable name of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    IllegalTransition(#[from] IllegalTransition),
    #[error(transparent)]
    IllegalMaintenanceTransition(#[from] IllegalMaintenanceTransition),
    #[error("the version that was expected is not the current one, which is {current}")]
    StaleVersion { current: i32 },
    #[error("there is no such {}", .0.words())]
    NotFound(Thing),
    #[error("the same component is named twice")]
    DuplicateComponent,
    #[error("an update cannot be dated before its incident began, at {start}")]
    UpdateBeforeStart { start: Timestamp },
    #[error("a time may lie at most five minutes ahead")]
    TimeInFuture,
    #[error("a maintenance must end after it starts")]
    InvalidWindow,
    #[error("{error}")]
    Text { error: TextError, required: &'static str },
    #[error("a slug is 1 to 63 lower-case letters, digits and single hyphens")]
    InvalidSlug,
    #[error("this slug is taken")]
    SlugTaken,
    #[error("this is no IANA time zone")]
    InvalidTimeZone,
    #[error("a page's address must be an absolute http or https URL of at most 2,000 characters")]
    InvalidUrl,
    #[error("another open incident of this page has this external reference")]
    ExternalRefTaken,
    #[error("an incident holds at most {max} updates")]
    TooManyUpdates { max: usize },
    #[error("a list holds at most {max} entries")]
    TooManyItems { max: usize },
    #[error("metadata may take at most {max} bytes as JSON")]
    MetadataTooLarge { max: usize },
    #[error("the updates of a backfilled incident stand oldest first")]
    UpdatesOutOfOrder,
    #[error("a backfilled incident ends with an update that resolves it")]
    BackfillNotResolved,
    #[error("a postmortem is changed by drafting and publishing it again")]
    UpdateIsPostmortem,
    #[error("what only the staff sees cannot change what the public sees: statuses and components")]
    StaffOnly,
    #[error("a token must expire in the future")]
    ExpiryInPast,
    #[error("this token was revoked, or has expired")]
    TokenEnded,
    #[error("an old token holds for {max} seconds at most beside the new one")]
    GraceTooLong { max: i64 },
    #[error("this idempotency key was used with another input")]
    IdempotencyKeyReused,
    #[error("the first call with this idempotency key is still running")]
    IdempotencyInProgress,
    #[error("an idempotency key is 1 to 200 printable ASCII characters")]
    InvalidIdempotencyKey,
}

impl Refusal {
    /// The stable name of this refusal in the API (`BAD_INPUTS.md`).
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::IllegalTransition(_) | Refusal::IllegalMaintenanceTransition(_) => "ILLEGAL_TRANSITION",
            Refusal::StaleVersion { .. } => "STALE_VERSION",
            Refusal::NotFound(thing) => thing.not_found_code(),
            Refusal::DuplicateComponent => "DUPLICATE_COMPONENT",
            Refusal::UpdateBeforeStart { .. } => "UPDATE_BEFORE_START",
            Refusal::TimeInFuture => "TIME_IN_FUTURE",
            Refusal::InvalidWindow => "INVALID_WINDOW",
            Refusal::Text { error, required } => match error {
                TextError::Required | TextError::NotAscii => required,
                TextError::TooLong { .. } => "TOO_LONG",
                TextError::ControlCharacter => "CONTROL_CHARACTER",
                TextError::InvalidSlug => "INVALID_SLUG",
            },
            Refusal::InvalidSlug => "INVALID_SLUG",
            Refusal::SlugTaken => "SLUG_TAKEN",
            Refusal::InvalidTimeZone => "INVALID_TIME_ZONE",
            Refusal::InvalidUrl => "INVALID_URL",
            Refusal::ExternalRefTaken => "EXTERNAL_REF_TAKEN",
            Refusal::TooManyUpdates { .. } => "TOO_MANY_UPDATES",
            Refusal::TooManyItems { .. } => "TOO_MANY_ITEMS",
            Refusal::MetadataTooLarge { .. } => "TOO_LONG",
            Refusal::UpdatesOutOfOrder => "UPDATES_OUT_OF_ORDER",
            Refusal::BackfillNotResolved => "BACKFILL_NOT_RESOLVED",
            Refusal::UpdateIsPostmortem => "UPDATE_IS_POSTMORTEM",
            Refusal::StaffOnly => "STAFF_ONLY",
            Refusal::ExpiryInPast => "EXPIRY_IN_PAST",
            Refusal::TokenEnded => "TOKEN_ENDED",
            Refusal::GraceTooLong { .. } => "GRACE_TOO_LONG",
            Refusal::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
            Refusal::IdempotencyInProgress => "IDEMPOTENCY_IN_PROGRESS",
            Refusal::InvalidIdempotencyKey => "INVALID_IDEMPOTENCY_KEY",
        }
    }

    /// The length a text may have, where that is what was wrong.
    pub const fn max_length(&self) -> Option<(usize, LengthUnit)> {
        match self {
            Refusal::Text {
                error: TextError::TooLong { max, unit },
                ..
            } => Some((*max, *unit)),
            Refusal::MetadataTooLarge { max } => Some((*max, LengthUnit::Bytes)),
            _ => None,
        }
    }

    /// This refusal, said of one field of the input: names of fields, list positions as numbers.
    pub fn at<S: ToString>(self, field: impl IntoIterator<Item = S>) -> Refused {
        Refused {
            field: field.into_iter().map(|segment| segment.to_string()).collect(),
            why: self,
        }
    }
}

/// A refusal, and the field of the input it is about (none where it is about the whole).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    pub field: Vec<String>,
    #[source]
    pub why: Refusal,
}

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(why: R) -> Refused {
        Refused {
            field: Vec::new(),
            why: why.into(),
        }
    }
}

#[cfg(test)]
mod tests;
