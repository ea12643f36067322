//! Whatever a test is about, every frame that either end sends follows its rule in `core/protocol.cddl`.
//!
//! The rules name all that we send: a key more is a fault here, although receivers ignore it.

use std::sync::LazyLock;

use bytes::Bytes;
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Frame, Frames};
use orchflow_core::protocol::kind::{Body, Kind};

use crate::cddl::Cddl;

static RULES: LazyLock<Cddl> = LazyLock::new(|| Cddl::parse(include_str!("../../protocol.cddl")));

/// Holds a frame that one of our machines sends to its rule.
pub(crate) fn hold(frame: &Frame) {
    if let Some(fault) = fault(frame) {
        panic!("{fault}: send what core/protocol.cddl says, or say there what is sent");
    }
}

/// Holds all frames of a message to theirs.
pub(crate) fn hold_all(message: &Bytes) {
    Frames::new(message.clone(), FRAME_MAX).for_each(|frame| hold(&frame.expect("whole frames")));
}

/// Why `frame` does not follow its rule. Raw bytes have none, nor has what no type is known for.
fn fault(frame: &Frame) -> Option<String> {
    let kind = Kind::from_code(frame.kind)?;
    match kind.body() {
        Body::Raw => None,
        Body::Empty if frame.body.is_empty() => None,
        Body::Empty => Some(format!("{} has a body", kind.name())),
        Body::Map => match ciborium::from_reader(&frame.body[..]) {
            Ok(body) => RULES.fault(kind.name(), &body, &mut Vec::new()),
            Err(error) => Some(format!("{}: {error}", kind.name())),
        },
    }
}

#[test]
fn a_frame_that_does_not_follow_its_rule_is_found() {
    let fault = |kind: Kind, body: &'static [u8]| fault(&Frame { kind: kind.code(), body: Bytes::from_static(body), ..Frame::default() });
    assert_eq!(fault(Kind::Gap, b"\xa2\x62to\x09\x63why\x66resync"), None);
    assert_eq!(fault(Kind::Output, b"\xff"), None);
    assert!(fault(Kind::Gap, b"\xa3\x62to\x09\x63why\x66resync\x61x\x00").unwrap().contains("the key x, which no rule names"));
    assert!(fault(Kind::Gap, b"\xa1\x62to\x09").unwrap().contains("lacks"));
    assert!(fault(Kind::Gap, b"\xa2\x62to\x09\x63why\x65tired").is_some());
    assert!(fault(Kind::Gap, b"\xa2\x62to").is_some());
    assert!(fault(Kind::Ack, b"\xa0").is_some());
}
