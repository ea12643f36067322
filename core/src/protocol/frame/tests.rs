//! Frames go out and come back, whole or in pieces, and what is no frame is named with its place.

use proptest::prelude::*;

use super::*;
use crate::limits::NUMBER_MAX;

const FRAME_MAX_TEST: usize = 1 << 16;

/// Any frame a peer may send.
fn frames() -> impl Strategy<Value = Frame> {
    let flags = any::<u8>().prop_map(Flags::from_bits);
    let body = proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    let timestamp = proptest::option::of(any::<u64>().prop_map(Time::from_nanos));
    let kind = (any::<u8>(), 0..4u8);
    (kind, flags, any::<u16>(), 0..=NUMBER_MAX, timestamp, body).prop_map(|((kind, codec), flags, stream, position, timestamp, body)| {
        Frame { kind, flags, codec, stream: StreamId::new(stream), position, timestamp, body }
    })
}

fn message(frames: &[Frame]) -> Bytes {
    let mut message = BytesMut::new();
    frames.iter().for_each(|frame| frame.append_to(&mut message));
    message.freeze()
}

fn fault(bytes: impl Into<Bytes>) -> FrameError {
    Frames::new(bytes.into(), FRAME_MAX_TEST).last().expect("some bytes").expect_err("no frame")
}

#[test]
fn the_header_has_the_bytes_of_the_specification() {
    let frame = Frame {
        kind: 0x20,
        flags: Flags::REPLAY.with(Flags::MORE, true),
        stream: StreamId::new(0x0102),
        position: 0x0a0b_0c0d_0e0f,
        codec: 2,
        timestamp: Some(Time::from_nanos(0x1112_1314_1516_1718)),
        body: "hi".into(),
    };
    let expected = b"\x20\x1e\x02\x01\x0a\0\0\0\x0f\x0e\x0d\x0c\x0b\x0a\0\0\x18\x17\x16\x15\x14\x13\x12\x11hi";
    assert_eq!(frame.to_bytes(), expected[..]);
    assert_eq!(frame.encoded_len(), expected.len());
    assert_eq!(format!("{:?}", frame.flags), r#"{"replay", "more"}"#);
}

#[test]
fn a_body_is_shared_with_its_message_and_not_copied() {
    let whole = message(&[Frame { body: "first".into(), ..Frame::default() }, Frame { body: "last".into(), ..Frame::default() }]);
    let within = whole.as_ptr_range();
    for frame in Frames::new(whole.clone(), FRAME_MAX_TEST) {
        assert!(within.contains(&frame.unwrap().body.as_ptr()));
    }
}

#[test]
fn what_is_no_frame_is_named_with_its_place() {
    let good = Frame { kind: 1, body: "body".into(), ..Frame::default() }.to_bytes();
    let behind = |bytes: &[u8]| Bytes::from([&good, bytes].concat());
    let at = good.len() as u64;
    let cases: [(Bytes, FrameFault); 6] = [
        (behind(&[1, 0, 0]), FrameFault::Truncated { needed: 16, found: 3 }),
        (behind(&good[..19]), FrameFault::Truncated { needed: 20, found: 19 }),
        (behind(&[1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), FrameFault::ReservedFlag),
        (behind(&[1, 4, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), FrameFault::NoTimestamp { length: 7 }),
        (behind(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0]), FrameFault::Position { position: NUMBER_MAX + 1 }),
        (
            behind(&[1, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]),
            FrameFault::TooLong { length: u32::MAX, frame_max: FRAME_MAX_TEST },
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(fault(bytes), FrameError { at, fault: expected });
    }
}

#[test]
fn nothing_comes_after_an_error() {
    let mut bytes = Frame { kind: 1, ..Frame::default() }.to_bytes().to_vec();
    bytes[1] = 0x80;
    bytes.extend(Frame::default().to_bytes());
    let mut frames = Frames::new(bytes.clone().into(), FRAME_MAX_TEST);
    assert!(frames.next().unwrap().is_err());
    assert_eq!(frames.next(), None);

    let mut decoder = FrameDecoder::new(FRAME_MAX_TEST);
    decoder.handle_bytes(&bytes);
    let error = decoder.poll_frame().unwrap_err();
    decoder.handle_bytes(&bytes);
    assert_eq!((decoder.poll_frame(), decoder.buffered()), (Err(error), 0));
}

#[test]
fn the_limit_holds_to_the_byte_and_may_grow() {
    let frame = Frame { body: vec![0; 100].into(), ..Frame::default() };
    let mut decoder = FrameDecoder::new(116);
    decoder.handle_bytes(&frame.to_bytes());
    assert_eq!(decoder.poll_frame(), Ok(Some(frame.clone())));
    let longer = Frame { body: vec![0; 101].into(), ..Frame::default() };
    decoder.set_frame_max(117);
    decoder.handle_bytes(&longer.to_bytes());
    assert_eq!(decoder.poll_frame(), Ok(Some(longer.clone())));
    decoder.set_frame_max(116);
    decoder.handle_bytes(&longer.to_bytes());
    let error = decoder.poll_frame().unwrap_err();
    assert_eq!(error, FrameError { at: 116 + 117, fault: FrameFault::TooLong { length: 101, frame_max: 116 } });
}

proptest! {
    #[test]
    fn a_message_of_frames_comes_back_as_it_went(frames in proptest::collection::vec(frames(), 0..5)) {
        let back: Result<Vec<Frame>, FrameError> = Frames::new(message(&frames), FRAME_MAX_TEST).collect();
        prop_assert_eq!(back, Ok(frames));
    }

    #[test]
    fn a_stream_comes_back_as_it_went_however_it_is_cut(
        frames in proptest::collection::vec(frames(), 0..5),
        cuts in proptest::collection::vec(1_usize..64, 1..40),
    ) {
        let stream = message(&frames);
        let mut decoder = FrameDecoder::new(FRAME_MAX_TEST);
        let (mut rest, mut back) = (&stream[..], Vec::new());
        for cut in cuts.iter().cycle() {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            decoder.handle_bytes(piece);
            while let Some(frame) = decoder.poll_frame().unwrap() {
                back.push(frame);
            }
            if left.is_empty() {
                break;
            }
            rest = left;
        }
        prop_assert_eq!(back, frames);
        prop_assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn whatever_comes_is_a_frame_or_an_error_alike_from_both_decoders(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = FrameDecoder::new(FRAME_MAX_TEST);
        decoder.handle_bytes(&bytes);
        for frame in Frames::new(bytes.into(), FRAME_MAX_TEST) {
            match frame {
                Err(FrameError { fault: FrameFault::Truncated { .. }, .. }) => prop_assert_eq!(decoder.poll_frame(), Ok(None)),
                Err(error) => prop_assert_eq!(decoder.poll_frame(), Err(error)),
                Ok(frame) => prop_assert_eq!(decoder.poll_frame(), Ok(Some(frame))),
            }
        }
    }
}
