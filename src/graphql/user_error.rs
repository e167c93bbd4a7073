//! Expected failures of mutations, which come back as data.

use async_graphql::{Interface, SimpleObject};

use super::enums::{IncidentStatus, LengthUnit, MaintenanceStatus};
use super::error::{Failure, sentence};
use crate::domain::refusal::{Refusal, Refused};
use crate::error::Error;

/// Something about a mutation's input that its sender can mend. Where `userErrors` is not empty, nothing has changed.
#[expect(clippy::duplicated_attributes, reason = "two fields of one type are no duplicates")]
#[derive(Interface, Debug)]
#[graphql(
    field(
        name = "code",
        ty = "&String",
        desc = "What is wrong, as a stable word: `TITLE_REQUIRED`, `STALE_VERSION`, …"
    ),
    field(name = "message", ty = "&String", desc = "What is wrong, in English, for people."),
    field(
        name = "field",
        ty = "&Vec<String>",
        desc = "The way to the field of the arguments it is about, list positions as numbers; empty where it is about \
                the whole."
    )
)]
pub enum UserError {
    /// A rule that has no type of its own.
    InputError(InputError),
    /// A text is too long.
    TooLong(TooLong),
    /// An incident cannot move there.
    IllegalTransition(IllegalTransition),
    /// A maintenance cannot move there.
    IllegalMaintenanceTransition(IllegalMaintenanceTransition),
    /// Somebody else changed it first.
    StaleVersion(StaleVersion),
    /// A key is taken.
    DuplicateKey(DuplicateKey),
}

/// An input that a rule refuses.
#[derive(SimpleObject, Debug)]
pub struct InputError {
    /// What is wrong, as a stable word.
    code: String,
    /// What is wrong, in English, for people.
    message: String,
    /// The way to the field of the arguments it is about, list positions as numbers; empty where it is about the whole.
    field: Vec<String>,
}

/// A text that is longer than it may be.
#[derive(SimpleObject, Debug)]
pub struct TooLong {
    /// What is wrong, as a stable word.
    code: String,
    /// What is wrong, in English, for people.
    message: String,
    /// The way to the field of the arguments it is about, list positions as numbers; empty where it is about the whole.
    field: Vec<String>,
    /// How long it may be.
    max: i32,
    /// What `max` counts.
    unit: LengthUnit,
}

/// A move that the lifecycle of incidents does not allow.
#[derive(SimpleObject, Debug)]
pub struct IllegalTransition {
    /// What is wrong, as a stable word.
    code: String,
    /// What is wrong, in English, for people.
    message: String,
    /// The way to the field of the arguments it is about, list positions as numbers; empty where it is about the whole.
    field: Vec<String>,
    /// Where the incident stands.
    from: IncidentStatus,
    /// Where it was to go.
    to: IncidentStatus,
    /// Where it may go.
    allowed: Vec<IncidentStatus>,
}

/// A move that the lifecycle of maintenances does not allow.
#[derive(SimpleObject, Debug)]
pub struct IllegalMaintenanceTransition {
    /// What is wrong, as a stable word.
    code: String,
    /// What is wrong, in English, for people.
    message: String,
    /// The way to the field of the arguments it is about, list positions as numbers; empty where it is about the whole.
    field: Vec<String>,
    /// Where the maintenance stands.
    from: MaintenanceStatus,
    /// Where it was to go.
    to: MaintenanceStatus,
    /// Where it may go.
    allowed: Vec<MaintenanceStatus>,
}

/// An `expectedVersion` that is not the current one: read again, and decide again.
#[derive(SimpleObject, Debug)]
pub struct StaleVersion {
    /// What is wrong, as a stable word.
    code: String,
    /// What is wrong, in English, for people.
    message: String,
    /// The way to the field of the arguments it is about, list positions as numbers; empty where it is about the whole.
    field: Vec<String>,
    /// The version it has now.
    current: i32,
}

/// A key that another thing has: `SLUG_TAKEN`, `EXTERNAL_REF_TAKEN`.
#[derive(SimpleObject, Debug)]
pub struct DuplicateKey {
    /// What is wrong, as a stable word.
    code: String,
    /// What is wrong, in English, for people.
    message: String,
    /// The way to the field of the arguments it is about, list positions as numbers; empty where it is about the whole.
    field: Vec<String>,
}

impl From<Refused> for UserError {
    fn from(refused: Refused) -> UserError {
        let code = refused.why.code().to_owned();
        let message = sentence(&refused.why.to_string());
        let field: Vec<String> = match refused.field.is_empty() {
            true => Vec::new(),
            false => std::iter::once("input".to_owned()).chain(refused.field).collect(),
        };
        if let Some((max, unit)) = refused.why.max_length() {
            let max = i32::try_from(max).unwrap_or(i32::MAX);
            return UserError::TooLong(TooLong {
                code,
                message,
                field,
                max,
                unit: unit.into(),
            });
        }
        match refused.why {
            Refusal::IllegalTransition(illegal) => UserError::IllegalTransition(IllegalTransition {
                code,
                message,
                field,
                from: illegal.from.into(),
                to: illegal.to.into(),
                allowed: illegal.allowed.into_iter().map(Into::into).collect(),
            }),
            Refusal::IllegalMaintenanceTransition(illegal) => {
                UserError::IllegalMaintenanceTransition(IllegalMaintenanceTransition {
                    code,
                    message,
                    field,
                    from: illegal.from.into(),
                    to: illegal.to.into(),
                    allowed: illegal.allowed.into_iter().map(Into::into).collect(),
                })
            }
            Refusal::StaleVersion { current } => UserError::StaleVersion(StaleVersion {
                code,
                message,
                field,
                current,
            }),
            Refusal::SlugTaken | Refusal::ExternalRefTaken => {
                UserError::DuplicateKey(DuplicateKey { code, message, field })
            }
            _ => UserError::InputError(InputError { code, message, field }),
        }
    }
}

/// Parts what a command returned: its result, or what its caller can mend; anything else fails the field.
pub(super) fn split<T>(result: Result<T, Error>) -> Result<(Option<T>, Vec<UserError>), Failure> {
    match result {
        Ok(changed) => Ok((Some(changed), Vec::new())),
        Err(Error::Refused(refused)) => Ok((None, vec![refused.into()])),
        Err(error) => Err(error.into()),
    }
}
