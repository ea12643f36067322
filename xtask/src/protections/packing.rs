//! Packed output: who is sent it, that it comes out as it went in, and how much of it there may be.

use super::{LIB, Protection};

/// The clients and the server.
const PEERS: &str = "peers";

/// The wire format.
const WIRE: &str = "wire";

pub(super) const LIST: &[Protection] = &[
    Protection {
        hazards: &[27],
        name: "what is secret is never packed",
        file: "core/src/peer/server/streams.rs",
        after: "lane.gain =",
        code: "(!is_secret).then(Gain::default)",
        removed: "(is_secret || !is_secret).then(Gain::default)",
        program: PEERS,
        tests: "packing::nothing_is_packed",
    },
    Protection {
        hazards: &[27],
        name: "for who is near nothing is packed",
        file: "core/src/peer/server/entrance.rs",
        after: "let is_far =",
        code: "world.now - call.answered >= world.host.options.pack_from",
        removed: "world.now >= call.answered",
        program: PEERS,
        tests: "packing::nothing_is_packed",
    },
    Protection {
        hazards: &[27],
        name: "what would grow goes as it is",
        file: "core/src/pack/gain.rs",
        after: "let is_sent =",
        code: "after < before || before < PACK_SMALL_BYTES && after <= before + PACK_GROWTH_BYTES",
        removed: "after < before + before / 2",
        program: PEERS,
        tests: "packing::what_would_grow",
    },
    Protection {
        hazards: &[27],
        name: "what hardly shrinks is left alone",
        file: "core/src/peer/server/packing.rs",
        after: "if before > PACKED_MAX ||",
        code: "!gain.wants(before)",
        removed: "before < 64",
        program: PEERS,
        tests: "packing::what_does_not_shrink",
    },
    Protection {
        hazards: &[27],
        name: "a server has only so many contexts",
        file: "core/src/peer/server/packing.rs",
        after: "let begins = context.is_none(); if",
        code: "begins && Arc::strong_count(permits) > PACKERS_MAX",
        removed: "begins && permits.eq(&Arc::new(())) && false",
        program: LIB,
        tests: "no_more_is_packed_at_a_time",
    },
    Protection {
        hazards: &[27],
        name: "a connection has only so many contexts, and both ends the same",
        file: "core/src/pack/recent.rs",
        after: "if self.places.len() == self.max {",
        code: "self.places.remove(0);",
        removed: "self.max += 1;",
        program: LIB,
        tests: "places_are_kept",
    },
    Protection {
        hazards: &[27],
        name: "a codec that was not agreed on is refused",
        file: "core/src/peer/client/unpacking.rs",
        after: "= packed; if",
        code: "!self.codecs.contains(&codec)",
        removed: "self.codecs.is_empty()",
        program: PEERS,
        tests: "packing::a_codec_that_was_not_agreed_on",
    },
    Protection {
        hazards: &[27],
        name: "a context that is not there is not made up",
        file: "core/src/peer/client/unpacking.rs",
        after: "let context =",
        code: "context.as_mut().filter(|context| context.codec() == codec).ok_or(Breach::Context { stream })?",
        removed: "context.get_or_insert_with(|| Unpacker::new(codec))",
        program: PEERS,
        tests: "packing::a_context_that_is_not_there",
    },
    Protection {
        hazards: &[27],
        name: "an announced length is held against its limit",
        file: "core/src/protocol/message/stream.rs",
        after: "let length = (said & !BEGINS) as usize; if",
        code: "!(1..=PACKED_MAX).contains(&length) || data.is_empty()",
        removed: "data.is_empty()",
        program: WIRE,
        tests: "malformed",
    },
    Protection {
        hazards: &[27],
        name: "what is unpacked has the length it was said to have",
        file: "core/src/pack/deflate.rs",
        after: "self.inflate(&FLUSHED, &mut bytes)?; if",
        code: "bytes.len() != length",
        removed: "bytes.len() > length + 1",
        program: LIB,
        tests: "a_wrong_length",
    },
];
