//! Node's contender: graphql-yoga with its JIT, from npm. Its folder is `bench/yoga`; `npm ci` there lets it take part.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("yoga")
}

pub(super) fn absent() -> Option<String> {
    let is_there = folder().join("node_modules").is_dir();
    (!is_there).then(|| "run `npm ci` in bench/yoga for it to take part".to_owned())
}

pub(super) fn command() -> Command {
    let mut command = Command::new("node");
    command.arg(folder().join("server.mjs")).env("NODE_ENV", "production");
    command
}
