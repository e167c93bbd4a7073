//! Allclear itself: its own program on a fresh SQLite database, told of updates by its own mutation.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Programs, Publishing, Server};
use crate::document;
use crate::http::Http;
use crate::process::Process;

/// The admin's token: the server is there for this run alone.
const TOKEN: &str = "a-token-that-opens-nothing-but-a-benchmark";

/// Updates of one incident. Real ones have ten or fewer, and each update writes the whole timeline to the log.
const UPDATES: usize = 10;

/// Incidents of a run at most: a page with more open ones is none that is known.
const MAX_INCIDENTS: usize = 40;

/// Updates that one incident takes; then the mutation refuses.
const LIMIT: usize = 499;

/// The address space of a server that is attacked. A query that makes it allocate without end ends the server, and not what
/// else runs on the machine.
const MOST_MEMORY_KIB: u64 = 4 << 20;

/// The incidents that updates are posted to, one after the other.
#[derive(Clone)]
pub(super) struct Desk(Arc<[String]>);

pub(super) fn start(programs: &Programs, events: usize) -> anyhow::Result<Server> {
    let (mut command, folder) = command(programs)?;
    command
        // All of a benchmark comes from one address, and as fast as it can.
        .args([
            "--rate-limit",
            "0",
            "--max-executions",
            "0",
            "--max-sockets",
            "0",
            "--max-sockets-per-address",
            "0",
        ])
        // A heartbeat would be counted as an event.
        .args(["--heartbeat-seconds", "3600"]);
    let (process, address) = Process::start(command, Some("Ready."))?;

    let mut http = Http::connect(address)?;
    let page = mutate(
        &mut http,
        "mutation($input: PageCreateInput!) { pageCreate(input: $input) { page { id } userErrors { message } } }",
        &json!({ "slug": document::SLUG, "name": "Bench" }),
    )?;
    let page = page["page"]["id"].as_str().context("a page without an id")?.to_owned();
    let count = events.div_ceil(UPDATES).clamp(1, MAX_INCIDENTS);
    ensure!(events < LIMIT * count, "so many events need more incidents");
    let incidents: anyhow::Result<Vec<String>> = (0..count)
        .map(|_| {
            let opened = mutate(
                &mut http,
                "mutation($input: IncidentOpenInput!) { incidentOpen(input: $input) \
                 { incident { id } userErrors { message } } }",
                &json!({ "page": page, "title": "Checkout is slow", "body": "We are looking into it." }),
            )?;
            Ok(opened["incident"]["id"]
                .as_str()
                .context("an incident without an id")?
                .to_owned())
        })
        .collect();
    Ok(Server {
        process,
        address,
        publishing: Publishing::Allclear(Desk(incidents?.into())),
        _folder: Some(folder),
    })
}

/// Starts it on a fresh SQLite database, with nothing but what it must be told and these options.
pub(super) fn as_it_comes(programs: &Programs, options: &[&str]) -> anyhow::Result<Server> {
    let (mut command, folder) = command(programs)?;
    command.args(options);
    ready(command, Some(folder))
}

/// Starts it on a database, with these options and a bounded address space.
pub(super) fn on(programs: &Programs, url: &str, options: &[&str]) -> anyhow::Result<Server> {
    let plain = serve(programs, url)?;
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -v {MOST_MEMORY_KIB} && exec \"$0\" \"$@\""))
        .arg(plain.get_program())
        .args(plain.get_args());
    // Under attack it has much to warn of, and what it refuses is counted here.
    command.args(options).env("ALLCLEAR_LOG", "error");
    ready(command, None)
}

fn ready(command: Command, folder: Option<tempfile::TempDir>) -> anyhow::Result<Server> {
    let (process, address) = Process::start(command, Some("Ready."))?;
    Ok(Server {
        process,
        address,
        publishing: Publishing::Plain,
        _folder: folder,
    })
}

/// The program, to be started on a fresh database, in a folder that goes away.
fn command(programs: &Programs) -> anyhow::Result<(Command, tempfile::TempDir)> {
    let folder = programs.folder()?;
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("bench.db").display());
    Ok((serve(programs, &database)?, folder))
}

/// The program, to be started on a database.
fn serve(programs: &Programs, database: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(program(programs)?);
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--no-graphiql",
            "--admin-token",
            TOKEN,
        ])
        .args(["--database-url", database])
        .env("ALLCLEAR_LOG", "warn");
    Ok(command)
}

impl Desk {
    /// Posts an update, as anybody would.
    pub(super) fn post(&self, http: &mut Http, number: u64, body: &str) -> anyhow::Result<()> {
        let turn = usize::try_from(number).context("a number of an event")? % self.0.len();
        mutate(
            http,
            "mutation($input: IncidentUpdatePostInput!) { incidentUpdatePost(input: $input) \
             { update { id } userErrors { message } } }",
            &json!({ "incident": self.0[turn], "body": body }),
        )?;
        Ok(())
    }
}

/// Sends a mutation of one field, and returns that.
pub(crate) fn mutate(http: &mut Http, document: &str, input: &Value) -> anyhow::Result<Value> {
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", authorization.as_str()),
    ];
    let body = json!({ "query": document, "variables": { "input": input } }).to_string();
    let answer: Value = serde_json::from_str(&http.post("/graphql", &headers, &body)?)?;
    let field = answer["data"].as_object().and_then(|data| data.values().next());
    let field = field.with_context(|| format!("no data: {answer}"))?;
    ensure!(field["userErrors"] == json!([]), "refused: {answer}");
    Ok(field.clone())
}

pub(crate) fn program(programs: &Programs) -> anyhow::Result<PathBuf> {
    let program = match &programs.allclear {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("allclear"),
    };
    ensure!(
        program.is_file(),
        "{} is not there: run `cargo build --release`, or say `--allclear PROGRAM`",
        program.display()
    );
    Ok(program)
}
