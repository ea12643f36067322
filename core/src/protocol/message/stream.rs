//! Messages that flow while a session is watched: output, input, sizes, the end.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::frame::{Flags, Frame, StreamId};
use super::super::kind::Kind;
use super::super::names::named;
use super::{ErrorCode, in_header, wire};
use crate::pty::ExitStatus;
use crate::size::Size;
use crate::time::Time;

/// Bytes the terminal wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Offset of the first of them; in the header.
    pub offset: u64,
    /// The bytes. A character may be cut at either end.
    pub bytes: Bytes,
    /// Whether somebody else's terminal may have answered the queries in them: this viewer's must not.
    pub replay: bool,
    /// Whether more follows at once.
    pub more: bool,
}

impl Output {
    /// What `frame` says, where it is output; else the frame as it was, for [`Message::decode`](super::Message::decode). Who
    /// expects little but output asks here first: the bytes then go from message to renderer in a few nanoseconds.
    ///
    /// # Errors
    /// The frame, if it is anything else, or output out of its place.
    #[inline]
    pub fn from_frame(frame: Frame) -> Result<Output, Frame> {
        if frame.kind != Kind::Output.code() || frame.stream.is_connection() {
            return Err(frame);
        }
        let (replay, more) = (frame.flags.contains(Flags::REPLAY), frame.flags.contains(Flags::MORE));
        Ok(Output { offset: frame.position, bytes: frame.body, replay, more })
    }

    /// The output as a frame on `stream`; with a timestamp where the feature was agreed on: when its first byte was read.
    #[inline]
    pub fn into_frame(self, stream: StreamId, timestamp: Option<Time>) -> Frame {
        let flags = Flags::NONE.with(Flags::REPLAY, self.replay).with(Flags::MORE, self.more);
        Frame { kind: Kind::Output.code(), flags, stream, position: self.offset, timestamp, body: self.bytes }
    }
}

/// Output that will not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Offset of the first byte missed; in the header.
    #[serde(skip)]
    pub from: u64,
    /// Offset after the last one missed: the next Output or Gap has it.
    pub to: u64,
    /// Why.
    pub why: GapReason,
}

named! {
    /// Why output is missing.
    pub enum GapReason or Unknown {
        /// The server holds it no longer.
        History = "history",
        /// This viewer fell behind, and goes on with the newest lines.
        Resync = "resync",
        /// This viewer held others up for too long. From now on it misses what it does not get to.
        Demoted = "demoted",
        /// An interrupt key discarded what was not sent yet.
        Interrupt = "interrupt",
        /// Somebody cleared the session.
        Cleared = "cleared",
    }
}

/// Bytes for the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Counts this client's input to this session, from 1 on; in the header.
    pub sequence: u64,
    /// The bytes.
    pub bytes: Bytes,
    /// Whether this is an interrupt key.
    pub urgent: bool,
    /// Whether a terminal made it, as a reply to a query.
    pub reply: bool,
}

/// Settled input that will never reach the program: always the newest of what was settled then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDropped {
    /// The first input of which something was dropped; in the header.
    #[serde(skip)]
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Bytes dropped, counted from the end of the last.
    pub bytes: u64,
}

/// Input that was not taken. It and what was sent after it count as never sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRefused {
    /// The first that was refused, which is the next that will be taken; in the header.
    #[serde(skip)]
    pub sequence: u64,
    /// Why.
    pub code: ErrorCode,
    /// The same for people.
    pub message: String,
    /// Whether the same may succeed later.
    #[serde(default)]
    pub retryable: bool,
}

/// Make the terminal this size. The newest of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resize {
    /// The request's number; in the header.
    #[serde(skip)]
    pub number: u64,
    /// The size of the client's window.
    pub size: Size,
}

/// The terminal has this size now, in its place between the bytes of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resized {
    /// The last request of this client that it settles, or 0 where another viewer asked; in the header.
    #[serde(skip)]
    pub number: u64,
    /// The size that resulted, which other viewers may have narrowed.
    pub size: Size,
}

/// The process ended; output may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// Bytes of output at that moment; in the header.
    #[serde(skip)]
    pub offset: u64,
    /// How.
    #[serde(with = "wire::Status")]
    pub status: ExitStatus,
}

/// The session ended: its last frame to this viewer, after the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Bytes of output in all; in the header.
    #[serde(skip)]
    pub offset: u64,
    /// How its process ended.
    #[serde(with = "wire::Status")]
    pub status: ExitStatus,
    /// Whether something it left behind still held the terminal open, so that the stream was cut after a bounded wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphaned: bool,
}

in_header!(Gap.from, InputDropped.from, InputRefused.sequence, Resize.number, Resized.number, Exited.offset, Ended.offset,);
