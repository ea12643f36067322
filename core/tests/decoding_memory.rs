//! What a peer sends decides what decoding allocates, and not what it announces: at most twice the bytes that came (buffers grow
//! by doubling) and a constant for many tiny values.

#![allow(unsafe_code)] // An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use orchflow_core::limits::{FRAME_MAX, ITEMS_MAX, PACKED_MAX};
use orchflow_core::pack::{Codec, Packer, Unpacker};
use orchflow_core::protocol::frame::{Frame, FrameDecoder, StreamId};
use orchflow_core::protocol::kind::{Body, Kind};
use orchflow_core::protocol::message::Message;
use proptest::prelude::*;

/// What the most values that a message may have come to in memory.
const CONSTANT: usize = 1 << 20;

#[test]
fn many_tiny_values_stay_within_the_constant() {
    let list = |key: &str, item: &[u8], items: usize| {
        let count = u16::try_from(items).unwrap().to_be_bytes();
        [&[0xa1, 0x60 + key.len() as u8], key.as_bytes(), &[0x99], &count, &item.repeat(items)].concat()
    };
    let pair = b"\x82\x60\x60";
    let viewer = b"\xa1\x64role\x65owner";
    check(Kind::Spawn, &list("args", b"\x60", ITEMS_MAX - 3));
    check(Kind::Spawn, &list("env", pair, (ITEMS_MAX - 3) / 3));
    check(Kind::Viewers, &list("viewers", viewer, (ITEMS_MAX - 3) / 3));
    check(Kind::Hello, &list("resume", b"\xa0", ITEMS_MAX - 3));
}

#[test]
fn one_long_value_is_taken_once() {
    let length = FRAME_MAX - 64;
    let long = [&b"\xa1\x65title\x7a"[..], &(length as u32).to_be_bytes(), &vec![b'x'; length]].concat();
    check(Kind::Spawn, &long);
    check(Kind::Close, &long); // Where no key is called so, it is passed over.
}

#[test]
fn lengths_that_are_only_announced_cost_nothing() {
    for (kind, key) in [(Kind::Spawn, "args"), (Kind::Spawn, "title"), (Kind::Proof, "mac"), (Kind::Sessions, "sessions")] {
        for major in [0x5a, 0x7a, 0x9a, 0xba] {
            check(kind, &[&[0xa1, 0x60 + key.len() as u8], key.as_bytes(), &[major, 0x7f, 0xff, 0xff, 0xff]].concat());
        }
    }
}

#[test]
fn a_bomb_is_unpacked_into_what_a_frame_may_hold() {
    for &codec in Codec::ALL {
        let bomb = Packer::new(codec).pack(&vec![0; 64 << 20]);
        let mut unpacker = None;
        let unpacked = peak(|| {
            let unpacker = unpacker.insert(Unpacker::new(codec));
            assert!(unpacker.unpack(&bomb, PACKED_MAX).is_err());
        });
        assert!(unpacked <= PACKED_MAX + CONTEXT, "{codec:?}: {unpacked} bytes");
    }
}

/// What a context and its output's buffer may have besides a frame's output: deflate's is the largest that Rust allocates.
const CONTEXT: usize = 64 << 10;

proptest! {
    #[test]
    fn whatever_comes_stays_within_it(
        kind in prop::sample::select(Kind::ALL),
        body in proptest::collection::vec(prop_oneof![any::<u8>(), 0x60..0x64_u8, 0x80..0xa4_u8], 0..200),
    ) {
        check(kind, &[&b"\xa1\x61a"[..], &body].concat());
        check(kind, &body);
    }
}

/// Sends `body` through both decoders and holds the peak of their memory against what came.
fn check(kind: Kind, body: &[u8]) {
    let stream = StreamId::new(u16::from(!kind.place().allows(StreamId::CONNECTION)));
    let body = if kind.body() == Body::Empty { &[] } else { body };
    let bytes = Frame { kind: kind.code(), stream, body: body.to_vec().into(), ..Frame::default() }.to_bytes();
    let peak = peak(|| {
        let mut decoder = FrameDecoder::new(FRAME_MAX);
        bytes.chunks(4096).for_each(|chunk| decoder.handle_bytes(chunk));
        let frame = decoder.poll_frame().unwrap().expect("a whole frame");
        drop(decoder);
        drop(Message::decode(frame));
    });
    let most = 2 * bytes.len() + 2 * body.len() + CONSTANT; // In the stream's buffer, and in the message.
    assert!(peak <= most, "{} of {} bytes: {peak} bytes at the most, and {most} are allowed", kind.name(), bytes.len());
}

// ---- The allocator ----

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

thread_local! {
    /// Bytes this thread holds, and the most it has held. Signed: it may free what another thread has allocated.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// How much more than before `work` holds at the most.
fn peak(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    work();
    usize::try_from(PEAK.get() - before).expect("a peak is not below its start")
}

fn count(bytes: isize) {
    HELD.set(HELD.get() + bytes); // `const` and without a destructor: touching it never allocates.
    PEAK.set(PEAK.get().max(HELD.get()));
}

// SAFETY: every call goes to `System` unchanged, so its guarantees hold as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: by the contract of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: by the contract of this function.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: by the contract of this function.
        unsafe { System.dealloc(block, layout) }
    }
}
