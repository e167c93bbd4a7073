//! `pageChanged` and `incidentChanged`: the thing as it stands, and again after every change.

use serde_json::json;

use crate::support::for_each_database;

#[tokio::test]
async fn a_page_is_told_as_it_stands_and_again_after_changes() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let component = test.component(&page, "Checkout").await;
        let document = "subscription { pageChanged(page: \"shop\") {
            name status { indicator } components { status } activeIncidents { title latestUpdate { body } } } }";

        let mut subscription = test.subscribe(document, json!({}), None).await;
        let first = subscription.next().await["pageChanged"].clone();
        let incident = test.incident(&page, "Checkout fails", Some(&component)).await;
        let second = subscription.next().await["pageChanged"].clone();
        for turn in 1..=10 {
            test.say(&incident, &format!("Update {turn}")).await;
        }
        // What came in between may be folded together.
        let mut last = subscription.next().await["pageChanged"].clone();
        while last["activeIncidents"][0]["latestUpdate"]["body"] != "Update 10" {
            last = subscription.next().await["pageChanged"].clone();
        }

        assert_eq!(first["status"]["indicator"], "NONE");
        assert_eq!(first["activeIncidents"], json!([]));
        assert_eq!(second["components"], json!([{ "status": "MAJOR_OUTAGE" }]));
        assert_eq!(second["activeIncidents"][0]["title"], "Checkout fails");
    })
    .await;
}

#[tokio::test]
async fn an_incident_is_told_as_it_stands_and_again_after_its_changes_alone() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Checkout fails", None).await;
        let other = test.incident(&page, "Search fails", None).await;
        let document =
            "subscription($id: ID!) { incidentChanged(id: $id) { title status version latestUpdate { body } } }";

        let mut subscription = test.subscribe(document, json!({ "id": incident }), None).await;
        let first = subscription.next().await["incidentChanged"].clone();
        test.say(&other, "Of no interest").await;
        test.say(&incident, "We found it").await;
        let second = subscription.next().await["incidentChanged"].clone();
        for turn in 1..=10 {
            test.say(&incident, &format!("Update {turn}")).await;
        }
        test.mutate("incidentResolve", json!({ "incident": incident }), "incident { id }")
            .await;
        let mut versions = vec![second["version"].as_i64()];
        let mut last = second.clone();
        while last["status"] != "RESOLVED" {
            last = subscription.next().await["incidentChanged"].clone();
            versions.push(last["version"].as_i64());
        }

        assert_eq!(first["latestUpdate"]["body"], "We are looking into it.");
        assert_eq!(second["latestUpdate"]["body"], "We found it");
        assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    })
    .await;
}

#[tokio::test]
async fn an_incident_that_is_not_there_cannot_be_followed() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let incident = test.incident(&page, "Behind closed doors", None).await;
        test.mutate(
            "pageAmend",
            json!({ "page": page, "visibility": "PRIVATE" }),
            "page { id }",
        )
        .await;

        for id in [incident.as_str(), "nothing"] {
            let document = "subscription($id: ID!) { incidentChanged(id: $id) { title } }";
            let mut subscription = test.subscribe(document, json!({ "id": id }), None).await;

            let refused = subscription.socket.next().await;
            assert_eq!(refused["type"], "error");
            assert_eq!(refused["payload"][0]["extensions"]["code"], "INCIDENT_NOT_FOUND");
        }
    })
    .await;
}
