//! Tests of postmortems: drafts for the staff, publications for everybody.

use super::*;
use crate::domain::refusal::Thing;

fn drafted(before: &Incident, text: &str, at: Timestamp) -> Incident {
    let mut after = before.clone();
    after
        .draft_postmortem(text.to_owned(), at)
        .expect("an incident that is over may have a draft");
    after
}

fn published(before: &Incident, entry: u128, at: Timestamp) -> Incident {
    let mut after = before.clone();
    after
        .publish_postmortem(id(entry), at, now())
        .expect("a draft may be published");
    after
}

fn withdrawn(before: &Incident) -> Incident {
    let mut after = before.clone();
    after
        .withdraw_postmortem(now())
        .expect("a published postmortem may be withdrawn");
    after
}

fn texts(incident: &Incident) -> (Option<&str>, Option<&str>) {
    let postmortem = incident.postmortem.as_ref().expect("there is a postmortem");
    (postmortem.draft.as_deref(), postmortem.published.as_deref())
}

#[test]
fn a_postmortem_is_drafted_and_published_only_when_the_incident_is_over() {
    for &status in IncidentStatus::ALL {
        let before = incident(status);
        let draft = |it: &mut Incident| it.draft_postmortem("x".to_owned(), now());
        let publish = |it: &mut Incident| it.publish_postmortem(id(9), minute(5), now());

        if status.is_open() {
            for (_, why) in [refused(&before, draft), refused(&before, publish)] {
                assert_eq!(why.code(), "ILLEGAL_TRANSITION", "{status}");
            }
            continue;
        }
        let (_, why) = refused(&before, publish);
        assert_eq!(why, Refusal::NotFound(Thing::Postmortem), "{status} without a draft");
        let after = published(&drafted(&before, "x", now()), 9, minute(5));
        assert_eq!(after.status, PostmortemStatus);
        assert_eq!(after.version, before.version + 1);
    }
}

#[test]
fn only_a_published_postmortem_is_withdrawn() {
    for &status in IncidentStatus::ALL {
        let before = incident(status);

        if status == PostmortemStatus {
            let after = withdrawn(&before);
            assert_eq!((after.status, after.version), (Resolved, before.version + 1));
            continue;
        }
        let (_, why) = refused(&before, |it| it.withdraw_postmortem(now()));
        assert_eq!(why, Refusal::NotFound(Thing::Postmortem), "{status}");
    }
    let draft = drafted(&incident(Resolved), "x", now());
    let (_, why) = refused(&draft, |it| it.withdraw_postmortem(now()));
    assert_eq!(why, Refusal::NotFound(Thing::Postmortem));
}

#[test]
fn a_draft_leaves_no_mark_on_what_the_public_sees() {
    for status in [Resolved, PostmortemStatus] {
        let before = incident(status);

        let once = drafted(&before, "A first try", minute(30));
        let twice = drafted(&once, "A second try", minute(40));

        assert_eq!((twice.version, twice.updated_at), (before.version, before.updated_at));
        assert_eq!(texts(&twice).0, Some("A second try"));
        let seen = before.clone().seen_by(Audience::Public);
        assert_eq!(once.seen_by(Audience::Public), seen, "{status}");
        assert_eq!(twice.clone().seen_by(Audience::Public), seen, "{status}");
        assert_eq!(twice.clone().seen_by(Audience::Staff), twice);
    }
    assert_eq!(incident(Resolved).seen_by(Audience::Public).postmortem, None);
    let public = incident(PostmortemStatus).seen_by(Audience::Public);
    assert_eq!(texts(&public), (None, Some("What we learnt")));
}

#[test]
fn the_text_that_is_published_becomes_an_entry_of_the_timeline() {
    let before = drafted(&incident(Resolved), "What we learnt", now());

    let after = published(&before, 9, minute(50));

    let entry = after.updates.last().expect("there are entries");
    assert_eq!((entry.id, entry.status), (id(9), PostmortemStatus));
    assert_eq!((entry.body.as_str(), entry.display_at), ("What we learnt", minute(50)));
    assert_eq!(texts(&after), (None, Some("What we learnt")));
    let at = after.postmortem.as_ref().and_then(|postmortem| postmortem.published_at);
    assert_eq!(at, Some(minute(50)));
    assert_eq!(after.resolved_at, before.resolved_at, "the postmortem does not count");
    assert_eq!(after.affected(), before.affected());
}

#[test]
fn a_revised_postmortem_keeps_its_place_and_its_earlier_text() {
    let before = incident(PostmortemStatus);

    let after = published(&drafted(&before, "What we learnt since", now()), 9, minute(55));

    assert_eq!(after.updates.len(), before.updates.len());
    let entry = after.updates.last().expect("there are entries");
    assert_eq!((entry.id, entry.display_at), (id(102), minute(2)));
    assert_eq!(entry.body, "What we learnt since");
    assert_eq!(entry.revisions[0].body, "What we learnt");
    assert_eq!(texts(&after), (None, Some("What we learnt since")));
    let at = after.postmortem.as_ref().and_then(|postmortem| postmortem.published_at);
    assert_eq!(at, Some(minute(2)));
    assert_eq!(after.version, before.version + 1);
}

#[test]
fn what_is_withdrawn_becomes_the_draft_again_unless_there_is_a_newer_one() {
    let before = incident(PostmortemStatus);

    let after = withdrawn(&before);
    let with_newer = withdrawn(&drafted(&before, "What we learnt since", now()));

    assert_eq!(texts(&after), (Some("What we learnt"), None));
    assert_eq!(texts(&with_newer), (Some("What we learnt since"), None));
    assert_eq!(after.resolved_at, before.resolved_at);
    assert_eq!(after.updates.len(), before.updates.len() - 1);
    assert_eq!(after.seen_by(Audience::Public).postmortem, None);
    assert_eq!(
        reopened(&with_newer, post(9, Identified, minute(20))).status,
        Identified
    );
}

#[test]
fn a_publication_lies_within_the_times_of_any_update() {
    let before = drafted(&incident(Resolved), "x", now());
    let start = minute(0);

    let early = refused(&before, |it| it.publish_postmortem(id(9), start.plus_millis(-1), now()));
    let late = refused(&before, |it| {
        it.publish_postmortem(id(9), minute(65).plus_millis(1), now())
    });

    codes("displayAt", &early, "UPDATE_BEFORE_START");
    codes("displayAt", &late, "TIME_IN_FUTURE");
    published(&before, 9, minute(65));
}
