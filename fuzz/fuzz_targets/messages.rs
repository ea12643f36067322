//! The message decoder: whatever comes is a message or an error, and a message said again means the same.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::Frames;
use orchflow_core::protocol::message::Message;

fuzz_target!(|input: &[u8]| {
    for frame in Frames::new(Bytes::copy_from_slice(input), FRAME_MAX).flatten() {
        let (stream, timestamp) = (frame.stream, frame.timestamp);
        match Message::decode(frame) {
            Ok(Some(message)) => {
                let again = Message::decode(message.clone().stamped(stream, timestamp));
                assert_eq!(again, Ok(Some(message)));
            }
            Ok(None) => {}
            Err(error) => assert!(!error.to_string().is_empty() && !error.code().as_str().is_empty()),
        }
    }
});
