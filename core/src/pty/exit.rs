//! How a process ended, and how its stream ended: two facts that come apart.

use std::fmt;

/// How the session's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitStatus {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It is gone, but somebody else collected its status (a host that ignores `SIGCHLD`, or waits for any child).
    Unknown,
}

impl ExitStatus {
    /// Whether the process returned zero.
    pub const fn success(self) -> bool {
        matches!(self, ExitStatus::Code(0))
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Code(code) => write!(f, "exit code {code}"),
            ExitStatus::Signal(signal) => write!(f, "signal {signal}"),
            ExitStatus::Unknown => f.write_str("unknown exit status"),
        }
    }
}

/// The end of a session: told once, after the last byte of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exit {
    /// How the process ended.
    pub status: ExitStatus,
    /// Whether something it left behind still held the terminal open, so that the stream was cut after a
    /// bounded wait and not by its own end.
    pub orphaned: bool,
}
