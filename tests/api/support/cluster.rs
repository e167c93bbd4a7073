//! One PostgreSQL cluster for all tests of this process, and what befalls one that a test has for itself.

use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::OnceLock;

use super::postgres::{Cluster, binaries, command, owner};

impl Cluster {
    /// The cluster of this process, or why there is none.
    pub(crate) fn shared() -> Result<&'static Cluster, &'static str> {
        static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
        CLUSTER.get_or_init(Cluster::start).as_ref().map_err(String::as_str)
    }

    /// Stops it as a crash would.
    pub(crate) async fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]).await;
    }

    /// Starts it after a crash.
    pub(crate) async fn start_again(&self) {
        let options = format!(
            "-k {} -c listen_addresses='' -c fsync=off -c max_connections=400",
            self.folder.display()
        );
        self.control(&["-t", "60", "-o", &options, "start"]).await;
    }

    async fn control(&self, arguments: &[&str]) {
        let folder = self.folder.clone();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let control = move || {
            let program = binaries().expect("the cluster runs").join("pg_ctl");
            let (data, log) = (folder.join("data"), folder.join("log"));
            command(&program, owner().expect("the cluster runs"))
                .args([
                    OsStr::new("-w"),
                    OsStr::new("-D"),
                    data.as_os_str(),
                    OsStr::new("-l"),
                    log.as_os_str(),
                ])
                .args(arguments)
                .current_dir(&folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("pg_ctl starts")
        };
        let status = tokio::task::spawn_blocking(control).await.expect("it does not panic");
        assert!(status.success(), "pg_ctl: {status}");
    }
}
