//! Tests of events: what they carry comes back as it went in, and who hears of them.

use std::collections::HashSet;

use super::super::incident::IncidentStatus;
use super::super::maintenance::MaintenanceStatus;
use super::super::sample::{component, group, id, incident, maintenance, now, page, payload};
use super::*;

fn subject(kind: SubjectKind) -> Subject {
    match kind {
        SubjectKind::Page => Subject::Page,
        SubjectKind::ComponentGroup => Subject::ComponentGroup(group(20)),
        SubjectKind::Component => Subject::Component(component(31, Some(id(20)))),
        SubjectKind::Incident => Subject::Incident(incident(IncidentStatus::Postmortem)),
        SubjectKind::Maintenance => Subject::Maintenance(maintenance(MaintenanceStatus::Verifying)),
    }
}

fn read_back(payload: &Payload) -> Payload {
    let json = serde_json::to_string(payload).expect("a payload is JSON");
    serde_json::from_str(&json).expect("what was written can be read")
}

#[test]
fn a_payload_of_every_kind_comes_back_from_json_as_it_was() {
    for &kind in SubjectKind::ALL {
        let plain = payload(subject(kind));
        let full = Payload {
            components: vec![component(31, None), component(32, Some(id(20)))],
            update: Some(id(9)),
            status_move: Some(StatusMove {
                from: ComponentStatus::Operational,
                to: ComponentStatus::MajorOutage,
                cause: Some(id(2)),
            }),
            ..plain.clone()
        };

        assert_eq!(plain.subject.kind(), kind);
        assert_eq!(read_back(&plain), plain, "{kind}");
        assert_eq!(read_back(&full), full, "{kind}");
    }
}

#[test]
fn an_edited_incident_with_everything_set_comes_back_from_json_as_it_was() {
    let mut full = incident(IncidentStatus::Resolved);
    let edit = super::super::timeline::Edit {
        body: Some("Line\r\n\u{1F525} \"quoted\"".to_owned()),
        display_at: None,
    };
    full.edit(id(101), edit, now()).expect("an update can be edited");
    full.draft_postmortem("A draft".to_owned(), now())
        .expect("a resolved incident may have a draft");
    full.external_ref = Some("alert-7".to_owned());
    full.metadata = Some(serde_json::json!({ "list": [1, null, "two"] }));

    let payload = payload(Subject::Incident(full));

    assert_eq!(read_back(&payload), payload);
}

#[test]
fn every_kind_is_heard_of_by_everybody_but_the_drafting_of_a_postmortem() {
    for &kind in EventKind::ALL {
        let expected = if kind == EventKind::PostmortemDrafted {
            Audience::Staff
        } else {
            Audience::Public
        };
        assert_eq!(kind.audience(), expected, "{kind}");
    }
}

#[test]
fn a_kind_takes_its_subject_away_when_its_word_says_so() {
    for &kind in EventKind::ALL {
        let says_so = ["_archived", "_removed"].iter().any(|end| kind.as_str().ends_with(end));
        assert_eq!(kind.removes(), says_so, "{kind}");
    }
}

#[test]
fn every_kind_has_a_word_of_its_own_and_comes_back_from_it() {
    let words: HashSet<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();

    assert_eq!(words.len(), EventKind::ALL.len());
    for &kind in EventKind::ALL {
        assert_eq!(EventKind::from_word(kind.as_str()), Some(kind));
    }
    for &kind in SubjectKind::ALL {
        assert_eq!(SubjectKind::from_word(kind.as_str()), Some(kind));
    }
    assert_eq!(EventKind::from_word("IncidentOpened"), None);
}

#[test]
fn a_subject_is_named_by_its_own_id() {
    let ids = SubjectKind::ALL.iter().map(|&kind| subject(kind).id(page().id));

    assert_eq!(ids.collect::<Vec<_>>(), [1, 20, 31, 2, 3].map(id));
}

#[test]
fn the_public_sees_no_draft_in_a_payload() {
    let mut drafted = incident(IncidentStatus::Resolved);
    drafted
        .draft_postmortem("Not for all eyes".to_owned(), now())
        .expect("a resolved incident may have a draft");
    let payload = payload(Subject::Incident(drafted));

    let public = payload.clone().seen_by(Audience::Public);

    let json = serde_json::to_string(&public).expect("a payload is JSON");
    assert!(!json.contains("Not for all eyes"), "{json}");
    assert_eq!(payload.clone().seen_by(Audience::Staff), payload);
}
