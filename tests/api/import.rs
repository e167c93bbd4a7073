//! Taking over a captured Statuspage page: what comes out is what the files say, to the millisecond.

use std::path::Path;

use allclear::domain::component::ComponentStatus;
use allclear::domain::impact::Impact;
use allclear::domain::incident::IncidentStatus;
use allclear::queries;
use allclear::statuspage::Capture;
use futures_util::future::join_all;
use serde_json::Value;

use crate::support::import::{EVERYTHING, Importing, assert_same, at, file, fixture, instant, taken, unchanged};
use crate::support::{for_each_database, require};

#[tokio::test]
async fn every_trap_of_a_capture_is_taken_and_every_bad_record_is_named() {
    for_each_database(async |server| {
        let test = Importing::on(server);

        let report = test.import(&fixture(), "parcelway").await;

        assert_eq!(report.pages, taken(1));
        assert_eq!(report.groups, taken(1));
        assert_eq!(report.components, taken(4));
        assert_eq!(report.incidents, taken(4));
        assert_eq!(report.incident_updates, taken(10));
        assert_eq!(report.maintenances, taken(2));
        assert_eq!(report.maintenance_updates, taken(5));
        assert_eq!(report.component_changes, taken(11));
        let bad: Vec<String> = report.not_taken.iter().map(ToString::to_string).collect();
        assert_eq!(
            bad,
            [
                "components.json: component cmpbroken001: status is not a known word: \"lost\"",
                "incidents.json: incident incbadword01: status is not a known word: \"mitigated\"",
                "incidents.json: incident incbaddate01: incident_updates[0]: display_at is not an RFC 3339 instant: \
                 \"2023-02-29T10:00:00.000+01:00\"",
                "incidents.json: incident incshape0001: incident_updates is not a list: \"none\"",
                "incidents.json: incident inclines0001: title: must not hold control characters",
                "incidents.json: incident incblank0001: updates.updblank0001.body: must not be blank",
                "scheduled_maintenances.json: maintenance mntwindow001: scheduledUntil: a maintenance must end after it \
                 starts",
            ]
        );
        let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), 2, "a component is not in the capture: {notes:?}");
        assert!(notes[0].starts_with(
            "incidents.json: incident inccritic001: a change of component cmpgone00001 (Vans) from operational to \
             partial_outage"
        ));
    })
    .await;
}

#[tokio::test]
async fn what_is_imported_reads_as_the_files_say() {
    for_each_database(async |server| {
        let test = Importing::on(server);

        test.import(&fixture(), "parcelway").await;

        let page = test.page("parcelway").await;
        assert_eq!(
            (page.name.as_str(), page.time_zone.as_str()),
            ("Parcelway", "Europe/Paris")
        );
        assert_eq!(page.external_ref.as_deref(), Some("pgparcelway1"));
        let incidents = test.incidents(&page).await;
        let records = file(&fixture(), "incidents.json", "incidents");
        for (incident, record) in incidents.iter().zip(&records) {
            assert_same(incident, record);
        }
        let [open, power, before, critical] = incidents.as_slice() else {
            unreachable!("four were taken");
        };
        assert_eq!((open.status, open.backfilled), (IncidentStatus::Investigating, false));
        assert_eq!((power.status, power.backfilled), (IncidentStatus::Postmortem, true));
        assert_eq!((power.peak_impact, power.impact_override), (Impact::Critical, None));
        let published = power
            .postmortem
            .as_ref()
            .and_then(|postmortem| postmortem.published.as_deref());
        assert!(published.is_some_and(|text| text.contains("A breaker tripped \\(twice\\).\r\n")));
        assert!(before.resolved_at < Some(before.started_at));
        assert_eq!(
            (critical.peak_impact, critical.impact_override),
            (Impact::Major, Some(Impact::Critical))
        );

        let maintenances = test.maintenances(&page).await;
        let done = maintenances
            .iter()
            .find(|one| one.external_ref.as_deref() == Some("mntdone00001"))
            .expect("it was taken");
        assert_eq!(done.announced_at, at("2024-05-06T10:00:00.000Z"));
        assert_eq!(done.started_at, Some(at("2024-05-07T23:00:00.409Z")));
        assert_eq!(done.completed_at, Some(at("2024-05-08T00:41:00.011Z")));
        assert_eq!(
            (done.components.len(), done.updates.len(), done.automatic),
            (1, 4, false)
        );
    })
    .await;
}

#[tokio::test]
async fn components_stand_as_they_were_captured() {
    for_each_database(async |server| {
        let test = Importing::on(server);

        test.import(&fixture(), "parcelway").await;

        let page = test.page("parcelway").await;
        let view = test.view();
        let parts = view.parts(page.id).await.expect("the parts");
        assert_eq!(parts.condition().indicator(), Impact::Minor);
        let depots = parts.groups.first().expect("the group");
        let inside: Vec<&str> = parts.in_group(depots.id).map(|one| one.name.as_str()).collect();
        assert_eq!(inside, ["North", "South"]);
        let named = |name: &str| {
            parts
                .components
                .iter()
                .find(|one| one.name == name)
                .expect("it is there")
        };
        let tracking = named("Tracking");
        assert_eq!(tracking.status, ComponentStatus::DegradedPerformance);
        assert_eq!(tracking.created_at, at("2021-03-01T08:00:00.250Z"));
        let history = queries::component::status_changes(&view, tracking, EVERYTHING).await;
        assert_eq!(
            history.expect("it answers").items.len(),
            1,
            "the open incident explains how it stands"
        );
    })
    .await;
}

#[tokio::test]
async fn importing_twice_changes_nothing() {
    for_each_database(async |server| {
        let test = Importing::on(server);
        let first = test.import(&fixture(), "parcelway").await;
        let before = test.rows().await;

        let second = test.import(&fixture(), "parcelway").await;

        assert_eq!(test.rows().await, before);
        assert_eq!(second.pages, unchanged(1));
        assert_eq!(second.components, unchanged(4));
        assert_eq!(second.incidents, unchanged(4));
        assert_eq!(second.incident_updates, unchanged(10));
        assert_eq!(second.maintenances, unchanged(2));
        assert_eq!(second.component_changes, unchanged(11));
        assert_eq!(second.not_taken, first.not_taken);
        assert_eq!(second.notes, []);
    })
    .await;
}

#[tokio::test]
async fn a_known_incident_with_newer_updates_stays_and_is_named() {
    for_each_database(async |server| {
        let test = Importing::on(server);
        test.import(&fixture(), "parcelway").await;
        let before = test.rows().await;
        let mut capture = Capture::read(&fixture()).expect("a capture");
        let open = capture.incidents.last_mut().expect("the newest");
        let mut newer = open.updates[1].clone();
        newer.id = Some("updopen00003".to_owned());
        open.updates.push(newer);

        let report = test.import_capture(&capture, "parcelway").await;

        assert_eq!(test.rows().await, before);
        let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [
                "incidents.json: incident incopen00001: it was imported before and stays as it is, without 1 newer \
                 update(s)"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn an_existing_page_keeps_its_own() {
    for_each_database(async |server| {
        let test = Importing::on(server);
        let create = allclear::commands::page::Create {
            slug: "ours".to_owned(),
            name: "Ours".to_owned(),
            description: None,
            url: None,
            time_zone: "Asia/Tokyo".to_owned(),
            visibility: allclear::domain::page::Visibility::Public,
            external_ref: None,
        };
        let page = allclear::commands::page::create(&test.context, allclear::commands::Call::PLAIN, create).await;
        let page = page.expect("it is made");

        let report = test.import(&fixture(), "ours").await;

        assert_eq!(report.pages, unchanged(1));
        assert_eq!(test.page("ours").await, page);
        assert_eq!(test.incidents(&page).await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_page_is_made_without_what_cannot_be_taken_of_it() {
    for_each_database(async |server| {
        let test = Importing::on(server);
        let text = r#"{"page": {"id": "p1", "name": "Old", "url": "old.example", "time_zone": "Pacific Time"}}"#;
        let capture = Capture::of(&[("summary.json", text)]).expect("a capture");

        let report = test.import_capture(&capture, "old").await;

        let page = test.page("old").await;
        assert_eq!(
            (page.name.as_str(), page.url, page.time_zone.as_str()),
            ("Old", None, "UTC")
        );
        let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [
                "summary.json: page p1: its url was left out: a page's address must be an absolute http or https URL of \
                 at most 2,000 characters",
                "summary.json: page p1: its time_zone was left out: this is no IANA time zone",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_too_long_is_named_and_nothing_of_it_stays() {
    for_each_database(async |server| {
        let test = Importing::on(server);
        let mut capture = Capture::read(&fixture()).expect("a capture");
        let mut incidents = capture.incidents.iter_mut();
        let long = incidents.find(|one| one.id == "incbefore001").expect("it is there");
        long.updates[0].body = "x".repeat(25_001);

        let report = test.import_capture(&capture, "parcelway").await;

        let reasons: Vec<String> = report.not_taken.iter().map(ToString::to_string).collect();
        let expected = "incidents.json: incident incbefore001: updates.updbefore001.body: must not be longer than 25000 \
                        characters";
        assert!(reasons.iter().any(|reason| reason == expected), "{reasons:?}");
        assert_eq!(test.incidents(&test.page("parcelway").await).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn two_imports_at_once_take_each_record_once() {
    for_each_database(async |server| {
        let test = Importing::on(server);
        let nothing = Capture::default();
        test.import_capture(&nothing, "parcelway").await;

        let folder = fixture();
        let both = join_all([&folder, &folder].map(|folder| test.import(folder, "parcelway"))).await;

        assert_eq!(both.iter().map(|report| report.incidents.taken).sum::<usize>(), 4);
        assert_eq!(both.iter().map(|report| report.components.taken).sum::<usize>(), 4);
        let page = test.page("parcelway").await;
        assert_eq!(test.incidents(&page).await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_real_page_is_taken_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/statuspage-2019");
    if !folder.is_dir() {
        require::lacking("capture", &format!("{} is not here", folder.display()));
        return;
    }
    for_each_database(async |server| {
        let test = Importing::on(server);

        let report = test.import(&folder, "discord").await;

        assert_eq!(report.not_taken, []);
        assert_eq!(report.notes, []);
        assert_eq!(report.incidents, taken(50));
        assert_eq!(report.incident_updates, taken(171));
        assert_eq!(
            (report.components, report.groups),
            (taken(17), taken(1)),
            "18 with the group"
        );
        assert_eq!((report.maintenances, report.maintenance_updates), (taken(4), taken(13)));
        assert_eq!(report.component_changes, taken(128));

        let page = test.page("discord").await;
        let incidents = test.incidents(&page).await;
        let mut records = file(&folder, "incidents.json", "incidents");
        records.sort_by_key(|record| std::cmp::Reverse(instant(&record["started_at"])));
        assert_eq!(incidents.len(), 50);
        for (incident, record) in incidents.iter().zip(&records) {
            assert_same(incident, record);
        }
        let changed = || incidents.iter().filter(|incident| !incident.affected().is_empty());
        assert_eq!(changed().count(), 16);
        let agree = changed().filter(|incident| incident.impact_override.is_none()).count();
        assert!(agree >= 15, "{agree} of 16 impacts were computed as captured");

        let view = test.view();
        let parts = view.parts(page.id).await.expect("the parts");
        let status = std::fs::read_to_string(folder.join("status.json")).expect("the file");
        let status: Value = serde_json::from_str(&status).expect("it is JSON");
        assert_eq!(status["status"]["indicator"], parts.condition().indicator().as_str());
        assert_eq!(status["status"]["description"], parts.condition().words());

        let before = test.rows().await;
        let again = test.import(&folder, "discord").await;
        assert_eq!(test.rows().await, before);
        assert_eq!((again.incidents, again.maintenances), (unchanged(50), unchanged(4)));
    })
    .await;
}
