//! Output on its way to one client: as it is, or packed, where that was agreed on and pays.
//!
//! What is secret is never packed, nor is anything but output. Each stream has a context of its own, so that the length of one session's
//! output says nothing about another's.

use std::sync::Arc;

use super::{ServerPeer, State};
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
    fn pack(&mut self, stream: StreamId, codec: Codec, output: &Output, permits: &Permit) -> Option<Packed> {
        let context = self.contexts.touch(stream);
        let begins = context.is_none();
        if begins && Arc::strong_count(permits) > PACKERS_MAX {
            return None;
        }
        let context = context.get_or_insert_with(|| Context { packer: Packer::new(codec), _permit: permits.clone() });
        let Output { offset, ref bytes, replay, more } = *output;
        Some(Packed { offset, codec, begins, length: bytes.len(), data: context.packer.pack(bytes), replay, more })
    }
}

impl ServerPeer {
    /// Something was rendered so soon that its client cannot be far away: the handshake took long because somebody was busy.
    pub(super) fn pack_no_more(&mut self) {
        if let State::Inside(guest) = &mut self.state {
            guest.codec = None;
        }
        self.packing = Packing::new();
    }

    /// `output` as it goes out on `stream`.
    pub(super) fn output_frame(&mut self, stream: StreamId, output: Output, moment: Option<Time>, permits: &Permit) -> Frame {
        match self.pack(stream, &output, permits) {
            Some(packed) => Message::Packed(packed).stamped(stream, moment),
            None => Message::Output(output).stamped(stream, moment),
        }
    }

    /// `output` packed, where that pays.
    fn pack(&mut self, stream: StreamId, output: &Output, permits: &Permit) -> Option<Packed> {
        let codec = self.guest()?.codec?;
        let gain = self.lanes.get_mut(&stream)?.gain.as_mut()?;
        let before = output.bytes.len();
        if before > PACKED_MAX || !gain.wants(before) {
            return None;
        }
        let packed = self.packing.pack(stream, codec, output, permits)?;
        let is_sent = gain.handle_packed(before, Packed::HEAD_BYTES + packed.data.len());
        if !is_sent {
            self.packing.forget(stream);
        }
        is_sent.then_some(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output() -> Output {
        Output { offset: 0, bytes: "words that are packed".into(), replay: false, more: false }
    }

    #[test]
    fn no_more_is_packed_at_a_time_than_a_server_has_contexts_for() {
        let permits = Permit::default();
        let mut others: Vec<Permit> = (1..PACKERS_MAX).map(|_| permits.clone()).collect();
        let mut packing = Packing::new();
        let mut pack = |stream| packing.pack(StreamId::new(stream), Codec::Deflate, &output(), &permits).map(|packed| packed.begins);
        assert_eq!((pack(1), pack(2), pack(1)), (Some(true), None, Some(false)), "who has a context keeps it");
        others.pop();
        assert_eq!(pack(2), Some(true));
        drop(others);
        for stream in 0..=CONTEXTS_MAX as u16 {
            pack(stream);
        }
        assert_eq!(Arc::strong_count(&permits), 1 + CONTEXTS_MAX, "a context that makes room gives its permit back");
        packing.forget(StreamId::new(CONTEXTS_MAX as u16));
        assert_eq!(Arc::strong_count(&permits), CONTEXTS_MAX);
    }
}
