//! The golden frames, damaged in every way that comes to mind, a million times where the code is optimised: no decoder and neither machine
//! panics, waits for what does not come, or holds more than it may (the rig says how much). The seeds are fixed, so that a failure
//! is one for ever; the fuzz targets, which begin from the same frames, go where no dice would.

use orchflow_core::pack::{Codec, Packer};
use orchflow_core::protocol::message::{Message, Packed};
use serde_json::Value;

use crate::dice::Dice;
use crate::rig::{client_takes, decoders_take, messages_take, on, server_takes, unpackers_take};

/// How many inputs each test makes: a million in all, and fewer where nothing is optimised. The machines prove themselves to
/// each other anew for each, which takes longest.
const DECODED: u64 = if cfg!(debug_assertions) { 20_000 } else { 300_000 };
const PLAYED: u64 = if cfg!(debug_assertions) { 4_000 } else { 200_000 };

/// Every golden frame of the version that is spoken, and every one that must be refused.
fn golden() -> Vec<Vec<u8>> {
    let bytes = |hex: &str| -> Vec<u8> { (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect() };
    let files = [include_str!("../../testdata/frames/v1.json"), include_str!("../../testdata/frames/malformed.json")];
    let files = files.map(|file| serde_json::from_str::<Value>(file).unwrap());
    let frames = files.iter().flat_map(|file| file["frames"].as_array().unwrap());
    let mut frames: Vec<Vec<u8>> = frames.filter_map(|frame| frame["hex"].as_str()).map(bytes).collect();
    frames.extend(packed());
    assert!(frames.len() > 80, "{} golden frames", frames.len());
    frames
}

/// Packed output that begins its context, of each codec.
fn packed() -> Vec<Vec<u8>> {
    let begins = |codec: &Codec| {
        let (length, data) = (TEXT.len(), Packer::new(*codec).pack(TEXT));
        let packed = Packed { offset: 0, codec: *codec, begins: true, length, data, replay: false, more: false };
        on(1, Message::Packed(packed)).to_vec()
    };
    Codec::ALL.iter().map(begins).collect()
}

const TEXT: &[u8] = b"total 24\r\ndrwxr-xr-x 2 user user 4096 Jan  1 12:00 folder\r\ndrwxr-xr-x 2 user user 4096 Jan  1 12:00 other\r\n";

/// The ways to damage a conversation.
const WAYS: usize = 9;

/// A few golden frames, one to four times damaged; in front of them the byte by which the rig chooses, with `choice` set in it. Counts
/// each way in `used`.
fn damaged(golden: &[Vec<u8>], choice: u8, dice: &mut Dice, used: &mut [u64; WAYS]) -> Vec<u8> {
    let mut frames: Vec<Vec<u8>> = (0..1 + dice.below(5)).map(|_| golden[dice.below(golden.len())].clone()).collect();
    for _ in 0..1 + dice.below(4) {
        let which = dice.below(frames.len());
        let way = dice.below(WAYS);
        used[way] += 1;
        let frame = &mut frames[which];
        let at = dice.below(frame.len().max(1));
        match way {
            0 if !frame.is_empty() => frame[at] ^= 1 << dice.below(8),
            1 if !frame.is_empty() => frame[at] = dice.next() as u8,
            2 => frame.truncate(at),
            3 => frame.splice(at.., golden[dice.below(golden.len())].iter().copied()).for_each(drop), // The head of one, the body of another.
            4 => frame.insert(at.min(frame.len()), dice.next() as u8),
            5 if frame.len() > 7 => {
                let lies = [0, 1, 7, 15, 16, 1 << 10, 1 << 20, u32::MAX, dice.next() as u32];
                frame[4..8].copy_from_slice(&lies[dice.below(lies.len())].to_le_bytes());
            }
            6 if frame.len() > 15 => {
                // The number that counts something, and the stream: as in a frame of another conversation.
                frame[8..16].copy_from_slice(&(dice.next() >> (dice.below(64))).to_le_bytes());
                frame[2] = dice.below(4) as u8;
            }
            7 => {
                let twice = frames[which].clone();
                frames.insert(which, twice);
            }
            _ => {
                let other = dice.below(frames.len());
                frames.swap(which, other);
            }
        }
    }
    let mut bytes = vec![dice.next() as u8 | choice];
    bytes.extend(frames.concat());
    bytes
}

fn play(seed: u64, count: u64, choice: u8, take: impl Fn(&[u8])) {
    let (golden, mut dice, mut used) = (golden(), Dice::new(seed), [0; WAYS]);
    for _ in 0..count {
        take(&damaged(&golden, choice, &mut dice, &mut used));
    }
    assert!(used.iter().sum::<u64>() > count && used.iter().all(|used| *used > count / WAYS as u64), "{used:?}");
}

/// For the rig's machines: both have proved themselves.
const INSIDE: u8 = 1;

#[test]
fn damaged_frames_are_cut_alike_by_both_decoders() {
    play(11, DECODED, 0, decoders_take);
}

#[test]
fn damaged_messages_are_messages_or_errors() {
    play(12, DECODED, 0, |input| messages_take(&input[1..]));
}

#[test]
fn server_keeps_its_house_whatever_a_guest_says() {
    play(13, PLAYED, INSIDE, server_takes);
}

#[test]
fn client_keeps_its_books_whatever_its_server_says() {
    play(14, PLAYED, INSIDE, client_takes);
}

#[test]
fn damaged_packed_output_comes_to_as_much_as_it_says_or_to_an_error() {
    let (mut dice, mut used, golden) = (Dice::new(15), [0; WAYS], packed());
    for _ in 0..DECODED {
        unpackers_take(&damaged(&golden, 0, &mut dice, &mut used)[1..]);
    }
}
