//! A hub on a thread of its own, and a caller that sleeps until it is told.

use std::io;
use std::time::{Duration, Instant};

use orchflow_core::hub::{Hub, Output, Reader, Session};
use orchflow_core::session::SessionOptions;

use super::{command, ended, failed};

/// One session of a threaded hub.
pub(crate) struct EngineThread {
    hub: Hub,
    session: Session,
    reader: Reader,
}

impl EngineThread {
    /// Starts a program and waits until it is ready.
    pub(crate) fn start((program, args): (&str, &[&str])) -> io::Result<EngineThread> {
        let hub = Hub::threaded()?;
        let session = hub.spawn(&command(program, args), SessionOptions::default()).map_err(failed)?;
        let reader = session.reader();
        let mut this = EngineThread { hub, session, reader };
        while !this.read()?.contains(&b'R') {}
        Ok(this)
    }

    /// Types a key and tells how long it took until this thread had its echo.
    pub(crate) fn round_trip(&mut self) -> io::Result<Duration> {
        let start = Instant::now();
        self.session.write(b"x").map_err(failed)?;
        self.read()?;
        Ok(start.elapsed())
    }

    fn read(&mut self) -> io::Result<impl std::ops::Deref<Target = [u8]> + use<>> {
        match self.hub.block_on(self.reader.read())? {
            Output::Chunk { bytes, .. } => Ok(bytes),
            _ => Err(ended()),
        }
    }
}
