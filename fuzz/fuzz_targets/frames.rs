//! Both frame decoders: whatever comes, they agree, and what they took for a frame has those bytes.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use orchflow_core::protocol::frame::{FrameDecoder, FrameFault, Frames};

/// Small, so that the limit is met often.
const FRAME_MAX: usize = 1024;

fuzz_target!(|input: &[u8]| {
    // The first byte cuts the stream into pieces.
    let Some((cut, bytes)) = input.split_first() else { return };
    let mut stream = FrameDecoder::new(FRAME_MAX);
    let mut from_stream = Vec::new();
    let mut failed = None;
    for piece in bytes.chunks(usize::from(*cut) + 1) {
        stream.handle_bytes(piece);
        while failed.is_none() {
            match stream.poll_frame() {
                Ok(Some(frame)) => from_stream.push(frame),
                Ok(None) => break,
                Err(error) => failed = Some(error),
            }
        }
    }
    let mut at = 0;
    for (index, frame) in Frames::new(Bytes::copy_from_slice(bytes), FRAME_MAX).enumerate() {
        match frame {
            Ok(frame) => {
                assert_eq!(from_stream.get(index), Some(&frame));
                let whole = frame.to_bytes();
                assert_eq!(whole, bytes[at..at + whole.len()]);
                at += whole.len();
            }
            Err(error) if matches!(error.fault, FrameFault::Truncated { .. }) => assert_eq!(failed, None),
            Err(error) => assert_eq!(failed, Some(error)),
        }
    }
});
