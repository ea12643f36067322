//! Every golden frame is what we make, and means what we say it means.

use ciborium::Value as Cbor;
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Flags, Frame, Frames};
use orchflow_core::protocol::kind::{Body, Kind};
use orchflow_core::protocol::message::Message;
use serde::Serialize;
use serde_json::{Value, json};

use crate::files::{compare, hex, read_json, unhex};
use crate::samples::{samples, skipped};

#[derive(Serialize)]
struct File {
    about: &'static str,
    version: u16,
    frames: Vec<Golden>,
}

/// One frame, as bytes and taken apart.
#[derive(Serialize)]
struct Golden {
    name: &'static str,
    hex: String,
    /// The type's name, or null where the frame is to be skipped.
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    code: u8,
    flags: Vec<&'static str>,
    stream: u16,
    position: u64,
    /// In decimal digits, for it may be more than some languages count to.
    timestamp: Option<String>,
    /// The map, with byte strings as `{"hex": ...}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    /// The bytes, of types that carry any.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

const ABOUT: &str =
    "Frames of protocol version 1, as bytes and taken apart; docs/protocol.md says what they mean. A frame whose type is null is skipped.";

fn golden(name: &'static str, frame: &Frame) -> Golden {
    let kind = Kind::from_code(frame.kind);
    let body = kind.map_or(Body::Raw, Kind::body);
    let map = (body == Body::Map).then(|| to_json(ciborium::from_reader(&frame.body[..]).unwrap()));
    Golden {
        name,
        hex: hex(&frame.to_bytes()),
        kind: kind.map(Kind::name),
        code: frame.kind,
        flags: flags(frame.flags),
        stream: frame.stream.as_raw(),
        position: frame.position,
        timestamp: frame.timestamp.map(|moment| moment.as_nanos().to_string()),
        body: map,
        raw: (body == Body::Raw).then(|| hex(&frame.body)),
    }
}

fn flags(flags: Flags) -> Vec<&'static str> {
    let names = [("replay", Flags::REPLAY), ("more", Flags::MORE), ("ignorable", Flags::IGNORABLE), ("reply", Flags::REPLY)];
    names.into_iter().filter(|(_, flag)| flags.contains(*flag)).map(|(name, _)| name).collect()
}

/// The body as any decoder sees it, not as our types do.
pub(crate) fn to_json(value: Cbor) -> Value {
    match value {
        Cbor::Integer(number) => json!(i64::try_from(i128::from(number)).unwrap()),
        Cbor::Bytes(bytes) => json!({ "hex": hex(&bytes) }),
        Cbor::Text(text) => json!(text),
        Cbor::Bool(yes) => json!(yes),
        Cbor::Null => Value::Null,
        Cbor::Array(values) => values.into_iter().map(to_json).collect(),
        Cbor::Map(entries) => entries.into_iter().map(|(key, value)| (key.into_text().unwrap(), to_json(value))).collect(),
        other => panic!("messages hold no {other:?}"),
    }
}

#[test]
fn golden_frames_are_what_we_make() {
    let frames = samples().iter().chain(&skipped()).map(|sample| golden(sample.name, &sample.frame)).collect();
    compare("v1.json", &File { about: ABOUT, version: 1, frames });
}

#[test]
fn golden_frames_are_read_and_made_again_byte_by_byte() {
    for golden in read_json("v1.json")["frames"].as_array().unwrap() {
        let name = &golden["name"];
        let bytes = unhex(golden["hex"].as_str().unwrap());
        let frame = Frames::new(bytes.clone().into(), FRAME_MAX).next().unwrap().unwrap();
        let (stream, timestamp) = (frame.stream, frame.timestamp);
        match Message::decode(frame).unwrap_or_else(|error| panic!("{name}: {error}")) {
            Some(message) => assert_eq!(hex(&message.stamped(stream, timestamp).to_bytes()), hex(&bytes), "{name}"),
            None => assert!(golden["type"].is_null(), "{name} is skipped"),
        }
    }
}

#[test]
fn every_type_has_a_golden_frame_and_every_frame_a_name_of_its_own() {
    let mut names: Vec<&str> = samples().iter().chain(&skipped()).map(|sample| sample.name).collect();
    let codes: Vec<u8> = samples().iter().map(|sample| sample.frame.kind).collect();
    for kind in Kind::ALL {
        assert!(codes.contains(&kind.code()), "{}", kind.name());
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
