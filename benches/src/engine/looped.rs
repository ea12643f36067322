//! A hosted hub: the calling thread waits, and looks at its readers.

use std::ffi::OsStr;
use std::io;
use std::time::Duration;

use orchflow_core::hub::{Hub, Output, Reader, Session};
use orchflow_core::session::SessionOptions;

use super::{command, ended, failed};
use crate::terminals::Terminals;

/// Sessions of one hub and the reader of each, which loses nothing.
pub(crate) struct EngineLoop {
    hub: Hub,
    sessions: Vec<(Session, Reader)>,
}

impl EngineLoop {
    /// Starts one session for each command and waits until all are ready.
    pub(crate) fn start<P: AsRef<OsStr>>(commands: &[(P, &[&str])]) -> io::Result<EngineLoop> {
        let hub = Hub::new()?;
        let mut sessions = Vec::with_capacity(commands.len());
        for (program, args) in commands {
            let session = hub.spawn(&command(program, args), SessionOptions::default()).map_err(failed)?;
            let mut reader = session.reader();
            while !is_ready(&mut reader)? {
                hub.wait(None)?;
            }
            sessions.push((session, reader));
        }
        Ok(EngineLoop { hub, sessions })
    }
}

impl Terminals for EngineLoop {
    fn write(&mut self, terminal: usize, bytes: &[u8]) -> io::Result<()> {
        self.sessions[terminal].0.write(bytes).map_err(failed)?;
        Ok(())
    }

    fn turn(&mut self, timeout: Duration, on_read: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        self.hub.wait(Some(timeout))?;
        for (terminal, (_, reader)) in self.sessions.iter_mut().enumerate() {
            while let Some(output) = reader.try_read() {
                match output {
                    Output::Chunk { bytes, .. } => on_read(terminal, &bytes),
                    Output::Gap { .. } => return Err(io::Error::other("an owner's reader missed bytes")),
                    Output::Exit(_) => return Err(ended()),
                }
            }
        }
        Ok(())
    }
}

/// Whether the program has said that it is ready.
pub(super) fn is_ready(reader: &mut Reader) -> io::Result<bool> {
    match reader.try_read() {
        Some(Output::Chunk { bytes, .. }) => Ok(bytes.contains(&b'R')),
        Some(_) => Err(ended()),
        None => Ok(false),
    }
}
