//! A node: the program itself, as a process that can be killed, frozen and started again.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::pause::pause;
use crate::proxy::Proxy;

/// The admin token of every node.
pub(crate) const ADMIN: &str = "delivery-admin-token-of-at-least-32-characters";

/// How long a node may take from its start to serving; the database may be away for some of it.
const START: Duration = Duration::from_secs(30);
/// How long an orderly stop may take: the grace twice, and some.
const STOP: Duration = Duration::from_secs(10);
/// How long a node waits for what is under way when it stops.
const GRACE_SECONDS: &str = "2";
/// How often a quiet subscription hears of its position: what a client knows silence by.
const HEARTBEAT_SECONDS: &str = "1";

/// What every start of a node needs.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) database_url: String,
    pub(crate) folder: PathBuf,
    /// Which bug it is built and started with, if any.
    pub(crate) bug: Option<&'static str>,
}

/// A place where a node runs, with the way to it.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) proxy: Proxy,
    setting: Setting,
    /// Held while something befalls it, so that nothing else does.
    child: Mutex<Option<Child>>,
}

impl Node {
    pub(crate) async fn start(name: String, setting: Setting) -> Result<Node, String> {
        let node = Node {
            name,
            proxy: Proxy::start().await,
            setting,
            child: Mutex::new(None),
        };
        let started = node.run().await?;
        *node.child.lock().await = Some(started);
        Ok(node)
    }

    /// Where it writes its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.setting.folder.join(format!("{}.log", self.name))
    }

    /// `kill -9`, and a start after a while.
    pub(crate) async fn kill(&self, away: Duration) -> Result<(), String> {
        let mut held = self.child.lock().await;
        if let Some(mut child) = held.take() {
            self.proxy.lead_to(None);
            child.kill().await.map_err(|error| error.to_string())?;
        }
        pause(away).await;
        *held = Some(self.run().await?);
        Ok(())
    }

    /// SIGSTOP, and SIGCONT after a while.
    pub(crate) async fn freeze(&self, length: Duration) -> Result<(), String> {
        let held = self.child.lock().await;
        let Some(id) = held.as_ref().and_then(Child::id) else {
            return Err(format!("{} has ended by itself", self.name));
        };
        signal(id, "STOP").await?;
        pause(length).await;
        signal(id, "CONT").await
    }

    /// SIGTERM, and a start.
    pub(crate) async fn restart(&self) -> Result<(), String> {
        let mut held = self.child.lock().await;
        if let Some(mut child) = held.take() {
            self.end(&mut child).await?;
        }
        *held = Some(self.run().await?);
        Ok(())
    }

    /// SIGTERM.
    pub(crate) async fn stop(&self) -> Result<(), String> {
        match self.child.lock().await.take() {
            Some(mut child) => self.end(&mut child).await,
            None => Ok(()),
        }
    }

    async fn end(&self, child: &mut Child) -> Result<(), String> {
        let id = child.id().ok_or_else(|| format!("{} has ended by itself", self.name))?;
        signal(id, "TERM").await?;
        let ended = timeout(STOP, child.wait()).await;
        self.proxy.lead_to(None);
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            other => Err(format!("{} does not stop in good order: {other:?}", self.name)),
        }
    }

    /// Starts the program, again and again while the database is away.
    async fn run(&self) -> Result<Child, String> {
        let deadline = Instant::now() + START;
        loop {
            match timeout(START, self.try_run()).await {
                Ok(Ok((child, address))) => {
                    self.proxy.lead_to(Some(address));
                    return Ok(child);
                }
                Ok(Err(_)) if Instant::now() < deadline => pause(Duration::from_millis(100)).await,
                Ok(Err(why)) => return Err(format!("{} does not start: {why}", self.name)),
                Err(_) => return Err(format!("{} does not start in {START:?}", self.name)),
            }
        }
    }

    async fn try_run(&self) -> Result<(Child, SocketAddr), String> {
        let log = append(&self.log()).map_err(|error| error.to_string())?;
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let mut address = None;
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(rest) = line.strip_prefix("Allclear serves http://") {
                address = rest.split('/').next().and_then(|address| address.parse().ok());
            }
            if line.starts_with("Ready.") {
                let address = address.ok_or("it does not say where it serves")?;
                return Ok((child, address));
            }
        }
        Err(format!("it ended: {:?}", child.wait().await))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_allclear"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ALLCLEAR_")) {
            command.env_remove(name);
        }
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--no-graphiql"])
            .args(["--database-url", &self.setting.database_url])
            .args(["--admin-token", ADMIN])
            .args(["--heartbeat-seconds", HEARTBEAT_SECONDS])
            .args(["--grace-seconds", GRACE_SECONDS])
            // All clients of the checker are one sender.
            .args(["--rate-limit", "0", "--max-executions", "0"])
            .args(["--max-sockets-per-address", "0"])
            .current_dir(&self.setting.folder)
            .stdin(Stdio::null());
        if let Some(bug) = self.setting.bug {
            command.env("ALLCLEAR_SEEDED_BUG", bug);
        }
        command
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

async fn signal(id: u32, name: &str) -> Result<(), String> {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &id.to_string()])
        .status();
    match sent.await {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("kill -{name}: {other:?}")),
    }
}
