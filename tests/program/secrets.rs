//! Nothing that opens anything is ever logged, however much is.

use std::path::Path;

use allclear::clock::Clock;
use futures_util::{SinkExt, StreamExt};
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::issuer::{AUDIENCE, Issuer, Key};
use crate::postgres::Cluster;
use crate::require;
use crate::running::allclear;
use crate::serving::{ADMIN, Client, start_told};

/// What is planted begins so, and is found by it wherever it comes up.
const CANARY: &str = "canary-9d1f6c";

fn planted(what: &str) -> String {
    format!("{CANARY}-{what}-that-is-long-enough-to-be-a-token")
}

/// Sends secrets, right and wrong ones, over every way there is.
async fn tell_secrets(client: &Client) {
    let http = reqwest::Client::new();
    let query = json!({ "query": "{ page(slug: \"shop\") { id } }" });
    let page = client
        .make("pageCreate", json!({ "slug": "shop", "name": "Shop" }), "page")
        .await;
    let input = json!({ "page": page, "title": "Down", "body": "We know.", "idempotencyKey": planted("key") });
    client.make("incidentOpen", input, "incident").await;
    for credentials in [
        format!("Bearer {}", planted("bearer")),
        format!("Basic {}", planted("basic")),
    ] {
        let sent = http
            .post(&client.graphql)
            .header("authorization", &credentials)
            .json(&query)
            .send()
            .await;
        assert_eq!(sent.expect("an answer").status(), 401);
        let reserved = http
            .put(format!("{}/stream", client.graphql))
            .header("authorization", &credentials);
        assert_eq!(reserved.send().await.expect("an answer").status(), 401);
        socket(client, Some(&credentials), json!({})).await;
    }
    let stream = http
        .post(&client.graphql)
        .bearer_auth(ADMIN)
        .header("accept", "text/event-stream");
    let stream = stream
        .json(&json!({ "query": "subscription { pageEvents(page: \"shop\") { at } }" }))
        .send()
        .await;
    assert_eq!(stream.expect("an answer").status(), 200);
    for payload in [
        json!({ "authorization": format!("Bearer {ADMIN}") }),
        json!({ "authorization": format!("Bearer {}", planted("init")) }),
        json!({ "Authorization": planted("bare") }),
        json!({ "token": planted("token") }),
        json!({ "password": planted("password") }),
    ] {
        socket(client, None, payload).await;
    }
    // What cannot be read must not be shown either.
    let broken = format!(
        "{{ \"query\": \"{{ hello }}\", \"variables\": {{ \"token\": \"{}\" }}",
        planted("broken")
    );
    let sent = http
        .post(&client.graphql)
        .header("content-type", "application/json")
        .body(broken)
        .send()
        .await;
    assert_eq!(sent.expect("an answer").status(), 400);
}

/// Opens a socket, initialises it with a payload, and asks something, if it is let in.
async fn socket(client: &Client, credentials: Option<&str>, payload: Value) {
    let mut request = client.socket_request();
    if let Some(credentials) = credentials {
        request
            .headers_mut()
            .insert("authorization", credentials.parse().expect("a value"));
    }
    let (mut socket, _) = connect_async(request).await.expect("it opens");
    let init = json!({ "type": "connection_init", "payload": payload });
    let ask = json!({ "id": "1", "type": "subscribe", "payload": { "query": "{ page(slug: \"shop\") { id } }" } });
    for message in [init, ask] {
        // It may be closed already.
        let _ = socket.send(Message::text(message.to_string())).await;
    }
    let mut heard = 0;
    while let Some(Ok(message)) = socket.next().await {
        heard += usize::from(message.is_text());
        if heard == 3 || message.is_close() {
            break;
        }
    }
}

fn betrays_nothing(folder: &Path, jwts: &[String]) {
    let log = std::fs::read_to_string(folder.join("log")).expect("a log");
    assert!(log.contains(" TRACE "), "all is logged");
    assert!(log.contains("INSERT INTO"), "statements are");
    let parts = jwts.iter().flat_map(|jwt| jwt.split('.')).filter(|part| part.len() > 8);
    for secret in [CANARY, ADMIN, "authorization: ", "Bearer "].into_iter().chain(parts) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

/// Sends JWTs, good ones and others, over every way there is.
async fn tell_jwts(client: &Client, issuer: &Issuer, key: &Key) -> Vec<String> {
    let now = Clock::System.now().millis() / 1000;
    let claims = |more| issuer.claims(now, more);
    let good = key.jwt(&claims(json!({ "nonce": planted("nonce") })));
    let jwts = vec![
        good.clone(),
        key.jwt(&claims(json!({ "exp": now - 600 }))),
        key.jwt(&claims(json!({ "sub": planted("line\n") }))),
        key.jwt_with(json!({ "kid": planted("kid") }), &claims(json!({}))),
        format!("{good}{}", planted("signature")),
        format!("{}..", planted("header")),
    ];
    let http = reqwest::Client::new();
    let query = json!({ "query": "{ viewer { role } }" });
    let mut told = Vec::new();
    for jwt in &jwts {
        let sent = http.post(&client.graphql).bearer_auth(jwt).json(&query).send().await;
        told.push(sent.expect("an answer").status().as_u16());
        socket(client, Some(&format!("Bearer {jwt}")), json!({})).await;
        socket(client, None, json!({ "authorization": format!("Bearer {jwt}") })).await;
    }
    assert_eq!(told, [200, 401, 401, 401, 401, 401]);
    let page = json!({ "slug": "mail", "name": "Mail" });
    let make = "mutation($input: PageCreateInput!) { pageCreate(input: $input) { page { id } } }";
    let made = json!({ "query": make, "variables": { "input": page } });
    let sent = http.post(&client.graphql).bearer_auth(&good).json(&made).send().await;
    let made: Value = sent.expect("an answer").json().await.expect("JSON");
    assert!(made["data"]["pageCreate"]["page"]["id"].is_string(), "{made}");
    jwts
}

#[tokio::test]
async fn no_secret_is_logged_however_much_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let issuer = Issuer::start().await;
    let key = Key::new("a", "ES256");
    issuer.publish(&[&key]);
    let flags = [
        "--log",
        "trace",
        "--oidc-issuer",
        &issuer.url,
        "--oidc-audience",
        AUDIENCE,
        "--oidc-role",
        "responder=manager",
    ];
    let (mut child, client, _) = start_told(folder.path(), &flags).await;

    tell_secrets(&client).await;
    let jwts = tell_jwts(&client, &issuer, &key).await;

    child.kill().await.expect("it can be killed");
    betrays_nothing(folder.path(), &jwts);
}

#[tokio::test]
async fn no_password_of_a_database_is_logged_however_much_is() {
    let cluster = match Cluster::start() {
        Ok(cluster) => cluster,
        Err(why) => return require::lacking("postgres", &why),
    };
    let admin = Database::connect(cluster.url("postgres")).await.expect("it answers");
    admin
        .execute_unprepared("CREATE DATABASE secrets")
        .await
        .expect("a database");
    admin.close().await.expect("the connection closes");
    let with = |what: &str| {
        cluster
            .url("secrets")
            .replace("allclear@", &format!("allclear:{}@", planted(what)))
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (url, listen_url) = (with("url"), with("listen-url"));
    assert!(url.contains(CANARY));

    let flags = [
        "--log",
        "trace",
        "--database-url",
        &url,
        "--database-listen-url",
        &listen_url,
    ];
    let (mut child, client, _) = start_told(folder.path(), &flags).await;
    tell_secrets(&client).await;
    child.kill().await.expect("it can be killed");
    betrays_nothing(folder.path(), &[]);
}

#[test]
fn no_password_is_said_of_a_database_that_does_not_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("postgres://allclear:{}@127.0.0.1:9/allclear", planted("url"));

    for command in [["migrate"].as_slice(), &["epoch", "renew"]] {
        let arguments = [command, &["--log", "trace", "--database-url", &url]].concat();
        let refused = allclear(folder.path(), &arguments);
        assert!(!refused.is_success);
        assert!(!refused.errors.contains(CANARY), "{}", refused.errors);
    }
}
