//! Running a script of `tests/clients`.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;

use crate::support::database::{ADMIN, Test};
use crate::support::require;

/// How long a script may take, on a machine that does much else meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a script is told, as environment variables.
pub(super) type Environment = Vec<(&'static str, String)>;

/// Makes a page `shop` whose search is slow, and tells of it.
pub(super) async fn shop(test: &Test) -> Environment {
    let page = test.page("shop").await;
    test.component(&page, "Search").await;
    let incident = test.incident(&page, "Search is slow", None).await;
    let mut environment = server(test);
    environment.push(("ALLCLEAR_PAGE", "shop".to_owned()));
    environment.push(("ALLCLEAR_INCIDENT", incident));
    environment
}

/// Tells of a server, and how to write to it.
pub(super) fn server(test: &Test) -> Environment {
    vec![
        ("ALLCLEAR_ADDRESS", test.address.to_string()),
        ("ALLCLEAR_TOKEN", ADMIN.to_owned()),
    ]
}

/// Runs a script, and returns what it prints; `None` where what it needs is lacking.
pub(super) async fn run(name: &'static str, environment: Environment) -> Option<Value> {
    Some(Script::start(name, environment)?.result().await)
}

/// A script that runs; it ends with its test at the latest.
pub(super) struct Script {
    name: &'static str,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    complaints: File,
    deadline: Instant,
}

impl Script {
    /// Starts a script, if the machine has what it needs.
    pub(super) fn start(name: &'static str, environment: Environment) -> Option<Script> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        let (thing, program, packages) = match name.ends_with(".py") {
            true => ("python", folder.join(".venv/bin/python"), folder.join(".venv")),
            false => ("node", PathBuf::from("node"), folder.join("node_modules")),
        };
        if !packages.is_dir() {
            require::lacking(thing, &format!("{} was not made", packages.display()));
            return None;
        }
        let complaints = tempfile::tempfile().expect("a temporary file");
        let child = Command::new(program)
            .arg(folder.join(name))
            .current_dir(&folder)
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints.try_clone().expect("a second handle"))
            .kill_on_drop(true)
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                require::lacking(thing, &error.to_string());
                return None;
            }
        };
        let stdout = child.stdout.take().expect("it is piped");
        Some(Script {
            name,
            child,
            lines: BufReader::new(stdout).lines(),
            complaints,
            deadline: Instant::now() + PATIENCE,
        })
    }

    /// The next line it prints, which is JSON.
    pub(super) async fn line(&mut self) -> Value {
        let line = tokio::time::timeout_at(self.deadline, self.lines.next_line()).await;
        let Ok(Ok(Some(line))) = line else {
            self.fail(&format!("it printed no line: {line:?}"))
        };
        serde_json::from_str(&line).unwrap_or_else(|_| self.fail(&format!("not JSON: {line}")))
    }

    /// Lets a script go on that waits to be told to.
    pub(super) async fn go_on(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        stdin.write_all(b"\n").await.expect("it listens");
    }

    /// Its last line, once it has ended by itself and well.
    pub(super) async fn result(mut self) -> Value {
        let result = self.line().await;
        let status = tokio::time::timeout_at(self.deadline, self.child.wait()).await;
        if !matches!(&status, Ok(Ok(status)) if status.success()) {
            self.fail(&format!("it did not end well: {status:?}"));
        }
        result
    }

    /// Fails the test, with what the script complained of.
    fn fail(&mut self, why: &str) -> ! {
        let mut complaints = String::new();
        let read = self
            .complaints
            .rewind()
            .and_then(|()| self.complaints.read_to_string(&mut complaints));
        panic!(
            "{}: {why}\n{complaints}{}",
            self.name,
            read.map_or_else(|error| error.to_string(), |_| String::new())
        );
    }
}
