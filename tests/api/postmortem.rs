//! Postmortems: a draft that the staff alone sees, then published, revised, taken back.

use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::words::each;
use crate::support::{for_each_database, unchanged};

const POSTMORTEM: &str = "status version updatedAt updates(first: 9) { totalCount nodes { status body } }
                          postmortem { body bodyHtml publishedAt draft updatedAt }";

async fn resolved(test: &Test) -> (String, String) {
    let page = test.page("learnt").await;
    let incident = test.incident(&page, "Search is down", None).await;
    test.resolve(&incident).await;
    (page, incident)
}

async fn publish(test: &Test, incident: &str) -> Value {
    test.mutate(
        "postmortemPublish",
        json!({ "incident": incident }),
        "incident { version }",
    )
    .await
}

/// Everything the public can learn of a page.
async fn public(test: &Test) -> Value {
    let document = format!(
        r#"{{ page(slug: "learnt") {{
            cursor version incidents(first: 9) {{ totalCount nodes {{ {POSTMORTEM} latestUpdate {{ status }} }} }}
            events(first: 50) {{ edges {{ cursor }} nodes {{ __typename }} pageInfo {{ endCursor hasNextPage }} }}
        }} }}"#
    );
    test.public_data(&document, json!({})).await
}

#[tokio::test]
async fn a_draft_does_not_exist_for_the_public() {
    for_each_database(async |test| {
        let (_, incident) = resolved(test).await;
        let before = public(test).await;
        test.pass_minutes(60);

        test.draft(&incident, "We broke it.").await;
        test.draft(&incident, "We broke it twice.").await;

        assert_eq!(public(test).await, before);
        let staff = test.thing("Incident", &incident, POSTMORTEM).await;
        assert_eq!(staff["postmortem"]["draft"], "We broke it twice.");
        assert_eq!(staff["postmortem"]["body"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_draft_is_an_event_of_the_staff_alone() {
    for_each_database(async |test| {
        let (_, incident) = resolved(test).await;
        let document = r#"{ page(slug: "learnt") { cursor events(first: 50) { nodes { __typename } } } }"#;
        let staff_before = test.data(document, json!({})).await;

        test.draft(&incident, "We broke it.").await;

        let staff = test.data(document, json!({})).await;
        assert_ne!(staff["page"]["cursor"], staff_before["page"]["cursor"]);
        let kinds = each(&staff["page"]["events"]["nodes"], "__typename");
        assert_eq!(kinds.last().map(String::as_str), Some("PostmortemDrafted"));
    })
    .await;
}

#[tokio::test]
async fn a_later_public_event_does_not_carry_the_draft() {
    for_each_database(async |test| {
        let (_, incident) = resolved(test).await;
        test.draft(&incident, "A secret draft.").await;

        let input = json!({ "incident": incident, "title": "Search was down" });
        test.mutate("incidentAmend", input, "incident { id }").await;

        let document = r#"{ page(slug: "learnt") { events(first: 50) { nodes {
            __typename ... on IncidentAmended { incident { title postmortem { draft } } }
        } } } }"#;
        let data = test.public_data(document, json!({})).await;
        let events = data["page"]["events"]["nodes"].as_array().expect("a list").clone();
        assert_eq!(
            events.last(),
            Some(&json!({
                "__typename": "IncidentAmended",
                "incident": { "title": "Search was down", "postmortem": null },
            }))
        );
        assert!(!format!("{}", public(test).await).contains("secret"));
    })
    .await;
}

#[tokio::test]
async fn a_published_postmortem_is_the_last_entry_of_the_timeline() {
    for_each_database(async |test| {
        let (_, incident) = resolved(test).await;
        test.draft(&incident, "## Root cause\n\nA *deployment*.").await;
        test.pass_minutes(60);

        publish(test, &incident).await;

        let shown = test.public_thing("Incident", &incident, POSTMORTEM).await;
        assert_eq!(shown["status"], "POSTMORTEM");
        assert_eq!(
            each(&shown["updates"]["nodes"], "status"),
            ["INVESTIGATING", "RESOLVED", "POSTMORTEM"]
        );
        assert_eq!(
            shown["postmortem"],
            json!({
                "body": "## Root cause\n\nA *deployment*.",
                "bodyHtml": "<div dir=\"auto\">\n<h2>Root cause</h2>\n<p>A <em>deployment</em>.</p>\n</div>\n",
                "publishedAt": "2026-03-02T13:00:00.000Z", "draft": null, "updatedAt": "2026-03-02T13:00:00.000Z",
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_postmortem_is_revised_by_drafting_and_publishing_again() {
    for_each_database(async |test| {
        let (_, incident) = resolved(test).await;
        test.draft(&incident, "First.").await;
        publish(test, &incident).await;
        test.pass_minutes(60);
        let before = public(test).await;

        test.draft(&incident, "Second.").await;
        assert_eq!(public(test).await, before);
        publish(test, &incident).await;

        let shown = test
            .public_thing(
                "Incident",
                &incident,
                "status postmortem { body publishedAt draft } latestUpdate { body editedAt revisions { body } }",
            )
            .await;
        assert_eq!(
            shown,
            json!({
                "status": "POSTMORTEM",
                "postmortem": { "body": "Second.", "publishedAt": "2026-03-02T12:00:00.000Z", "draft": null },
                "latestUpdate": {
                    "body": "Second.", "editedAt": "2026-03-02T13:00:00.000Z", "revisions": [{ "body": "First." }],
                },
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_withdrawn_postmortem_is_a_draft_again() {
    for_each_database(async |test| {
        let (_, incident) = resolved(test).await;
        test.draft(&incident, "Too early.").await;
        publish(test, &incident).await;

        test.mutate(
            "postmortemWithdraw",
            json!({ "incident": incident }),
            "incident { status }",
        )
        .await;

        let shown = test.public_thing("Incident", &incident, POSTMORTEM).await;
        assert_eq!(
            (&shown["status"], &shown["postmortem"]),
            (&json!("RESOLVED"), &Value::Null)
        );
        assert_eq!(
            each(&shown["updates"]["nodes"], "status"),
            ["INVESTIGATING", "RESOLVED"]
        );
        let staff = test.thing("Incident", &incident, POSTMORTEM).await;
        assert_eq!(staff["postmortem"]["draft"], "Too early.");
        publish(test, &incident).await;
        let again = test.public_thing("Incident", &incident, POSTMORTEM).await;
        assert_eq!(again["postmortem"]["body"], "Too early.");
    })
    .await;
}

#[tokio::test]
async fn an_entry_of_the_timeline_that_is_a_postmortem_is_not_edited_as_an_update() {
    for_each_database(async |test| {
        let (page, incident) = resolved(test).await;
        test.draft(&incident, "Final.").await;
        publish(test, &incident).await;
        let shown = test.thing("Incident", &incident, "latestUpdate { id }").await;

        unchanged(test, &page, async || {
            let input = json!({ "update": shown["latestUpdate"]["id"], "body": "Sneaky." });
            let path = ["input", "update"];
            test.refused_with("incidentUpdateEdit", input, "UPDATE_IS_POSTMORTEM", &path)
                .await;
            let input = json!({ "incident": incident, "body": "More." });
            let error = test.refused("incidentUpdatePost", input).await;
            assert_eq!(
                (&error["code"], &error["from"]),
                (&json!("ILLEGAL_TRANSITION"), &json!("POSTMORTEM"))
            );
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_postmortem_needs_an_incident_that_is_over_and_a_draft() {
    for_each_database(async |test| {
        let page = test.page("learnt").await;
        let incident = test.incident(&page, "Still down", None).await;

        unchanged(test, &page, async || {
            let draft = json!({ "incident": incident, "body": "Too early." });
            let error = test.refused("postmortemDraft", draft).await;
            assert_eq!(
                (&error["code"], &error["from"]),
                (&json!("ILLEGAL_TRANSITION"), &json!("INVESTIGATING"))
            );
            let error = test.refused("postmortemPublish", json!({ "incident": incident })).await;
            assert_eq!(error["code"], "ILLEGAL_TRANSITION");
        })
        .await;
        test.resolve(&incident).await;
        unchanged(test, &page, async || {
            for mutation in ["postmortemPublish", "postmortemWithdraw"] {
                let error = test.refused(mutation, json!({ "incident": incident })).await;
                assert_eq!(error["code"], "POSTMORTEM_NOT_FOUND", "{mutation}");
            }
            let post = json!({ "incident": incident, "body": "By hand.", "status": "POSTMORTEM" });
            test.refused_with("incidentUpdatePost", post, "ILLEGAL_TRANSITION", &["input", "status"])
                .await;
        })
        .await;
    })
    .await;
}
