//! Frames cut short and frames with bytes changed: an answer or an error, always, and never a wrong frame after it.

use bytes::Bytes;
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{FrameDecoder, FrameFault, Frames};
use orchflow_core::protocol::message::Message;
use proptest::prelude::*;

use crate::samples::{samples, skipped};

fn encoded() -> Vec<(&'static str, Bytes)> {
    samples().iter().chain(&skipped()).map(|sample| (sample.name, sample.frame.to_bytes())).collect()
}

#[test]
fn every_golden_frame_cut_anywhere_is_truncated_in_a_message_and_awaited_in_a_stream() {
    for (name, whole) in encoded() {
        for length in 1..whole.len() {
            let cut = whole.slice(..length);
            let error = Frames::new(cut.clone(), FRAME_MAX).next().unwrap().expect_err(name);
            assert!(matches!(error.fault, FrameFault::Truncated { found, .. } if found == length), "{name} at {length}: {error}");
            let mut decoder = FrameDecoder::new(FRAME_MAX);
            decoder.handle_bytes(&cut);
            assert_eq!(decoder.poll_frame(), Ok(None), "{name} at {length}");
        }
    }
}

#[test]
fn every_body_cut_anywhere_is_refused() {
    for sample in samples() {
        for length in 0..sample.frame.body.len() {
            let mut frame = sample.frame.clone();
            frame.body.truncate(length);
            let decoded = Message::decode(frame);
            assert!(decoded.is_err() || matches!(decoded, Ok(Some(Message::Output(_) | Message::Input(_)))), "{} at {length}", sample.name);
        }
    }
}

/// Where to change a byte, in parts of the length, and what to make of it.
type Change = (u16, u8);

fn change(bytes: &mut [u8], changes: &[Change]) {
    for (place, value) in changes {
        let at = (usize::from(*place) * bytes.len()) >> 16;
        bytes[at] = *value;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_golden_frame_with_changed_bytes_is_an_answer_or_an_error(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec(any::<Change>(), 1..6),
    ) {
        let all = encoded();
        let mut bytes = which.get(&all).1.to_vec();
        change(&mut bytes, &changes);
        for frame in Frames::new(bytes.into(), FRAME_MAX).flatten() {
            let (stream, timestamp) = (frame.stream, frame.timestamp);
            if let Ok(Some(message)) = Message::decode(frame) {
                // What was understood can be said again, and then means the same.
                let again = Message::decode(message.clone().stamped(stream, timestamp));
                prop_assert_eq!(again, Ok(Some(message)));
            }
        }
    }

    #[test]
    fn a_golden_body_with_changed_bytes_is_an_answer_or_an_error(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec(any::<Change>(), 1..4),
    ) {
        let all: Vec<_> = samples().into_iter().filter(|sample| !sample.frame.body.is_empty()).collect();
        let mut frame = which.get(&all).frame.clone();
        let mut body = frame.body.to_vec();
        change(&mut body, &changes);
        frame.body = body.into();
        if let Err(error) = Message::decode(frame) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
