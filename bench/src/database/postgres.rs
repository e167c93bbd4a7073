//! A private PostgreSQL cluster in a temporary folder, reached through a Unix socket.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use nix::unistd::{SysconfVar, User, getuid, sysconf};
use tempfile::TempDir;

use crate::contender::Programs;

/// A running cluster. The server ends with this value.
pub(super) struct Cluster {
    server: Child,
    folder: TempDir,
}

/// A user and a group id.
type Owner = (u32, u32);

impl Cluster {
    /// Starts a cluster with default settings; only the location of the socket and the durability differ: `fsync` is off,
    /// because the benchmarks that use it only read.
    pub(super) fn start(programs: &Programs) -> anyhow::Result<Cluster> {
        let binaries = binaries().context("no PostgreSQL: initdb is neither on PATH nor under /usr/lib/postgresql")?;
        let owner = owner()?;
        let folder = programs.folder()?;
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).context("cannot hand the folder to PostgreSQL")?;
        }
        let data = folder.path().join("data");
        let made = command(&binaries.join("initdb"), owner)
            .args([
                "--username=allclear",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--pgdata",
            ])
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .context("cannot start initdb")?;
        ensure!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut server = command(&binaries.join("postgres"), owner)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start postgres")?;
        if let Err(error) = wait_until_ready(&binaries, folder.path(), &mut server) {
            let _ = server.kill();
            let _ = server.wait();
            return Err(error);
        }
        Ok(Cluster { server, folder })
    }

    pub(super) fn url(&self) -> String {
        format!(
            "postgres://allclear@localhost/postgres?host={}",
            self.folder.path().display()
        )
    }

    /// The processor time of the server's processes that run now, and of those that have ended.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        let parent = self.server.id();
        let mut ticks = 0;
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let Ok(stat) = std::fs::read_to_string(path.join("stat")) else {
                // Not a process, or one that has ended since.
                continue;
            };
            ticks += ticks_of(&stat, parent).unwrap_or(0);
        }
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock ticks")?;
        Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGQUIT is PostgreSQL's immediate shutdown, which ends its children too. It may have ended by itself.
        if let Ok(pid) = i32::try_from(self.server.id()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGQUIT);
        }
        let _ = self.server.wait();
    }
}

/// Ticks of a process from the line of its `stat` file, where it is the server (with its ended children) or a child of it.
fn ticks_of(stat: &str, server: u32) -> Option<u64> {
    let (pid, rest) = stat.split_once(' ')?;
    // The name in brackets may hold anything. After it: state, parent, and at 11 to 14 the ticks in user and kernel mode, own
    // and those of ended children.
    let fields: Vec<&str> = rest.rsplit_once(") ")?.1.split(' ').collect();
    let parent: u32 = fields.get(1)?.parse().ok()?;
    let is_server = pid.parse() == Ok(server);
    if !is_server && parent != server {
        return None;
    }
    let last = if is_server { 14 } else { 12 };
    fields
        .get(11..=last)?
        .iter()
        .map(|ticks| ticks.parse::<u64>().ok())
        .sum()
}

fn wait_until_ready(binaries: &Path, folder: &Path, server: &mut Child) -> anyhow::Result<()> {
    const TRIES: u32 = 300;
    for _ in 0..TRIES {
        if let Some(status) = server.try_wait()? {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            bail!("PostgreSQL ended with {status}: {log}");
        }
        let ready = Command::new(binaries.join("pg_isready"))
            .arg("-q")
            .arg("-h")
            .arg(folder)
            .status()?;
        if ready.success() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("PostgreSQL does not become ready")
}

fn command(program: &Path, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

/// The folder of PostgreSQL's programs: that of `initdb` on PATH, or the newest under Debian's folder.
fn binaries() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH")?;
    let on_path: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    on_path
        .into_iter()
        .chain(debian.into_iter().rev())
        .find_map(|folder| Some(folder.join("initdb").canonicalize().ok()?.parent()?.to_owned()))
}

/// PostgreSQL refuses to run as root: then the user `postgres` runs it, or `nobody`.
fn owner() -> anyhow::Result<Option<Owner>> {
    if !getuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some((user.uid.as_raw(), user.gid.as_raw())));
        }
    }
    bail!("there is no user to run PostgreSQL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_those_of_the_server_and_its_children() {
        let line =
            |pid: u32, parent: u32| format!("{pid} (a) b) S {parent} 1 1 0 -1 4194560 1 1 0 0 10 20 300 400 20 0 1");

        assert_eq!(ticks_of(&line(7, 1), 7), Some(730));
        assert_eq!(ticks_of(&line(8, 7), 7), Some(30));
        assert_eq!(ticks_of(&line(9, 8), 7), None);
    }
}
