//! Frames that make sense, changed a little, shuffled and repeated: many thousand conversations that nobody planned.

use bytes::BytesMut;
use orchflow_core::batch::Class;
use orchflow_core::pack::{Codec, Packer};
use orchflow_core::protocol::frame::{Flags, Frame};
use orchflow_core::protocol::kind::{Kind, Sender};
use orchflow_core::protocol::message::{
    Act, Answer, Attach, Attached, Batch, Close, Control, Detached, Ended, ErrorCode, Exited, Fault, Gap, GapReason, Goodbye, Input,
    InputDropped, InputRefused, Message, Mode, Operation, Output, Packed, Policy, Refusal, Resize, Resized, Results, Sessions, Spawn,
    Spawned, Start, Viewers,
};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::{ExitStatus, Signal, Target};

use crate::dice::Dice;
use crate::rig::{client_takes, on, server_takes};
use orchflow_core::size::Size;

const CONVERSATIONS: u64 = if cfg!(debug_assertions) { 4_000 } else { 40_000 };

/// A message that makes sense somewhere, of a kind that `sender` sends.
fn message(sender: Sender, dice: &mut Dice) -> Message {
    let number = dice.below(6) as u64;
    let session = dice.below(4) as u64;
    let (offset, len) = (dice.below(4) as u64 * 3, dice.below(3) * 3);
    let bytes = || bytes::Bytes::from(vec![b'a'; len]);
    let size = Size::default();
    let (code, status) = (ErrorCode::ALL[dice.below(ErrorCode::ALL.len())], ExitStatus::Code(3));
    let client = [
        Message::Ping { echo: number },
        Message::Spawn(Box::new(Spawn { number, program: Some("sh".into()), ..Spawn::default() })),
        Message::Attach(Attach {
            number,
            session,
            start: if dice.one_in(2) { Start::Offset(offset) } else { Start::Tail(offset) },
            role: dice.one_in(3).then_some(Role::Viewer),
            size: dice.one_in(2).then_some(size),
            policy: [None, Some(Policy::Backpressure), Some(Policy::Resync)][dice.below(3)],
        }),
        Message::Detach { number },
        Message::List { number },
        Message::Close(Close { number, session: dice.one_in(2).then_some(session), grace_ms: 5 }),
        Message::Control(Control { number, act: Act::Title("a\u{202e}b".into()) }),
        Message::Control(Control { number, act: if dice.one_in(2) { Act::Clear } else { Act::Reset } }),
        Message::Control(Control { number, act: Act::Signal { name: Signal::Interrupt, to: Target::Foreground } }),
        Message::Input(Input { sequence: number, bytes: bytes(), urgent: dice.one_in(4), reply: dice.one_in(4) }),
        Message::Resize(Resize { number, size }),
        Message::Ack { rendered: offset },
        Message::Batch(Box::new(batch(number, session, dice))),
        Message::Cancel { number },
    ];
    let refused = InputRefused { sequence: number, code, message: "no".into(), retryable: dice.one_in(2) };
    let attached = Attached {
        number: if dice.one_in(2) { 0 } else { number },
        session,
        role: Role::Owner,
        start: offset,
        end: offset + 3,
        input: number / 3,
        size,
        policy: if dice.one_in(2) { Policy::Backpressure } else { Policy::Resync },
        replies: true,
        title: String::new(),
    };
    let mut results = Results { number: 1 + number, more: dice.one_in(2), ..Results::default() };
    results.add(dice.below(3) as u32, Ok(None));
    results.add(dice.below(3) as u32, if dice.one_in(2) { Ok(Some(Answer::Host(bytes()))) } else { Err(Fault::new(code, "no")) });
    let server = [
        Message::Results(Box::new(results)),
        Message::Ping { echo: number },
        Message::Pong { echo: number },
        Message::Done { number },
        Message::Error(Refusal::new(number, code, "no")),
        Message::Spawned(Spawned { number: 1, session, pid: None, size, replies: true }),
        Message::Attached(Box::new(attached)),
        Message::Detached(Detached { number, code: dice.one_in(2).then_some(code), message: String::new() }),
        Message::Sessions(Sessions { number, more: dice.one_in(2), sessions: Vec::new() }),
        Message::Viewers(Viewers::default()),
        Message::Output(Output { offset, bytes: bytes(), replay: dice.one_in(2), more: false }),
        packed(offset, dice),
        Message::Gap(Gap { from: offset, to: offset + len as u64, why: GapReason::Resync }),
        Message::InputAck { sequence: number },
        Message::InputDropped(InputDropped { from: number, to: number, bytes: 1 }),
        Message::InputRefused(refused),
        Message::Resized(Resized { number, size }),
        Message::ProcessExited(Exited { offset, status }),
        Message::Exit(Ended { offset, status, orphaned: false }),
    ];
    let goodbye = Message::Goodbye(Box::new(Goodbye { retry_ms: Some(1), ..Goodbye::new(code, "bye") }));
    let sensible = if sender == Sender::Client { &client[..] } else { &server[..] };
    if dice.one_in(60) { goodbye } else { sensible[dice.below(sensible.len())].clone() }
}

fn packed(offset: u64, dice: &mut Dice) -> Message {
    let codec = Codec::ALL[dice.below(Codec::ALL.len())];
    let text = vec![b'x'; 1 + dice.below(300)];
    let (length, data) = (text.len() + usize::from(dice.one_in(8)), Packer::new(codec).pack(&text));
    Message::Packed(Packed { offset, codec, begins: !dice.one_in(4), length, data, replay: false, more: false })
}

fn batch(number: u64, session: u64, dice: &mut Dice) -> Batch {
    let operations = [
        Operation::Query { session },
        Operation::Input { session, bytes: "typed".into(), urgent: dice.one_in(2) },
        Operation::Control { session, act: Act::Title("title".into()) },
        Operation::Close { session, grace_ms: 0 },
        Operation::Spawn(Box::default()),
        Operation::Host { name: "none".into(), body: bytes::Bytes::new() },
    ];
    let count = dice.below(operations.len() + 1);
    Batch {
        number,
        key: dice.one_in(3).then(|| "key".into()),
        mode: Mode::ALL[dice.below(3)],
        class: Class::ALL[dice.below(4)],
        within_ms: dice.one_in(3).then(|| dice.below(2_000) as u32),
        operations: operations[..count].to_vec(),
    }
}

/// A conversation of one side, with a byte that says how to take it.
fn conversation(sender: Sender, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = BytesMut::from(&[dice.next() as u8][..]);
    if sender == Sender::Server && dice.one_in(2) {
        // The answers to what was asked for, so that there is something to disturb.
        let spawned = Spawned { number: 1, session: 1, pid: None, size: Size::default(), replies: true };
        bytes.extend_from_slice(&on(1, Message::Spawned(spawned)));
    } else if sender == Sender::Client && dice.one_in(2) {
        bytes.extend_from_slice(&on(1, Message::Spawn(Box::default())));
    }
    for _ in 0..1 + dice.below(12) {
        let stream = dice.below(4) as u16;
        let frame = on(stream, message(sender, dice));
        bytes.extend_from_slice(&frame);
        if dice.one_in(10) {
            bytes.extend_from_slice(&frame); // Twice.
        }
        if dice.one_in(20) {
            let nonsense = Frame { kind: dice.next() as u8, flags: Flags::IGNORABLE, body: "x".into(), ..Frame::default() };
            nonsense.append_to(&mut bytes);
        }
    }
    let mut bytes = bytes.to_vec();
    for _ in 0..dice.below(4) / 2 {
        let at = dice.below(bytes.len());
        match dice.below(4) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = dice.next() as u8,
            2 => bytes.truncate(at),
            _ => bytes.insert(at, dice.next() as u8),
        }
        if bytes.is_empty() {
            bytes.push(1);
        }
    }
    bytes
}

#[test]
fn a_server_keeps_its_house_whatever_comes() {
    let mut dice = Dice::new(1);
    for _ in 0..CONVERSATIONS {
        server_takes(&conversation(Sender::Client, &mut dice));
    }
}

#[test]
fn a_client_keeps_its_books_whatever_comes() {
    let mut dice = Dice::new(2);
    for _ in 0..CONVERSATIONS {
        client_takes(&conversation(Sender::Server, &mut dice));
    }
}

#[test]
fn random_bytes_get_nobody_in() {
    let mut dice = Dice::new(3);
    for _ in 0..CONVERSATIONS {
        let mut bytes = vec![0; dice.below(200)];
        dice.fill(&mut bytes);
        server_takes(&bytes);
        client_takes(&bytes);
    }
}

#[test]
fn every_kind_of_message_takes_part() {
    let mut dice = Dice::new(4);
    let mut said: Vec<u8> = Vec::new();
    for _ in 0..4_000 {
        for sender in [Sender::Client, Sender::Server] {
            let kind = on(1, message(sender, &mut dice))[0];
            if !said.contains(&kind) {
                said.push(kind);
            }
        }
    }
    // All but those by which the two find out about each other.
    let known: Vec<u8> = Kind::ALL.iter().map(|kind| kind.code()).filter(|code| !(1..=4).contains(code)).collect();
    assert!(known.iter().all(|kind| said.contains(kind)), "{said:x?}");
}
