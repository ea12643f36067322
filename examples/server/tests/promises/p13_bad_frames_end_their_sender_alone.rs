//! 13. Every refusal names what, the limit, and what to do; and is counted.
//!
//! Here those of the protocol: whoever sent the bad frame hears a Goodbye, over a WebSocket a close code as well, and nobody else anything.

use orchflow_core::limits::{FRAME_BEFORE_PROOF_MAX, FRAME_MAX};
use orchflow_core::protocol::frame::{Flags, Frame, StreamId};
use orchflow_core::protocol::handshake::Transcript;
use orchflow_core::protocol::message::{Attach, Close, ErrorCode, Hello, Input, Message, Output, Proof, Resize, Spawn, Start};
use orchflow_core::protocol::negotiation::Versions;
use orchflow_core::protocol::token::{Role, Token};
use orchflow_core::size::Size;

use crate::neighbour::Neighbour;
use crate::server::{SHORT, Server};
use crate::speaker::{CARRIERS, Carrier, Speaker, hello, on, refusals};

/// A frame made by hand.
fn raw(kind: u8, flags: u8, stream: u16, length: u32, position: u64, body: &[u8]) -> Vec<u8> {
    let head = [kind, flags].into_iter().chain(stream.to_le_bytes()).chain(length.to_le_bytes()).chain(position.to_le_bytes());
    head.chain(body.iter().copied()).collect()
}

fn proof() -> Message {
    let seen = Transcript { authority: "nowhere:1", hello: b"", challenge: b"" };
    let mac = seen.client_proof(&Token::from_bytes([9; 32]).pass(Role::Owner));
    Message::Proof(Box::new(Proof { mac, resume: None }))
}

fn input(sequence: u64, bytes: &'static str) -> Message {
    Message::Input(Input { sequence, bytes: bytes.into(), urgent: false, reply: false })
}

fn speaks(oldest: u16, newest: u16) -> Message {
    Message::Hello(Box::new(Hello { versions: Versions::new(oldest, newest).unwrap(), ..hello(Role::Owner) }))
}

/// Something bad, whether it is bad over a stream of bytes too (which waits for the rest of a frame), why it ends the connection, and a word of
/// what is said.
type Case = (&'static str, Vec<u8>, bool, ErrorCode, &'static str);

/// What a stranger may say first, and had better not.
fn of_strangers() -> Vec<Case> {
    use ErrorCode::{BadRequest, Malformed, Unauthorized, Unexpected, UnknownType, Version};
    let greeting = on(0, Message::Hello(Box::new(hello(Role::Owner))));
    let patched = |from: &[u8], to: &[u8]| {
        let at = greeting.windows(from.len()).position(|part| part == from).unwrap();
        [&greeting[..at], to, &greeting[at + from.len()..]].concat()
    };
    let long = u32::try_from(FRAME_BEFORE_PROOF_MAX).unwrap();
    vec![
        ("a header cut short", greeting[..9].to_vec(), false, Malformed, "whole frames"),
        ("a body cut short", greeting[..greeting.len() - 1].to_vec(), false, Malformed, "whole frames"),
        ("a frame over the limit", raw(1, 0, 0, long, 0, &[]), true, Malformed, "4096"),
        ("a frame of 4 GiB", raw(1, 0, 0, u32::MAX, 0, &[]), true, Malformed, "4096"),
        ("an unknown critical type", raw(0x7e, 0, 0, 0, 0, &[]), true, UnknownType, "7e"),
        ("input before Hello", on(1, input(1, "x")).to_vec(), true, Unexpected, "first Hello"),
        ("a proof before Hello", on(0, proof()).to_vec(), true, Unexpected, "first Hello"),
        ("a Hello that is no map", raw(1, 0, 0, 1, 0, &[0x80]), true, Malformed, "map"),
        ("a Hello without a nonce", patched(b"\x65nonce", b"\x65nones"), true, BadRequest, "nonce"),
        ("a role that does not exist", patched(b"\x65owner", b"\x65admin"), true, Unauthorized, "role"),
        ("a version too old", on(0, speaks(0, 0)).to_vec(), true, Version, "update"),
        ("versions too new", on(0, speaks(2, 9)).to_vec(), true, Version, "update"),
    ]
}

/// What somebody who is in had better not say.
fn of_guests() -> Vec<Case> {
    use ErrorCode::{Malformed, Unexpected, UnknownType};
    let (spawn, ping) = (on(1, Message::Spawn(Box::default())), on(0, Message::Ping { echo: 1 }));
    let with = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        bytes
    };
    let output = Message::Output(Output { offset: 0, bytes: "x".into(), replay: false, more: false });
    vec![
        ("a frame cut short", spawn[..spawn.len() - 1].to_vec(), false, Malformed, "whole frames"),
        ("a frame over the limit", raw(0x23, 0, 1, FRAME_MAX as u32, 1, &[]), true, Malformed, "1048576"),
        ("an unknown critical type", raw(0x7e, 0, 3, 0, 0, &[]), true, UnknownType, "7e"),
        ("a reserved flag", with(&ping, 1, 0x80), true, Malformed, "bit 7"),
        ("a codec nobody agreed on", with(&ping, 1, 1), true, Malformed, "codec 1"),
        ("a position beyond counting", raw(5, 0, 0, 0, u64::MAX, &[]), true, Malformed, "9007199254740991"),
        ("a timestamp that is not there", raw(5, 4, 0, 3, 0, b"abc"), true, Malformed, "8"),
        ("a request on the wrong stream", with(&spawn, 2, 0), true, Malformed, "stream"),
        ("a body where none belongs", raw(5, 0, 0, 1, 0, b"x"), true, Malformed, "body"),
        ("bytes after the map", raw(0x10, 0, 1, 2, 1, &[0xa0, 0xa0]), true, Malformed, "follow"),
        ("a map in a map in a map", raw(0x10, 0, 1, 40, 1, &[0x81; 40]), true, Malformed, ""),
        ("a second Hello", on(0, Message::Hello(Box::new(hello(Role::Owner)))).to_vec(), true, Unexpected, "Hello"),
        ("a second proof", on(0, proof()).to_vec(), true, Unexpected, "Proof"),
        ("what only a server says", on(1, output).to_vec(), true, Unexpected, "Output"),
    ]
}

/// Sends each of `cases` from a newcomer of its own, and holds the server to its word.
fn play(carrier: Carrier, cases: Vec<Case>, arrive: impl Fn(&Server) -> Speaker) {
    let mut server = Server::start(&[]);
    let neighbour = Neighbour::of(&server);
    for (what, bytes, over_bytes_too, code, word) in cases {
        if carrier == Carrier::Unix && !over_bytes_too {
            continue;
        }
        let before = refusals(&server, code);
        let mut speaker = arrive(&server);
        speaker.say(&bytes);
        let parting = speaker.parting();
        let what = format!("{what} over {carrier:?}: {parting:?}");
        assert_eq!(parting.goodbye.code, code, "{what}");
        assert!(parting.goodbye.message.len() > 12 && parting.goodbye.message.contains(word), "{what}");
        if carrier == Carrier::WebSocket {
            assert_eq!(parting.close, Some((code.close_code(), code.to_string())), "{what}");
        }
        if code == ErrorCode::Version {
            assert!(parting.goodbye.versions.is_some() && parting.goodbye.offered.is_some(), "{what}");
        }
        assert_eq!(refusals(&server, code), before + 1, "{what}");
        neighbour.notices_nothing();
    }
    server.log_line(&["event=disconnected", "ending=said/malformed"]);
    assert_eq!(server.metric("terminal_connection_panics_total"), 0);
    neighbour.leave();
    shows_no_secret(server);
}

/// Nothing that lets anybody in was logged.
fn shows_no_secret(server: Server) {
    let token = Token::from_text(&server.token).unwrap();
    let passes = [Role::Owner, Role::Writer, Role::Viewer, Role::Metrics].map(|role| token.pass(role).to_text());
    let (status, _, log) = server.stop();
    assert!(status.success());
    for line in &log {
        assert!(!line.contains(&token.to_text()), "{line}");
        assert!(!passes.iter().any(|pass| line.contains(pass.split_once('.').unwrap().1)), "{line}");
    }
}

#[test]
fn stranger_who_says_something_bad_is_told_what_and_shown_out() {
    for carrier in CARRIERS {
        play(carrier, of_strangers(), |server| Speaker::open(server, carrier));
    }
}

#[test]
fn guest_who_says_something_bad_is_told_what_and_shown_out() {
    for carrier in CARRIERS {
        play(carrier, of_guests(), |server| Speaker::inside(server, carrier, Role::Owner));
    }
}

#[test]
fn wrong_proof_is_unauthorized_whatever_is_wrong_with_it() {
    for carrier in CARRIERS {
        let server = Server::start(&[]);
        let neighbour = Neighbour::of(&server);
        let token = Token::from_text(&server.token).unwrap();
        let (stranger, viewer) = (Token::from_bytes([9; 32]).pass(Role::Owner), token.pass(Role::Viewer));
        for (count, pass) in [stranger, viewer].iter().enumerate() {
            let mut speaker = Speaker::open(&server, carrier);
            let call = speaker.call(hello(Role::Owner));
            let proof = speaker.proof(pass, &call);
            speaker.tell(0, proof);
            let parting = speaker.parting();
            assert_eq!(parting.goodbye.code, ErrorCode::Unauthorized);
            assert!(parting.close.is_none_or(|(code, _)| code == 4401));
            assert_eq!(refusals(&server, ErrorCode::Unauthorized), count as u64 + 1);
            neighbour.notices_nothing();
        }
        // A right one, but of another connection.
        let (mut first, mut second) = (Speaker::open(&server, carrier), Speaker::open(&server, carrier));
        let call = first.call(hello(Role::Owner));
        second.call(hello(Role::Owner));
        let proof = first.proof(&token.pass(Role::Owner), &call);
        second.tell(0, proof);
        assert_eq!(second.parting().goodbye.code, ErrorCode::Unauthorized);
        neighbour.notices_nothing();
        neighbour.leave();
        shows_no_secret(server);
    }
}

#[test]
fn stranger_who_calls_and_never_proves_is_told_that_it_took_too_long() {
    let server = Server::start(&["--test-limits", SHORT]);
    for (count, carrier) in CARRIERS.into_iter().enumerate() {
        let mut speaker = Speaker::open(&server, carrier);
        speaker.call(hello(Role::Owner));
        let parting = speaker.parting();
        assert_eq!((parting.goodbye.code, parting.goodbye.retry_ms), (ErrorCode::Timeout, Some(0)));
        assert!(parting.goodbye.message.contains("600ms"), "{}", parting.goodbye.message);
        assert!(parting.close.is_none_or(|(code, _)| code == 4408));
        assert_eq!(server.metric("terminal_refusals_total{reason=\"proof_slow\"}"), count as u64 + 1);
    }
}

#[test]
fn message_that_the_carrier_refuses_is_refused_in_the_protocols_words_too() {
    let server = Server::start(&[]);
    let neighbour = Neighbour::of(&server);
    // What is sent, its opcode; the close code, the reason it is counted under.
    let long = vec![0; FRAME_MAX + 1];
    let cases = [(&long[..], 0x82, 1009, "message_long"), (b"{}", 0x81, 1003, "malformed"), (b"", 0x83, 1002, "malformed")];
    for (bytes, first, close, reason) in cases {
        let series = format!("terminal_refusals_total{{reason=\"{reason}\"}}");
        let before = server.metric(&series);
        let mut speaker = Speaker::inside(&server, Carrier::WebSocket, Role::Owner);
        speaker.say_as(first, bytes);
        let parting = speaker.parting();
        assert_eq!((parting.goodbye.code, parting.close.as_ref().unwrap().0), (ErrorCode::Malformed, close), "{parting:?}");
        assert!(parting.goodbye.message.contains("; "), "{parting:?}");
        assert_eq!(server.metric(&series), before + 1);
        neighbour.notices_nothing();
    }
}

#[test]
fn requests_that_cannot_be_carried_out_are_answered_and_the_connection_lives() {
    for carrier in CARRIERS {
        let server = Server::start(&[]);
        let neighbour = Neighbour::of(&server);
        let mut guest = Speaker::inside(&server, carrier, Role::Owner);
        let attach = |session, start| Message::Attach(Attach { number: 5, session, start, role: None, size: None, policy: None });
        let far = Start::Offset(1 << 40);
        let cat = Spawn { number: 1, program: Some("cat".into()), ..Spawn::default() };
        guest.tell(1, Message::Spawn(Box::new(cat)));
        assert!(matches!(guest.answer(), Message::Spawned(_)));
        use ErrorCode::{BadRequest, NoSession, OffsetAhead, SpawnFailed, StreamInUse};
        let cases: Vec<(&str, Vec<u8>, ErrorCode)> = vec![
            ("no such session", on(2, attach(4_711, Start::Offset(0))).to_vec(), NoSession),
            ("an offset beyond the end", on(2, attach(neighbour.session, far)).to_vec(), OffsetAhead),
            ("a stream in use", on(1, attach(neighbour.session, Start::Offset(0))).to_vec(), StreamInUse),
            ("a key of the wrong type", raw(0x10, 0, 2, 10, 5, b"\xa1\x67program\x01"), BadRequest),
            ("a program that is not there", on(2, spawn("/no/such/program")).to_vec(), SpawnFailed),
            ("no session named", on(0, Message::Close(Close { number: 5, session: None, grace_ms: 0 })).to_vec(), BadRequest),
        ];
        for (what, bytes, code) in cases {
            let before = refusals(&server, code);
            guest.say(&bytes);
            let Message::Error(refusal) = guest.answer() else { panic!("{what} was not refused") };
            assert_eq!((refusal.code, refusal.number, refusals(&server, code)), (code, 5, before + 1), "{what}: {}", refusal.message);
            assert!(refusal.message.len() > 12, "{what}: {}", refusal.message);
            guest.is_served();
            neighbour.notices_nothing();
        }
        // What may be ignored is, on any stream; and what comes for a stream that is not open.
        let nonsense = Frame { kind: 0x7e, flags: Flags::IGNORABLE, stream: StreamId::new(9), body: "future".into(), ..Frame::default() };
        guest.say(&nonsense.to_bytes());
        guest.tell(9, input(1, "x"));
        guest.tell(9, Message::Resize(Resize { number: 6, size: Size::default() }));
        guest.tell(9, Message::Ack { rendered: 1 << 50 });
        guest.say(&[]);
        guest.is_served();
        neighbour.notices_nothing();
    }
}

fn spawn(program: &str) -> Message {
    Message::Spawn(Box::new(Spawn { number: 5, program: Some(program.into()), ..Spawn::default() }))
}

#[test]
fn input_out_of_order_is_refused_with_the_number_that_is_missing_and_input_sent_twice_is_typed_once() {
    for carrier in CARRIERS {
        let server = Server::start(&[]);
        let neighbour = Neighbour::of(&server);
        let mut guest = Speaker::inside(&server, carrier, Role::Owner);
        let script = "stty -echo; echo ready; while read -r line; do echo \"heard $line.\"; done";
        let program = Spawn { number: 1, program: Some("sh".into()), args: vec!["-c".into(), script.into()], ..Spawn::default() };
        guest.tell(1, Message::Spawn(Box::new(program)));
        let mut read = String::new();
        let mut until = |guest: &mut Speaker, words: &str| {
            while !read.contains(words) {
                if let (1, Message::Output(output)) = guest.message() {
                    read.push_str(&String::from_utf8_lossy(&output.bytes));
                }
            }
        };
        until(&mut guest, "ready");
        guest.tell(1, input(2, "two\n"));
        guest.tell(1, input(3, "three\n")); // Void, and without an answer of its own.
        let Message::InputRefused(refused) = guest.answer() else { panic!("a hole was not noticed") };
        assert_eq!((refused.code, refused.sequence), (ErrorCode::InputGap, 1));
        assert_eq!(refusals(&server, ErrorCode::InputGap), 1);
        for sequence in [1, 1, 2, 1, 2, 3] {
            guest.tell(1, input(sequence, ["one\n", "two\n", "three\n"][sequence as usize - 1]));
        }
        until(&mut guest, "heard three.");
        assert_eq!(read.matches("heard").count(), 3, "{read:?}");
        neighbour.notices_nothing();
    }
}
