//! Sessions of a real hub, as the server's machines ask for them.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use orchflow_core::host::{LaneId, Started, Terminals};
use orchflow_core::hub::{Hub, Reader, Session};
use orchflow_core::id::SessionId;
use orchflow_core::protocol::message::{ErrorCode, Geometry, Refusal, Spawn};
use orchflow_core::pty::{Command, Signal, Target};
use orchflow_core::ring::Mode;
use orchflow_core::session::{ResumeError, SessionOptions, Suspension, WriteError};
use orchflow_core::size::Size;

pub(crate) struct Table {
    hub: Hub,
    sessions: HashMap<SessionId, Session>,
    readers: HashMap<LaneId, Reader>,
    /// How often a program was started.
    pub(crate) spawned: usize,
}

impl Table {
    pub(crate) fn new(hub: Hub) -> Table {
        Table { hub, sessions: HashMap::new(), readers: HashMap::new(), spawned: 0 }
    }

    pub(crate) fn reader(&mut self, lane: LaneId) -> Option<&mut Reader> {
        self.readers.get_mut(&lane)
    }

    pub(crate) fn let_go(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    fn session(&self, session: SessionId) -> Result<&Session, WriteError> {
        self.sessions.get(&session).ok_or(WriteError::Closed)
    }
}

impl Terminals for Table {
    fn spawn(&mut self, spawn: &Spawn, size: Geometry) -> Result<Started, Refusal> {
        let program = spawn.program.clone().unwrap_or_default();
        let session = self.hub.spawn(&Command::new(&program), SessionOptions::default().size(size.size));
        let session = session.map_err(|error| Refusal::new(spawn.number, ErrorCode::SpawnFailed, error.to_string()))?;
        self.spawned += 1;
        let started = Started { session: session.id(), pid: None, program };
        self.sessions.insert(session.id(), session);
        Ok(started)
    }

    fn write(&mut self, session: SessionId, bytes: &[u8], urgent: bool) -> Result<usize, WriteError> {
        let session = self.session(session)?;
        if urgent { session.write_urgent(bytes) } else { session.write(bytes) }
    }

    fn resize(&mut self, session: SessionId, size: Size) -> Result<u64, WriteError> {
        self.session(session)?.resize(size)
    }

    fn signal(&mut self, session: SessionId, signal: Signal, target: Target) -> Result<(), WriteError> {
        self.session(session)?.signal(signal, target)
    }

    fn close(&mut self, session: SessionId, grace: Duration) {
        if let Ok(session) = self.session(session) {
            session.close(grace);
        }
    }

    fn range(&self, session: SessionId) -> Range<u64> {
        self.sessions.get(&session).map_or(0..0, Session::range)
    }

    fn open(&mut self, lane: LaneId, session: SessionId, mode: Mode, offset: u64) {
        if let Some(session) = self.sessions.get(&session) {
            self.readers.insert(lane, session.read_as(mode, Some(offset)));
        }
    }

    fn ack(&mut self, lane: LaneId, offset: u64) {
        if let Some(reader) = self.readers.get(&lane) {
            reader.ack(offset);
        }
    }

    fn seek(&mut self, lane: LaneId, offset: u64) {
        if let Some(reader) = self.readers.get_mut(&lane) {
            reader.seek(offset);
        }
    }

    fn shut(&mut self, lane: LaneId) {
        self.readers.remove(&lane);
    }

    fn suspend(&mut self, lane: LaneId) -> Option<Suspension> {
        self.readers.remove(&lane).map(Reader::suspend)
    }

    fn resume(&mut self, lane: LaneId, session: SessionId, claim: Suspension) -> Result<(), ResumeError> {
        let reader = self.sessions.get(&session).ok_or(ResumeError::Closed)?.resume(claim)?;
        self.readers.insert(lane, reader);
        Ok(())
    }

    fn forget(&mut self, session: SessionId, claim: Suspension) {
        drop(self.sessions.get(&session).map(|session| session.resume(claim)));
    }
}
