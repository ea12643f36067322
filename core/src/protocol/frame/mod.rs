//! Frames: a 16-byte header, perhaps a timestamp, and a body that is not looked at here.
//!
//! ```text
//!  0      1      2        4          8            16                24
//! ┌──────┬──────┬────────┬──────────┬────────────┬─────────────────┬────────┐
//! │ type │ flags│ stream │  length  │  position  │ timestamp       │ body … │   little endian
//! │  u8  │  u8  │  u16   │   u32    │    u64     │ u64, if flagged │        │
//! └──────┴──────┴────────┴──────────┴────────────┴─────────────────┴────────┘
//! ```
//! `length` counts what follows the header, timestamp included. It is held against a limit before anything is allocated,
//! and a buffer grows with the bytes that came, never with the bytes that were announced.
//!
//! Encoding copies no body and allocates nothing: [`Frame::head`] is what goes before [`Frame::body`] in a vectored
//! write. Decoding a message shares its memory.

mod decoder;
mod error;
mod header;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub use decoder::FrameDecoder;
pub use error::{FrameError, FrameFault};
use header::Header;

use crate::time::Time;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 16;

/// Bytes of a timestamp.
pub const TIMESTAMP_BYTES: usize = 8;

/// A conversation within a connection: 0 is the connection itself, any other number a session that a client watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct StreamId(u16);

impl StreamId {
    /// The connection itself.
    pub const CONNECTION: StreamId = StreamId(0);

    /// The stream with this number.
    pub const fn new(number: u16) -> Self {
        StreamId(number)
    }

    /// Its number.
    pub const fn as_raw(self) -> u16 {
        self.0
    }

    /// Whether this is the connection itself.
    pub const fn is_connection(self) -> bool {
        self.0 == 0
    }
}

/// What a frame says of itself besides its type. The timestamp's flag and the codec's bits are not here: they stand in fields of the frame.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// None of them.
    pub const NONE: Flags = Flags(0);
    /// Output in which somebody else's terminal may have answered the queries: this viewer's must not.
    pub const REPLAY: Flags = Flags(1 << 3);
    /// More of the same follows at once: the rest of a list, or output that is ready.
    pub const MORE: Flags = Flags(1 << 4);
    /// Whoever does not know the type may skip the frame.
    pub const IGNORABLE: Flags = Flags(1 << 5);
    /// Input that a terminal made, not a person: the reply to a query.
    pub const REPLY: Flags = Flags(1 << 6);

    const ALL: u8 = Flags::REPLAY.0 | Flags::MORE.0 | Flags::IGNORABLE.0 | Flags::REPLY.0;

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These, and `other` if `on`.
    pub const fn with(self, other: Flags, on: bool) -> Flags {
        if on { Flags(self.0 | other.0) } else { self }
    }

    const fn from_bits(bits: u8) -> Flags {
        Flags(bits & Flags::ALL)
    }

    const fn bits(self) -> u8 {
        self.0
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [(Flags::REPLAY, "replay"), (Flags::MORE, "more"), (Flags::IGNORABLE, "ignorable"), (Flags::REPLY, "reply")];
        f.debug_set().entries(names.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, name)| name)).finish()
    }
}

/// One frame. What its type and position mean, [`Message`](super::message::Message) knows.
///
/// # Examples
/// ```
/// # use orchflow_core::protocol::frame::{Flags, Frame, Frames, StreamId};
/// let frame = Frame { kind: 0x20, stream: StreamId::new(1), position: 4096, body: "hello".into(), ..Frame::default() };
/// assert_eq!(frame.head().len(), 16);
///
/// let mut frames = Frames::new(frame.to_bytes(), 1024);
/// assert_eq!(frames.next(), Some(Ok(frame)));
/// assert_eq!(frames.next(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The type's code; [`Kind`](super::kind::Kind) names those in use.
    pub kind: u8,
    /// What it says of itself.
    pub flags: Flags,
    /// Which conversation it belongs to.
    pub stream: StreamId,
    /// A byte offset, a sequence number or a request's number, by type; at most [`NUMBER_MAX`](crate::limits::NUMBER_MAX).
    pub position: u64,
    /// How the body is packed, by [its number](crate::pack::Codec::number); 0 where it is as it is.
    pub codec: u8,
    /// A moment of the server's clock.
    pub timestamp: Option<Time>,
    /// The rest, untouched.
    pub body: Bytes,
}

impl Frame {
    /// What goes on the wire before the body.
    ///
    /// # Panics
    /// If the body is longer than a length can tell (4 GiB): whoever sends cuts it to the limit agreed on, long before. If the codec is beyond 3.
    #[inline]
    pub fn head(&self) -> Head {
        let length = self.body.len() + if self.timestamp.is_some() { TIMESTAMP_BYTES } else { 0 };
        let has_timestamp = self.timestamp.is_some();
        let (kind, flags, codec, stream, position) = (self.kind, self.flags, self.codec, self.stream, self.position);
        let header = Header { kind, flags, codec, stream, position, has_timestamp, length };
        let mut bytes = [0; HEADER_BYTES + TIMESTAMP_BYTES];
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        if let Some(moment) = self.timestamp {
            bytes[HEADER_BYTES..].copy_from_slice(&moment.as_nanos().to_le_bytes());
        }
        Head { bytes, has_timestamp }
    }

    /// Bytes on the wire, header included.
    pub fn encoded_len(&self) -> usize {
        HEADER_BYTES + if self.timestamp.is_some() { TIMESTAMP_BYTES } else { 0 } + self.body.len()
    }

    /// Copies the frame behind what `buffer` holds, for transports that want one piece, and to send several in a message.
    pub fn append_to(&self, buffer: &mut BytesMut) {
        buffer.reserve(self.encoded_len());
        buffer.put_slice(&self.head());
        buffer.put_slice(&self.body);
    }

    /// The frame in one piece; a copy.
    pub fn to_bytes(&self) -> Bytes {
        let mut buffer = BytesMut::new();
        self.append_to(&mut buffer);
        buffer.freeze()
    }

    /// Takes the frame that `header` announces off the front of `bytes`, which hold all of it.
    #[inline]
    fn take(header: Header, bytes: &mut Bytes) -> Frame {
        let Header { kind, flags, codec, stream, position, has_timestamp, length } = header;
        let whole = HEADER_BYTES + length;
        // The last frame takes the memory over: no count of its users is touched.
        let mut body = if bytes.len() == whole { std::mem::take(bytes) } else { bytes.split_to(whole) };
        body.advance(HEADER_BYTES);
        let timestamp = has_timestamp.then(|| Time::from_nanos(body.get_u64_le()));
        Frame { kind, flags, codec, stream, position, timestamp, body }
    }
}

/// A header and perhaps a timestamp, as they travel: 16 or 24 bytes, read by dereferencing.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    bytes: [u8; HEADER_BYTES + TIMESTAMP_BYTES],
    has_timestamp: bool,
}

impl std::ops::Deref for Head {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        if self.has_timestamp { &self.bytes } else { &self.bytes[..HEADER_BYTES] }
    }
}

/// The frames of one message, for transports that keep messages whole (a WebSocket's binary ones). A message holds one
/// frame or several, and none in part.
///
/// After an error nothing more comes.
#[derive(Clone, Debug)]
pub struct Frames {
    rest: Bytes,
    length: usize,
    frame_max: usize,
}

impl Frames {
    /// The frames in `message`; each may have `frame_max` bytes, header included.
    #[inline]
    pub fn new(message: Bytes, frame_max: usize) -> Frames {
        Frames { length: message.len(), rest: message, frame_max }
    }

    /// From the next frame on, frames may have `frame_max` bytes: see [`FrameDecoder::set_frame_max`].
    pub fn set_frame_max(&mut self, frame_max: usize) {
        self.frame_max = frame_max;
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, FrameError>;

    #[inline(always)] // The call would cost a sixth of what 4 KiB of output cost both ends: `frame.output_4k` in the benches.
    fn next(&mut self) -> Option<Self::Item> {
        let found = self.rest.len();
        if found == 0 {
            return None;
        }
        let truncated = |needed| FrameFault::Truncated { needed, found };
        let header = match self.rest.first_chunk() {
            Some(bytes) => Header::parse(bytes, self.frame_max),
            None => Err(truncated(HEADER_BYTES)),
        };
        let whole = header.and_then(|header| {
            let needed = HEADER_BYTES + header.length;
            if needed <= found { Ok(header) } else { Err(truncated(needed)) }
        });
        Some(match whole {
            Ok(header) => Ok(Frame::take(header, &mut self.rest)),
            Err(fault) => {
                self.rest = Bytes::new();
                Err(FrameError { at: (self.length - found) as u64, fault })
            }
        })
    }
}

#[cfg(test)]
mod tests;
