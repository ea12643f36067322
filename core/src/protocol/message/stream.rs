//! Messages that flow while a session is watched: output, input, sizes, the end.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::super::frame::{Flags, Frame, StreamId};
use super::super::kind::Kind;
use super::super::names::named;
use super::{ErrorCode, MessageError, in_header, wire};
use crate::limits::PACKED_MAX;
use crate::pack::Codec;
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
    /// The frame, if it is anything else, [packed](Packed), or output out of its place.
    #[inline]
    pub fn from_frame(frame: Frame) -> Result<Output, Frame> {
        if frame.kind != Kind::Output.code() || frame.stream.is_connection() || frame.codec != 0 {
            return Err(frame);
        }
        let (replay, more) = (frame.flags.contains(Flags::REPLAY), frame.flags.contains(Flags::MORE));
        Ok(Output { offset: frame.position, bytes: frame.body, replay, more })
    }

    /// The output as a frame on `stream`; with a timestamp where the feature was agreed on: when its first byte was read.
    #[inline]
    pub fn into_frame(self, stream: StreamId, timestamp: Option<Time>) -> Frame {
        let flags = Flags::NONE.with(Flags::REPLAY, self.replay).with(Flags::MORE, self.more);
        Frame { kind: Kind::Output.code(), flags, codec: 0, stream, position: self.offset, timestamp, body: self.bytes }
    }
}

/// Output that an [`Unpacker`](crate::pack::Unpacker) of its stream makes whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Offset of its first byte; in the header.
    pub offset: u64,
    /// How it is packed; in the header.
    pub codec: Codec,
    /// Whether its context begins here, and is of nothing before.
    pub begins: bool,
    /// Bytes of output, from 1 to [`PACKED_MAX`].
    pub length: usize,
    /// What they became.
    pub data: Bytes,
    /// As in [`Output`].
    pub replay: bool,
    /// As in [`Output`].
    pub more: bool,
}

/// The top bit of a packed body's first number: whether its context begins.
const BEGINS: u32 = 1 << 31;

impl Packed {
    /// Bytes of a packed body before the data.
    pub const HEAD_BYTES: usize = 4;

    /// What `frame`, which is output in its place, says.
    pub(super) fn from_frame(frame: Frame) -> Result<Packed, MessageError> {
        let Some(codec) = Codec::from_number(frame.codec) else {
            return Err(MessageError::Codec { kind: frame.kind, codec: frame.codec });
        };
        let (replay, more) = (frame.flags.contains(Flags::REPLAY), frame.flags.contains(Flags::MORE));
        let mut data = frame.body;
        let said = data.try_get_u32_le().unwrap_or_default();
        let length = (said & !BEGINS) as usize;
        if !(1..=PACKED_MAX).contains(&length) || data.is_empty() {
            return Err(MessageError::Packed { length, data: data.len() });
        }
        Ok(Packed { offset: frame.position, codec, begins: said & BEGINS != 0, length, data, replay, more })
    }

    /// The output as a frame on `stream`, as [`Output::into_frame`]. Copies the data behind its length.
    pub fn into_frame(self, stream: StreamId, timestamp: Option<Time>) -> Frame {
        let flags = Flags::NONE.with(Flags::REPLAY, self.replay).with(Flags::MORE, self.more);
        let length = u32::try_from(self.length).expect("packed output is at most PACKED_MAX bytes");
        let mut body = BytesMut::with_capacity(Packed::HEAD_BYTES + self.data.len());
        body.put_u32_le(if self.begins { length | BEGINS } else { length });
        body.put_slice(&self.data);
        let (kind, codec) = (Kind::Output.code(), self.codec.number());
        Frame { kind, flags, codec, stream, position: self.offset, timestamp, body: body.freeze() }
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
