//! What the machines of a server ask of terminals.

use std::ops::Range;
use std::time::Duration;

use super::LaneId;
use crate::id::SessionId;
use crate::protocol::message::{Refusal, Spawn};
use crate::pty::{Signal, Target};
use crate::ring::Mode;
use crate::session::{ResumeError, Suspension, WriteError};
use crate::size::Size;
use crate::time::Time;

/// A session that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its id.
    pub session: SessionId,
    /// Its process.
    pub pid: Option<u32>,
    /// The program, as it was asked for.
    pub program: String,
}

/// Sessions, and the readers of those who watch them. No call waits.
pub trait Terminals {
    /// Starts what was asked for.
    ///
    /// # Errors
    /// What to tell the client.
    fn spawn(&mut self, spawn: &Spawn, size: Size) -> Result<Started, Refusal>;

    /// As [`Session::write`](crate::hub::Session::write) and its urgent sister: returns how many bytes were accepted.
    ///
    /// # Errors
    /// As those; [`WriteError::Closed`] where there is no such session.
    fn write(&mut self, session: SessionId, bytes: &[u8], urgent: bool) -> Result<usize, WriteError>;

    /// Changes the size; returns the terminal's number of the request.
    ///
    /// # Errors
    /// As [`Session::resize`](crate::hub::Session::resize).
    fn resize(&mut self, session: SessionId, size: Size) -> Result<u64, WriteError>;

    /// Sends a signal.
    ///
    /// # Errors
    /// As [`Session::signal`](crate::hub::Session::signal).
    fn signal(&mut self, session: SessionId, signal: Signal, target: Target) -> Result<(), WriteError>;

    /// Ends a session, with `grace` after each step.
    fn close(&mut self, session: SessionId, grace: Duration);

    /// Offsets of the oldest byte held and of the next to come; empty where there is no such session.
    fn range(&self, session: SessionId) -> Range<u64>;

    /// When the byte at `offset` was read, if that is known.
    fn read_at(&self, session: SessionId, offset: u64) -> Option<Time>;

    /// A copy of output from `offset` on, of at most `count` bytes; it ends where output ends, and begins later where some of it is no
    /// longer held. Nobody counts as having read it.
    fn peek(&self, session: SessionId, offset: u64, count: usize) -> (u64, Vec<u8>);

    /// Gives `lane` a reader from `offset` on.
    fn open(&mut self, lane: LaneId, session: SessionId, mode: Mode, offset: u64);

    /// Says that `lane` has dealt with everything before `offset`.
    fn ack(&mut self, lane: LaneId, offset: u64);

    /// Has the terminal of `lane` read no further than `offset`, as long as nobody else reads it; `u64::MAX` for as far as it likes.
    fn allow(&mut self, lane: LaneId, offset: u64);

    /// Has `lane` read on from `offset`.
    fn seek(&mut self, lane: LaneId, offset: u64);

    /// Takes `lane`'s reader away.
    fn shut(&mut self, lane: LaneId);

    /// Takes it away, but keeps its claim.
    fn suspend(&mut self, lane: LaneId) -> Option<Suspension>;

    /// Gives `lane` the reader that was suspended.
    ///
    /// # Errors
    /// [`ResumeError`] when the claim is gone.
    fn resume(&mut self, lane: LaneId, session: SessionId, claim: Suspension) -> Result<(), ResumeError>;

    /// Gives up a claim that nobody came back for.
    fn forget(&mut self, session: SessionId, claim: Suspension);
}
