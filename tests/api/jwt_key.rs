//! The keys of an issuer: found when they are new, gone when they are taken back, asked for once a minute at most; and what
//! becomes of JWTs while the issuer is away.

use std::time::{Duration, Instant};

use allclear::access::issuer::Trust;
use allclear::transport::Config;
use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::database::{ADMIN, Place, Test, places};
use crate::support::for_each_database_trusting;
use crate::support::issuer::{AUTHORITY, Issuer, Key};
use crate::support::words::code;

const VIEWER: &str = "{ viewer { role } }";

/// A JWT that is good for an hour, if its key is.
fn jwt(test: &Test, issuer: &Issuer, key: &Key) -> String {
    let now = test.second();
    key.jwt(&issuer.claims(now, json!({ "exp": now + 3_600 })))
}

/// What somebody is told who asks who they are: the status, and the code of the refusal.
async fn told(test: &Test, bearer: &str) -> (u16, String) {
    let (status, answer) = test.respond(VIEWER, json!({}), Some(bearer)).await;
    (
        status,
        answer["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

fn well() -> (u16, String) {
    (200, String::new())
}

fn wrong() -> (u16, String) {
    (401, "UNAUTHENTICATED".to_owned())
}

fn away() -> (u16, String) {
    (503, "UNAVAILABLE".to_owned())
}

fn unchanged(_: &mut Trust) {}

#[tokio::test]
async fn a_new_key_is_found_when_it_is_first_used_and_one_taken_back_opens_nothing_five_minutes_later() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let (old, new) = (Key::new("old", "ES256"), Key::new("new", "EdDSA"));
        issuer.publish(&[&old]);
        let (by_old, by_new) = (jwt(test, issuer, &old), jwt(test, issuer, &new));
        assert_eq!(told(test, &by_old).await, well());
        test.pass_minutes(1);

        issuer.publish(&[&old, &new]);

        assert_eq!([told(test, &by_old).await, told(test, &by_new).await], [well(), well()]);
        assert_eq!(issuer.asked(), 2);
        issuer.publish(&[&new]);
        test.pass_minutes(5);
        issuer.asked_times(3).await;
        // Whoever shows another key that is not known waits for what the issuer says.
        let stranger = jwt(test, issuer, &Key::new("stranger", "ES256"));
        assert_eq!(told(test, &stranger).await, wrong());
        assert_eq!(
            [told(test, &by_old).await, told(test, &by_new).await],
            [wrong(), well()]
        );
        assert_eq!(issuer.asked(), 3);
    })
    .await;
}

/// What so many are told who come at once, each with a key of its own that nobody knows.
async fn strangers(test: &Test, issuer: &Issuer, many: usize) -> Vec<(u16, String)> {
    let key = Key::new("stranger", "EdDSA");
    let now = test.second();
    let texts: Vec<String> = (0..many)
        .map(|number| {
            key.jwt_with(
                json!({ "kid": format!("key-{number}") }),
                &issuer.claims(now, json!({})),
            )
        })
        .collect();
    let mut answers = Vec::new();
    for texts in texts.chunks(100) {
        answers.extend(join_all(texts.iter().map(|text| told(test, text))).await);
    }
    answers.sort();
    answers.dedup();
    answers
}

#[tokio::test]
async fn a_thousand_keys_that_nobody_knows_make_one_question_a_minute_whether_the_issuer_answers_or_not() {
    // The limit of a sender would let most of them ask nothing.
    let config = Config {
        rate: None,
        ..Config::default()
    };
    for place in places().await {
        let issuer = Issuer::start().await;
        let test = Box::pin(Test::start_trusting(place, config.clone(), issuer.trust())).await;
        issuer.publish(&[&Key::new("a", "ES256")]);
        for minute in 1..=2 {
            assert_eq!(strangers(&test, &issuer, 1_000).await, [wrong()]);
            assert_eq!(issuer.asked(), minute);
            test.pass_minutes(1);
        }

        issuer.publish_as(StatusCode::INTERNAL_SERVER_ERROR, "sorry");
        for minute in 3..=4 {
            assert_eq!(strangers(&test, &issuer, 1_000).await, [away()]);
            assert_eq!(issuer.asked(), minute);
            test.pass_minutes(1);
        }
        test.stop().await;
    }
}

#[tokio::test]
async fn a_server_starts_without_its_issuer_and_lets_in_by_itself_once_it_is_back() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        // Another node, which begins while nobody answers.
        issuer.go_away().await;
        let node = test.another().await;
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        let text = jwt(test, issuer, &key);

        assert_eq!(told(&node, &text).await, away());
        let closed = closed(&node, &text).await;
        assert_eq!(
            closed.0, 1013,
            "a client tries again, and does not sign out: {closed:?}"
        );
        assert_eq!(told(&node, ADMIN).await, well());
        assert_eq!(
            told(&node, "a.b.c").await,
            wrong(),
            "what cannot be a JWT is none either way"
        );
        issuer.come_back().await;
        assert_eq!(told(&node, &text).await, away(), "it is asked once a minute");
        test.pass_minutes(1);
        // By themselves, both nodes.
        issuer.asked_times(2).await;
        assert_eq!(told(&node, &text).await, well());
        node.stop().await;
    })
    .await;
}

/// How a socket closes that is initialised with a token.
async fn closed(test: &Test, bearer: &str) -> (u16, String) {
    let mut socket = test.raw_socket(None).await;
    let payload = json!({ "authorization": format!("Bearer {bearer}") });
    socket
        .send(json!({ "type": "connection_init", "payload": payload }))
        .await;
    socket.next_or_close().await.expect_err("it is not let in")
}

#[tokio::test]
async fn the_last_keys_that_were_heard_of_hold_while_the_issuer_is_away() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let (old, new) = (Key::new("old", "ES256"), Key::new("new", "ES256"));
        issuer.publish(&[&old]);
        let (by_old, by_new) = (jwt(test, issuer, &old), jwt(test, issuer, &new));
        assert_eq!(told(test, &by_old).await, well());
        issuer.go_away().await;
        issuer.publish(&[&old, &new]);
        test.pass_minutes(20);

        assert_eq!(told(test, &by_new).await, away(), "it may be good");
        assert_eq!(told(test, &by_old).await, well());
        let forged = by_old.replace(&by_old[by_old.len() - 20..], "AAAAAAAAAAAAAAAAAAAA");
        assert_eq!(told(test, &forged).await, wrong());

        issuer.come_back().await;
        test.pass_minutes(1);
        issuer.asked_times(2).await;
        assert_eq!([told(test, &by_old).await, told(test, &by_new).await], [well(), well()]);
    })
    .await;
}

#[tokio::test]
async fn an_issuer_that_says_what_none_may_say_is_not_believed() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let key = Key::new("a", "ES256");
        let text = jwt(test, issuer, &key);
        let keys = json!({ "keys": [key.jwk()] }).to_string();
        // Somebody who has the keys, and whom nobody trusts.
        let other = Issuer::start().await;
        other.publish(&[&key]);
        let elsewhere = format!("{}/keys", other.url);
        let configuration = |of: &str, keys: &str| json!({ "issuer": of, "jwks_uri": keys });
        let own = format!("{}/keys", issuer.url);
        let padded = format!("{}{}", " ".repeat(256 * 1024), keys);
        let many = json!({ "keys": vec![key.jwk(); 101] }).to_string();

        let mut believed = Vec::new();
        for (what, said, answer) in [
            (
                "another issuer's configuration",
                configuration(&other.url, &own),
                Some((200, keys.clone())),
            ),
            (
                "with a slash more",
                configuration(&format!("{}/", issuer.url), &own),
                Some((200, keys.clone())),
            ),
            ("no configuration", json!({ "keys": own }), Some((200, keys.clone()))),
            (
                "keys that anybody may change",
                configuration(&issuer.url, "http://id.example.com/keys"),
                None,
            ),
            (
                "keys with a password",
                configuration(&issuer.url, &own.replace("//", "//name:word@")),
                None,
            ),
            ("keys in a file", configuration(&issuer.url, "file:///etc/keys"), None),
            ("keys that are elsewhere", configuration(&issuer.url, &own), None),
            (
                "no keys",
                configuration(&issuer.url, &own),
                Some((200, "noise".to_owned())),
            ),
            ("too many keys", configuration(&issuer.url, &own), Some((200, many))),
            (
                "too long an answer",
                configuration(&issuer.url, &own),
                Some((200, padded)),
            ),
            ("an error", configuration(&issuer.url, &own), Some((500, keys.clone()))),
            (
                "not all of it",
                configuration(&issuer.url, &own),
                Some((206, keys.clone())),
            ),
        ] {
            issuer.say(said);
            match answer {
                Some((status, text)) => issuer.publish_as(StatusCode::from_u16(status).expect("a status"), text),
                None => issuer.redirect(&elsewhere),
            }
            let told = told(test, &text).await;
            if told != away() {
                believed.push(format!("{what}: {told:?}"));
            }
            test.pass_minutes(1);
        }

        assert_eq!(believed, [""; 0]);
        assert_eq!(other.asked(), 0);
        issuer.say(configuration(&issuer.url, &own));
        issuer.publish(&[&key]);
        test.pass_minutes(1);
        assert_eq!(told(test, &text).await, well());
    })
    .await;
}

#[tokio::test]
async fn an_issuer_that_never_answers_keeps_nobody_waiting_for_longer_than_a_database_would() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = silent.local_addr().expect("an address");
        issuer.say(json!({ "issuer": issuer.url, "jwks_uri": format!("http://{address}/keys") }));
        let text = jwt(test, issuer, &Key::new("a", "ES256"));
        let since = Instant::now();

        assert_eq!(told(test, &text).await, away());

        assert!(since.elapsed() < Duration::from_millis(3_500), "{:?}", since.elapsed());
    })
    .await;
}

#[tokio::test]
async fn an_issuer_behind_tls_is_believed_if_somebody_vouches_for_its_address() {
    for place in places().await {
        let issuer = Issuer::start_over_tls().await;
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        let known = Trust {
            authorities: Some(AUTHORITY.to_vec()),
            ..issuer.trust()
        };
        let test = Box::pin(Test::start_trusting(place, Config::default(), known)).await;
        let place = Place {
            url: test.url.clone(),
            folder: None,
        };
        let stranger = Box::pin(Test::start_trusting(place, Config::default(), issuer.trust())).await;

        assert_eq!(told(&test, &jwt(&test, &issuer, &key)).await, well());
        assert_eq!(told(&stranger, &jwt(&test, &issuer, &key)).await, away());

        assert_eq!(issuer.asked(), 1);
        // It may not send us to where anybody on the way can make keys of their own.
        let plain = Issuer::start().await;
        plain.publish(&[&key]);
        issuer.say(json!({ "issuer": issuer.url, "jwks_uri": format!("{}/keys", plain.url) }));
        let unknown = jwt(&test, &issuer, &Key::new("b", "ES256"));
        test.pass_minutes(1);
        assert_eq!(told(&test, &unknown).await, away());
        assert_eq!(plain.asked(), 0);
        stranger.stop().await;
        test.stop().await;
    }
}

#[tokio::test]
async fn keys_are_read_where_the_operator_says_they_are() {
    let at_once = |trust: &mut Trust| trust.jwks_url = Some(format!("{}/keys", trust.issuer));
    for_each_database_trusting(at_once, async |test, issuer| {
        let key = Key::new("a", "ES256");
        issuer.publish(&[&key]);
        issuer.say(Value::Null);

        assert_eq!(told(test, &jwt(test, issuer, &key)).await, well());
    })
    .await;
}

#[tokio::test]
async fn a_jwt_that_names_no_key_is_taken_where_there_is_but_one_it_can_be() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        let (one, other) = (Key::new("one", "ES256"), Key::new("other", "ES256"));
        let rsa = Key::new("rsa", "RS256");
        let text = one.jwt_with(json!({ "kid": null }), &issuer.claims(test.second(), json!({})));
        issuer.publish(&[&one, &rsa]);

        assert_eq!(told(test, &text).await, well());

        issuer.publish(&[&one, &rsa, &other]);
        test.pass_minutes(5);
        issuer.asked_times(2).await;
        let text = one.jwt_with(json!({ "kid": null }), &issuer.claims(test.second(), json!({})));
        assert_eq!(told(test, &jwt(test, issuer, &other)).await, well());
        assert_eq!(told(test, &text).await, wrong());
    })
    .await;
}

#[tokio::test]
async fn who_cannot_be_told_whether_to_be_let_in_is_told_so_as_of_any_token() {
    for_each_database_trusting(unchanged, async |test, issuer| {
        issuer.publish_as(StatusCode::BAD_GATEWAY, "");
        let text = jwt(test, issuer, &Key::new("a", "ES256"));

        let (status, answer) = test.respond(VIEWER, json!({}), Some(&text)).await;

        assert_eq!((status, code(&answer), answer.get("data")), (503, "UNAVAILABLE", None));
        let message = answer["errors"][0]["message"].as_str().expect("a message");
        assert!(
            !message.contains("issuer") && !message.contains(&issuer.url),
            "{message}"
        );
    })
    .await;
}
