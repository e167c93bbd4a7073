//! Somebody whose JWTs claim less than they did: what they did before is not told them again.

use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::issuer::{Issuer, Key};
use crate::support::words::id;
use crate::support::{for_each_database_trusting, harmless};

/// Two pages, and a JWT of one person that holds on those it names.
struct Scene {
    key: Key,
    shop: String,
    hidden: String,
}

impl Scene {
    async fn set(test: &Test, issuer: &Issuer) -> Scene {
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        let shop = test.page("shop").await;
        let hidden = json!({ "slug": "hidden", "name": "Hidden", "visibility": "PRIVATE" });
        let hidden = id(&test.mutate("pageCreate", hidden, "page { id }").await["page"]);
        Scene { key, shop, hidden }
    }

    fn jwt(&self, test: &Test, issuer: &Issuer, more: Value) -> String {
        self.key.jwt(&issuer.claims(test.second(), more))
    }
}

/// What a call comes to: the fields' answer, or the code of its refusal.
async fn outcome(test: &Test, bearer: &str, call: &(&str, &str, Value), key: &str) -> Value {
    let (field, thing, input) = call;
    let mut input = input.clone();
    input["idempotencyKey"] = json!(key);
    let kind = format!("{}{}", field[..1].to_uppercase(), &field[1..]);
    let document = format!(
        "mutation($input: {kind}Input!) {{ {field}(input: $input) {{ {thing} {{ id version }} userErrors {{ code field }} }} }}"
    );
    let (_, answer) = test.respond(&document, json!({ "input": input }), Some(bearer)).await;
    match answer["errors"][0]["extensions"]["code"].as_str() {
        Some(code) => json!(code),
        None => answer["data"][field].clone(),
    }
}

/// A call of each kind that takes a key and is about one page.
async fn calls(test: &Test, page: &str) -> Vec<(&'static str, &'static str, Value)> {
    let component = test.component(page, "Search").await;
    let incident = test.incident(page, "Down", None).await;
    let over = test.incident(page, "Over", None).await;
    test.resolve(&over).await;
    let maintenance = test.maintenance(page, "Disks", &component, 60).await;
    let window = json!({
        "page": page, "title": "More", "body": "Disks.", "scheduledFor": test.in_minutes(60),
        "scheduledUntil": test.in_minutes(90),
    });
    let backfill = json!({ "page": page, "title": "Old", "updates": [
        { "status": "RESOLVED", "body": "Over.", "displayAt": "2026-03-01T12:00:00Z" },
    ] });
    let of_incident = |more: &str| json!({ "incident": incident, more: "News." });
    let of_maintenance = json!({ "maintenance": maintenance });
    let mut news = of_maintenance.clone();
    news["body"] = json!("Soon.");
    vec![
        ("componentGroupCreate", "group", json!({ "page": page, "name": "Core" })),
        ("componentCreate", "component", json!({ "page": page, "name": "Mail" })),
        (
            "incidentOpen",
            "incident",
            json!({ "page": page, "title": "Slow", "body": "Slow." }),
        ),
        ("incidentBackfill", "incident", backfill),
        ("incidentUpdatePost", "incident", of_incident("body")),
        ("incidentResolve", "incident", json!({ "incident": incident })),
        ("incidentReopen", "incident", of_incident("reason")),
        (
            "postmortemDraft",
            "incident",
            json!({ "incident": over, "body": "Learnt." }),
        ),
        ("postmortemPublish", "incident", json!({ "incident": over })),
        ("maintenanceSchedule", "maintenance", window),
        ("maintenanceUpdatePost", "maintenance", news),
        ("maintenanceStart", "maintenance", of_maintenance.clone()),
        ("maintenanceComplete", "maintenance", of_maintenance),
    ]
}

#[tokio::test]
async fn who_has_lost_a_page_is_not_told_again_what_they_did_there() {
    for_each_database_trusting(
        |trust| trust.pages_claim = Some("pages".to_owned()),
        async |test, issuer| {
            let scene = Scene::set(test, issuer).await;
            let role = "manager";
            let with = |pages: Value| scene.jwt(test, issuer, json!({ "allclear_role": role, "pages": pages }));
            let (before, after) = (with(json!(["shop", "hidden"])), with(json!(["elsewhere"])));

            for (page, is_hidden) in [(&scene.shop, false), (&scene.hidden, true)] {
                let mut told = Vec::new();
                for call in calls(test, page).await {
                    let key = format!("{}-{is_hidden}", call.0);
                    let first = outcome(test, &before, &call, &key).await;
                    assert_eq!(first["userErrors"], json!([]), "{}: {first}", call.0);
                    told.push((call, key, first));
                }

                harmless(test, page, async || {
                    for (call, key, _) in &told {
                        let fresh = outcome(test, &after, call, "never used").await;
                        let again = outcome(test, &after, call, key).await;

                        assert_eq!(again, fresh, "{}", call.0);
                        let code = again["userErrors"][0]["code"].as_str().unwrap_or_default();
                        match is_hidden {
                            true => assert!(code.ends_with("_NOT_FOUND"), "{}: {again}", call.0),
                            false => assert_eq!(again, "FORBIDDEN", "{}", call.0),
                        }
                    }
                })
                .await;
                // It is theirs again once they have the page again.
                for (call, key, first) in &told {
                    assert_eq!(outcome(test, &before, call, key).await, *first, "{}", call.0);
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn who_has_a_lower_role_now_is_not_told_again_what_they_did_with_the_higher() {
    for_each_database_trusting(
        |_| {},
        async |test, issuer| {
            let scene = Scene::set(test, issuer).await;
            let with = |role: &str| scene.jwt(test, issuer, json!({ "allclear_role": role }));
            let page = json!({ "slug": "new", "name": "New" });
            let open = json!({ "page": scene.shop, "title": "Slow", "body": "Slow." });

            for (higher, lower, call) in [
                ("manager", "responder", ("pageCreate", "page", page)),
                ("responder", "viewer", ("incidentOpen", "incident", open)),
            ] {
                let first = outcome(test, &with(higher), &call, call.0).await;
                assert_eq!(first["userErrors"], json!([]), "{}: {first}", call.0);

                let again = outcome(test, &with(lower), &call, call.0).await;

                assert_eq!(again, "FORBIDDEN");
                assert_eq!(outcome(test, &with(higher), &call, call.0).await, first);
            }
        },
    )
    .await;
}
