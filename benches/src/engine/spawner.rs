//! Starting programs.

use std::io;
use std::time::{Duration, Instant};

use orchflow_core::hub::Hub;
use orchflow_core::pty::Command;
use orchflow_core::session::SessionOptions;

use super::{command, failed};

/// A hosted hub that starts one program after the other.
pub(crate) struct EngineSpawner {
    hub: Hub,
    command: Command,
}

impl EngineSpawner {
    /// Will start `program`.
    pub(crate) fn new(program: &str) -> io::Result<EngineSpawner> {
        Ok(EngineSpawner { hub: Hub::new()?, command: command(program, &[]) })
    }

    /// Times the spawn alone; waiting for the end of the program comes after.
    pub(crate) fn spawn(&mut self) -> io::Result<Duration> {
        let start = Instant::now();
        let session = self.hub.spawn(&self.command, SessionOptions::default()).map_err(failed)?;
        let took = start.elapsed();
        self.hub.block_on(session.exited())?;
        while self.hub.next_event().is_some() {} // Untaken, they would keep the hub awake.
        Ok(took)
    }
}
