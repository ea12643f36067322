//! What makes a frame no message.

use std::fmt;

use super::super::cbor::{CborError, CborFault};
use super::super::frame::StreamId;
use super::super::kind::{Kind, Place};
use super::super::negotiation::VERSIONS;
use super::ErrorCode;
use crate::limits::PACKED_MAX;

/// A frame that is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// Nobody here knows the type, and it may not be skipped.
    Unknown {
        /// The type's code.
        kind: u8,
    },
    /// The body is said to be packed, and bodies of this type are not, or nobody here knows the codec.
    Codec {
        /// The type's code.
        kind: u8,
        /// The codec's number, 1 to 3.
        codec: u8,
    },
    /// Packed output that holds nothing, or more than a frame may.
    Packed {
        /// Bytes of output it is said to hold.
        length: usize,
        /// Bytes they became.
        data: usize,
    },
    /// The type does not stand on this stream.
    Place {
        /// The type.
        kind: Kind,
        /// The stream it stands on.
        stream: StreamId,
    },
    /// The type has no body, and this frame does.
    BodyNotEmpty {
        /// The type.
        kind: Kind,
        /// Bytes of the body.
        length: usize,
    },
    /// The body is not what the type says.
    Body {
        /// The type.
        kind: Kind,
        /// What is wrong.
        source: CborError,
    },
}

impl MessageError {
    /// What to tell the peer.
    pub const fn code(&self) -> ErrorCode {
        match self {
            MessageError::Unknown { .. } => ErrorCode::UnknownType,
            _ if !self.is_fatal() => ErrorCode::BadRequest,
            _ => ErrorCode::Malformed,
        }
    }

    /// Whether the peer does not speak the protocol, so that the connection must end. Otherwise the one message does not make
    /// sense, and is refused.
    pub const fn is_fatal(&self) -> bool {
        !matches!(self, MessageError::Body { source: CborError { fault: CborFault::Shape(_), .. }, .. })
    }

    /// The fault's name, as golden frames in every language spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            MessageError::Unknown { .. } => "unknown_type",
            MessageError::Codec { .. } => "codec",
            MessageError::Packed { .. } => "packed",
            MessageError::Place { .. } => "place",
            MessageError::BodyNotEmpty { .. } => "body_not_empty",
            MessageError::Body { source, .. } => source.fault.name(),
        }
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::Unknown { kind } => {
                write!(f, "frame type 0x{kind:02x} is unknown and not marked ignorable: this side speaks protocol {VERSIONS}")
            }
            MessageError::Codec { kind, codec } => {
                write!(f, "a frame of type 0x{kind:02x} uses codec {codec}: pack output only, and as was agreed on")
            }
            MessageError::Packed { length, data } => {
                write!(f, "{data} bytes are said to hold {length} bytes of output: a frame holds 1 to {PACKED_MAX}")
            }
            MessageError::Place { kind, stream } => {
                let place = if kind.place() == Place::Connection { "0" } else { "1 and above" };
                write!(f, "{} stands on stream {}, and belongs on {place}", kind.name(), stream.as_raw())
            }
            MessageError::BodyNotEmpty { kind, length } => write!(f, "{} has no body, and this one {length} bytes", kind.name()),
            MessageError::Body { kind, .. } => write!(f, "the body of {} cannot be read", kind.name()),
        }
    }
}

impl std::error::Error for MessageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            MessageError::Body { source, .. } => Some(source),
            _ => None,
        }
    }
}
