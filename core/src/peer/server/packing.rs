//! Output on its way to one client: as it is, or packed, where that was agreed on and pays.
//!
//! What is secret is never packed, nor is anything but output. Each stream has a context of its own, so that the length of one session's
//! output says nothing about another's.

use std::sync::Arc;

use super::ServerPeer;
use crate::limits::{CONTEXTS_MAX, PACKED_MAX, PACKERS_MAX};
use crate::pack::{Codec, Packer, Recent};
use crate::protocol::frame::{Frame, StreamId};
use crate::protocol::message::{Message, Output, Packed};
use crate::time::Time;

/// The contexts of one connection.
pub(super) struct Packing {
    contexts: Recent<StreamId, Option<Context>>,
}

struct Context {
    packer: Packer,
    /// One of those that the server has in all.
    _permit: Permit,
}

/// Counted by how often the server's own is shared.
pub(super) type Permit = Arc<()>;

impl Packing {
    pub(super) fn new() -> Packing {
        Packing { contexts: Recent::new(CONTEXTS_MAX) }
    }

    /// The next output on `stream` goes on from nothing before.
    pub(super) fn forget(&mut self, stream: StreamId) {
        self.contexts.clear(stream);
    }

    /// `output` packed, unless the server packs for as many as it may.
    fn pack(&mut self, stream: StreamId, codec: Codec, output: Output, permits: &Permit) -> Result<Packed, Output> {
        let context = self.contexts.touch(stream);
        let begins = context.is_none();
        if begins {
            if Arc::strong_count(permits) > PACKERS_MAX {
                return Err(output);
            }
            *context = Some(Context { packer: Packer::new(codec), _permit: permits.clone() });
        }
        let Output { offset, bytes, replay, more } = output;
        let context = context.as_mut().expect("invariant: it was begun if there was none");
        Ok(Packed { offset, codec, begins, length: bytes.len(), data: context.packer.pack(&bytes), replay, more })
    }
}

impl ServerPeer {
    /// How the next output on `stream` is packed, if it is.
    pub(super) fn codec_of(&self, stream: StreamId) -> Option<Codec> {
        let may = self.lanes.get(&stream).is_some_and(|lane| lane.gain.is_some());
        self.guest().and_then(|guest| guest.codec).filter(|_| may)
    }

    /// Output of which a packed frame of `room` bytes certainly has room.
    pub(super) const fn packed_piece(room: usize) -> usize {
        let piece = (room - Packed::HEAD_BYTES - Packer::bound(0)) * 8 / 9;
        if piece < PACKED_MAX { piece } else { PACKED_MAX }
    }

    /// `output` as it goes out on `stream`.
    pub(super) fn output_frame(&mut self, stream: StreamId, output: Output, moment: Option<Time>, permits: &Permit) -> Frame {
        let codec = self.codec_of(stream);
        let gain = self.lanes.get_mut(&stream).and_then(|lane| lane.gain.as_mut());
        let (Some(codec), Some(gain)) = (codec, gain) else { return Message::Output(output).stamped(stream, moment) };
        if !gain.wants(output.bytes.len()) {
            return Message::Output(output).stamped(stream, moment);
        }
        match self.packing.pack(stream, codec, output, permits) {
            Ok(packed) => {
                if !gain.handle_packed(packed.length, Packed::HEAD_BYTES + packed.data.len()) {
                    self.packing.forget(stream);
                }
                Message::Packed(packed).stamped(stream, moment)
            }
            Err(output) => Message::Output(output).stamped(stream, moment),
        }
    }
}
