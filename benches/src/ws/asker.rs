//! A client that asks for batches of operations.

use std::io;

use orchflow_core::peer::client::Event;
use orchflow_core::protocol::message::{Batch, Operation, Results, Spawn};
use orchflow_examples::remote::Remote;

use super::{Site, next};

/// It, and nothing else.
pub(crate) struct Asker {
    pub(crate) remote: Remote,
}

impl Asker {
    /// One that is in.
    pub(crate) fn enter(site: &Site) -> io::Result<Asker> {
        Ok(Asker { remote: site.enter()? })
    }

    /// Asks, and sends that at once.
    pub(crate) fn ask(&mut self, batch: Batch) -> io::Result<()> {
        let now = self.remote.now();
        self.remote.peer().batch(batch, now).map_err(io::Error::other)?;
        self.remote.flush();
        Ok(())
    }

    /// The next that comes of it.
    pub(crate) fn results(&mut self) -> io::Result<Results> {
        loop {
            if let Event::Results(results) = next(&mut self.remote)? {
                return Ok(*results);
            }
        }
    }
}

/// A program that says nothing.
pub(crate) fn sleeper() -> Spawn {
    Spawn { program: Some("sleep".into()), args: vec!["1000".into()], ..Spawn::default() }
}

/// One that is started without anybody to watch it.
pub(crate) fn start_sleeper() -> Operation {
    Operation::Spawn(Box::new(sleeper()))
}
