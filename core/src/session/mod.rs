//! One terminal as a machine: input in order, output into the log, sizes, signals, and an end that comes last.
//!
//! A [`Terminal`] owns a [`Pty`](crate::pty::Pty) and the writer of its log. It never waits and reads no clock: its driver
//! ([`crate::hub`]) tells it what is ready and what time it is, and carries out the [`Effects`] once no lock is held.
//! What it decides by lives in small machines that touch nothing: the input lane, the ending, the close
//! ladder, and [`crate::flow`].

mod ending;
mod error;
mod event;
mod ladder;
mod lane;
mod marks;
mod options;
mod terminal;

pub use ending::EndingLimits;
pub use error::{ResumeError, WriteError};
pub use event::{Event, EventKind};
pub use options::{OptionsError, SessionOptions};
pub use terminal::{Effects, ReadTurn, Suspension, Terminal};
