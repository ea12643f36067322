//! Output that comes packed, made whole again.

use super::{Breach, ClientPeer};
use crate::limits::CONTEXTS_MAX;
use crate::pack::{Codec, Recent, Unpacker};
use crate::protocol::frame::StreamId;
use crate::protocol::kind::Kind;
use crate::protocol::message::{MessageError, Output, Packed};

/// The contexts of one connection.
pub(super) struct Unpacking {
    /// The codecs that were agreed on.
    codecs: Vec<Codec>,
    contexts: Recent<StreamId, Option<Unpacker>>,
}

impl Unpacking {
    /// A connection's on which these codecs were agreed on.
    pub(super) fn new(codecs: impl Iterator<Item = Codec>) -> Unpacking {
        Unpacking { codecs: codecs.collect(), contexts: Recent::new(CONTEXTS_MAX) }
    }

    /// The output that came packed on `stream`.
    fn unpack(&mut self, stream: StreamId, packed: Packed) -> Result<Output, Breach> {
        let Packed { offset, codec, begins, length, data, replay, more } = packed;
        if !self.codecs.contains(&codec) {
            let (kind, codec) = (Kind::Output.code(), codec.number());
            return Err(Breach::Message(MessageError::Codec { kind, codec }));
        }
        let context = self.contexts.touch(stream);
        if begins {
            *context = Some(Unpacker::new(codec));
        }
        let context = context.as_mut().filter(|context| context.codec() == codec).ok_or(Breach::Context { stream })?;
        let bytes = context.unpack(&data, length).map_err(|source| Breach::Packed { stream, source })?;
        Ok(Output { offset, bytes, replay, more })
    }
}

impl ClientPeer {
    /// The output that came packed on `stream`.
    pub(super) fn unpack(&mut self, stream: StreamId, packed: Packed) -> Result<Output, Breach> {
        self.unpacking.unpack(stream, packed)
    }
}
