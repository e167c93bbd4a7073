//! Tests of what several files say together, and of files that say nothing.

use serde_json::json;

use super::{at, capture, incident, update};
use crate::domain::component::ComponentStatus;
use crate::domain::impact::Impact;
use crate::statuspage::{Capture, ReadError};

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
