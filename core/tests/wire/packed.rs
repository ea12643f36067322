//! Packed output that clients in every language must make whole, and some that they must refuse.

use bytes::Bytes;
use orchflow_core::limits::{CONTEXTS_MAX, PACKED_MAX};
use orchflow_core::pack::{Codec, Packer, Recent, UnpackError, Unpacker};
use orchflow_core::protocol::frame::{Frames, StreamId};
use orchflow_core::protocol::message::{Message, Packed};
use serde::{Deserialize, Serialize};

use crate::files::{hex, read, unhex, write_if_asked};

#[derive(Serialize, Deserialize)]
struct File {
    about: String,
    streams: Vec<Run>,
    malformed: Vec<Malformed>,
}

/// Frames of one connection, in order.
#[derive(Serialize, Deserialize)]
struct Run {
    name: String,
    codec: String,
    frames: Vec<Piece>,
}

#[derive(Serialize, Deserialize)]
struct Piece {
    frame: String,
    offset: u64,
    /// What it holds once it is unpacked.
    bytes: String,
}

/// A frame that must be refused, after these.
#[derive(Serialize, Deserialize)]
struct Malformed {
    name: String,
    codec: String,
    before: Vec<String>,
    frame: String,
    fault: String,
}

const ABOUT: &str = "Packed output, frame by frame, with what it holds, and packed output that must be refused after other frames; \
     docs/protocol.md says how. A client that does not know a codec refuses its frames with the fault codec.";

const CODECS: [Codec; 2] = [Codec::Deflate, Codec::Lz4];

/// A side that packs.
struct Sender {
    codec: Codec,
    packer: Packer,
    stream: u16,
    offset: u64,
    begins: bool,
}

impl Sender {
    fn new(codec: Codec, stream: u16) -> Sender {
        Sender { codec, packer: Packer::new(codec), stream, offset: 0, begins: true }
    }

    fn begin(&mut self) {
        (self.packer, self.begins) = (Packer::new(self.codec), true);
    }

    fn send(&mut self, bytes: &[u8]) -> Piece {
        let frame = self.packed(bytes);
        let piece = Piece { frame: framed(frame.clone(), self.stream), offset: frame.offset, bytes: hex(bytes) };
        self.offset += bytes.len() as u64;
        piece
    }

    fn packed(&mut self, bytes: &[u8]) -> Packed {
        let begins = std::mem::take(&mut self.begins);
        let (codec, data) = (self.codec, self.packer.pack(bytes));
        Packed { offset: self.offset, codec, begins, length: bytes.len(), data, replay: false, more: false }
    }
}

fn framed(packed: Packed, stream: u16) -> String {
    hex(&Message::Packed(packed).into_frame(StreamId::new(stream)).to_bytes())
}

fn listing(lines: usize) -> Vec<u8> {
    let line =
        |n: usize| format!("-rw-r--r-- 1 user user {:>6} Jan {:>2} 12:00 \x1b[32mfile{n}.rs\x1b[0m\r\n", n * 7919 % 99_991, n % 28 + 1);
    (0..lines).map(line).collect::<String>().into_bytes()
}

/// Bytes that do not pack (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

fn streams() -> Vec<Run> {
    CODECS.into_iter().flat_map(runs).collect()
}

fn runs(codec: Codec) -> Vec<Run> {
    let run = |name: &str, frames| Run { name: name.to_owned(), codec: codec.name().to_owned(), frames };
    let mut one = Sender::new(codec, 1);
    let plain = [listing(3), listing(3), b"$ ".to_vec(), noise(100), vec![b' '; 3000]].map(|bytes| one.send(&bytes)).into();
    let mut long = Sender::new(codec, 1);
    let longest = [vec![b'x'; PACKED_MAX], listing(1)].map(|bytes| long.send(&bytes)).into();
    let (mut left, mut right) = (Sender::new(codec, 1), Sender::new(codec, 65_535));
    let mut mixed = vec![left.send(&listing(2)), right.send(b"the other stream\r\n"), left.send(&listing(2))];
    left.begin();
    mixed.extend([left.send(&listing(2)), right.send(b"the other stream\r\n"), left.send(&listing(4))]);
    let mut senders: Vec<Sender> = (1..=CONTEXTS_MAX as u16).map(|stream| Sender::new(codec, stream)).collect();
    let text = b"a line that is in every context, and so packs well\r\n";
    let mut many: Vec<Piece> = senders.iter_mut().map(|sender| sender.send(text)).collect();
    many.push(senders[0].send(text)); // The longest ago, and still there.
    many.push(Sender::new(codec, 100).send(text)); // The second makes room.
    many.extend(senders.iter_mut().skip(2).map(|sender| sender.send(text)));
    vec![run("one stream", plain), run("the longest frame", longest), run("two streams, one begins anew", mixed), run("32 contexts", many)]
}

fn malformed() -> Vec<Malformed> {
    CODECS.into_iter().flat_map(refused).collect()
}

fn refused(codec: Codec) -> Vec<Malformed> {
    let case = |name: &str, before: Vec<String>, frame: Packed| Malformed {
        name: name.to_owned(),
        codec: codec.name().to_owned(),
        before,
        frame: framed(frame, 1),
        fault: "packed".to_owned(),
    };
    let fresh = |bytes: &[u8]| Sender::new(codec, 1).packed(bytes);
    let text = listing(3);
    let good = fresh(&text);
    let begun = || {
        let mut sender = Sender::new(codec, 1);
        let first = sender.send(&text).frame;
        (vec![first], sender)
    };
    let with = |change: fn(&mut Packed)| {
        let mut frame = good.clone();
        change(&mut frame);
        frame
    };
    let (before, mut sender) = begun();
    let cut = Packed { data: sender.packed(&listing(9)).data.slice(..20), offset: text.len() as u64, ..fresh(&listing(9)) };
    let mut gone = begun().0;
    gone.extend((2..CONTEXTS_MAX as u16 + 2).map(|stream| Sender::new(codec, stream).send(&text).frame));
    let (_, mut late) = begun();
    let late = late.packed(&text);
    let mut cases = vec![
        case("no context was begun", vec![], with(|frame| frame.begins = false)),
        case("32 others were used since", gone, late),
        case("longer than it says", vec![], with(|frame| frame.length -= 1)),
        case("shorter than it says", vec![], with(|frame| frame.length += 1)),
        case("cut", before, Packed { begins: false, ..cut }),
        case("what nobody packed", vec![], with(|frame| frame.data = Bytes::from_static(&[0xff; 40]))),
        case("a bomb", vec![], Packed { data: bomb(codec), length: PACKED_MAX, ..good.clone() }),
    ];
    if codec == Codec::Deflate {
        // A final block that holds nothing.
        cases.push(case("the stream ends", vec![], Packed { data: Bytes::from_static(&[0x03, 0x00]), length: 1, ..good.clone() }));
    }
    cases
}

/// What unpacks to more than a frame may hold.
fn bomb(codec: Codec) -> Bytes {
    let zeros = vec![0; 4 * PACKED_MAX];
    Packer::new(codec).pack(&zeros)
}

/// The golden file, and what is made now: a codec may find other bytes on another processor or in another release, and they mean the same.
fn files() -> [File; 2] {
    let new = || File { about: ABOUT.to_owned(), streams: streams(), malformed: malformed() };
    write_if_asked("packed.json", new);
    [serde_json::from_str(&read("testdata/frames/packed.json")).unwrap(), new()]
}

/// What any receiver does with frames, one after the other.
struct Receiver(Recent<u16, Option<Unpacker>>);

impl Receiver {
    fn new() -> Receiver {
        Receiver(Recent::new(CONTEXTS_MAX))
    }

    fn take(&mut self, frame: &str) -> Result<(u64, Bytes), &'static str> {
        let frame = Frames::new(unhex(frame).into(), 1 << 20).next().unwrap().unwrap();
        let stream = frame.stream.as_raw();
        let Some(Message::Packed(packed)) = Message::decode(frame).map_err(|error| error.name())? else { panic!("it is not packed") };
        let context = self.0.touch(stream);
        if packed.begins {
            *context = Some(Unpacker::new(packed.codec));
        }
        let unpacker = context.as_mut().ok_or("packed")?;
        let bytes = unpacker.unpack(&packed.data, packed.length).map_err(|_: UnpackError| "packed")?;
        Ok((packed.offset, bytes))
    }
}

#[test]
fn golden_packed_output_is_made_whole() {
    for run in files().into_iter().flat_map(|file| file.streams) {
        let mut receiver = Receiver::new();
        for (at, piece) in run.frames.iter().enumerate() {
            let whole = (piece.offset, Bytes::from(unhex(&piece.bytes)));
            assert_eq!(receiver.take(&piece.frame), Ok(whole), "{} by {}, frame {at}", run.name, run.codec);
        }
    }
}

#[test]
fn golden_packed_output_that_makes_no_sense_is_refused() {
    for case in files().into_iter().flat_map(|file| file.malformed) {
        let mut receiver = Receiver::new();
        for frame in &case.before {
            receiver.take(frame).unwrap();
        }
        assert_eq!(receiver.take(&case.frame).unwrap_err(), case.fault, "{} by {}", case.name, case.codec);
    }
}
