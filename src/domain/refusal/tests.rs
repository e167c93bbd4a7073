//! Tests of refusals: each has a stable code and words, and says where.

use std::collections::HashSet;

use super::super::incident::IncidentStatus;
use super::super::maintenance::MaintenanceStatus;
use super::super::sample::minute;
use super::*;

const THINGS: [Thing; 8] = [
    Thing::Page,
    Thing::ComponentGroup,
    Thing::Component,
    Thing::Incident,
    Thing::IncidentUpdate,
    Thing::Postmortem,
    Thing::Maintenance,
    Thing::Token,
];

fn text(error: TextError) -> Refusal {
    let required = "TITLE_REQUIRED";
    Refusal::Text { error, required }
}

fn too_long() -> TextError {
    let (max, unit) = (200, LengthUnit::Characters);
    TextError::TooLong { max, unit }
}

/// One of each variant, the next after each: a variant that is new does not compile until it has its place here.
fn next(after: &Refusal) -> Option<Refusal> {
    Some(match after {
        Refusal::IllegalTransition(_) => Refusal::IllegalMaintenanceTransition(IllegalMaintenanceTransition {
            from: MaintenanceStatus::Completed,
            to: MaintenanceStatus::Scheduled,
            allowed: MaintenanceStatus::Completed.allowed(),
        }),
        Refusal::IllegalMaintenanceTransition(_) => Refusal::StaleVersion { current: 4 },
        Refusal::StaleVersion { .. } => Refusal::NotFound(Thing::Page),
        Refusal::NotFound(_) => Refusal::DuplicateComponent,
        Refusal::DuplicateComponent => Refusal::UpdateBeforeStart { start: minute(0) },
        Refusal::UpdateBeforeStart { .. } => Refusal::TimeInFuture,
        Refusal::TimeInFuture => Refusal::InvalidWindow,
        Refusal::InvalidWindow => text(TextError::Required),
        Refusal::Text { .. } => Refusal::InvalidSlug,
        Refusal::InvalidSlug => Refusal::SlugTaken,
        Refusal::SlugTaken => Refusal::InvalidTimeZone,
        Refusal::InvalidTimeZone => Refusal::InvalidUrl,
        Refusal::InvalidUrl => Refusal::ExternalRefTaken,
        Refusal::ExternalRefTaken => Refusal::TooManyUpdates { max: 500 },
        Refusal::TooManyUpdates { .. } => Refusal::TooManyItems { max: 100 },
        Refusal::TooManyItems { .. } => Refusal::MetadataTooLarge { max: 16_384 },
        Refusal::MetadataTooLarge { .. } => Refusal::BackfillNotResolved,
        Refusal::BackfillNotResolved => Refusal::UpdatesOutOfOrder,
        Refusal::UpdatesOutOfOrder => Refusal::UpdateIsPostmortem,
        Refusal::UpdateIsPostmortem => Refusal::StaffOnly,
        Refusal::StaffOnly => Refusal::ExpiryInPast,
        Refusal::ExpiryInPast => Refusal::TokenEnded,
        Refusal::TokenEnded => Refusal::GraceTooLong { max: 60 },
        Refusal::GraceTooLong { .. } => Refusal::IdempotencyKeyReused,
        Refusal::IdempotencyKeyReused => Refusal::IdempotencyInProgress,
        Refusal::IdempotencyInProgress => Refusal::InvalidIdempotencyKey,
        Refusal::InvalidIdempotencyKey => return None,
    })
}

fn all() -> Vec<Refusal> {
    let first = Refusal::IllegalTransition(IllegalTransition {
        from: IncidentStatus::Resolved,
        to: IncidentStatus::Investigating,
        allowed: IncidentStatus::Resolved.allowed(),
    });
    let mut all: Vec<Refusal> = std::iter::successors(Some(first), next).collect();
    all.extend(THINGS.map(Refusal::NotFound));
    let errors = [
        too_long(),
        TextError::ControlCharacter,
        TextError::InvalidSlug,
        TextError::NotAscii,
    ];
    all.extend(errors.map(text));
    all
}

#[test]
fn every_code_is_screaming_snake_case_and_every_refusal_has_words() {
    for refusal in all() {
        let code = refusal.code();
        let words: Vec<&str> = code.split('_').collect();
        let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
        assert!(words.iter().all(is_word), "{code}");
        assert!(!refusal.to_string().is_empty(), "{code}");
    }
}

#[test]
fn refusals_share_a_code_only_where_a_caller_would_do_the_same() {
    let shared = [
        "ILLEGAL_TRANSITION",
        "TOO_LONG",
        "INVALID_SLUG",
        "TITLE_REQUIRED",
        "PAGE_NOT_FOUND",
    ];
    let mut seen = HashSet::new();

    for refusal in all() {
        let is_new = seen.insert(refusal.code());
        assert!(is_new || shared.contains(&refusal.code()), "{}", refusal.code());
    }
}

#[test]
fn every_thing_that_is_not_found_has_a_code_of_its_own() {
    let codes: HashSet<&str> = THINGS.iter().map(|thing| thing.not_found_code()).collect();

    assert_eq!(codes.len(), THINGS.len());
    assert!(codes.iter().all(|code| code.ends_with("_NOT_FOUND")));
}

#[test]
fn a_text_is_refused_by_what_is_wrong_with_it() {
    for (error, code) in [
        (TextError::Required, "TITLE_REQUIRED"),
        (TextError::NotAscii, "TITLE_REQUIRED"),
        (too_long(), "TOO_LONG"),
        (TextError::ControlCharacter, "CONTROL_CHARACTER"),
        (TextError::InvalidSlug, "INVALID_SLUG"),
    ] {
        assert_eq!(text(error).code(), code);
    }
}

#[test]
fn a_length_is_given_where_it_was_the_length() {
    for refusal in all() {
        let expected = match refusal.code() {
            "TOO_LONG" if refusal == text(too_long()) => Some((200, LengthUnit::Characters)),
            "TOO_LONG" => Some((16_384, LengthUnit::Bytes)),
            _ => None,
        };
        assert_eq!(refusal.max_length(), expected, "{}", refusal.code());
    }
}

#[test]
fn a_refusal_says_which_field_it_is_about() {
    let nested = Refusal::DuplicateComponent.at(["components", "3", "component"]);
    let index = Refusal::TimeInFuture.at([7]);
    let whole = Refused::from(Refusal::InvalidWindow);

    assert_eq!(nested.field, ["components", "3", "component"]);
    assert_eq!(index.field, ["7"]);
    assert_eq!(whole.field, Vec::<String>::new());
    assert_eq!(nested.to_string(), Refusal::DuplicateComponent.to_string());
}

#[test]
fn a_move_that_is_refused_says_from_where_to_where() {
    let all = all();

    assert_eq!(
        all[0].to_string(),
        "an incident that is resolved cannot become investigating"
    );
    assert_eq!(
        all[1].to_string(),
        "a maintenance that is completed cannot become scheduled"
    );
}
