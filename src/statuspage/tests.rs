//! Tests of reading captures: what is traced here is invented, its traps are those of real files (DOMAIN.md, 9).

use serde_json::json;

use super::*;
use crate::domain::impact::Impact;
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
fn what_several_files_say_of_one_record_is_taken_once_and_the_newest_holds() {
    let newer = json!({ "name": "newer", "updated_at": "2024-03-11T00:00:00.000Z" });
    let broken = incident("i3", &json!({ "status": "fixed" }));
    let read = capture(&[
        (
            "incidents.json",
            json!({ "page": { "id": "p1", "name": "Parcels" },
                    "incidents": [incident("i2", &json!({ "started_at": "2024-04-01T00:00:00.000Z" })),
                                  incident("i1", &json!({})), incident("i1", &json!({ "name": "again" })),
                                  incident("i3", &json!({}))] }),
        ),
        (
            "summary.json",
            json!({ "page": { "id": "p2", "time_zone": "Europe/Paris" },
                    "incidents": [incident("i1", &newer), incident("i2", &json!({ "name": "same age" })), broken] }),
        ),
    ]);

    let titles: Vec<_> = read
        .incidents
        .iter()
        .map(|one| (one.id.as_str(), one.title.as_str()))
        .collect();
    assert_eq!(
        titles,
        [
            ("i1", "newer"),
            ("i3", "Deliveries are late"),
            ("i2", "Deliveries are late")
        ]
    );
    assert_eq!(read.unreadable, [], "the other file has a good copy");
    assert_eq!(read.page.id.as_deref(), Some("p1"));
    assert_eq!(read.page.time_zone.as_deref(), Some("Europe/Paris"));
}

#[test]
fn groups_are_told_by_their_children_or_by_themselves() {
    let read = capture(&[(
        "components.json",
        json!({ "components": [
            { "id": "c3", "name": "Map", "status": "under_maintenance", "position": 3 },
            { "id": "c2", "name": "South", "status": "full_outage", "position": 2, "group_id": null },
            { "id": "c1", "name": "North", "status": "operational", "position": 1, "group_id": "g1", "group": false },
            { "id": "c4", "name": "Lost", "status": "operational", "position": 4, "group_id": "g9" },
            { "id": "c5", "name": "Odd", "status": "on_fire" },
            { "id": "g1", "name": "Depot", "status": "major_outage", "group": true, "components": ["c1", "c2"] },
        ]}),
    )]);

    let parts: Vec<_> = read
        .components
        .iter()
        .map(|one| (one.name.as_str(), one.group.as_deref(), one.status.as_str()))
        .collect();
    assert_eq!(
        parts,
        [
            ("North", Some("g1"), "operational"),
            ("South", Some("g1"), "major_outage"),
            ("Map", None, "under_maintenance"),
            ("Lost", None, "operational"),
        ]
    );
    assert_eq!(read.groups.len(), 1);
    assert_eq!(read.components[3].notes.len(), 1, "its group is not there");
    assert_eq!(read.unreadable.len(), 1);
}

#[test]
fn a_component_that_only_an_incident_holds_is_read_too() {
    let whole = json!([{ "id": "c1", "name": "Map", "status": "operational" }]);
    let read = capture(&[(
        "incidents.json",
        json!({ "incidents": [incident("i1", &json!({ "components": whole }))] }),
    )]);

    assert_eq!(read.components.len(), 1);
    assert_eq!(
        read.incidents[0].notes,
        ["it lists component c1, but no update says what became of it"]
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

#[test]
fn where_the_timelines_leave_a_component_is_the_last_they_say() {
    let mut early = update("u1", "investigating", "2024-03-10T09:30:00.000Z");
    early["affected_components"] =
        json!([{ "code": "c1", "old_status": "operational", "new_status": "partial_outage" }]);
    let mut late = update("u2", "resolved", "2024-03-10T09:50:00.000Z");
    late["affected_components"] =
        json!([{ "code": "c1", "old_status": "partial_outage", "new_status": "degraded_performance" }]);
    let list = json!({ "incidents": [incident("i1", &json!({ "incident_updates": [late, early] }))] });
    let read = capture(&[("incidents.json", list)]);

    let left = Some((at("2024-03-10T09:50:00.000Z"), ComponentStatus::DegradedPerformance));
    assert_eq!(read.left_at("c1"), left);
    assert_eq!(read.left_at("c2"), None);
    assert_eq!(read.incidents[0].impact, Some(Impact::Minor));
}

#[test]
fn a_file_that_is_not_json_is_named() {
    let broken = Capture::of(&[("incidents.json", "{\"incidents\": [")]).expect_err("it breaks off");
    assert_eq!(broken.to_string(), "incidents.json is not JSON");
    let list = Capture::of(&[("summary.json", "[]")]).expect_err("it is a list");
    assert_eq!(
        list.to_string(),
        "summary.json holds no JSON object, so it is no file of a Statuspage page"
    );
    let marked = Capture::of(&[("summary.json", "\u{feff}{}")]).expect("a byte order mark is no harm");
    assert!(marked.is_empty());
}

#[test]
fn a_folder_needs_one_of_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(Capture::read(folder.path()), Err(ReadError::Empty(_))));

    std::fs::write(folder.path().join("incidents.json"), "{\"incidents\": []}").expect("it is written");
    let read = Capture::read(folder.path()).expect("one is enough");
    assert_eq!(read.files, ["incidents.json"]);
}
