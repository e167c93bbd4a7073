//! The program as it serves, and the way to it for those who change things.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::running::command;

/// The token of every server here.
pub(crate) const ADMIN: &str = "program-admin-token-of-at-least-32-characters";

/// Held by tests that measure, and by those that would spoil what others measure: one goes after another.
pub(crate) static TURN: Mutex<()> = Mutex::const_new(());

/// The way to a server.
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) graphql: String,
}

impl Client {
    /// Sends a mutation; none if the server was killed before it answered.
    pub(crate) async fn mutate(&self, field: &str, input: Value, selection: &str) -> Option<Value> {
        let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let document = format!(
            "mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message }} }} }}"
        );
        let body = json!({ "query": document, "variables": { "input": input } });
        let sent = self
            .http
            .post(&self.graphql)
            .bearer_auth(ADMIN)
            .json(&body)
            .send()
            .await;
        let answer: Value = sent.ok()?.json().await.ok()?;
        let payload = &answer["data"][field];
        assert_eq!(payload["userErrors"], json!([]), "{answer:#}");
        Some(payload.clone())
    }

    /// The status and the answer to a document; none if the server was killed before it answered.
    pub(crate) async fn ask(&self, document: &str, variables: Value) -> Option<(u16, Value)> {
        let body = json!({ "query": document, "variables": variables });
        let sent = self
            .http
            .post(&self.graphql)
            .bearer_auth(ADMIN)
            .json(&body)
            .send()
            .await;
        let answer = sent.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    /// What asks for a WebSocket that speaks the protocol.
    pub(crate) fn socket_request(&self) -> Request {
        let url = format!("{}/ws", self.graphql.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a request");
        let protocol = "graphql-transport-ws".parse().expect("a header value");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        request
    }

    /// Makes something, and returns its id.
    pub(crate) async fn make(&self, field: &str, input: Value, thing: &str) -> String {
        let made = self.mutate(field, input, &format!("{thing} {{ id }}")).await;
        let made = made.expect("nobody kills it");
        made[thing]["id"].as_str().expect("an id").to_owned()
    }
}

/// Starts the program, and says how long it took until it served. What it logs is in `log`, in the same folder.
pub(crate) async fn start(folder: &Path) -> (Child, Client, Duration) {
    start_as(command(folder), folder, &[]).await
}

/// The same within limits that a shell sets it. A file that grows too large is an error to it, as on a disk that is full, and
/// no signal.
pub(crate) async fn start_limited(folder: &Path, limits: &str) -> (Child, Client, Duration) {
    start_limited_told(folder, limits, &[]).await
}

/// The same, told to do something besides.
pub(crate) async fn start_limited_told(folder: &Path, limits: &str, flags: &[&str]) -> (Child, Client, Duration) {
    let program = command(folder);
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &format!("trap '' XFSZ; {limits}; exec \"$0\" \"$@\"")])
        .arg(program.get_program())
        .current_dir(folder)
        .stdin(Stdio::null());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    start_as(shell, folder, flags).await
}

/// The same, told to do something besides.
pub(crate) async fn start_told(folder: &Path, flags: &[&str]) -> (Child, Client, Duration) {
    start_as(command(folder), folder, flags).await
}

/// The same as another command.
pub(crate) async fn start_as(
    program: std::process::Command,
    folder: &Path,
    flags: &[&str],
) -> (Child, Client, Duration) {
    let began = Instant::now();
    let log = OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let mut child = Command::from(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-token", ADMIN])
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(log.expect("a log"))
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    let first = lines
        .next_line()
        .await
        .expect("it speaks UTF-8")
        .expect("it says something");
    let graphql = first
        .strip_prefix("Allclear serves ")
        .expect("where it serves")
        .to_owned();
    let ready = graphql.replace("/graphql", "/readyz");
    let http = reqwest::Client::new();
    while !http.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200) {
        tokio::task::yield_now().await;
    }
    // What else it says is read, or it would wait for somebody who does.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, Client { http, graphql }, began.elapsed())
}

/// How many files and connections a process has open.
pub(crate) fn open_files(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).expect("it runs").count()
}
