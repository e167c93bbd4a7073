//! A private PostgreSQL cluster in a temporary folder.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running cluster, reached through a socket in its folder. It stops when this process ends: the shell that holds it
/// reads from a pipe that ends then.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    _holder: Child,
}

impl Cluster {
    /// The URL of a database of this cluster.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://allclear@localhost/{database}?host={}",
            self.folder.display()
        )
    }

    /// A cluster of one's own.
    pub(crate) fn start() -> Result<Cluster, String> {
        let binaries = binaries().ok_or("no initdb on PATH or under /usr/lib/postgresql")?;
        let owner = owner()?;
        let temporary = TempDir::with_prefix("allclear-pg-").map_err(|error| error.to_string())?;
        let folder = temporary.keep();
        if let Some((uid, gid)) = owner {
            chown(&folder, Some(uid), Some(gid)).map_err(|error| error.to_string())?;
        }
        let data = folder.join("data");
        let initdb = [
            OsStr::new("-D"),
            data.as_os_str(),
            OsStr::new("-Uallclear"),
            OsStr::new("-Atrust"),
            OsStr::new("-N"),
        ];
        let made = command(&binaries.join("initdb"), owner)
            .args(initdb)
            .current_dir(&folder)
            .output();
        let made = made.map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let holder = hold(&binaries, &folder, owner)?;
        Ok(Cluster {
            folder,
            _holder: holder,
        })
    }
}

/// Starts the server, waits until it takes connections, and leaves a shell that stops it and clears the folder once its
/// input ends.
fn hold(binaries: &Path, folder: &Path, owner: Option<(u32, u32)>) -> Result<Child, String> {
    let script = r#"
        "$1/pg_ctl" -D "$2/data" -l "$2/log" -w -t 60 -o "-k $2 -c listen_addresses='' -c fsync=off -c max_connections=400 -c shared_buffers=64MB" start >/dev/null || exit 1
        echo started
        read -r _
        "$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null
        cd / && rm -rf "$2"
    "#;
    let mut holder = command(Path::new("sh"), owner)
        .args([
            OsStr::new("-c"),
            OsStr::new(script),
            OsStr::new("sh"),
            binaries.as_os_str(),
            folder.as_os_str(),
        ])
        .current_dir(folder)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut said = [0u8; 7];
    let mut output = holder.stdout.take().ok_or("no output")?;
    std::io::Read::read_exact(&mut output, &mut said).map_err(|_| {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        format!("the cluster does not start: {log}")
    })?;
    Ok(holder)
}

/// A program to be run as the cluster's owner.
pub(crate) fn command(program: &Path, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command
}

/// Where PostgreSQL's own programs are: beside `initdb` on PATH, wherever a link there leads, or where Debian puts them, the
/// newest first.
pub(crate) fn binaries() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    on_path
        .chain(debian.into_iter().rev())
        .find_map(|folder| Some(folder.join("initdb").canonicalize().ok()?.parent()?.to_owned()))
}

/// PostgreSQL does not run as root: then the user `postgres` runs it, or `nobody`.
pub(crate) fn owner() -> Result<Option<(u32, u32)>, String> {
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find(|user| id(&["-u", user]).is_ok())
        .ok_or("no user to run it")?;
    Ok(Some((id(&["-u", user])?, id(&["-g", user])?)))
}

fn id(arguments: &[&str]) -> Result<u32, String> {
    let output = Command::new("id")
        .args(arguments)
        .output()
        .map_err(|error| error.to_string())?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(|_| format!("id {arguments:?} says nothing"))
}
