//! A recording: what the program did to its files while changes were made, and when each was acknowledged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use super::disk::Files;
use crate::running::command;
use crate::serving::{Client, start_as};

/// How often the program is started and ended in good order, which folds what is beside the database into it.
const RUNS: usize = 2;

/// How many write side by side, each with one change under way.
const WRITERS: usize = 4;

/// How many changes are made in each run: enough for SQLite to fold several times of its own accord.
const CHANGES: usize = 240;

/// How many changes a writer makes to one incident: each event holds its whole timeline.
const OF_ONE: usize = 8;

/// All that is needed to replay it.
pub(crate) struct Recording {
    /// Removed with this, unless somebody kept it.
    pub(crate) folder: PathBuf,
    _made: Option<TempDir>,
    /// The texts that were acknowledged, each with the length of the trace when its writer knew.
    pub(crate) acknowledged: Vec<(u64, String)>,
}

/// The names in a recording's folder.
const DATA: &str = "data";
const TRACE: &str = "trace";
const ACKNOWLEDGED: &str = "acknowledged.json";

impl Recording {
    /// Makes one of a program that may have a bug. Calls `ended` with the trace's path and the files as they lie there
    /// each time the program has ended.
    pub(crate) async fn make(bug: Option<&str>, ended: impl Fn(&Path, Files)) -> Recording {
        let made = TempDir::with_prefix("allclear-crash-").expect("a folder");
        let folder = made.path().to_owned();
        let data = folder.join(DATA);
        std::fs::create_dir(&data).expect("a folder");
        let recorder = compiled(&folder);
        let mut writing = Writing {
            trace: folder.join(TRACE),
            ..Writing::default()
        };
        let mut acknowledged = Vec::new();
        for run in 0..RUNS {
            let mut program = command(&data);
            program
                .env("LD_PRELOAD", &recorder)
                .env("RECORD_FOLDER", &data)
                .env("RECORD_TRACE", &writing.trace);
            if let Some(bug) = bug {
                program.env("ALLCLEAR_SEEDED_BUG", bug);
            }
            // The log is no file of the recording: it is opened here.
            let (mut child, client, _) = start_as(program, &folder, &["--rate-limit", "0"]).await;
            if run == 0 {
                writing.begin(&client).await;
            }
            acknowledged.extend(writing.write(&client, run).await);
            let id = child.id().expect("it runs").to_string();
            let told = Command::new("kill").args(["-TERM", &id]).status();
            assert!(told.expect("there is kill").success());
            let status = child.wait().await.expect("it ends");
            assert!(status.success(), "it ends in good order: {status}");
            ended(&writing.trace, files(&data));
        }
        let text = serde_json::to_string(&acknowledged).expect("texts and numbers");
        std::fs::write(folder.join(ACKNOWLEDGED), text).expect("the folder takes it");
        Recording {
            folder,
            _made: Some(made),
            acknowledged,
        }
    }

    /// One that was kept.
    pub(crate) fn kept(folder: PathBuf) -> Recording {
        let text = std::fs::read(folder.join(ACKNOWLEDGED)).expect("a recording");
        Recording {
            acknowledged: serde_json::from_slice(&text).expect("texts and numbers"),
            folder,
            _made: None,
        }
    }

    pub(crate) fn trace(&self) -> PathBuf {
        self.folder.join(TRACE)
    }

    /// Leaves it where it is, for whoever looks into what it showed.
    pub(crate) fn keep(self) -> PathBuf {
        self._made.map_or(self.folder, TempDir::keep)
    }
}

/// The recorder, compiled by what compiled SQLite.
fn compiled(folder: &Path) -> PathBuf {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/crash/recorder.c");
    let library = folder.join("recorder.so");
    let done = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&library, &source])
        .args(["-ldl", "-lpthread"])
        .status();
    assert!(done.expect("there is a C compiler").success());
    library
}

/// What lies in a folder, shared memory apart.
fn files(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let files = entries.map(|entry| {
        let entry = entry.expect("it can be listed");
        let name = entry.file_name().into_string().expect("its names are ours");
        (name, std::fs::read(entry.path()).expect("it can be read"))
    });
    files.filter(|(name, _)| !name.ends_with("-shm")).collect()
}

/// Who makes changes, and to what.
#[derive(Default)]
struct Writing {
    trace: PathBuf,
    page: String,
    components: Vec<String>,
}

impl Writing {
    async fn begin(&mut self, client: &Client) {
        let input = json!({ "slug": "shop", "name": "Shop", "idempotencyKey": "page" });
        self.page = client.make("pageCreate", input, "page").await;
        for name in ["Checkout", "Search"] {
            let input = json!({ "page": self.page, "name": name, "idempotencyKey": name });
            self.components
                .push(client.make("componentCreate", input, "component").await);
        }
    }

    /// Makes the changes of a run, and returns which were acknowledged when.
    async fn write(&self, client: &Client, run: usize) -> Vec<(u64, String)> {
        let left = AtomicUsize::new(CHANGES);
        let is_more = || {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
        };
        let writers = (0..WRITERS).map(async |writer| {
            let mut acknowledged = Vec::new();
            let mut incident = String::new();
            for turn in 0.. {
                if !is_more() {
                    break;
                }
                let body = format!("{run}-{writer}-{turn}");
                if turn % OF_ONE == 0 {
                    let input = json!({
                        "page": self.page, "title": "Checkout fails", "body": body, "idempotencyKey": body,
                    });
                    incident = client.make("incidentOpen", input, "incident").await;
                } else {
                    let status = ["MAJOR_OUTAGE", "DEGRADED_PERFORMANCE", "OPERATIONAL"][turn % 3];
                    let component = &self.components[writer % self.components.len()];
                    let components = json!([{ "component": component, "status": status }]);
                    let input = json!({
                        "incident": incident, "body": body, "components": components, "idempotencyKey": body,
                    });
                    let said = client.mutate("incidentUpdatePost", input, "update { id }").await;
                    said.expect("nobody kills it");
                }
                let length = std::fs::metadata(&self.trace).expect("a trace").len();
                acknowledged.push((length, body));
            }
            acknowledged
        });
        join_all(writers).await.into_iter().flatten().collect()
    }
}
