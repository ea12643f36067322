//! What really happened in the terminals: every byte that left one, every byte that one took, and what was accepted on the way there.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use orchflow_core::host::{LaneId, Started, Terminals};
use orchflow_core::hub::Reader;
use orchflow_core::hub::serve::Table;
use orchflow_core::id::SessionId;
use orchflow_core::protocol::message::{Refusal, Spawn};
use orchflow_core::pty::scripted::ScriptedPtys;
use orchflow_core::pty::{Command, Doorbell, ExitStatus, Interest, LineMode, Pty, PtyBackend, Signal, SpawnError, Target};
use orchflow_core::ring::Mode;
use orchflow_core::session::{ResumeError, Suspension, WriteError};
use orchflow_core::size::Size;
use orchflow_core::time::Time;
use parking_lot::Mutex;

use crate::server::Offer;

/// What went through one terminal.
#[derive(Debug, Default)]
pub(crate) struct Through {
    pub(crate) output: Vec<u8>,
    pub(crate) input: Vec<u8>,
}

type Shared = Arc<Mutex<Through>>;

/// Scripted terminals, and somebody who writes down what goes through them.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    ptys: ScriptedPtys,
    last: Arc<Mutex<Shared>>,
}

impl Recorder {
    pub(crate) fn new(ptys: ScriptedPtys) -> Recorder {
        Recorder { ptys, last: Arc::default() }
    }
}

impl PtyBackend for Recorder {
    fn spawn(&self, command: &Command, size: Size) -> Result<Box<dyn Pty>, SpawnError> {
        let through = Shared::default();
        let pty = Recorded { pty: self.ptys.spawn(command, size)?, through: Arc::clone(&through) };
        *self.last.lock() = through;
        Ok(Box::new(pty))
    }
}

struct Recorded {
    pty: Box<dyn Pty>,
    through: Shared,
}

impl Pty for Recorded {
    fn register(&mut self, doorbell: Doorbell) -> io::Result<()> {
        self.pty.register(doorbell)
    }

    fn set_interest(&mut self, interest: Interest) -> io::Result<()> {
        self.pty.set_interest(interest)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.pty.read(into)?;
        self.through.lock().output.extend_from_slice(&into[..count]);
        Ok(count)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.pty.write(bytes)?;
        self.through.lock().input.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn try_exit(&mut self) -> io::Result<Option<ExitStatus>> {
        self.pty.try_exit()
    }

    fn line_mode(&self) -> io::Result<LineMode> {
        self.pty.line_mode()
    }

    fn resize(&mut self, size: Size) -> io::Result<Size> {
        self.pty.resize(size)
    }

    fn signal(&mut self, signal: Signal, target: Target) -> io::Result<()> {
        self.pty.signal(signal, target)
    }

    fn dismiss(&mut self, signals: &[Signal]) -> io::Result<()> {
        self.pty.dismiss(signals)
    }

    fn has_processes(&mut self) -> bool {
        self.pty.has_processes()
    }

    fn pid(&self) -> Option<u32> {
        self.pty.pid()
    }
}

/// One session as it really was.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) program: String,
    through: Shared,
    /// Input that the session accepted, in its order.
    pub(crate) accepted: Vec<u8>,
    /// Somebody had its output forgotten.
    pub(crate) cleared: bool,
    /// An interrupt key may have discarded some of that.
    pub(crate) interrupted: bool,
    /// Somebody asked for its end, or sent a signal.
    pub(crate) disturbed: bool,
}

impl Truth {
    /// Bytes that ever left the terminal.
    pub(crate) fn end(&self) -> u64 {
        self.through.lock().output.len() as u64
    }

    /// Whether `bytes` left the terminal at `offset`.
    pub(crate) fn said(&self, offset: u64, bytes: &[u8]) -> bool {
        let through = self.through.lock();
        let from = offset as usize;
        through.output.get(from..from + bytes.len()) == Some(bytes)
    }

    /// Whether its program reads whatever is typed.
    pub(crate) fn reads(&self) -> bool {
        matches!(&self.program[..], "cat" | "lines" | "late") && !self.interrupted && !self.disturbed
    }

    /// What the terminal took.
    pub(crate) fn input(&self) -> Vec<u8> {
        self.through.lock().input.clone()
    }
}

/// A table, and somebody who writes down what it accepts.
pub(crate) struct Ledger {
    table: Table,
    recorder: Recorder,
    pub(crate) truths: BTreeMap<SessionId, Truth>,
}

impl Ledger {
    pub(crate) fn new(table: Table, recorder: Recorder) -> Ledger {
        Ledger { table, recorder, truths: BTreeMap::new() }
    }
}

impl Offer for Ledger {
    fn reader(&mut self, lane: LaneId) -> Option<&mut Reader> {
        self.table.reader(lane)
    }

    fn let_go(&mut self, session: SessionId) {
        self.table.let_go(session);
    }
}

impl Terminals for Ledger {
    fn spawn(&mut self, spawn: &Spawn, size: Size) -> Result<Started, Refusal> {
        let started = self.table.spawn(spawn, size)?;
        let through = Arc::clone(&self.recorder.last.lock());
        let program = started.program.clone();
        let truth = Truth { program, through, accepted: Vec::new(), cleared: false, interrupted: false, disturbed: false };
        self.truths.insert(started.session, truth);
        Ok(started)
    }

    fn write(&mut self, session: SessionId, bytes: &[u8], urgent: bool) -> Result<usize, WriteError> {
        let count = self.table.write(session, bytes, urgent)?;
        if let Some(truth) = self.truths.get_mut(&session) {
            truth.accepted.extend_from_slice(&bytes[..count]);
        }
        Ok(count)
    }

    fn resize(&mut self, session: SessionId, size: Size) -> Result<u64, WriteError> {
        self.table.resize(session, size)
    }

    fn signal(&mut self, session: SessionId, signal: Signal, target: Target) -> Result<(), WriteError> {
        self.truths.entry(session).and_modify(|truth| truth.disturbed = true);
        self.table.signal(session, signal, target)
    }

    fn close(&mut self, session: SessionId, grace: Duration) {
        self.truths.entry(session).and_modify(|truth| truth.disturbed = true);
        self.table.close(session, grace);
    }

    fn range(&self, session: SessionId) -> Range<u64> {
        self.table.range(session)
    }

    fn read_at(&self, session: SessionId, offset: u64) -> Option<Time> {
        self.table.read_at(session, offset)
    }

    fn peek(&self, session: SessionId, offset: u64, count: usize) -> (u64, Vec<u8>) {
        self.table.peek(session, offset, count)
    }

    fn open(&mut self, lane: LaneId, session: SessionId, mode: Mode, offset: u64) {
        self.table.open(lane, session, mode, offset);
    }

    fn ack(&mut self, lane: LaneId, offset: u64) {
        self.table.ack(lane, offset);
    }

    fn allow(&mut self, lane: LaneId, offset: u64) {
        self.table.allow(lane, offset);
    }

    fn seek(&mut self, lane: LaneId, offset: u64) {
        self.table.seek(lane, offset);
    }

    fn shut(&mut self, lane: LaneId) {
        self.table.shut(lane);
    }

    fn suspend(&mut self, lane: LaneId) -> Option<Suspension> {
        self.table.suspend(lane)
    }

    fn resume(&mut self, lane: LaneId, session: SessionId, claim: Suspension) -> Result<(), ResumeError> {
        self.table.resume(lane, session, claim)
    }

    fn forget(&mut self, session: SessionId, claim: Suspension) {
        self.table.forget(session, claim);
    }
}
