//! Tests of reading captures: what is traced here is invented, its traps are those of real files (DOMAIN.md, 9).

mod files;

use serde_json::json;

use super::*;
use crate::domain::incident::IncidentStatus;
use crate::domain::maintenance::MaintenanceStatus;

fn capture(files: &[(&'static str, Value)]) -> Capture {
    let files: Vec<(&'static str, String)> = files.iter().map(|(file, value)| (*file, value.to_string())).collect();
    Capture::of(&files).expect("these are objects")
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("an instant")
}

/// An incident with these fields beside or instead of its own.
fn incident(id: &str, fields: &Value) -> Value {
    let mut incident = json!({
        "id": id,
        "name": "Deliveries are late",
        "status": "resolved",
        "impact": "minor",
        "created_at": "2024-03-10T01:30:00.120-08:00",
        "started_at": "2024-03-10T01:29:59.007-08:00",
        "updated_at": "2024-03-10T03:45:00.001-07:00",
        "monitoring_at": null,
        "resolved_at": "2024-03-10T03:45:00.001-07:00",
        "incident_updates": [update("u2", "resolved", "2024-03-10T03:45:00.001-07:00"),
                             update("u1", "investigating", "2024-03-10T01:29:59.007-08:00")],
    });
    let into = incident.as_object_mut().expect("an object");
    into.extend(fields.as_object().expect("an object").clone());
    incident
}

fn update(id: &str, status: &str, at: &str) -> Value {
    json!({ "id": id, "status": status, "body": id, "created_at": at, "updated_at": at, "display_at": at,
            "affected_components": null })
}

fn one(fields: &Value) -> Incident {
    let read = capture(&[("incidents.json", json!({ "incidents": [incident("i1", fields)] }))]);
    assert_eq!(read.unreadable, []);
    read.incidents.into_iter().next().expect("it was read")
}

fn refused(fields: &Value) -> String {
    let list = json!({ "incidents": [incident("good", &json!({})), incident("bad", fields)] });
    let read = capture(&[("incidents.json", list)]);
    assert_eq!(read.incidents.len(), 1, "the other one is read");
    assert_eq!(read.unreadable.len(), 1);
    read.unreadable[0].to_string()
}

#[test]
fn instants_are_kept_to_the_millisecond_whatever_their_offset() {
    let read = one(&json!({}));

    assert_eq!(read.started_at, at("2024-03-10T09:29:59.007Z"));
    assert_eq!(read.created_at, at("2024-03-10T09:30:00.120Z"));
    assert_eq!(read.resolved_at, Some(at("2024-03-10T10:45:00.001Z")));
}

#[test]
fn updates_are_put_oldest_first_and_numbered_as_they_were_posted() {
    let same = "2024-03-10T10:00:00.000Z";
    let mut backdated = update("backdated", "identified", "2024-03-10T11:00:00.000Z");
    backdated["display_at"] = json!("2024-03-10T09:45:00.000Z");
    let read = one(&json!({ "incident_updates": [
        update("end", "resolved", "2024-03-10T12:00:00.000Z"),
        backdated,
        update("third", "identified", same),
        update("second", "identified", same),
        update("first", "investigating", "2024-03-10T09:30:00.000Z"),
    ]}));

    let order: Vec<_> = read.updates.iter().map(|one| (one.body.as_str(), one.number)).collect();
    assert_eq!(
        order,
        [("first", 1), ("backdated", 4), ("second", 2), ("third", 3), ("end", 5)]
    );
}

#[test]
fn a_file_that_is_oldest_first_comes_out_the_same() {
    let same = "2024-03-10T10:00:00.000Z";
    let read = one(&json!({ "incident_updates": [
        update("first", "investigating", "2024-03-10T09:30:00.000Z"),
        update("second", "identified", same),
        update("third", "identified", same),
        update("end", "resolved", "2024-03-10T12:00:00.000Z"),
    ]}));

    let order: Vec<_> = read.updates.iter().map(|one| one.body.as_str()).collect();
    assert_eq!(order, ["first", "second", "third", "end"]);
}

#[test]
fn an_edited_update_says_when() {
    let mut edited = update("u1", "resolved", "2024-03-10T10:45:00.001Z");
    edited["updated_at"] = json!("2024-03-10T10:50:00.002Z");
    let mut older = update("u0", "investigating", "2024-03-10T09:30:00.000Z");
    older["updated_at"] = json!("2024-03-10T09:00:00.000Z");
    let read = one(&json!({ "incident_updates": [edited, older] }));

    let edits: Vec<_> = read.updates.iter().map(|one| one.edited_at).collect();
    assert_eq!(edits, [None, Some(at("2024-03-10T10:50:00.002Z"))]);
}

#[test]
fn affected_components_are_a_list_or_null_or_a_name_that_says_none() {
    let changed = json!([
        { "code": "c1", "name": "Depot - North", "old_status": "operational", "new_status": "full_outage" },
        { "code": "c2", "name": "Map", "new_status": "degraded_performance" },
    ]);
    let mut first = update("u1", "investigating", "2024-03-10T09:30:00.000Z");
    first["affected_components"] = changed;
    let mut second = update("u2", "identified", "2024-03-10T09:40:00.000Z");
    second["affected_components"] = json!([{ "name": "No components were affected by this update." }]);
    let mut third = update("u3", "resolved", "2024-03-10T09:50:00.000Z");
    third["affected_components"] = json!([{ "code": "c2", "name": "Map", "new_status": "operational" }]);
    let read = one(&json!({ "incident_updates": [third, second, first] }));

    let change = |component: &str, name: &str, from, to| Change {
        component: component.to_owned(),
        name: name.to_owned(),
        from,
        to,
    };
    use ComponentStatus::{DegradedPerformance, MajorOutage, Operational};
    assert_eq!(
        read.updates[0].changes,
        [
            change("c1", "Depot - North", Operational, MajorOutage),
            change("c2", "Map", Operational, DegradedPerformance)
        ]
    );
    assert_eq!(read.updates[1].changes, []);
    assert_eq!(
        read.updates[2].changes,
        [change("c2", "Map", DegradedPerformance, Operational)]
    );
    assert_eq!(read.notes, [""; 0]);
}

#[test]
fn a_component_change_that_cannot_be_read_is_left_out_with_a_note() {
    let mut only = update("u1", "resolved", "2024-03-10T09:30:00.000Z");
    only["affected_components"] = json!([
        { "code": "c1", "name": "Map", "old_status": "operational", "new_status": "on_fire" },
        { "code": "c2", "name": "Depot", "old_status": "operational", "new_status": "partial_outage" },
        { "code": "c2", "name": "Depot", "old_status": "operational", "new_status": "major_outage" },
        { "name": "Van", "new_status": "operational" },
    ]);
    let read = one(&json!({ "incident_updates": [only] }));

    assert_eq!(read.updates[0].changes.len(), 1);
    assert_eq!(
        read.notes,
        [
            "incident_updates[0].affected_components: new_status is not a known word: \"on_fire\"; this component \
             change was left out",
            "incident_updates[0]: component c2 is named twice",
            "incident_updates[0].affected_components: code is missing; this component change was left out",
        ]
    );
}

#[test]
fn what_an_older_capture_does_not_say_follows_from_the_rest() {
    let mut value = incident("i1", &json!({}));
    let fields = value.as_object_mut().expect("an object");
    for name in ["started_at", "monitoring_at", "resolved_at", "updated_at", "impact"] {
        fields.remove(name);
    }
    fields["incident_updates"] = json!([
        { "id": 7, "status": "resolved", "body": "over", "display_at": "2024-03-10T10:45:00.001Z" },
        { "id": 6, "status": "monitoring", "body": "watching", "created_at": "2024-03-10T10:15:00.001Z" },
    ]);
    let read = capture(&[("incidents.json", json!({ "incidents": [value] }))]);

    let read = &read.incidents[0];
    assert_eq!(read.started_at, at("2024-03-10T09:30:00.120Z"), "it was created then");
    assert_eq!(read.monitoring_at, Some(at("2024-03-10T10:15:00.001Z")));
    assert_eq!(read.resolved_at, Some(at("2024-03-10T10:45:00.001Z")));
    assert_eq!(read.updated_at, at("2024-03-10T10:45:00.001Z"));
    assert_eq!(read.impact, None);
    assert_eq!(read.updates[0].id.as_deref(), Some("6"));
    assert_eq!(read.updates[0].display_at, at("2024-03-10T10:15:00.001Z"));
    assert_eq!(read.updates[1].created_at, at("2024-03-10T10:45:00.001Z"));
}

#[test]
fn a_monitoring_at_of_null_stays_none() {
    let watching = json!([
        update("u2", "resolved", "2024-03-10T10:45:00.001Z"),
        update("u1", "monitoring", "2024-03-10T10:15:00.001Z")
    ]);
    assert_eq!(one(&json!({ "incident_updates": watching })).monitoring_at, None);
}

#[test]
fn an_incident_may_resolve_before_it_starts() {
    let read = one(&json!({ "resolved_at": "2024-03-09T00:00:00.000Z" }));
    assert_eq!(read.resolved_at, Some(at("2024-03-09T00:00:00.000Z")));
    assert_eq!(read.notes, [""; 0]);
}

#[test]
fn bodies_are_read_as_written() {
    let body = "Fixed. 🎉\r\n<br /> See https://status.example.com \u{feff}";
    let mut only = update("u1", "resolved", "2024-03-10T09:30:00.000Z");
    only["body"] = json!(body);
    assert_eq!(one(&json!({ "incident_updates": [only] })).updates[0].body, body);
}

#[test]
fn a_postmortem_goes_with_its_entry() {
    let entries = json!([
        update("u2", "postmortem", "2024-03-12T10:45:00.001Z"),
        update("u1", "resolved", "2024-03-10T10:15:00.001Z")
    ]);
    let with = one(&json!({ "status": "postmortem", "incident_updates": entries }));
    assert_eq!((with.status, with.notes.len()), (IncidentStatus::Postmortem, 0));

    let without = one(&json!({ "status": "postmortem" }));
    assert_eq!((without.status, without.notes.len()), (IncidentStatus::Resolved, 1));
}

#[test]
fn an_incident_of_nothing_but_its_postmortem_is_over_by_then() {
    let entry = json!([update("u1", "postmortem", "2024-03-12T10:45:00.001Z")]);
    for fields in [
        json!({ "status": "postmortem", "incident_updates": entry, "resolved_at": null }),
        json!({ "status": "resolved", "incident_updates": entry, "resolved_at": null }),
    ] {
        let read = one(&fields);
        assert_eq!(read.status, IncidentStatus::Postmortem);
        assert_eq!(read.resolved_at, Some(at("2024-03-12T10:45:00.001Z")));
    }
}

#[test]
fn one_bad_record_is_named_and_the_others_go_on() {
    let cases = [
        (json!({ "status": "fixed" }), "status is not a known word: \"fixed\""),
        (json!({ "status": null }), "status is missing"),
        (json!({ "impact": "huge" }), "impact is not a known word: \"huge\""),
        (
            json!({ "started_at": "2024-02-30T00:00:00.000Z" }),
            "started_at is not an RFC 3339 instant: \"2024-02-30T00:00:00.000Z\"",
        ),
        (json!({ "name": 7 }), "name is not text: 7"),
        (json!({ "incident_updates": [] }), "incident_updates: there are none"),
        (json!({ "incident_updates": {} }), "incident_updates is not a list: {}"),
        (
            json!({ "incident_updates": ["soon"] }),
            "incident_updates[0]: is not an object: \"soon\"",
        ),
        (
            json!({ "incident_updates": [update("u1", "done", "2024-03-10T09:30:00.000Z")] }),
            "incident_updates[0]: status is not a known word: \"done\"",
        ),
    ];
    for (fields, reason) in cases {
        assert_eq!(refused(&fields), format!("incidents.json: incident bad: {reason}"));
    }
    let list = json!({ "incidents": [incident("good", &json!({})), { "name": "nameless" }, 5] });
    let read = capture(&[("incidents.json", list)]);
    let reasons: Vec<String> = read.unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        [
            "incidents.json: incident at place 2: id is missing",
            "incidents.json: incident at place 3: is not an object: 5"
        ]
    );
}

#[test]
fn a_record_whose_id_is_empty_is_named_by_its_place() {
    let list = json!({ "incidents": ["", { "id": "" }], "components": [{ "id": "", "name": "Map" }] });
    let read = capture(&[("summary.json", list)]);

    let reasons: Vec<String> = read.unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        [
            "summary.json: component at place 1: id is missing",
            "summary.json: incident at place 1: is not an object: \"\"",
            "summary.json: incident at place 2: id is missing"
        ]
    );
}

#[test]
fn a_refusal_is_one_line_that_tells_a_terminal_nothing() {
    let list = json!({ "incidents": [{ "id": "a\u{1b}[2J\n\u{9b}b é", "status": "\u{9b}", "name": "x" }] });
    let read = capture(&[("incidents.json", list)]);

    assert_eq!(
        read.unreadable[0].to_string(),
        "incidents.json: incident a\\u{1b}[2J\\n\\u{9b}b é: incident_updates: there are none"
    );
}

#[test]
fn a_maintenance_is_announced_when_the_files_say_it_started() {
    let list = json!({ "scheduled_maintenances": [
        incident("m1", &json!({
            "status": "completed", "impact": "maintenance",
            "scheduled_for": "2024-03-11T01:00:00.000Z", "scheduled_until": "2024-03-11T03:00:00.000Z",
            "resolved_at": "2024-03-11T02:30:00.003Z",
            "components": [{ "id": "c1", "name": "Map", "status": "operational" }],
            "incident_updates": [
                update("u3", "completed", "2024-03-11T02:30:00.003Z"),
                update("u2", "in_progress", "2024-03-11T01:00:00.002Z"),
                update("u1", "scheduled", "2024-03-10T09:29:59.007Z"),
            ],
        })),
        incident("m2", &json!({ "status": "resolved" })),
    ]});
    let read = capture(&[("scheduled_maintenances.json", list)]);

    let maintenance = &read.maintenances[0];
    assert_eq!(maintenance.status, MaintenanceStatus::Completed);
    assert_eq!(maintenance.announced_at, at("2024-03-10T09:29:59.007Z"));
    assert_eq!(maintenance.started_at, Some(at("2024-03-11T01:00:00.002Z")));
    assert_eq!(maintenance.completed_at, Some(at("2024-03-11T02:30:00.003Z")));
    assert_eq!(maintenance.components, ["c1"]);
    assert_eq!(read.unreadable.len(), 1);
}
