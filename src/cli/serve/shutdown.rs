//! Stops the server on a signal, and ends the process when its grace is over.

use std::process;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::transport::Stop;

/// Stops the server on SIGTERM or ctrl-c, from now on; on SIGHUP as one whose successor starts, so that clients come back at
/// once. The process ends at the latest `grace` after the signal, whatever is being executed.
///
/// Signals and the grace have a thread and a runtime of their own: executions that never yield can occupy all threads of
/// the server's runtime, and then neither its signals nor its timers are looked at.
///
/// # Errors
/// When signals cannot be listened for.
pub(super) fn stop_on_signal(grace: Duration) -> anyhow::Result<Stop> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot listen for signals")?;
    let signals = Signals::listen(&runtime)?;
    let stop = Stop::default();
    let stopping = stop.clone();
    let thread = thread::Builder::new().name("shutdown".to_owned()).spawn(move || {
        runtime.block_on(async {
            signals.stop(&stopping).await;
            sleep(grace).await;
        });
        tracing::warn!("the grace is over: the process ends with work under way");
        process::exit(0);
    });
    thread.context("cannot listen for signals")?;
    Ok(stop)
}

struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen(runtime: &Runtime) -> anyhow::Result<Signals> {
        let _entered = runtime.enter();
        Ok(Signals {
            hang_up: signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?,
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for ctrl-c")?,
        })
    }

    /// Waits for a signal, and stops the server.
    async fn stop(mut self, stop: &Stop) {
        let is_restart = tokio::select! {
            _ = self.terminate.recv() => false,
            _ = self.interrupt.recv() => false,
            _ = self.hang_up.recv() => true,
        };
        tracing::info!(is_restart, "shutting down");
        match is_restart {
            true => stop.restart(),
            false => stop.shut_down(),
        }
    }
}
