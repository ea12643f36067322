//! What a message says of itself, and what is refused. That every message comes back as it went, golden frames show
//! (`core/tests/wire`).

use super::*;
use crate::protocol::negotiation::{VERSIONS, grease_frame};

fn raw(kind: u8, stream: u16, body: &'static [u8]) -> Frame {
    Frame { kind, stream: StreamId::new(stream), body: body.into(), ..Frame::default() }
}

fn refused(frame: Frame) -> MessageError {
    Message::decode(frame).expect_err("no message")
}

#[test]
fn an_unknown_type_is_skipped_only_if_it_says_so() {
    assert_eq!(Message::decode(grease_frame(0x1234)), Ok(None));
    let error = refused(raw(0x9f, 0, b""));
    assert_eq!((error.code(), error.is_fatal()), (ErrorCode::UnknownType, true));
    assert_eq!(error.to_string(), format!("frame type 0x9f is unknown and not marked ignorable: this side speaks protocol {VERSIONS}"));
}

#[test]
fn a_known_type_is_not_skipped_whatever_it_says() {
    let frame = Frame { flags: Flags::IGNORABLE, ..raw(Kind::Hello.code(), 0, b"\xa0") };
    assert_eq!(refused(frame).name(), "shape");
}

#[test]
fn every_type_has_its_place() {
    assert_eq!(refused(raw(Kind::Output.code(), 0, b"x")).name(), "place");
    assert_eq!(refused(raw(Kind::Ping.code(), 3, b"")).to_string(), "Ping stands on stream 3, and belongs on 0");
    assert!(Message::decode(raw(Kind::Done.code(), 3, b"")).is_ok());
}

#[test]
fn what_needs_no_body_has_none() {
    assert_eq!(refused(raw(Kind::Ack.code(), 1, b"\xa0")).name(), "body_not_empty");
}

#[test]
fn a_body_without_sense_refuses_the_request_and_one_that_is_no_map_ends_the_connection() {
    let senseless = refused(raw(Kind::Resize.code(), 1, b"\xa1\x64size\xa2\x64cols\0\x64rows\x18\x18"));
    assert_eq!((senseless.code(), senseless.is_fatal()), (ErrorCode::BadRequest, false));
    let why = std::error::Error::source(&senseless).unwrap().to_string();
    assert!(why.contains("a terminal of 0x24 cells is not possible"), "{why}");
    let broken = refused(raw(Kind::Resize.code(), 1, b"\xa1\x64size"));
    assert_eq!((broken.code(), broken.is_fatal()), (ErrorCode::Malformed, true));
}

#[test]
fn what_a_peer_wrote_is_quoted_short_and_without_controls() {
    let body = cbor::encode(&std::collections::BTreeMap::from([("do", "\x1b]0;x\x07".repeat(100))]));
    let error = refused(Frame { kind: Kind::Control.code(), stream: StreamId::new(1), body, ..Frame::default() });
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.len() < 1000 && !why.contains('\x1b'), "{why}");
}

#[test]
fn keys_of_a_newer_peer_are_ignored() {
    let frame = raw(Kind::Gap.code(), 1, b"\xa3\x62to\x09\x63why\x65weird\x63new\x82\x01\xa1\x61x\xf6");
    let gap = Gap { from: 0, to: 9, why: GapReason::Unknown };
    assert_eq!(Message::decode(frame), Ok(Some(Message::Gap(gap))));
}

#[test]
fn bytes_travel_as_bytes_and_not_as_numbers_in_a_list() {
    let proof = Proof {
        mac: crate::protocol::handshake::Transcript { authority: "", hello: b"", challenge: b"" }
            .resume_proof(&crate::protocol::token::ResumeSecret::from_bytes([0; 32])),
        resume: None,
    };
    let frame = Message::Proof(Box::new(proof)).into_frame(StreamId::CONNECTION);
    assert_eq!(frame.body[..7], *b"\xa1\x63mac\x58\x20");
    assert_eq!(frame.body.len(), 7 + 32);
}

#[test]
fn output_is_not_copied_on_its_way_through() {
    let bytes = Bytes::from(vec![b'x'; 4096]);
    let output = Output { offset: 7, bytes: bytes.clone(), replay: true, more: false };
    let frame = Message::Output(output.clone()).into_frame(StreamId::new(1));
    assert_eq!(frame.body.as_ptr(), bytes.as_ptr());
    assert_eq!((frame.head().len(), frame.encoded_len()), (16, 4112));
    let Ok(Some(Message::Output(back))) = Message::decode(frame) else { panic!("output comes back") };
    assert_eq!((back.bytes.as_ptr(), &back), (bytes.as_ptr(), &output));
}

#[test]
fn credit_has_a_floor() {
    assert_eq!(Credit::new(0).ack_bytes(), 1024);
    assert_eq!((Credit::DEFAULT.high_bytes(), Credit::DEFAULT.low_bytes(), Credit::DEFAULT.ack_bytes()), (512 << 10, 64 << 10, 32 << 10));
}
