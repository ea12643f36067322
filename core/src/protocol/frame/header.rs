//! The 16 bytes before every body: what they say, and what no peer may say.

use super::error::FrameFault;
use super::{Flags, HEADER_BYTES, StreamId, TIMESTAMP_BYTES};
use crate::limits::NUMBER_MAX;

/// The low two flag bits name a codec, or 0 for none.
const CODEC: u8 = 0b0000_0011;
const TIMESTAMP: u8 = 0b0000_0100;
const RESERVED: u8 = 0b1000_0000;

/// A header that was read and keeps the rules of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) flags: Flags,
    pub(super) codec: u8,
    pub(super) stream: StreamId,
    pub(super) position: u64,
    pub(super) has_timestamp: bool,
    /// Bytes after the header, timestamp included.
    pub(super) length: usize,
}

impl Header {
    /// Reads a header and judges it; `frame_max` bounds header and length together.
    #[inline]
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES], frame_max: usize) -> Result<Header, FrameFault> {
        let [kind, bits, s0, s1, l0, l1, l2, l3, position @ ..] = *bytes;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let position = u64::from_le_bytes(position);
        if bits & RESERVED != 0 {
            return Err(FrameFault::ReservedFlag);
        }
        if u64::from(length) + HEADER_BYTES as u64 > frame_max as u64 {
            return Err(FrameFault::TooLong { length, frame_max });
        }
        if position > NUMBER_MAX {
            return Err(FrameFault::Position { position });
        }
        let (length, has_timestamp) = (length as usize, bits & TIMESTAMP != 0);
        if has_timestamp && length < TIMESTAMP_BYTES {
            return Err(FrameFault::NoTimestamp { length });
        }
        let stream = StreamId::new(u16::from_le_bytes([s0, s1]));
        Ok(Header { kind, flags: Flags::from_bits(bits), codec: bits & CODEC, stream, position, has_timestamp, length })
    }

    /// The header as it travels. `length` includes the timestamp.
    #[inline]
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let length = u32::try_from(self.length).expect("a frame is cut to its limit before it is sent");
        assert!(self.codec <= CODEC, "codecs are numbered up to {CODEC}");
        let bits = self.flags.bits() | self.codec | if self.has_timestamp { TIMESTAMP } else { 0 };
        let mut bytes = [0; HEADER_BYTES];
        (bytes[0], bytes[1]) = (self.kind, bits);
        bytes[2..4].copy_from_slice(&self.stream.as_raw().to_le_bytes());
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes[8..].copy_from_slice(&self.position.to_le_bytes());
        bytes
    }
}
