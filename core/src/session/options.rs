//! What a host may choose for a session.

use std::fmt;
use std::time::Duration;

use super::ending::EndingLimits;
use crate::flow::FlowLimits;
use crate::limits::{CLOSE_GRACE, HISTORY_BYTES, HISTORY_MAX, INPUT_QUEUE_BYTES, READ_MAX, RESUME_HOLD};
use crate::size::Size;

/// Choices for one session; the defaults suit a person at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// The size it opens with.
    pub size: Size,
    /// The newest bytes of output that are kept. At least the high watermark and two reads together: one that
    /// reached it, and what the kernel held back when the process went. At most [`HISTORY_MAX`].
    pub history_bytes: usize,
    /// When a reader's debt stops the terminal.
    pub flow: FlowLimits,
    /// Input that may wait, in bytes.
    pub input_queue_bytes: usize,
    /// How long an orphan is listened to.
    pub ending: EndingLimits,
    /// How long a suspended reader's claim is kept.
    pub resume_hold: Duration,
    /// The grace of each rung of the close ladder when the last handle is dropped.
    pub close_grace: Duration,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            size: Size::DEFAULT,
            history_bytes: HISTORY_BYTES,
            flow: FlowLimits::default(),
            input_queue_bytes: INPUT_QUEUE_BYTES,
            ending: EndingLimits::default(),
            resume_hold: RESUME_HOLD,
            close_grace: CLOSE_GRACE,
        }
    }
}

impl SessionOptions {
    /// These choices with another size.
    pub fn size(self, size: Size) -> Self {
        SessionOptions { size, ..self }
    }

    /// Checks that the choices fit together.
    ///
    /// # Errors
    /// [`OptionsError`], which names the two that do not.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.flow.low_bytes >= self.flow.high_bytes {
            return Err(OptionsError::Watermarks { low: self.flow.low_bytes, high: self.flow.high_bytes });
        }
        let needed = self.flow.high_bytes.saturating_add(2 * READ_MAX);
        if self.history_bytes < needed {
            return Err(OptionsError::History { history: self.history_bytes, needed });
        }
        if self.history_bytes > HISTORY_MAX {
            return Err(OptionsError::HistoryTooLong { history: self.history_bytes, limit: HISTORY_MAX });
        }
        if self.input_queue_bytes == 0 {
            return Err(OptionsError::NoInput);
        }
        Ok(())
    }
}

/// Choices that do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// The low watermark is not below the high one, so reading would never go on.
    Watermarks {
        /// The low one, in bytes.
        low: usize,
        /// The high one, in bytes.
        high: usize,
    },
    /// The history could lose bytes that a lossless reader has yet to read.
    History {
        /// What was asked for, in bytes.
        history: usize,
        /// The least that is safe: the high watermark and two reads.
        needed: usize,
    },
    /// The history is longer than a log can be.
    HistoryTooLong {
        /// What was asked for, in bytes.
        history: usize,
        /// The longest possible.
        limit: usize,
    },
    /// An input queue of no bytes could never accept a key that the terminal does not take at once.
    NoInput,
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionsError::Watermarks { low, high } => write!(f, "the low watermark ({low}) must be below the high one ({high})"),
            OptionsError::History { history, needed } => {
                write!(f, "a history of {history} bytes cannot hold what a lossless reader may have yet to read: at least {needed}")
            }
            OptionsError::HistoryTooLong { history, limit } => {
                write!(f, "a history of {history} bytes is longer than a log can be: at most {limit}")
            }
            OptionsError::NoInput => f.write_str("the input queue must hold at least one byte"),
        }
    }
}

impl std::error::Error for OptionsError {}
