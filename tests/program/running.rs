//! Running the program, and reading README's commands.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server that runs until it is dropped.
pub(crate) struct Running {
    child: Child,
    /// What it said on standard output up to its being ready.
    pub(crate) greeting: Vec<String>,
    address: String,
}

impl Running {
    /// Starts it in a folder, on a free port, and waits until it answers.
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Running {
        let mut child = command(folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("its output is piped");
        let mut greeting = Vec::new();
        // The last line it says before it serves.
        for line in BufReader::new(output).lines() {
            let line = line.expect("it speaks UTF-8");
            let is_last = line.starts_with("Ready.");
            greeting.push(line);
            if is_last {
                break;
            }
        }
        let address = greeting
            .iter()
            .find_map(|line| {
                line.strip_prefix("Allclear serves http://")?
                    .split('/')
                    .next()
                    .map(str::to_owned)
            })
            .unwrap_or_else(|| panic!("it says where it serves: {greeting:?}"));
        Running {
            child,
            greeting,
            address,
        }
    }

    /// What follows some words in the greeting.
    pub(crate) fn line_with(&self, words: &str) -> String {
        let line = self.greeting.iter().find_map(|line| line.strip_prefix(words));
        line.unwrap_or_else(|| panic!("{words:?} is not in {:?}", self.greeting))
            .to_owned()
    }

    /// What a command of README prints, told to a shell with this server's address in place of README's.
    pub(crate) fn shell(&self, command: &str, environment: &[(&str, &str)]) -> Value {
        let command = command.replace("127.0.0.1:8080", &self.address);
        let output = Command::new("sh")
            .args(["-c", &command])
            .envs(environment.iter().copied())
            .output()
            .expect("there is a shell");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{command}\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Ends it as an operator would, and returns its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let killed = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .expect("there is kill");
        assert!(killed.success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether README's commands can be told to a shell here.
pub(crate) fn has_curl() -> bool {
    Command::new("curl")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// What a run of the program came to.
pub(crate) struct Ran {
    pub(crate) is_success: bool,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// Runs the program in a folder to its end.
pub(crate) fn allclear(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command(folder).args(arguments).output().expect("the program starts");
    Ran {
        is_success: output.status.success(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The program in a folder, without what the tests' own environment would tell it.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_allclear"));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ALLCLEAR_")) {
        command.env_remove(name);
    }
    command
}

/// The parts of README that the tests run.
pub(crate) struct Readme {
    pub(crate) query: String,
    pub(crate) mutation: String,
    pub(crate) configuration: Vec<Setting>,
}

/// A line of README's configuration table.
pub(crate) struct Setting {
    pub(crate) flag: String,
    pub(crate) variable: String,
}

pub(crate) fn readme_commands() -> Readme {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the file");
    let under = |heading: &str| {
        let section = text.split(&format!("\n## {heading}\n")).nth(1).expect("the section");
        let block = section.split("```sh\n").nth(1).expect("a command");
        block.split("```").next().expect("its end").to_owned()
    };
    let configuration: Vec<Setting> = text
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `--")?.split('`');
            let flag = format!("--{}", cells.next()?);
            Some(Setting {
                flag,
                variable: cells.nth(1)?.to_owned(),
            })
        })
        .collect();
    assert!(!configuration.is_empty(), "README has a table of flags");
    Readme {
        query: under("One query"),
        mutation: under("One mutation"),
        configuration,
    }
}
