//! Bytes on the wire for what real programs say: our frames, as they are and packed, beside base64 in JSON, as many servers send it.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use orchflow_core::pack::{Codec, Gain, Packer};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Message, Output, Packed};
use serde_json::json;

use super::recordings::{Reads, all};
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};

const fn spec(name: &'static str, reach: Reach, note: &'static str) -> Spec {
    Spec { name, unit: "B", better: Better::Lower, reach, note }
}

/// What is asked of frames as they are, and packed.
const PLAIN: Reach = Reach::Ratio(0.6);
const PACKED: Reach = Reach::Ratio(0.25);

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        spec("wire.bytes", PACKED, "all recordings, packed by deflate, which browsers have; the reference is base64 in JSON, read by read"),
        spec(
            "wire.bytes.plain",
            PLAIN,
            "all, as they are: n + 16 bytes, and the reference 4/3 n and its frame of JSON, so 0.75 at the best for long reads",
        ),
        spec("wire.bytes.plain.ls-color", PLAIN, ""),
        spec("wire.bytes.plain.rustc-errors", PLAIN, ""),
        spec("wire.bytes.plain.vim", PLAIN, ""),
        spec("wire.bytes.plain.git-log", PLAIN, ""),
        spec("wire.bytes.deflate.ls-color", PACKED, ""),
        spec("wire.bytes.deflate.rustc-errors", PACKED, ""),
        spec("wire.bytes.deflate.vim", PACKED, ""),
        spec("wire.bytes.deflate.git-log", PACKED, ""),
        spec("wire.bytes.lz4", Reach::Nothing, "all, packed by LZ4"),
        spec("wire.bytes.zstd", Reach::Nothing, "all, packed by zstd"),
    ],
    measure,
};

fn measure(_: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let recordings = all()?;
    let json: Vec<usize> = recordings.iter().map(|(_, reads)| as_json(reads)).collect();
    let all_json: usize = json.iter().sum();
    let mut put = |name: &str, sizes: &[usize], each: bool| {
        let sum: usize = sizes.iter().sum();
        sheet.put(name, Figures::of_pairs(&[sum as f64], &[all_json as f64]));
        for (((recording, _), ours), json) in recordings.iter().zip(sizes).zip(&json).filter(|_| each) {
            let group = if name == "wire.bytes" { "wire.bytes.deflate" } else { name };
            sheet.put(&format!("{group}.{recording}"), Figures::of_pairs(&[*ours as f64], &[*json as f64]));
        }
    };
    let sizes = |codec: Option<Codec>| recordings.iter().map(|(_, reads)| as_frames(reads, codec)).collect::<Vec<_>>();
    put("wire.bytes", &sizes(Some(Codec::Deflate)), true);
    put("wire.bytes.plain", &sizes(None), true);
    put("wire.bytes.lz4", &sizes(Some(Codec::Lz4)), false);
    put("wire.bytes.zstd", &sizes(Some(Codec::Zstd)), false);
    Ok(())
}

fn as_json(reads: &Reads) -> usize {
    let mut offset = 0;
    let mut message = |read: &Vec<u8>| {
        let message = json!({ "type": "output", "session": 1, "offset": offset, "data": STANDARD.encode(read) });
        offset += read.len();
        message.to_string().len()
    };
    reads.iter().map(&mut message).sum()
}

/// Frames of output, each packed where a server would.
fn as_frames(reads: &Reads, codec: Option<Codec>) -> usize {
    let (mut offset, mut gain, mut packer) = (0, Gain::default(), None);
    let mut frame = |read: &Vec<u8>| {
        let (length, bytes) = (read.len(), Bytes::copy_from_slice(read));
        let plain = Message::Output(Output { offset, bytes, replay: false, more: false });
        let packed = codec.filter(|_| gain.wants(length)).map(|codec| {
            let begins = packer.is_none();
            let data = packer.get_or_insert_with(|| Packer::new(codec)).pack(read);
            Packed { offset, codec, begins, length, data, replay: false, more: false }
        });
        let packed = packed.filter(|packed| {
            let is_sent = gain.handle_packed(length, Packed::HEAD_BYTES + packed.data.len());
            packer.take_if(|_| !is_sent);
            is_sent
        });
        offset += length as u64;
        packed.map_or(plain, Message::Packed).into_frame(StreamId::new(1)).encoded_len()
    };
    reads.iter().map(&mut frame).sum()
}
