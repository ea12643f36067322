//! A control message on its way: rare beside output, so its cost only needs to be known.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Frames, StreamId};
use orchflow_core::protocol::message::{Attached, Message, Policy};
use orchflow_core::protocol::token::Role;
use orchflow_core::size::Size;

use crate::interleave::interleave;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::median;

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[Spec {
        name: "frame.attached",
        unit: "ns",
        better: Better::Lower,
        reach: Reach::Nothing,
        note: "encode and decode a map of nine keys; the reference is the stated limit of 20 us",
    }],
    measure,
};

/// Messages of one block.
const MESSAGES: usize = 200;

/// What nobody would notice beside a keystroke, in nanoseconds.
const LIMIT: f64 = 20_000.0;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let _pinned = Pinned::packed()?;
    let attached = Attached {
        number: 3,
        session: 7,
        role: Role::Owner,
        start: 65_536,
        end: 70_000,
        input: 41,
        size: Size::DEFAULT,
        policy: Policy::Backpressure,
        replies: true,
        title: "tests".to_owned(),
    };
    let message = Message::Attached(Box::new(attached));
    let [blocks] = interleave(plan.pick(21, 101), [&mut || Ok(block(&message))])?;
    sheet.put("frame.attached", Figures::against(median(&blocks), LIMIT));
    Ok(())
}

/// Nanoseconds per message.
fn block(message: &Message) -> f64 {
    let start = Instant::now();
    for _ in 0..MESSAGES {
        let sent = black_box(message).clone().into_frame(StreamId::new(3)).to_bytes();
        for frame in Frames::new(sent, FRAME_MAX) {
            assert!(black_box(frame.map(Message::decode)).is_ok_and(|decoded| decoded.is_ok()), "what was encoded is a message");
        }
    }
    start.elapsed().as_secs_f64() * 1e9 / MESSAGES as f64
}
