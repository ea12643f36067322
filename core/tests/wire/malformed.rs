//! Bytes that no peer may send, each with the name of what is wrong and where.

use std::collections::BTreeMap;

use bytes::Bytes;
use orchflow_core::limits::{FRAME_BEFORE_PROOF_MAX, FRAME_MAX, NESTING_MAX};
use orchflow_core::protocol::frame::{Flags, Frame, Frames, StreamId};
use orchflow_core::protocol::kind::Kind;
use orchflow_core::protocol::message::{Message, MessageError, Spawn};
use serde::Serialize;

use crate::files::{compare, hex, read_json, unhex};
use crate::samples::{hello, samples};

#[derive(Serialize)]
struct File {
    about: &'static str,
    frames: Vec<Malformed>,
}

/// One message of a transport.
#[derive(Serialize)]
struct Malformed {
    name: &'static str,
    hex: String,
    /// The longest frame that is accepted, header included.
    frame_max: usize,
    /// `frame`: no frame. `message`: a frame, but no message.
    layer: &'static str,
    error: &'static str,
    /// Of a frame: where it begins in the message. Of a body: where the fault lies in the body.
    at: u64,
    /// Whether the connection must end; otherwise only the one request is refused.
    fatal: bool,
}

const ABOUT: &str =
    "Messages of a transport that must be refused, each with the fault's name and place; docs/protocol.md says what to do then.";

/// What is wrong with `message`, which is called `name`.
fn judge(name: &str, message: Bytes, frame_max: usize) -> (&'static str, &'static str, u64, bool) {
    for frame in Frames::new(message, frame_max) {
        match frame.map(Message::decode) {
            Err(error) => return ("frame", error.fault.name(), error.at, true),
            Ok(Err(error)) => {
                let at = if let MessageError::Body { source, .. } = &error { source.at as u64 } else { 0 };
                return ("message", error.name(), at, error.is_fatal());
            }
            Ok(Ok(_)) => {}
        }
    }
    panic!("there is nothing wrong with {name}")
}

fn header(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = Message::Ping { echo: 1 }.into_frame(StreamId::CONNECTION).to_bytes().to_vec();
    change(&mut bytes);
    bytes
}

fn frame(kind: u8, stream: u16, body: &[u8]) -> Vec<u8> {
    Frame { kind, stream: StreamId::new(stream), body: Bytes::copy_from_slice(body), ..Frame::default() }.to_bytes().to_vec()
}

/// A frame on a stream whose body is said to be packed, and that may be skipped.
fn coded(kind: u8, codec: u8, body: &[u8]) -> Vec<u8> {
    let (flags, body) = (Flags::IGNORABLE, Bytes::copy_from_slice(body));
    Frame { kind, flags, codec, stream: StreamId::new(3), body, ..Frame::default() }.to_bytes().to_vec()
}

fn gap(body: &[u8]) -> Vec<u8> {
    frame(Kind::Gap.code(), 3, body)
}

/// A Hello in which everything is as it should be but for the key `key`.
fn hello_without(key: &str) -> Vec<u8> {
    let mut fields: BTreeMap<String, ciborium::Value> = ciborium::from_reader(&hello().body[..]).unwrap();
    fields.remove(key).expect("it was there");
    let mut body = Vec::new();
    ciborium::into_writer(&fields, &mut body).unwrap();
    frame(Kind::Hello.code(), 0, &body)
}

fn malformed() -> Vec<Malformed> {
    let output = samples().into_iter().find(|sample| sample.name == "output").unwrap().frame.to_bytes().to_vec();
    let long_hello = Spawn { title: "x".repeat(FRAME_BEFORE_PROOF_MAX), ..Spawn::default() };
    let long_hello = Message::Spawn(Box::new(long_hello)).into_frame(StreamId::new(1)).to_bytes().to_vec();
    let deep = [&b"\xa1\x61a"[..], &[0x81; NESTING_MAX], b"\x00"].concat();
    #[rustfmt::skip] // A table is read by its columns.
    let cases: Vec<(&'static str, Vec<u8>)> = vec![
        ("header-cut", output[..7].to_vec()),
        ("body-cut", output[..output.len() - 1].to_vec()),
        ("second-frame-cut", [&output[..], &output[..20]].concat()),
        ("reserved-flag", header(|bytes| bytes[1] = 0x80)),
        ("codec-on-what-is-never-packed", header(|bytes| bytes[1] = 0x01)),
        ("codec-on-input", coded(Kind::Input.code(), 1, b"\x02\0\0\0ls")),
        ("codec-on-an-unknown-type", coded(0x4f, 2, b"\x02\0\0\0ls")),
        ("packed-without-a-length", coded(Kind::Output.code(), 1, b"\x02\0\0")),
        ("packed-without-data", coded(Kind::Output.code(), 1, b"\x02\0\0\x80")),
        ("packed-of-nothing", coded(Kind::Output.code(), 1, b"\0\0\0\x80\x02\0")),
        ("packed-of-65537-bytes", coded(Kind::Output.code(), 1, b"\x01\0\x01\x80\x02\0")),
        ("packed-of-2-gib", coded(Kind::Output.code(), 1, b"\xff\xff\xff\xff\x02\0")),
        ("timestamp-without-room", header(|bytes| bytes[1] = 0x04)),
        ("position-beyond-2-53", header(|bytes| bytes[14] = 0x20)),
        ("length-4-gib", header(|bytes| bytes[4..8].fill(0xff))),
        ("too-long-before-proof", long_hello),
        ("type-zero", frame(0x00, 0, b"")),
        ("type-unknown", frame(0x90, 0, b"")),
        ("type-grease-not-ignorable", frame(0x4f, 0, b"")),
        ("output-on-the-connection", frame(Kind::Output.code(), 0, b"x")),
        ("hello-on-a-stream", frame(Kind::Hello.code(), 3, &hello().body)),
        ("ack-with-a-body", frame(Kind::Ack.code(), 3, b"\xa0")),
        ("cbor-nothing", gap(b"")),
        ("cbor-cut", gap(b"\xa2\x62to\x09\x63why\x65los")),
        ("cbor-two-maps", gap(b"\xa0\xa0")),
        ("cbor-array", gap(b"\x82\x09\x66resync")),
        ("cbor-number-as-key", gap(b"\xa1\x01\x09")),
        ("cbor-key-of-65-bytes", gap(&[&b"\xa1\x78\x41"[..], &[b'k'; 65], b"\x00"].concat())),
        ("cbor-key-twice", gap(b"\xa3\x62to\x09\x63why\x66resync\x62to\x0a")),
        ("cbor-unknown-key-twice", gap(b"\xa4\x62to\x09\x63why\x66resync\x61x\x0a\x61x\x0a")),
        ("cbor-too-deep", gap(&deep)),
        ("cbor-too-many-values", gap(&[&b"\xa1\x61a\x99\x40\x00"[..], &[0; 16_384]].concat())),
        ("cbor-too-many-keys", gap(&[&b"\xb8\x41"[..], &(0..65).flat_map(|key| [0x61, b'!' + key, 0]).collect::<Vec<u8>>()].concat())),
        ("cbor-array-of-2-60", gap(b"\xa1\x61a\x9b\x10\x00\x00\x00\x00\x00\x00\x00")),
        ("cbor-bytes-of-2-60", gap(b"\xa1\x61a\x5b\x10\x00\x00\x00\x00\x00\x00\x00")),
        ("cbor-indefinite-map", gap(b"\xbf\x62to\x09\x63why\x66resync\xff")),
        ("cbor-tag", gap(b"\xa2\x62to\xc1\x09\x63why\x66resync")),
        ("cbor-number-too-long", gap(b"\xa2\x62to\x18\x09\x63why\x66resync")),
        ("cbor-length-too-long", gap(b"\xa2\x78\x02to\x09\x63why\x66resync")),
        ("cbor-number-beyond-2-53", gap(b"\xa2\x62to\x1b\x00\x20\x00\x00\x00\x00\x00\x00\x63why\x66resync")),
        ("cbor-number-below-2-53", gap(b"\xa3\x62to\x09\x63why\x66resync\x61x\x3b\x00\x1f\xff\xff\xff\xff\xff\xff")),
        ("cbor-simple-value", gap(b"\xa3\x62to\x09\x63why\x66resync\x61x\xf0")),
        ("cbor-undefined", gap(b"\xa3\x62to\x09\x63why\x66resync\x61x\xf7")),
        ("cbor-not-utf-8", gap(b"\xa2\x62to\x09\x63why\x65l\xffssy")),
        ("shape-key-missing", gap(b"\xa1\x63why\x66resync")),
        ("shape-text-for-a-number", gap(b"\xa2\x62to\x619\x63why\x66resync")),
        ("shape-negative", gap(b"\xa2\x62to\x28\x63why\x66resync")),
        ("shape-null-for-a-number", gap(b"\xa2\x62to\xf6\x63why\x66resync")),
        ("shape-float-for-a-number", gap(b"\xa2\x62to\xfb\x40\x22\x00\x00\x00\x00\x00\x00\x63why\x66resync")),
        ("shape-no-columns", frame(Kind::Resize.code(), 3, b"\xa1\x64size\xa2\x64cols\x00\x64rows\x18\x18")),
        ("shape-too-many-cells", frame(Kind::Resize.code(), 3, b"\xa1\x64size\xa2\x64cols\x19\xff\xff\x64rows\x19\xff\xff")),
        ("shape-width-without-height", frame(Kind::Resize.code(), 3, b"\xa1\x64size\xa3\x64cols\x09\x64rows\x09\x65width\x09")),
        ("shape-unknown-act", frame(Kind::Control.code(), 3, b"\xa1\x62do\x64jump")),
        ("shape-short-mac", frame(Kind::Proof.code(), 0, b"\xa1\x63mac\x41\x00")),
        ("shape-array-for-bytes", frame(Kind::Proof.code(), 0, &[&b"\xa1\x63mac\x98\x20"[..], &[0; 32]].concat())),
        ("shape-hello-without-nonce", hello_without("nonce")),
        ("shape-hello-without-versions", hello_without("versions")),
    ];
    let judged = cases.into_iter().map(|(name, bytes)| {
        let frame_max = if name == "too-long-before-proof" { FRAME_BEFORE_PROOF_MAX } else { FRAME_MAX };
        let (layer, error, at, fatal) = judge(name, bytes.clone().into(), frame_max);
        Malformed { name, hex: hex(&bytes), frame_max, layer, error, at, fatal }
    });
    judged.collect()
}

#[test]
fn malformed_frames_are_refused_as_the_file_says() {
    compare("malformed.json", &File { about: ABOUT, frames: malformed() });
}

#[test]
fn each_name_says_what_is_wrong() {
    for case in read_json("malformed.json")["frames"].as_array().unwrap() {
        let (name, layer) = (case["name"].as_str().unwrap(), case["layer"].as_str().unwrap());
        let (_, error, ..) = judge(name, unhex(case["hex"].as_str().unwrap()).into(), case["frame_max"].as_u64().unwrap() as usize);
        for family in ["cbor", "shape"] {
            assert_eq!(name.starts_with(family), error.starts_with(family), "{name} is {error}");
        }
        assert_eq!(error, case["error"], "{name} in layer {layer}");
    }
}
