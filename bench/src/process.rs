//! A server in a process of its own: starting it, and what it costs.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use nix::time::ClockId;
use nix::unistd::Pid;

/// The size of a page of memory, as the kernel counts sockets' memory.
const PAGE: u64 = 4096;

pub(crate) struct Process {
    child: Child,
    clock: ClockId,
    /// Kept open: a server that writes to a closed pipe fails.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a server and waits until it has told its address, and then until `ready` is said, if that is a word.
    pub(crate) fn start(mut command: Command, ready: Option<&str>) -> anyhow::Result<(Process, SocketAddr)> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let pid = i32::try_from(child.id()).context("a process id")?;
        let mut output = BufReader::new(child.stdout.take().expect("it was piped"));
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid));
        let told = wait_for_address(&mut output, ready).with_context(|| format!("{program} did not start"));
        let process = Process {
            child,
            clock: clock.context("cannot read the server's processor time")?,
            _output: output,
        };
        Ok((process, told?))
    }

    /// The processor time of the whole process so far, in user and kernel mode, of all threads, also of those that
    /// have ended. The kernel counts it in nanoseconds; `/proc/PID/stat` would round it to 10 ms.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        Ok(Duration::from(self.clock.now().context("the server has ended")?))
    }

    /// The most resident memory that the server has had so far, in bytes.
    pub(crate) fn peak(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = kib.and_then(|rest| rest.trim().strip_suffix(" kB"));
        Ok(kib.context("no VmHWM")?.trim().parse::<u64>()? * 1024)
    }

    /// Makes [`peak`](Process::peak) begin anew (proc(5), `clear_refs`).
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(&path, "5").with_context(|| format!("cannot write {path}"))
    }

    /// Whether the server has not ended.
    pub(crate) fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let kib = text.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = kib.and_then(|rest| rest.trim().strip_suffix(" kB"));
        Ok(kib.context("no Rss")?.trim().parse::<u64>()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; all that matters is that it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processor time of this process so far.
pub(crate) fn own_cpu() -> anyhow::Result<Duration> {
    Ok(Duration::from(ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?))
}

/// Memory of the kernel's for all TCP sockets of the machine, in bytes: what they hold of messages, both ends.
pub(crate) fn socket_memory() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/sockstat").context("cannot read /proc/net/sockstat")?;
    let tcp = text
        .lines()
        .find_map(|line| line.strip_prefix("TCP:"))
        .context("no TCP")?;
    let mut words = tcp.split_whitespace();
    words.find(|word| *word == "mem").context("no mem")?;
    Ok(words.next().context("no pages")?.parse::<u64>()? * PAGE)
}

fn wait_for_address(output: &mut impl BufRead, ready: Option<&str>) -> anyhow::Result<SocketAddr> {
    let mut address = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line)? == 0 {
            anyhow::bail!("it ended");
        }
        address = address.or_else(|| address_in(&line));
        if let Some(address) = address
            && ready.is_none_or(|word| line.trim() == word)
        {
            return Ok(address);
        }
    }
}

/// The address in a line such as `Allclear serves http://127.0.0.1:8080/graphql`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let after = line.split("http://").nth(1)?;
    let end = after.find('/').unwrap_or(after.trim_end().len());
    after[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_what_a_server_says() {
        let mut said = "hello\nserving http://127.0.0.1:81/graphql\nReady.\n".as_bytes();

        let address = wait_for_address(&mut said, Some("Ready.")).expect("it is ready");

        assert_eq!(address, SocketAddr::from(([127, 0, 0, 1], 81)));
        assert_eq!(
            address_in("http://127.0.0.1:82\n"),
            Some(SocketAddr::from(([127, 0, 0, 1], 82)))
        );
        assert!(wait_for_address(&mut "http://127.0.0.1:81/\n".as_bytes(), Some("Ready.")).is_err());
    }
}
