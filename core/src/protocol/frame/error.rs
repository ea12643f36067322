//! What makes bytes no frame.

use std::fmt;

use crate::limits::NUMBER_MAX;

/// Bytes that are no frame, and where they stand. Nothing after them can be trusted: say why and close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError {
    /// Where the frame began: bytes since the message's or the stream's first.
    pub at: u64,
    /// What is wrong with it.
    pub fault: FrameFault,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameFault {
    /// The message ends inside the frame. A byte stream waits instead.
    Truncated {
        /// Bytes the frame needs, as far as it tells.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// The frame is longer than this side accepts now. Nothing was allocated for it.
    TooLong {
        /// The length it announces, in bytes after the header.
        length: u32,
        /// The most a frame may have, header included.
        frame_max: usize,
    },
    /// Flag bit 7 is set, which has no meaning yet.
    ReservedFlag,
    /// A timestamp is announced, and the frame has no room for it.
    NoTimestamp {
        /// The length it announces, in bytes.
        length: usize,
    },
    /// The position is beyond what every language can count.
    Position {
        /// What it says.
        position: u64,
    },
}

impl FrameFault {
    /// The fault's name, as golden frames in every language spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            FrameFault::Truncated { .. } => "truncated",
            FrameFault::TooLong { .. } => "too_long",
            FrameFault::ReservedFlag => "reserved_flag",
            FrameFault::NoTimestamp { .. } => "no_timestamp",
            FrameFault::Position { .. } => "position",
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the frame at byte {} {}", self.at, self.fault)
    }
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameFault::Truncated { needed, found } => {
                write!(f, "needs {needed} bytes and has {found}: a message must hold whole frames")
            }
            FrameFault::TooLong { length, frame_max } => {
                write!(f, "announces {length} bytes after its header, and may have {frame_max} in all: send smaller frames")
            }
            FrameFault::ReservedFlag => f.write_str("sets flag bit 7, which is reserved: leave it 0"),
            FrameFault::NoTimestamp { length } => {
                write!(f, "announces a timestamp in {length} bytes, and one takes 8: count it in the length")
            }
            FrameFault::Position { position } => write!(f, "has position {position}, and the largest is {NUMBER_MAX}"),
        }
    }
}

impl std::error::Error for FrameError {}
