//! Tokens: made, shown once, looked up, replaced, taken back.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test};
use crate::support::words::{code, each, id};
use crate::support::{for_each_database, harmless, unchanged};

const VIEWER: &str = "{ viewer { role name mayWrite pages { slug } expiresAt } }";
const TOKEN: &str = "id name prefix role status createdBy createdAt expiresAt revokedAt lastUsedAt pages { slug }";

#[tokio::test]
async fn a_token_opens_what_it_is_for_where_it_is_for_it() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let input =
            json!({ "name": "Pager", "role": "RESPONDER", "pages": [page, page], "expiresAt": test.in_minutes(10) });

        let made = test
            .mutate("tokenCreate", input, &format!("secret token {{ {TOKEN} }}"))
            .await;

        let text = made["secret"].as_str().expect("a text");
        let prefix = format!("{}…", &text[..16]);
        assert!(text.starts_with("acl_"), "{text}");
        assert_eq!(
            made["token"],
            json!({
                "id": made["token"]["id"], "name": "Pager", "prefix": prefix, "role": "RESPONDER", "status": "VALID",
                "createdBy": "admin", "createdAt": test.in_minutes(0), "expiresAt": test.in_minutes(10),
                "revokedAt": null, "lastUsedAt": null, "pages": [{ "slug": "shop" }],
            })
        );
        let (status, viewer) = test.respond(VIEWER, json!({}), Some(text)).await;
        assert_eq!(
            (status, &viewer["data"]["viewer"]),
            (
                200,
                &json!({
                    "role": "RESPONDER", "name": "Pager", "mayWrite": true, "pages": [{ "slug": "shop" }],
                    "expiresAt": test.in_minutes(10),
                })
            )
        );
        let open =
            "mutation($p: ID!) { incidentOpen(input: { page: $p, title: \"x\", body: \"x\" }) { incident { title } } }";
        let (_, opened) = test.respond(open, json!({ "p": page }), Some(text)).await;
        assert_eq!(opened["data"]["incidentOpen"]["incident"]["title"], "x");
    })
    .await;
}

/// All that a table holds, as text.
async fn dump(test: &Test, table: &str) -> String {
    let snapshot = test.app.store.read().await.expect("the database answers");
    let backend = snapshot.db().get_database_backend();
    let question = match test.is_postgres() {
        true => format!("SELECT CAST(row_to_json({table}) AS TEXT) AS told FROM {table}"),
        false => match table {
            "token" => "SELECT name || public_part || sha256 || role AS told FROM token".to_owned(),
            "audit" => "SELECT actor || action || request_id AS told FROM audit".to_owned(),
            _ => "SELECT key || answer || fingerprint AS told FROM idempotency_key".to_owned(),
        },
    };
    let rows = snapshot
        .db()
        .query_all_raw(Statement::from_string(backend, question))
        .await;
    let rows = rows.expect("the table is there");
    rows.iter()
        .map(|row| row.try_get::<String>("", "told").expect("a text"))
        .collect()
}

#[tokio::test]
async fn the_text_is_shown_once_and_kept_nowhere() {
    for_each_database(async |test| {
        let input = json!({ "name": "Pager", "role": "VIEWER", "idempotencyKey": "once" });

        let first = test.mutate("tokenCreate", input.clone(), "secret token { id }").await;
        let again = test.mutate("tokenCreate", input, "secret token { id }").await;

        let text = first["secret"].as_str().expect("a text");
        assert_eq!((&again["token"], &again["secret"]), (&first["token"], &Value::Null));
        for table in ["token", "audit", "idempotency_key"] {
            let held = dump(test, table).await;
            assert!(!held.is_empty(), "{table}");
            assert!(!held.contains(&text[16..]), "{table}: {held}");
        }
        assert_eq!(test.respond(VIEWER, json!({}), Some(text)).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn row_31_a_wrong_a_revoked_and_an_expired_token_are_401_with_one_text() {
    for_each_database(async |test| {
        let (revoked_id, revoked) = test.token("ADMIN", None).await;
        assert_eq!(test.respond(VIEWER, json!({}), Some(&revoked)).await.0, 200);
        test.mutate("tokenRevoke", json!({ "token": revoked_id }), "token { status }")
            .await;
        let input = json!({ "name": "x", "role": "ADMIN", "expiresAt": test.in_minutes(1) });
        let expired = test.mutate("tokenCreate", input, "secret").await["secret"]
            .as_str()
            .expect("a text")
            .to_owned();
        assert_eq!(test.respond(VIEWER, json!({}), Some(&expired)).await.0, 200);
        test.pass_minutes(1);
        let (_, good) = test.token("ADMIN", None).await;
        let typo = format!("{}{}", &good[..49], if good.ends_with('x') { 'y' } else { 'x' });
        // Well formed, and nobody's.
        let unknown = allclear::access::secret::Secret::fresh()
            .expect("random numbers")
            .reveal();
        let page = test.page("shop").await;

        let mut texts = Vec::new();
        harmless(test, &page, async || {
            for token in [
                "wrong",
                &ADMIN[1..],
                &format!("{ADMIN}x"),
                &ADMIN.to_uppercase(),
                &revoked,
                &expired,
                &typo,
                &unknown,
            ] {
                for document in [
                    VIEWER,
                    "mutation { pageArchive(input: { page: \"x\" }) { archivedPageId } }",
                ] {
                    let (status, answer) = test.respond(document, json!({}), Some(token)).await;

                    assert_eq!((status, code(&answer)), (401, "UNAUTHENTICATED"), "{token}");
                    assert_eq!(answer.get("data"), None);
                    texts.push(answer);
                }
                let closed = test.refused_socket(token).await;
                assert_eq!(closed, (4403, "Forbidden".to_owned()), "{token}");
            }
        })
        .await;
        let basic = test
            .http
            .post(test.graphql())
            .header("authorization", format!("Basic {ADMIN}"))
            .json(&json!({ "query": VIEWER }))
            .send()
            .await
            .expect("the server answers");
        assert_eq!(basic.headers()["www-authenticate"], "Bearer");
        assert_eq!(basic.status().as_u16(), 401);
        texts.push(basic.json().await.expect("JSON"));

        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:#?}");
        assert_eq!(test.respond(VIEWER, json!({}), Some(&good)).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_replaced_holds_for_a_while_beside_its_successor() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let input = json!({ "name": "Pager", "role": "VIEWER", "pages": [page], "expiresAt": test.in_minutes(60) });
        let old = test.mutate("tokenCreate", input, "secret token { id }").await;
        test.pass_minutes(30);

        let input = json!({ "token": old["token"]["id"], "graceSeconds": 120 });
        let made = test
            .mutate(
                "tokenRotate",
                input.clone(),
                &format!("secret token {{ {TOKEN} }} replacedToken {{ id expiresAt }}"),
            )
            .await;

        assert_eq!(
            made["replacedToken"],
            json!({ "id": old["token"]["id"], "expiresAt": test.in_minutes(2) })
        );
        assert_eq!(made["token"]["name"], "Pager");
        assert_eq!(made["token"]["role"], "VIEWER");
        assert_eq!(made["token"]["pages"], json!([{ "slug": "shop" }]));
        assert_eq!(
            made["token"]["expiresAt"],
            test.in_minutes(60),
            "it lasts as long as the old one was to"
        );
        test.refused_with("tokenRotate", input, "TOKEN_ENDED", &["input", "token"])
            .await;
        let both = async || {
            let mut statuses = Vec::new();
            for text in [&old["secret"], &made["secret"]] {
                statuses.push(test.respond(VIEWER, json!({}), text.as_str()).await.0);
            }
            statuses
        };
        assert_eq!(both().await, [200, 200]);
        test.pass_minutes(2);
        assert_eq!(both().await, [401, 200]);
    })
    .await;
}

#[tokio::test]
async fn what_a_token_cannot_be_is_refused_with_its_field() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let (token, _) = test.token("VIEWER", None).await;
        let create = |field: &str, value: Value| {
            let mut input = json!({ "name": "x", "role": "VIEWER" });
            input[field] = value;
            input
        };
        unchanged(test, &page, async || {
            let many = json!(vec![&page; 101]);
            for (field, input, code, path) in [
                (
                    "tokenCreate",
                    create("name", json!(" ")),
                    "NAME_REQUIRED",
                    vec!["input", "name"],
                ),
                (
                    "tokenCreate",
                    create("expiresAt", json!(test.in_minutes(0))),
                    "EXPIRY_IN_PAST",
                    vec!["input", "expiresAt"],
                ),
                (
                    "tokenCreate",
                    create("pages", json!([page, "noise"])),
                    "PAGE_NOT_FOUND",
                    vec!["input", "pages", "1"],
                ),
                (
                    "tokenCreate",
                    create("pages", many),
                    "TOO_MANY_ITEMS",
                    vec!["input", "pages"],
                ),
                (
                    "tokenRevoke",
                    json!({ "token": page }),
                    "TOKEN_NOT_FOUND",
                    vec!["input", "token"],
                ),
                (
                    "tokenRotate",
                    json!({ "token": "noise" }),
                    "TOKEN_NOT_FOUND",
                    vec!["input", "token"],
                ),
                (
                    "tokenRotate",
                    json!({ "token": token, "graceSeconds": -1 }),
                    "GRACE_TOO_LONG",
                    vec!["input", "graceSeconds"],
                ),
                (
                    "tokenRotate",
                    json!({ "token": token, "graceSeconds": 604_801 }),
                    "GRACE_TOO_LONG",
                    vec!["input", "graceSeconds"],
                ),
            ] {
                test.refused_with(field, input, code, &path).await;
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn tokens_are_listed_newest_first_and_found_by_id_by_admins_alone() {
    for_each_database(async |test| {
        let (first, _) = test.token("VIEWER", None).await;
        test.pass_minutes(1);
        let (second, manager) = test.token("MANAGER", None).await;
        test.mutate("tokenRevoke", json!({ "token": first }), "token { id }").await;
        let list = "{ tokens(first: 9) { totalCount nodes { id status } } }";
        let node = "query($id: ID!) { node(id: $id) { id } }";

        let listed = test.data(list, json!({})).await["tokens"].clone();
        let found = test.data(node, json!({ "id": first })).await;
        let (_, refused) = test.respond(list, json!({}), Some(&manager)).await;
        let (_, hidden) = test.respond(node, json!({ "id": first }), Some(&manager)).await;

        assert_eq!(
            listed,
            json!({ "totalCount": 2, "nodes": [{ "id": second, "status": "VALID" }, { "id": first, "status": "REVOKED" }] })
        );
        assert_eq!(id(&found["node"]), first);
        assert_eq!(code(&refused), "FORBIDDEN");
        assert_eq!(hidden["data"]["node"], Value::Null);
        let newest = test.data("{ tokens(first: 1) { nodes { role } pageInfo { hasNextPage } } }", json!({})).await;
        assert_eq!(each(&newest["tokens"]["nodes"], "role"), ["MANAGER"]);
        assert_eq!(newest["tokens"]["pageInfo"]["hasNextPage"], true);
    })
    .await;
}

#[tokio::test]
async fn that_a_token_was_seen_is_kept_once_a_minute_beside_its_requests() {
    for_each_database(async |test| {
        let (token, text) = test.token("VIEWER", None).await;
        let seen = async || {
            let app = &test.app;
            app.access
                .tend(&app.store, app.clock.now())
                .await
                .expect("the database answers");
            test.thing("Token", &token, "lastUsedAt").await["lastUsedAt"].clone()
        };
        let mut told = vec![seen().await];

        for _ in 0..3 {
            test.respond(VIEWER, json!({}), Some(&text)).await;
            told.push(seen().await);
            test.app.clock.set(test.app.clock.now().plus_millis(30_000));
        }

        let noon = json!("2026-03-02T12:00:00.000Z");
        let later = json!("2026-03-02T12:01:00.000Z");
        assert_eq!(told, [Value::Null, noon.clone(), noon, later]);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_revoked_on_one_node_opens_nothing_on_another_within_five_seconds() {
    for_each_database(async |test| {
        let other = test.another().await;
        let (token, text) = test.token("VIEWER", None).await;
        assert_eq!(other.respond(VIEWER, json!({}), Some(&text)).await.0, 200);

        test.mutate("tokenRevoke", json!({ "token": token }), "token { id }")
            .await;

        assert_eq!(
            test.respond(VIEWER, json!({}), Some(&text)).await.0,
            401,
            "at once where it was revoked"
        );
        let since = Instant::now();
        while other.respond(VIEWER, json!({}), Some(&text)).await.0 == 200 {
            assert!(since.elapsed() < Duration::from_secs(5));
            tokio::task::yield_now().await;
        }
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_is_that_of_a_token_not_of_its_name() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let (_, one) = test.token("RESPONDER", None).await;
        let (_, other) = test.token("RESPONDER", None).await;
        let open =
            "mutation($p: ID!) { incidentOpen(input: { page: $p, title: \"x\", body: \"x\", idempotencyKey: \"k\" }) {
            incident { id } } }";
        let mut opened = Vec::new();
        for text in [&one, &other, &one] {
            let (_, answer) = test.respond(open, json!({ "p": page }), Some(text)).await;
            opened.push(id(&answer["data"]["incidentOpen"]["incident"]));
        }

        assert_eq!(opened[0], opened[2]);
        assert_ne!(opened[0], opened[1]);
    })
    .await;
}
