//! Sessions in which nothing happens.

use std::io;
use std::time::Duration;

use orchflow_core::hub::{Hub, Reader};
use orchflow_core::session::SessionOptions;

use super::{command, failed};

/// A hub and the readers, which hold the sessions, of programs that stay silent.
pub(crate) struct Idle {
    hub: Hub,
    readers: Vec<Reader>,
}

impl Idle {
    /// No session yet, in a hub that its host drives.
    pub(crate) fn hosted() -> io::Result<Idle> {
        Ok(Idle { hub: Hub::new()?, readers: Vec::new() })
    }

    /// No session yet, in a hub with a thread.
    pub(crate) fn threaded() -> io::Result<Idle> {
        Ok(Idle { hub: Hub::threaded()?, readers: Vec::new() })
    }

    /// Starts `count` more, and deals with all that follows from it.
    pub(crate) fn grow(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let session = self.hub.spawn(&command("cat", &[]), SessionOptions::default()).map_err(failed)?;
            self.readers.push(session.reader());
        }
        while self.readers.iter_mut().any(|reader| reader.try_read().is_some()) || self.hub.wait(Some(Duration::ZERO))? {}
        Ok(())
    }
}
