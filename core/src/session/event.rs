//! What a session tells its host.

use crate::id::SessionId;
use crate::pty::{Exit, ExitStatus};
use crate::size::Size;

/// Something that happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// To which one.
    pub session: SessionId,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A reader that asked for it ([`Reader::notify`](crate::hub::Reader::notify)) has something to read. Told once
    /// for each time it asked.
    Output,
    /// The input queue has room again after a writer was told [`Full`](super::WriteError::Full).
    InputReady,
    /// Accepted input that will never reach the program: discarded by urgent input, by a change of the terminal's mode, or
    /// by its end. Offsets count accepted input bytes.
    InputDropped {
        /// The first byte dropped.
        from: u64,
        /// The byte after the last one dropped.
        to: u64,
    },
    /// Every resize up to `number` has taken effect, in its place among the input.
    Resized {
        /// The number that [`resize`](crate::hub::Session::resize) returned.
        number: u64,
        /// The size that resulted.
        size: Size,
    },
    /// A viewer kept the session waiting for too long and is lossy now.
    ViewerDemoted,
    /// The process has ended. Output may still come.
    ProcessExited(ExitStatus),
    /// The session has ended: all output is in the log. Nothing follows.
    Exit(Exit),
}
