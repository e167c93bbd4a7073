//! Mercurius with its JIT on PostgreSQL, from npm. Its folder is `bench/mercurius`; `npm ci` there lets it take part.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mercurius")
}

pub(super) fn absent() -> Option<String> {
    let is_there = folder().join("node_modules").is_dir();
    (!is_there).then(|| "run `npm ci` in bench/mercurius for Mercurius to take part".to_owned())
}

pub(super) fn command(url: &str) -> Command {
    let mut command = Command::new("node");
    command
        .arg(folder().join("server.mjs"))
        .arg(url)
        .env("NODE_ENV", "production");
    command
}
