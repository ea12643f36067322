//! The sessions a service offers, and the readers of those who watch them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::spawner::Spawner;
use crate::host::{LaneId, Started, Terminals};
use crate::hub::{Hub, Output, Reader, Session};
use crate::id::SessionId;
use crate::protocol::message::{Refusal, Spawn};
use crate::pty::{Command, Signal, Target};
use crate::resilience::{BreakerState, Force};
use crate::ring::Mode;
use crate::session::{ResumeError, SessionOptions, Suspension, WriteError};
use crate::size::Size;
use crate::time::Time;

/// Handles to sessions and readers; a session stays open as long as it is here.
///
/// For those who drive the machines of [`crate::peer`] by themselves; a [`Service`](super::Service) has one.
pub struct Table {
    hub: Hub,
    command: Command,
    options: SessionOptions,
    spawner: Spawner,
    sessions: BTreeMap<SessionId, Session>,
    readers: BTreeMap<LaneId, Reader>,
}

impl Table {
    /// No session yet. Those whose client names no program run `command`; all are like `options` but for their size.
    pub fn new(hub: Hub, command: Command, options: SessionOptions) -> Table {
        Table { hub, command, options, spawner: Spawner::default(), sessions: BTreeMap::new(), readers: BTreeMap::new() }
    }

    /// Whether programs are started now.
    pub fn spawn_breaker(&self) -> BreakerState {
        self.spawner.state(self.hub.now())
    }

    /// Has programs started, or none, whatever the system says of it; `None` leaves it to that again.
    pub fn force_spawn_breaker(&mut self, force: Option<Force>) {
        self.spawner.force(force, self.hub.now());
    }

    /// The reader of `lane`.
    pub fn reader(&mut self, lane: LaneId) -> Option<&mut Reader> {
        self.readers.get_mut(&lane)
    }

    /// Lets go of a session that has ended.
    pub fn let_go(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// Lets go of everything; sessions without another handle are closed.
    pub fn clear(&mut self) {
        self.readers.clear();
        self.sessions.clear();
    }

    /// The session of this id.
    pub(super) fn session(&self, session: SessionId) -> Option<&Session> {
        self.sessions.get(&session)
    }

    /// What time it is.
    pub(super) fn now(&self) -> Time {
        self.hub.now()
    }

    fn command(&self, spawn: &Spawn) -> Command {
        let mut command = match &spawn.program {
            Some(program) => Command::new(program).args(spawn.args.iter().map(String::as_str)),
            None => self.command.clone(),
        };
        for (name, value) in &spawn.env {
            command = match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        match &spawn.cwd {
            Some(directory) => command.current_dir(directory),
            None => command,
        }
    }
}

impl Terminals for Table {
    fn spawn(&mut self, spawn: &Spawn, size: Size) -> Result<Started, Refusal> {
        let command = self.command(spawn);
        let program = command.program().to_string_lossy().into_owned();
        let options = self.options.size(size);
        let session = self.spawner.spawn(spawn.number, self.hub.now(), || self.hub.spawn(&command, options))?;
        let started = Started { session: session.id(), pid: session.pid(), program };
        self.sessions.insert(session.id(), session);
        Ok(started)
    }

    fn write(&mut self, session: SessionId, bytes: &[u8], urgent: bool) -> Result<usize, WriteError> {
        let session = self.sessions.get(&session).ok_or(WriteError::Closed)?;
        if urgent { session.write_urgent(bytes) } else { session.write(bytes) }
    }

    fn resize(&mut self, session: SessionId, size: Size) -> Result<u64, WriteError> {
        self.sessions.get(&session).ok_or(WriteError::Closed)?.resize(size)
    }

    fn signal(&mut self, session: SessionId, signal: Signal, target: Target) -> Result<(), WriteError> {
        self.sessions.get(&session).ok_or(WriteError::Closed)?.signal(signal, target)
    }

    fn close(&mut self, session: SessionId, grace: Duration) {
        if let Some(session) = self.sessions.get(&session) {
            session.close(grace);
        }
    }

    fn range(&self, session: SessionId) -> Range<u64> {
        self.sessions.get(&session).map_or(0..0, Session::range)
    }

    fn read_at(&self, session: SessionId, offset: u64) -> Option<Time> {
        self.sessions.get(&session).and_then(|session| session.read_at(offset))
    }

    fn peek(&self, session: SessionId, offset: u64, count: usize) -> (u64, Vec<u8>) {
        let Some(session) = self.sessions.get(&session) else { return (offset, Vec::new()) };
        let mut reader = session.read_as(Mode::Lossy, Some(offset));
        let (mut begin, mut copy) = (offset, Vec::new());
        while copy.len() < count {
            match reader.try_read() {
                Some(Output::Chunk { bytes, .. }) => copy.extend_from_slice(&bytes[..bytes.len().min(count - copy.len())]),
                Some(Output::Gap { to, .. }) => (begin, copy) = (to, Vec::new()),
                Some(Output::Exit(_)) | None => break,
            }
        }
        (begin, copy)
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

    fn allow(&mut self, lane: LaneId, offset: u64) {
        if let Some(reader) = self.readers.get(&lane) {
            reader.allow(offset);
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
        // Resumed and dropped at once, it holds nobody up any longer. An expired one does not either.
        drop(self.sessions.get(&session).map(|session| session.resume(claim)));
    }
}
