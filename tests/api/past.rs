//! Lists, counts and filters of the past, compared at every number of a log with a replay of its events.

mod big;

use std::collections::BTreeMap;
use std::sync::Arc;

use allclear::budget::Budget;
use allclear::commands::{Context, import};
use allclear::domain::audience::Audience;
use allclear::domain::event::{Payload, Subject};
use allclear::domain::impact::Impact;
use allclear::domain::incident::{Incident, IncidentStatus};
use allclear::domain::maintenance::{Maintenance, MaintenanceStatus};
use allclear::domain::role::Sight;
use allclear::domain::time::Timestamp;
use allclear::entity::event;
use allclear::queries::{self, Key, Slice, View, Window};
use allclear::statuspage::Capture;
use allclear::store::Author;
use allclear::store::log::Place;
use migration::{Migrator, MigratorTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::database::Test;
use crate::support::for_each_database_unheld;
use crate::support::import::fixture;
use crate::support::log::uuid;

/// How many changes a history has.
const STEPS: usize = 70;
/// How many components the page has: more than a filter's components are collected for.
const COMPONENTS: usize = 20;

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A page with a random history: whatever a step asks that the rules refuse is left out.
struct History {
    page: String,
    components: Vec<String>,
}

async fn random_history(test: &Test, seed: u64) -> History {
    let mut random = Random(seed);
    let page = test.page("past").await;
    let mut components = Vec::new();
    for number in 0..COMPONENTS {
        components.push(test.component(&page, &format!("Part {number}")).await);
    }
    let (mut incidents, mut updates, mut maintenances) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..STEPS {
        // Some changes share an instant.
        test.pass_minutes(i64::from(step % 3 != 0));
        let any = |random: &mut Random, of: &[Value]| match of.len() {
            0 => Value::Null,
            length => of[random.below(length)].clone(),
        };
        let incident = any(&mut random, &incidents);
        let update = any(&mut random, &updates);
        let maintenance = any(&mut random, &maintenances);
        let status = random.one_of(&["INVESTIGATING", "IDENTIFIED", "MONITORING", "RESOLVED"]);
        let state = json!([{ "component": random.one_of(&components),
            "status": random.one_of(&["MAJOR_OUTAGE", "DEGRADED_PERFORMANCE", "OPERATIONAL"]) }]);
        let earlier = test.in_minutes(-i64::try_from(random.below(40)).expect("small"));
        let external_ref = random.one_of(&["a", "b"]);
        let (field, input) = match random.below(19) {
            0..=2 => (
                "incidentOpen",
                json!({ "page": page, "title": "Open", "body": "We look.", "components": state,
                "displayAt": earlier, "externalRef": external_ref }),
            ),
            3 => (
                "incidentOpen",
                json!({ "page": page, "title": "Ours", "body": "Among us.", "audience": "STAFF" }),
            ),
            4 | 5 => (
                "incidentUpdatePost",
                json!({ "incident": incident, "status": status, "body": "Next.", "components": state }),
            ),
            6 => (
                "incidentUpdatePost",
                json!({ "incident": incident, "body": "A note.", "audience": "STAFF" }),
            ),
            7 => ("incidentUpdatePublish", json!({ "update": update })),
            8 => ("incidentPublish", json!({ "incident": incident })),
            9 => ("incidentAmend", json!({ "incident": incident, "startedAt": earlier })),
            10 => (
                "incidentAmend",
                json!({ "incident": incident, "impactOverride": random.one_of(&[json!("CRITICAL"), json!("MINOR"), Value::Null]),
                "externalRef": random.one_of(&[json!("c"), Value::Null]) }),
            ),
            11 => ("incidentResolve", json!({ "incident": incident })),
            12 => ("incidentReopen", json!({ "incident": incident, "reason": "Again." })),
            13 => (
                "incidentBackfill",
                json!({ "page": page, "title": "Old", "updates": [
                { "status": "INVESTIGATING", "body": "Old.", "displayAt": test.in_minutes(-600), "components": state },
                { "status": "RESOLVED", "body": "Over.", "displayAt": test.in_minutes(-500) }] }),
            ),
            14 => ("postmortemDraft", json!({ "incident": incident, "body": "Learnt." })),
            15 => ("postmortemPublish", json!({ "incident": incident })),
            16 => (
                "maintenanceSchedule",
                json!({ "page": page, "title": "Upgrade", "body": "We will.",
                "components": [random.one_of(&components)], "automatic": false,
                "scheduledFor": test.in_minutes(30), "scheduledUntil": test.in_minutes(90) }),
            ),
            17 => (
                *random.one_of(&["maintenanceStart", "maintenanceComplete"]),
                json!({ "maintenance": maintenance }),
            ),
            _ => (
                "pageAmend",
                json!({ "page": page, "visibility": random.one_of(&["PRIVATE", "PUBLIC"]) }),
            ),
        };
        let needed = ["incident", "update", "maintenance"].map(|name| input.get(name));
        if needed.contains(&Some(&Value::Null)) {
            continue;
        }
        let selection = match field {
            "pageAmend" => "page { id }",
            "incidentUpdatePost" | "incidentOpen" => "incident { id } update { id }",
            _ if field.starts_with("maintenance") => "maintenance { id }",
            _ => "incident { id }",
        };
        let done = test.try_mutate(field, input, selection).await;
        for (thing, known) in [
            ("incident", &mut incidents),
            ("update", &mut updates),
            ("maintenance", &mut maintenances),
        ] {
            let id = &done[thing]["id"];
            if !id.is_null() && !known.contains(id) {
                known.push(id.clone());
            }
        }
    }
    assert!(
        incidents.len() > 5 && maintenances.len() > 1,
        "the history has enough of each"
    );
    History { page, components }
}

/// What stood at a number, as the events tell.
struct Replay {
    incidents: Vec<Incident>,
    maintenances: Vec<Maintenance>,
}

/// Items as they are compared with those of a replay.
fn whole<T: Clone>(items: &[Arc<T>]) -> Vec<T> {
    items.iter().map(|item| item.as_ref().clone()).collect()
}

fn replay(events: &[event::Model], number: i64, audience: Audience) -> Replay {
    let mut subjects: BTreeMap<Uuid, Subject> = BTreeMap::new();
    for event in events.iter().filter(|event| event.staff_number <= number) {
        let payload: Payload = serde_json::from_str(&event.payload).expect("a payload");
        subjects.insert(event.subject_id, payload.subject);
    }
    let (mut incidents, mut maintenances) = (Vec::new(), Vec::new());
    for subject in subjects.into_values() {
        match subject {
            Subject::Incident(incident) if incident.exists_for(audience) => incidents.push(incident.seen_by(audience)),
            Subject::Maintenance(maintenance) => maintenances.push(maintenance),
            _ => {}
        }
    }
    incidents.sort_by_key(|incident| std::cmp::Reverse(queries::incident::key(incident)));
    maintenances.sort_by_key(|maintenance| std::cmp::Reverse(queries::maintenance::key(maintenance)));
    Replay {
        incidents,
        maintenances,
    }
}

fn matches(filter: &queries::incident::Filter, incident: &Incident) -> bool {
    let affected: Vec<Uuid> = incident.affected().iter().map(|affected| affected.component).collect();
    filter
        .statuses
        .as_ref()
        .is_none_or(|statuses| statuses.contains(&incident.status))
        && filter.minimum_impact.is_none_or(|minimum| incident.impact() >= minimum)
        && filter
            .components
            .as_ref()
            .is_none_or(|wanted| affected.iter().any(|component| wanted.contains(component)))
        && filter.started_after.is_none_or(|after| incident.started_at > after)
        && filter.started_before.is_none_or(|before| incident.started_at < before)
        && filter
            .external_ref
            .as_ref()
            .is_none_or(|wanted| incident.external_ref.as_ref() == Some(wanted))
}

fn filters(history: &History, now: Timestamp) -> Vec<queries::incident::Filter> {
    let plain = queries::incident::Filter::default;
    let component = |index: usize| uuid(&history.components[index]);
    let all = (0..COMPONENTS).map(component);
    vec![
        plain(),
        queries::incident::Filter::open(),
        queries::incident::Filter {
            statuses: Some(vec![IncidentStatus::Resolved, IncidentStatus::Postmortem]),
            ..plain()
        },
        queries::incident::Filter {
            statuses: Some(Vec::new()),
            ..plain()
        },
        queries::incident::Filter {
            minimum_impact: Some(Impact::Major),
            ..plain()
        },
        queries::incident::Filter {
            components: Some(vec![component(1), component(2), component(3)]),
            ..plain()
        },
        queries::incident::Filter {
            components: Some(all.collect()),
            minimum_impact: Some(Impact::Minor),
            ..plain()
        },
        queries::incident::Filter {
            components: Some(Vec::new()),
            ..plain()
        },
        queries::incident::Filter {
            started_after: Some(now.plus_millis(-40 * 60_000)),
            started_before: Some(now.plus_millis(-10 * 60_000)),
            ..plain()
        },
        queries::incident::Filter {
            external_ref: Some("a".to_owned()),
            ..plain()
        },
    ]
}

/// Windows on a list: both ends, and both sides of one of its items.
fn windows(middle: Option<Key>) -> Vec<Window> {
    let plain = Window {
        limit: 3,
        from_end: false,
        after: None,
        before: None,
    };
    let ends = [
        plain,
        Window {
            from_end: true,
            ..plain
        },
    ];
    let sides = middle.map(|key| {
        [
            Window {
                after: Some(key),
                ..plain
            },
            Window {
                from_end: true,
                before: Some(key),
                ..plain
            },
        ]
    });
    ends.into_iter().chain(sides.into_iter().flatten()).collect()
}

fn told<T>(slice: &Slice<T>, id: impl Fn(&T) -> Uuid) -> (Vec<Uuid>, bool, bool) {
    (slice.items.iter().map(id).collect(), slice.has_next, slice.has_previous)
}

/// Compares everything that can be asked of a page's past at every number from one on.
async fn compare(test: &Test, history: &History, from: i64) {
    let page = uuid(&history.page);
    let events = test.events(&history.page).await;
    let filters = filters(history, test.app.clock.now());
    for event in events.iter().filter(|event| event.staff_number >= from) {
        let place = Place {
            staff_number: u64::try_from(event.staff_number).expect("a number"),
            public_number: 0,
            at: Timestamp::from_millis(event.at),
        };
        for sight in [Sight::Public, Sight::ALL] {
            let audience = sight.audience_of(page);
            let view = View::past(&test.app, sight, place, Budget::default());
            let expected = replay(&events, event.staff_number, audience);
            for filter in &filters {
                let why = format!("number {} {audience:?} {filter:?}", event.staff_number);
                let all: Vec<Incident> = expected
                    .incidents
                    .iter()
                    .filter(|incident| matches(filter, incident))
                    .cloned()
                    .collect();
                let counted = queries::incident::count(&view, page, filter).await.expect("a count");
                assert_eq!(counted, all.len() as u64, "{why}");
                for window in windows(all.get(all.len() / 2).map(queries::incident::key)) {
                    let listed = queries::incident::list(&view, page, filter, window)
                        .await
                        .expect("a list");
                    let cut = Slice::of(all.clone(), &window, queries::incident::key, |own, other| own < other);
                    assert_eq!(
                        told(&listed, |incident| incident.id),
                        told(&cut, |incident| incident.id),
                        "{why} {window:?}"
                    );
                    assert_eq!(whole(&listed.items), cut.items, "{why} {window:?}");
                }
            }
            let open: Vec<Incident> = expected
                .incidents
                .iter()
                .filter(|incident| incident.status.is_open())
                .cloned()
                .collect();
            let active = queries::incident::active(&view, page).await.expect("a list");
            assert_eq!(whole(&active), open);
            for statuses in [
                None,
                Some(vec![MaintenanceStatus::InProgress, MaintenanceStatus::Completed]),
            ] {
                let filter = queries::maintenance::Filter { statuses };
                let is_wanted = |found: &&Maintenance| {
                    filter
                        .statuses
                        .as_ref()
                        .is_none_or(|wanted| wanted.contains(&found.status))
                };
                let all: Vec<Maintenance> = expected.maintenances.iter().filter(is_wanted).cloned().collect();
                let counted = queries::maintenance::count(&view, page, &filter)
                    .await
                    .expect("a count");
                assert_eq!(counted, all.len() as u64);
                for window in windows(all.get(all.len() / 2).map(queries::maintenance::key)) {
                    let listed = queries::maintenance::list(&view, page, &filter, window)
                        .await
                        .expect("a list");
                    let cut = Slice::of(all.clone(), &window, queries::maintenance::key, |own, other| {
                        own < other
                    });
                    assert_eq!(told(&listed, |found| found.id), told(&cut, |found| found.id));
                    assert_eq!(whole(&listed.items), cut.items);
                }
            }
        }
    }
}

#[tokio::test]
async fn every_list_count_and_filter_of_the_past_agrees_with_a_replay_of_the_log() {
    for_each_database_unheld(async |test| {
        let history = random_history(test, 7).await;

        compare(test, &history, 1).await;
    })
    .await;
}

#[tokio::test]
async fn the_present_filters_like_the_newest_past() {
    for_each_database_unheld(async |test| {
        let history = random_history(test, 11).await;
        let page = uuid(&history.page);
        let events = test.events(&history.page).await;
        let head = events.last().expect("an event").staff_number;

        for sight in [Sight::Public, Sight::ALL] {
            let audience = sight.audience_of(page);
            let view = View::now(&test.app, sight);
            for filter in filters(&history, test.app.clock.now()) {
                let expected = replay(&events, head, audience).incidents;
                let all: Vec<Incident> = expected
                    .into_iter()
                    .filter(|incident| matches(&filter, incident))
                    .collect();
                let counted = queries::incident::count(&view, page, &filter).await.expect("a count");
                assert_eq!(counted, all.len() as u64, "{audience:?} {filter:?}");
                for window in windows(all.get(all.len() / 2).map(queries::incident::key)) {
                    let listed = queries::incident::list(&view, page, &filter, window)
                        .await
                        .expect("a list");
                    let cut = Slice::of(all.clone(), &window, queries::incident::key, |own, other| own < other);
                    assert_eq!(
                        told(&listed, |incident| incident.id),
                        told(&cut, |incident| incident.id),
                        "{filter:?}"
                    );
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn pruning_keeps_what_the_past_above_the_floor_needs() {
    for_each_database_unheld(async |test| {
        let history = random_history(test, 13).await;
        let versions = test.state(&history.page).await.rows("subject_version").len();

        let gone = test
            .app
            .store
            .prune(test.app.clock.now().plus_millis(-15 * 60_000))
            .await
            .expect("it is pruned");

        let floor = test.heads(&history.page).await.staff_floor;
        assert!(gone > 0 && floor > 0, "{gone} {floor}");
        let left = test.state(&history.page).await.rows("subject_version").len();
        assert!(left < versions, "{left} of {versions} versions are left");
        compare(test, &history, floor).await;
    })
    .await;
}

#[tokio::test]
async fn the_migration_fills_what_the_log_would_have_kept() {
    for_each_database_unheld(async |test| {
        let history = random_history(test, 17).await;
        let context = Context {
            app: test.app.clone(),
            author: Author::server("import"),
        };
        let capture = Capture::read(&fixture()).expect("a capture");
        let imported = import::statuspage(&context, &capture, "parcelway", |_| {}).await;
        imported.expect("it is imported");
        let kept = test.state(&history.page).await;
        for statement in [
            "DROP TABLE subject_version",
            "DROP TABLE incident_component",
            "DELETE FROM seaql_migrations WHERE version = 'm0008_versions'",
        ] {
            test.tamper(statement).await;
        }

        let connection = test.connection().await;
        Migrator::up(&connection, None).await.expect("the step can be taken");
        connection.close().await.expect("the connection closes");

        let filled = test.state(&history.page).await;
        for table in ["subject_version", "incident_component"] {
            assert!(filled.rows(table).len() > 5, "{table}");
            assert_eq!(filled.rows(table), kept.rows(table), "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn incidents_older_than_the_log_are_found_by_component_after_the_migration() {
    for_each_database_unheld(async |test| {
        let page = test.page("past").await;
        let component = test.component(&page, "Search").await;
        test.incident(&page, "Search is down", Some(&component)).await;
        for statement in [
            "DELETE FROM event WHERE subject_kind = 'incident'",
            "DROP TABLE subject_version",
            "DROP TABLE incident_component",
            "DELETE FROM seaql_migrations WHERE version = 'm0008_versions'",
        ] {
            test.tamper(statement).await;
        }

        let connection = test.connection().await;
        Migrator::up(&connection, None).await.expect("the step can be taken");
        connection.close().await.expect("the connection closes");

        let filter = queries::incident::Filter {
            components: Some(vec![uuid(&component)]),
            ..queries::incident::Filter::default()
        };
        let view = View::now(&test.app, Sight::Public);
        assert_eq!(
            queries::incident::count(&view, uuid(&page), &filter)
                .await
                .expect("a count"),
            1
        );
    })
    .await;
}
