//! JWTs of an issuer: whom they let in, as whom, and which open nothing.

use std::num::NonZeroU32;

use allclear::domain::role::Role;
use allclear::transport::{Config, Rate};
use serde_json::{Value, json};

use crate::support::database::{ADMIN, Test, places};
use crate::support::issuer::{ALGORITHMS, AUDIENCE, Issuer, Key, base64};
use crate::support::words::{code, id};
use crate::support::{for_each_database_trusting, unchanged};

const VIEWER: &str = "{ viewer { role name mayWrite pages { slug } expiresAt } }";
const OPEN: &str = "mutation($p: ID!, $key: String) { incidentOpen(input: { page: $p, title: \"Down\", body: \"x\",
    idempotencyKey: $key }) { incident { id } userErrors { code } } }";

impl Test {
    /// The time it is, in seconds, as JWTs have it.
    pub(crate) fn second(&self) -> i64 {
        self.app.clock.now().millis() / 1000
    }
}

/// A JWT that is good, but for what else it claims.
fn jwt(test: &Test, issuer: &Issuer, key: &Key, more: Value) -> String {
    key.jwt(&issuer.claims(test.second(), more))
}

/// The role somebody is let in with, or the status and the code of the refusal.
async fn role(test: &Test, bearer: &str) -> Result<String, (u16, String)> {
    let (status, answer) = test.respond("{ viewer { role } }", json!({}), Some(bearer)).await;
    match answer["data"]["viewer"]["role"].as_str() {
        Some(role) => Ok(role.to_owned()),
        None => Err((status, code(&answer).to_owned())),
    }
}

fn refused() -> Result<String, (u16, String)> {
    Err((401, "UNAUTHENTICATED".to_owned()))
}

#[tokio::test]
async fn whatever_an_issuer_may_sign_with_lets_in() {
    for_each_database_trusting(
        |_| {},
        async |test, issuer| {
            let keys = ALGORITHMS.map(|algorithm| Key::new(algorithm, algorithm));
            issuer.publish(&keys.each_ref());

            for key in &keys {
                let text = jwt(test, issuer, key, json!({}));
                assert_eq!(role(test, &text).await.as_deref(), Ok("RESPONDER"), "{}", key.algorithm);
            }

            assert_eq!(issuer.asked(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn who_is_let_in_learns_who_they_are_what_they_may_and_until_when() {
    for_each_database_trusting(
        |_| {},
        async |test, issuer| {
            let key = Key::new("a", "ES256");
            issuer.publish(&[&key]);
            let text = jwt(test, issuer, &key, json!({}));

            let (_, answer) = test.respond(VIEWER, json!({}), Some(&text)).await;

            assert_eq!(
                answer["data"]["viewer"],
                json!({
                    "role": "RESPONDER", "name": format!("mara ({})", issuer.url), "mayWrite": true, "pages": null,
                    "expiresAt": test.in_minutes(10),
                })
            );
        },
    )
    .await;
}

/// Signs with what everybody knows, as if it were a secret.
fn by_public_key(key: &Key, claims: &Value, secret: &[u8]) -> String {
    let header = json!({ "alg": "HS256", "typ": "JWT", "kid": key.name });
    let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
    let shared = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    format!("{message}.{}", base64(ring::hmac::sign(&shared, message.as_bytes())))
}

#[tokio::test]
async fn row_31_a_jwt_that_is_wrong_in_any_way_is_answered_as_any_wrong_token() {
    for_each_database_trusting(
        |_| {},
        async |test, issuer| {
            let key = Key::new("a", "ES256");
            let rsa = Key::new("r", "RS256");
            let stranger = Key::new("a", "ES256");
            let unknown = Key::new("b", "ES256");
            // The same key, which is published for another.
            let pss = Key::new("r", "PS256");
            issuer.publish(&[&key, &rsa]);
            let page = test.page("shop").await;
            let now = test.second();
            let claims = |more| issuer.claims(now, more);
            let good = key.jwt(&claims(json!({})));
            let parts: Vec<&str> = good.split('.').collect();
            let [header, _, signed] = parts.as_slice() else {
                panic!("three parts")
            };
            let more = claims(json!({ "allclear_role": "admin" })).to_string();
            let none = |algorithm: &str| {
                let header = json!({ "alg": algorithm, "typ": "JWT", "kid": "a" }).to_string();
                format!("{}.{}.", base64(header), base64(&more))
            };
            let modulus = rsa.jwk()["n"].as_str().expect("a modulus").to_owned();
            let wrong = [
                ("not signed", none("none")),
                ("not signed in another case", none("None")),
                ("signed by nothing known", none("XX256")),
                ("the signature cut off", format!("{header}.{}.", parts[1])),
                ("its claims are others", format!("{header}.{}.{signed}", base64(&more))),
                (
                    "its header is another",
                    format!("{}.{}.{signed}", base64("{\"alg\":\"RS256\",\"kid\":\"r\"}"), parts[1]),
                ),
                (
                    "the public key as a secret",
                    by_public_key(&rsa, &claims(json!({})), modulus.as_bytes()),
                ),
                (
                    "the JWK as a secret",
                    by_public_key(&rsa, &claims(json!({})), rsa.jwk().to_string().as_bytes()),
                ),
                ("somebody else's key", stranger.jwt(&claims(json!({})))),
                (
                    "a key of its own",
                    stranger.jwt_with(json!({ "kid": null, "jwk": stranger.jwk() }), &claims(json!({}))),
                ),
                (
                    "a key at an address",
                    stranger.jwt_with(json!({ "jku": issuer.url }), &claims(json!({}))),
                ),
                ("an unknown key", unknown.jwt(&claims(json!({})))),
                ("an algorithm that its key is not for", pss.jwt(&claims(json!({})))),
                (
                    "an algorithm that it is not signed with",
                    rsa.jwt_with(json!({ "alg": "PS256" }), &claims(json!({}))),
                ),
                (
                    "something critical",
                    key.jwt_with(json!({ "crit": ["exp"] }), &claims(json!({}))),
                ),
                (
                    "for logging out",
                    key.jwt_with(json!({ "typ": "logout+jwt" }), &claims(json!({}))),
                ),
                (
                    "another issuer",
                    key.jwt(&claims(json!({ "iss": format!("{}/", issuer.url) }))),
                ),
                ("a list of issuers", key.jwt(&claims(json!({ "iss": [issuer.url] })))),
                ("no issuer", key.jwt(&claims(json!({ "iss": null })))),
                ("another audience", key.jwt(&claims(json!({ "aud": "other" })))),
                (
                    "other audiences",
                    key.jwt(&claims(json!({ "aud": ["other", "allclear2"] }))),
                ),
                ("no audience", key.jwt(&claims(json!({ "aud": null })))),
                ("expired", key.jwt(&claims(json!({ "exp": now - 60 })))),
                ("never expires", key.jwt(&claims(json!({ "exp": null })))),
                ("not yet", key.jwt(&claims(json!({ "nbf": now + 61 })))),
                ("made tomorrow", key.jwt(&claims(json!({ "iat": now + 86_400 })))),
                ("nobody", key.jwt(&claims(json!({ "sub": null })))),
                ("a person of two lines", key.jwt(&claims(json!({ "sub": "a\nb" })))),
                ("no role", key.jwt(&claims(json!({ "allclear_role": null })))),
                (
                    "no role that is known",
                    key.jwt(&claims(json!({ "allclear_role": "root" }))),
                ),
                ("bound to a key", key.jwt(&claims(json!({ "cnf": { "jkt": "x" } })))),
                ("too long", key.jwt(&claims(json!({ "more": "x".repeat(8_192) })))),
                ("noise", "a.b.c".to_owned()),
                ("nothing", "..".to_owned()),
                ("no claims", key.jwt(&json!([]))),
                ("four parts", format!("{good}.x")),
                ("two parts", format!("{header}.{signed}")),
            ];
            let (_, token) = test.respond(VIEWER, json!({}), Some("wrong")).await;

            let mut otherwise = Vec::new();
            unchanged(test, &page, async || {
                for (what, text) in &wrong {
                    let (status, answer) = test.respond(OPEN, json!({ "p": page }), Some(text)).await;
                    if (status, &answer) != (401, &token) {
                        otherwise.push(format!("{what}: {status} {answer}"));
                    }
                }
            })
            .await;

            assert_eq!(otherwise, [""; 0]);
            assert_eq!(role(test, &good).await.as_deref(), Ok("RESPONDER"));
            assert_eq!(
                role(test, &key.jwt(&claims(json!({ "exp": now - 59 }))))
                    .await
                    .as_deref(),
                Ok("RESPONDER")
            );
            let just = key.jwt(&claims(
                json!({ "aud": ["other", AUDIENCE], "nbf": now + 60, "iat": now + 60 }),
            ));
            assert_eq!(role(test, &just).await.as_deref(), Ok("RESPONDER"));
            let access = key.jwt_with(json!({ "typ": "at+jwt" }), &claims(json!({})));
            assert_eq!(role(test, &access).await.as_deref(), Ok("RESPONDER"));
        },
    )
    .await;
}

#[tokio::test]
async fn without_an_issuer_that_is_trusted_a_jwt_is_a_wrong_token() {
    for place in places().await {
        let issuer = Issuer::start().await;
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        let test = Box::pin(Test::start(
            place,
            allclear::app::Settings::default(),
            Config::default(),
        ))
        .await;

        assert_eq!(role(&test, &jwt(&test, &issuer, &key, json!({}))).await, refused());

        assert_eq!(issuer.asked(), 0);
        test.stop().await;
    }
}

#[tokio::test]
async fn the_highest_role_that_the_claim_stands_for_is_theirs_wherever_it_stands() {
    for_each_database_trusting(
        |trust| {
            trust.role_claim = "realm_access.roles".to_owned();
            trust.roles = vec![
                ("oncall".to_owned(), Role::Responder),
                ("lead".to_owned(), Role::Manager),
            ];
            trust.default_role = Some(Role::Viewer);
        },
        async |test, issuer| {
            let key = Key::new("a", "EdDSA");
            issuer.publish(&[&key]);
            for (roles, expected) in [
                (json!(["offline_access", "oncall"]), "RESPONDER"),
                (json!(["oncall", "lead"]), "MANAGER"),
                (json!("lead"), "MANAGER"),
                (json!(["admin", "ADMIN"]), "VIEWER"),
                (json!(null), "VIEWER"),
            ] {
                let text = jwt(test, issuer, &key, json!({ "realm_access": { "roles": roles } }));
                assert_eq!(role(test, &text).await.as_deref(), Ok(expected), "{roles}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_jwt_holds_on_the_pages_it_names_as_they_are_called_now() {
    for_each_database_trusting(
        |trust| trust.pages_claim = Some("pages".to_owned()),
        async |test, issuer| {
            let key = Key::new("a", "EdDSA");
            issuer.publish(&[&key]);
            for slug in ["mine", "theirs"] {
                let input = json!({ "slug": slug, "name": slug, "visibility": "PRIVATE" });
                test.mutate("pageCreate", input, "page { id }").await;
            }
            let seen = async |pages: Value| {
                let text = jwt(test, issuer, &key, json!({ "pages": pages }));
                let document = "{ mine: page(slug: \"mine\") { slug } theirs: page(slug: \"theirs\") { slug }
                    viewer { pages { slug } } }";
                test.respond(document, json!({}), Some(&text)).await.1["data"].clone()
            };

            let all = seen(json!(["*"])).await;
            let one = seen(json!(["mine", "nowhere", "no slug"])).await;
            let none = seen(json!(null)).await;

            let page = |slug: &str| json!({ "slug": slug });
            assert_eq!(
                all,
                json!({ "mine": page("mine"), "theirs": page("theirs"), "viewer": { "pages": null } })
            );
            assert_eq!(
                one,
                json!({ "mine": page("mine"), "theirs": null, "viewer": { "pages": [page("mine")] } })
            );
            assert_eq!(none, json!({ "mine": null, "theirs": null, "viewer": { "pages": [] } }));
        },
    )
    .await;
}

#[tokio::test]
async fn the_audit_says_who_did_it_and_their_idempotency_keys_are_theirs_alone() {
    for_each_database_trusting(
        |_| {},
        async |test, issuer| {
            let key = Key::new("a", "RS256");
            issuer.publish(&[&key]);
            let page = test.page("shop").await;
            let as_whom = |subject: &str| jwt(test, issuer, &key, json!({ "sub": subject }));
            let open = async |bearer: &str| {
                let variables = json!({ "p": page, "key": "once" });
                let (_, answer) = test.respond(OPEN, variables, Some(bearer)).await;
                id(&answer["data"]["incidentOpen"]["incident"])
            };

            let first = open(&as_whom("mara")).await;
            test.pass_minutes(1);
            let again = open(&as_whom("mara")).await;
            let other = open(&as_whom("nils")).await;

            assert_eq!(first, again, "another JWT of the same person");
            assert_ne!(first, other);
            let entries = "{ auditEntries(first: 2) { nodes { actor token { id } action address subject { id } } } }";
            let told = test.data(entries, json!({})).await["auditEntries"]["nodes"].clone();
            let entry = |who: &str, incident: &str| {
                json!({
                    "actor": format!("{who} ({})", issuer.url), "token": null, "action": "incidentOpen",
                    "address": "127.0.0.1", "subject": { "id": incident },
                })
            };
            assert_eq!(told, json!([entry("nils", &other), entry("mara", &first)]));
            let verified = test.app.store.verify_audit().await.expect("the audit is read");
            assert_eq!(verified.faults, []);
        },
    )
    .await;
}

#[tokio::test]
async fn an_admin_by_a_jwt_hands_out_tokens_in_their_name() {
    for_each_database_trusting(
        |_| {},
        async |test, issuer| {
            let key = Key::new("a", "ES384");
            issuer.publish(&[&key]);
            let text = jwt(test, issuer, &key, json!({ "allclear_role": ["viewer", "admin"] }));
            let make = "mutation { tokenCreate(input: { name: \"x\", role: VIEWER }) { token { createdBy } } }";

            let (_, made) = test.respond(make, json!({}), Some(&text)).await;

            let by = format!("mara ({})", issuer.url);
            assert_eq!(made["data"]["tokenCreate"]["token"]["createdBy"], by);
        },
    )
    .await;
}

#[tokio::test]
async fn a_person_pays_for_all_their_jwts_and_nobody_else_does() {
    for place in places().await {
        let issuer = Issuer::start().await;
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        let number = |number| NonZeroU32::new(number).expect("not 0");
        let config = Config {
            rate: Some(Rate {
                cost: number(1),
                burst: number(60),
            }),
            ..Config::default()
        };
        let test = Box::pin(Test::start_trusting(place, config, issuer.trust())).await;
        let as_whom = |subject: &str, until: i64| {
            let until = test.second() + until;
            jwt(&test, &issuer, &key, json!({ "sub": subject, "exp": until }))
        };

        // Each costs what it took to execute, which is some units at the least.
        let limited = Err((429, "RATE_LIMITED".to_owned()));
        let mut told = Vec::new();
        while told.last() != Some(&limited) {
            assert!(told.len() < 200, "each has a rate of its own");
            told.push(role(&test, &as_whom("mara", 600 + told.len() as i64)).await);
        }
        let other = role(&test, &as_whom("nils", 600)).await;

        assert!(told[0].is_ok(), "{told:?}");
        assert_eq!(other.as_deref(), Ok("RESPONDER"));
        test.stop().await;
    }
}

#[tokio::test]
async fn a_jwt_gets_a_ticket_that_sees_what_it_sees_and_does_not_say_who_it_is() {
    for_each_database_trusting(
        |trust| trust.pages_claim = Some("pages".to_owned()),
        async |test, issuer| {
            let key = Key::new("a", "ES256");
            issuer.publish(&[&key]);
            for slug in ["mine", "theirs"] {
                let input = json!({ "slug": slug, "name": slug, "visibility": "PRIVATE" });
                test.mutate("pageCreate", input, "page { id }").await;
            }
            let text = jwt(
                test,
                issuer,
                &key,
                json!({ "pages": "mine", "exp": test.second() + 30 }),
            );
            let make = "mutation { ticketCreate(input: { lifetimeSeconds: 300 }) { ticket } }";
            let (_, made) = test.respond(make, json!({}), Some(&text)).await;
            let ticket = made["data"]["ticketCreate"]["ticket"]
                .as_str()
                .expect("a ticket")
                .to_owned();
            let other = test.another().await;
            let seen = "{ viewer { role name mayWrite pages { slug } } mine: page(slug: \"mine\") { slug }
                theirs: page(slug: \"theirs\") { slug } }";
            let ask = async |test: &Test, document: &str| {
                let mut url = url::Url::parse(&test.graphql()).expect("an address");
                url.query_pairs_mut()
                    .append_pair("query", document)
                    .append_pair("ticket", &ticket);
                let answer = test.http.get(url).header("accept", "application/json").send().await;
                answer.expect("the server answers").json::<Value>().await.expect("JSON")
            };

            for node in [test, &other] {
                assert_eq!(
                    ask(node, seen).await["data"],
                    json!({
                        "viewer": {
                            "role": "RESPONDER", "name": issuer.url, "mayWrite": false, "pages": [{ "slug": "mine" }],
                        },
                        "mine": { "slug": "mine" }, "theirs": null,
                    })
                );
                let tokens = ask(node, "{ tokens(first: 1) { totalCount } }").await;
                assert_eq!(code(&tokens), "FORBIDDEN");
            }
            // The ticket would last for five minutes, the JWT for half of one and the skew.
            test.pass_minutes(2);
            for node in [test, &other] {
                assert_eq!(code(&ask(node, seen).await), "UNAUTHENTICATED");
            }
            other.stop().await;
        },
    )
    .await;
}

#[tokio::test]
async fn the_admin_token_and_tokens_open_what_they_did_beside_an_issuer() {
    for_each_database_trusting(
        |_| {},
        async |test, issuer| {
            let (_, token) = test.token("MANAGER", None).await;

            assert_eq!(role(test, ADMIN).await.as_deref(), Ok("ADMIN"));
            assert_eq!(role(test, &token).await.as_deref(), Ok("MANAGER"));

            issuer.go_away().await;
            assert_eq!(role(test, &token).await.as_deref(), Ok("MANAGER"));
        },
    )
    .await;
}
