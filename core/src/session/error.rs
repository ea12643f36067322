//! Why input or a request was refused.

use std::{fmt, io};

/// Why input was not accepted. None of it was, so nothing is half done.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// The input queue is full: the program does not read. Try again after [`InputReady`](super::EventKind::InputReady).
    Full {
        /// Bytes the queue holds at the most.
        limit: usize,
    },
    /// The terminal collects whole lines (canonical mode), and this one is longer than it can hold: the kernel would
    /// cut it without a word. Send shorter lines, or have the program switch to raw mode.
    LineTooLong {
        /// How long the line would have been, in bytes without its end.
        length: usize,
        /// The longest line the terminal holds.
        limit: usize,
    },
    /// Too many reports of dropped input wait to be taken; take the hub's events first.
    EventsUntaken {
        /// How many wait.
        waiting: usize,
    },
    /// The session has ended or is closed: nobody will read this.
    Closed,
    /// This process is a fork of the one that opened the hub, and must leave its terminals alone.
    Forked,
    /// The system refuses.
    Io(io::Error),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Full { limit } => write!(f, "the input queue is full ({limit} bytes): the program does not read its input"),
            WriteError::LineTooLong { length, limit } => {
                write!(
                    f,
                    "a line of {length} bytes, when the terminal collects lines of at most {limit}: send shorter lines or use raw mode"
                )
            }
            WriteError::EventsUntaken { waiting } => write!(f, "{waiting} reports of dropped input wait to be taken"),
            WriteError::Closed => f.write_str("the session has ended"),
            WriteError::Forked => f.write_str("this process is a fork of the one that owns the terminal"),
            WriteError::Io(_) => f.write_str("the terminal does not take input"),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WriteError::Io(source) => Some(source),
            _ => None,
        }
    }
}

/// Why a suspended reader could not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResumeError {
    /// Its claim was given up after the hold, or it came back before. Start a new reader at the offset it had; if bytes are
    /// gone by now it is told which.
    Expired,
    /// The session is closed.
    Closed,
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResumeError::Expired => "the reader's claim has been given up: start a new one at its offset",
            ResumeError::Closed => "the session is closed",
        })
    }
}

impl std::error::Error for ResumeError {}
