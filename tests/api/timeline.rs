//! The timeline of an incident: what was said of it, in which order, and how that is corrected.

use serde_json::{Value, json};

use crate::support::words::{code, each, id};
use crate::support::{for_each_database, unchanged};

/// A page with an incident, and its updates in the order of posting: dated 12:00, 11:40 and 12:10.
async fn three(test: &crate::support::database::Test) -> (String, String, Vec<String>) {
    let page = test.page("timeline").await;
    let input = json!({
        "page": page, "title": "Search is slow", "body": "One.", "startedAt": "2026-03-02T11:00:00Z",
        "displayAt": "2026-03-02T12:00:00Z",
    });
    let opened = test
        .mutate("incidentOpen", input, "incident { id } update { id }")
        .await;
    let incident = id(&opened["incident"]);
    let mut updates = vec![id(&opened["update"])];
    test.pass_minutes(10);
    for (body, at) in [("Two.", "2026-03-02T11:40:00Z"), ("Three.", "2026-03-02T12:10:00Z")] {
        let input = json!({ "incident": incident, "body": body, "displayAt": at });
        let posted = test.mutate("incidentUpdatePost", input, "update { id }").await;
        updates.push(id(&posted["update"]));
    }
    (page, incident, updates)
}

#[tokio::test]
async fn a_timeline_is_ordered_by_the_time_shown() {
    for_each_database(async |test| {
        let (_, incident, _) = three(test).await;

        let shown = test
            .public_thing(
                "Incident",
                &incident,
                "oldest: updates(first: 9) { nodes { body number } }
                 newest: updates(first: 9, order: NEWEST_FIRST) { nodes { body } } latestUpdate { body }",
            )
            .await;

        assert_eq!(each(&shown["oldest"]["nodes"], "body"), ["Two.", "One.", "Three."]);
        assert_eq!(each(&shown["oldest"]["nodes"], "number"), ["2", "1", "3"]);
        assert_eq!(each(&shown["newest"]["nodes"], "body"), ["Three.", "One.", "Two."]);
        assert_eq!(shown["latestUpdate"]["body"], "Three.");
    })
    .await;
}

#[tokio::test]
async fn updates_of_one_instant_stand_in_the_order_of_posting() {
    for_each_database(async |test| {
        let page = test.page("instant").await;
        let incident = test.incident(&page, "Busy", None).await;
        for body in ["Second.", "Third.", "Fourth."] {
            test.post(&incident, "INVESTIGATING", body).await;
        }

        let shown = test
            .public_thing("Incident", &incident, "updates(first: 9) { nodes { number } }")
            .await;

        assert_eq!(each(&shown["updates"]["nodes"], "number"), ["1", "2", "3", "4"]);
    })
    .await;
}

#[tokio::test]
async fn a_timeline_is_walked_from_either_end() {
    for_each_database(async |test| {
        let page = test.page("walk").await;
        let incident = test.incident(&page, "Long", None).await;
        for number in 2..=7 {
            test.post(&incident, "INVESTIGATING", &format!("Update {number}."))
                .await;
        }

        for (order, direction, expected) in [
            ("OLDEST_FIRST", "first", vec!["1", "2", "3", "4", "5", "6", "7"]),
            ("NEWEST_FIRST", "first", vec!["7", "6", "5", "4", "3", "2", "1"]),
            ("OLDEST_FIRST", "last", vec!["6", "7", "4", "5", "2", "3", "1"]),
            ("NEWEST_FIRST", "last", vec!["2", "1", "4", "3", "6", "5", "7"]),
        ] {
            let (mut seen, mut cursor) = (Vec::new(), Value::Null);
            let (side, more, edge) = match direction {
                "first" => ("after", "hasNextPage", "endCursor"),
                _ => ("before", "hasPreviousPage", "startCursor"),
            };
            loop {
                let bound = cursor
                    .as_str()
                    .map_or(String::new(), |text| format!(", {side}: \"{text}\""));
                let selection = format!(
                    "updates({direction}: 2{bound}, order: {order}) {{
                        totalCount pageInfo {{ {more} {edge} }} edges {{ cursor }} nodes {{ number }}
                    }}"
                );
                let part = test.public_thing("Incident", &incident, &selection).await["updates"].clone();
                assert_eq!(part["totalCount"], 7);
                seen.extend(each(&part["nodes"], "number"));
                cursor = part["pageInfo"][edge].clone();
                if part["pageInfo"][more] == false {
                    break;
                }
            }
            assert_eq!(seen, expected, "{order} {direction}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_edit_keeps_what_was_said_before() {
    for_each_database(async |test| {
        let (page, incident, updates) = three(test).await;
        test.pass_minutes(5);

        let input = json!({ "update": updates[1], "body": "Zwei.", "displayAt": "2026-03-02T12:20:00Z" });
        test.mutate("incidentUpdateEdit", input, "update { id }").await;
        let input = json!({ "update": updates[1], "displayAt": "2026-03-02T12:05:00Z" });
        let edited = test.mutate("incidentUpdateEdit", input, "incident { version }").await;

        assert_eq!(edited["incident"]["version"], 5);
        let update = test
            .public_thing(
                "IncidentUpdate",
                &updates[1],
                "number body displayAt editedAt createdAt revisions { body displayAt replacedAt } incident { id }",
            )
            .await;
        assert_eq!(
            update,
            json!({
                "number": 2, "body": "Zwei.", "displayAt": "2026-03-02T12:05:00.000Z",
                "createdAt": "2026-03-02T12:10:00.000Z", "editedAt": "2026-03-02T12:15:00.000Z",
                "revisions": [
                    { "body": "Two.", "displayAt": "2026-03-02T11:40:00.000Z", "replacedAt": "2026-03-02T12:15:00.000Z" },
                    { "body": "Zwei.", "displayAt": "2026-03-02T12:20:00.000Z", "replacedAt": "2026-03-02T12:15:00.000Z" },
                ],
                "incident": { "id": incident },
            })
        );
        let shown = test.public_thing("Incident", &incident, "updates(first: 9) { nodes { body } }").await;
        assert_eq!(each(&shown["updates"]["nodes"], "body"), ["One.", "Zwei.", "Three."]);
        unchanged(test, &page, async || {
            let input = json!({ "update": updates[1], "body": "Zwei." });
            test.mutate("incidentUpdateEdit", input, "update { id }").await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_edited_time_moves_what_hangs_on_it() {
    for_each_database(async |test| {
        let page = test.page("moved").await;
        let input = json!({ "page": page, "title": "Slow", "body": "One.", "startedAt": "2026-03-02T11:00:00Z" });
        let incident = id(&test.mutate("incidentOpen", input, "incident { id }").await["incident"]);
        let watched = test.post(&incident, "MONITORING", "A fix.").await;
        let resolved = test.mutate("incidentResolve", json!({ "incident": incident }), "update { id }").await;

        for (update, at) in [(&watched, "2026-03-02T11:20:00Z"), (&resolved, "2026-03-02T11:39:00Z")] {
            let input = json!({ "update": update["update"]["id"], "displayAt": at });
            test.mutate("incidentUpdateEdit", input, "update { id }").await;
        }

        let shown = test.public_thing("Incident", &incident, "monitoringAt resolvedAt duration").await;
        assert_eq!(
            shown,
            json!({
                "monitoringAt": "2026-03-02T11:20:00.000Z", "resolvedAt": "2026-03-02T11:39:00.000Z", "duration": "PT39M",
            })
        );
    })
    .await;
}

#[tokio::test]
async fn an_edit_follows_the_rules_of_an_update() {
    for_each_database(async |test| {
        let (page, incident, updates) = three(test).await;
        let update = &updates[0];

        unchanged(test, &page, async || {
            for (input, code, field) in [
                (json!({ "body": " " }), "BODY_REQUIRED", "body"),
                (json!({ "body": "\u{7}" }), "CONTROL_CHARACTER", "body"),
                (
                    json!({ "displayAt": "2026-03-02T10:59:59Z" }),
                    "UPDATE_BEFORE_START",
                    "displayAt",
                ),
                (
                    json!({ "displayAt": "2026-03-02T12:16:00Z" }),
                    "TIME_IN_FUTURE",
                    "displayAt",
                ),
                (
                    json!({ "expectedVersion": 2, "body": "x" }),
                    "STALE_VERSION",
                    "expectedVersion",
                ),
                (json!({ "update": incident }), "INCIDENT_UPDATE_NOT_FOUND", "update"),
            ] {
                let mut whole = json!({ "update": update });
                for (name, value) in input.as_object().expect("an object") {
                    whole[name] = value.clone();
                }
                test.refused_with("incidentUpdateEdit", whole, code, &["input", field])
                    .await;
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_component_that_is_only_named_is_affected() {
    for_each_database(async |test| {
        let page = test.page("named").await;
        let component = test.component(&page, "Search").await;
        let incident = test.incident(&page, "Maybe search", None).await;
        let states = json!([{ "component": component, "status": "OPERATIONAL" }]);

        let input = json!({ "incident": incident, "body": "Looking at search.", "components": states });
        test.mutate("incidentUpdatePost", input, "incident { id }").await;

        let shown = test
            .public_thing(
                "Incident",
                &incident,
                "impact affectedComponents { component { name } worstStatus }",
            )
            .await;
        assert_eq!(
            shown,
            json!({
                "impact": "NONE",
                "affectedComponents": [{ "component": { "name": "Search" }, "worstStatus": "OPERATIONAL" }],
            })
        );
        let changes = test
            .thing("Component", &component, "statusChanges(first: 5) { totalCount }")
            .await;
        assert_eq!(changes["statusChanges"]["totalCount"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_sentence_knows_its_zone_and_refuses_what_it_does_not_know() {
    for_each_database(async |test| {
        let page = test.page("words").await;
        let component = test.component(&page, "Search").await;
        let input = json!({
            "page": page, "title": "Late", "body": "One.", "startedAt": "2026-03-01T23:30:00Z",
            "components": [{ "component": component, "status": "PARTIAL_OUTAGE" }],
        });
        let incident = id(&test.mutate("incidentOpen", input, "incident { id }").await["incident"]);
        test.resolve(&incident).await;

        let selection = r#"utc: summary berlin: summary(timeZone: "Europe/Berlin", locale: "en")"#;
        let shown = test.public_thing("Incident", &incident, selection).await;

        assert_eq!(
            shown["utc"],
            "The words service experienced a major incident on March 1, 2026 affecting Search, lasting 12h 30m. \
             The incident has been resolved; the full update timeline is below."
        );
        assert!(shown["berlin"].as_str().expect("text").contains("on March 2, 2026"));
        for wrong in [r#"timeZone: "Mars""#, r#"locale: "tlh""#] {
            let document = format!("query($id: ID!) {{ node(id: $id) {{ ... on Incident {{ summary({wrong}) }} }} }}");
            let answer = test.public_answer(&document, json!({ "id": incident })).await;
            assert_eq!(code(&answer), "BAD_USER_INPUT", "{wrong}");
        }
    })
    .await;
}
