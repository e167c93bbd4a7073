//! The audit: who did what, in chains that show a cut and an edit.

use allclear::store::audit::{Fault, SERVER, Verified};
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};

use crate::support::database::Test;
use crate::support::for_each_database;
use crate::support::log::uuid;

const ENTRIES: &str =
    "{ auditEntries(first: 50) { totalCount nodes { at actor token { name } address action requestId page { slug }
    subject { __typename } number hash } } }";

async fn verified(test: &Test) -> Verified {
    test.app.store.verify_audit().await.expect("the audit is read")
}

/// Changes the database behind the server's back.
async fn tamper(test: &Test, statement: &str) {
    let db = Database::connect(&test.url).await.expect("the database answers");
    db.execute_unprepared(statement).await.expect("the statement runs");
    db.close().await.expect("the connection closes");
}

#[tokio::test]
async fn an_admin_reads_who_did_what_with_which_token_from_where_under_which_request() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        let (_, text) = test.token("RESPONDER", None).await;
        test.pass_minutes(1);
        let open =
            "mutation($p: ID!) { incidentOpen(input: { page: $p, title: \"x\", body: \"x\" }) { incident { id } } }";
        let opened = test
            .http
            .post(test.graphql())
            .bearer_auth(&text)
            .header("x-request-id", "trace-4711")
            .json(&json!({ "query": open, "variables": { "p": page } }))
            .send()
            .await
            .expect("the server answers");
        assert!(opened.status().is_success());

        let told = test.data(ENTRIES, json!({})).await["auditEntries"].clone();

        assert_eq!(told["totalCount"], 3);
        let newest = told["nodes"][0].as_object().expect("an entry").clone();
        let hash = newest["hash"].as_str().expect("a hash");
        assert_eq!(hash.len(), 64);
        assert_eq!(
            json!(newest),
            json!({
                "at": test.in_minutes(0), "actor": "The RESPONDER", "token": { "name": "The RESPONDER" },
                "address": "127.0.0.1", "action": "incidentOpen", "requestId": "trace-4711", "page": { "slug": "shop" },
                "subject": { "__typename": "Incident" }, "number": "2", "hash": hash,
            })
        );
        let by = |action: &str| {
            told["nodes"]
                .as_array()
                .expect("a list")
                .iter()
                .find(|one| one["action"] == action)
        };
        let made = by("tokenCreate").expect("an entry");
        assert_eq!(
            (
                &made["actor"],
                &made["token"],
                &made["page"],
                &made["subject"],
                &made["number"]
            ),
            (
                &json!("admin"),
                &Value::Null,
                &Value::Null,
                &json!({ "__typename": "Token" }),
                &json!("1")
            )
        );
    })
    .await;
}

#[tokio::test]
async fn chains_are_sound_whoever_writes_at_the_same_time() {
    for_each_database(async |test| {
        let pages = [test.page("one").await, test.page("two").await];
        let other = test.another().await;
        let turns: Vec<(&Test, &String)> = pages.iter().flat_map(|page| [(test, page), (&other, page)]).collect();

        join_all((0..40).map(|turn| {
            let (server, page) = turns[turn % turns.len()];
            async move { server.component(page, &format!("Component {turn}")).await }
        }))
        .await;
        join_all((0..6).map(|_| test.token("VIEWER", None))).await;

        let verified = verified(test).await;
        assert_eq!(
            verified,
            Verified {
                chains: 3,
                entries: 48,
                outside: 0,
                faults: Vec::new()
            }
        );
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_cut_and_an_edit_anywhere_is_found() {
    for_each_database(async |test| {
        let page = test.page("shop").await;
        for turn in 0..4 {
            test.component(&page, &format!("Component {turn}")).await;
        }
        test.token("VIEWER", None).await;
        test.token("ADMIN", None).await;
        assert_eq!(verified(test).await.faults, []);
        let of_page = |number| Fault {
            chain: uuid(&page),
            number,
            what: "was changed, or one before it was",
        };
        let missing = |number| Fault {
            what: "is missing",
            ..of_page(number)
        };
        let other = uuid::Uuid::from_u128(7);
        let literal = match test.is_postgres() {
            true => format!("'{other}'"),
            false => format!("x'{}'", other.simple()),
        };
        let page_chain = "page_id IS NOT NULL AND number";

        for (statement, undo, expected) in [
            (
                "UPDATE audit SET actor = actor || '!' WHERE page_id IS NOT NULL AND number = 2".to_owned(),
                "UPDATE audit SET actor = 'admin'".to_owned(),
                of_page(2),
            ),
            (
                format!("UPDATE audit SET at = at + 1 WHERE {page_chain} = 5"),
                format!("UPDATE audit SET at = at - 1 WHERE {page_chain} = 5"),
                of_page(5),
            ),
            (
                format!("UPDATE audit SET request_id = request_id || ' ' WHERE {page_chain} = 1"),
                format!("UPDATE audit SET request_id = TRIM(request_id) WHERE {page_chain} = 1"),
                of_page(1),
            ),
            (
                format!("UPDATE audit SET token_id = {literal} WHERE {page_chain} = 3"),
                "UPDATE audit SET token_id = NULL".to_owned(),
                of_page(3),
            ),
            (
                format!("UPDATE audit SET number = 99 WHERE {page_chain} = 3"),
                "UPDATE audit SET number = 3 WHERE number = 99".to_owned(),
                missing(3),
            ),
            (
                format!("UPDATE audit SET number = NULL WHERE {page_chain} = 2"),
                "UPDATE audit SET number = 2 WHERE number IS NULL".to_owned(),
                missing(2),
            ),
            (
                format!("UPDATE audit SET number = 6 WHERE {page_chain} = 5"),
                "UPDATE audit SET number = 5 WHERE number = 6".to_owned(),
                missing(5),
            ),
            (
                "UPDATE page_log SET audit_count = 4".to_owned(),
                "UPDATE page_log SET audit_count = 5".to_owned(),
                Fault {
                    what: "is one more than were written",
                    ..of_page(5)
                },
            ),
            (
                "UPDATE page_log SET audit_hash = audit_hash || 'x'".to_owned(),
                "UPDATE page_log SET audit_hash = SUBSTR(audit_hash, 1, 64)".to_owned(),
                Fault {
                    what: "is not the one that was written last",
                    ..of_page(5)
                },
            ),
            (
                format!("UPDATE audit SET chain = {literal} WHERE {page_chain} = 1"),
                "UPDATE audit SET chain = page_id WHERE page_id IS NOT NULL".to_owned(),
                missing(1),
            ),
        ] {
            tamper(test, &statement).await;
            let faults = verified(test).await.faults;
            assert!(faults.contains(&expected), "{statement}: {faults:?}");
            tamper(test, &undo).await;
            assert_eq!(verified(test).await.faults, [], "{undo}");
        }
        for (statement, expected) in [
            (
                format!("DELETE FROM audit WHERE {page_chain} = 5"),
                Fault {
                    what: "is missing at the end",
                    ..of_page(5)
                },
            ),
            (format!("DELETE FROM audit WHERE {page_chain} = 2"), missing(2)),
            (
                "DELETE FROM audit WHERE page_id IS NOT NULL".to_owned(),
                Fault {
                    what: "is missing at the end",
                    ..of_page(1)
                },
            ),
            (
                "DELETE FROM audit WHERE page_id IS NULL AND number = 1".to_owned(),
                Fault {
                    chain: SERVER,
                    ..missing(1)
                },
            ),
        ] {
            tamper(test, &statement).await;
            let faults = verified(test).await.faults;
            assert!(faults.contains(&expected), "{statement}: {faults:?}");
        }
    })
    .await;
}
