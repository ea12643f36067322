//! A process that serves us, as long as we hold it.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::memory;

/// A child that said on its first line where it listens. Killed on drop; what runs in its terminals goes with them.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it; returns it with its first line, which it may take as long for as it needs.
    pub(crate) fn start(command: &mut Command) -> io::Result<(Process, String)> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| io::Error::other(format!("{:?}: {error}", command.get_program())))?;
        let mut process = Process { child };
        let mut line = String::new();
        let stdout = process.child.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut line)?;
        if line.is_empty() {
            return Err(io::Error::other(format!("{:?} ended before it listened", command.get_program())));
        }
        Ok((process, line.trim_end().to_owned()))
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> io::Result<u64> {
        memory::resident_bytes_of(self.child.id())
    }

    /// Processor time it used so far, children excluded, by the scheduler's own count in nanoseconds. It has one thread.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id()))?;
        let nanos = text.split_whitespace().next().and_then(|field| field.parse().ok());
        nanos.map(Duration::from_nanos).ok_or_else(|| io::Error::other("schedstat is not as expected"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is gone.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
