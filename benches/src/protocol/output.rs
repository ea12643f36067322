//! 4 KiB of output on its way: from the log into a frame, and from a transport's message to whoever renders it.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use bytes::{Buf, Bytes};
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Frames, StreamId};
use orchflow_core::protocol::message::{Message, Output};

use crate::alloc::allocations;
use crate::interleave::interleave;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::median;

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        Spec {
            name: "frame.output_4k",
            unit: "ns",
            better: Better::Lower,
            reach: Reach::Ours(20.0),
            note: "encode and decode; the reference writes and reads the same header and checks nothing",
        },
        Spec {
            name: "frame.output_4k.allocations",
            unit: "each",
            better: Better::Lower,
            reach: Reach::Ours(0.01),
            note: "per frame, counted in the allocator; the reference is the limit",
        },
    ],
    measure,
};

/// Frames of one block.
const FRAMES: usize = 2000;

const HEADER_BYTES: usize = 16;
const STREAM: u16 = 3;

/// Frames of which one may allocate.
const ALLOCATIONS_MAX: f64 = 0.01;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let _pinned = Pinned::packed()?;
    let sides = interleave(plan.pick(41, 401), [&mut || Ok(block(ours)), &mut || Ok(block(reference)), &mut || Ok(block(reference))])?;
    let [ours, reference, again] = sides.each_ref().map(|blocks| blocks.iter().map(|block| block.ns).collect::<Vec<_>>());
    sheet.put("frame.output_4k", Figures::of_blocks(&ours, &reference, &again));
    let allocations: Vec<f64> = sides[0].iter().map(|block| block.allocations).collect();
    sheet.put("frame.output_4k.allocations", Figures::against(median(&allocations), ALLOCATIONS_MAX));
    Ok(())
}

/// Per frame.
struct Block {
    ns: f64,
    allocations: f64,
}

/// Times `pass` with a body and messages that exist already, as the log and the transport hand them over. It sends the body,
/// which it gives back, and receives the message, which it gives up.
fn block(pass: impl Fn(u64, Bytes, Bytes) -> Bytes) -> Block {
    let mut body = Bytes::from(vec![b'x'; 4 << 10]);
    let output = Output { offset: 1 << 20, bytes: body.clone(), replay: false, more: false };
    let message = Message::Output(output).into_frame(StreamId::new(STREAM)).to_bytes();
    let received: Vec<Bytes> = (0..FRAMES).map(|_| message.clone()).collect();
    let (allocations_before, start) = (allocations(), Instant::now());
    for (at, message) in received.into_iter().enumerate() {
        body = pass(at as u64, body, message);
    }
    let (took, allocated) = (start.elapsed(), allocations() - allocations_before);
    Block { ns: took.as_secs_f64() * 1e9 / FRAMES as f64, allocations: allocated as f64 / FRAMES as f64 }
}

fn ours(offset: u64, body: Bytes, message: Bytes) -> Bytes {
    let output = Output { offset, bytes: body, replay: false, more: false };
    let frame = Message::Output(output).into_frame(StreamId::new(STREAM));
    black_box((&*frame.head(), &frame.body)); // What a vectored write is given.
    for frame in Frames::new(message, FRAME_MAX) {
        let Ok(Ok(output)) = frame.map(Output::from_frame) else { panic!("what was encoded is output") };
        black_box((output.offset, output.replay, &output.bytes)); // What a renderer looks at.
    }
    frame.body
}

fn reference(offset: u64, body: Bytes, message: Bytes) -> Bytes {
    let mut header = [0; HEADER_BYTES];
    (header[0], header[2]) = (0x20, STREAM as u8);
    header[4..8].copy_from_slice(&(body.len() as u32).to_le_bytes());
    header[8..].copy_from_slice(&offset.to_le_bytes());
    black_box((&header, &body));
    let mut message = message;
    let (kind, flags, _, _, offset) =
        (message.get_u8(), message.get_u8(), message.get_u16_le(), message.get_u32_le(), message.get_u64_le());
    assert!(kind == 0x20, "what was encoded is output");
    black_box((offset, flags & 8 != 0, &message));
    body
}
