//! Whoever does not keep to the protocol is told what is wrong by a name, alone, and is counted; others notice nothing.

use bytes::Bytes;
use orchflow_core::host::ConnectionId;
use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::{FRAME_BEFORE_PROOF_MAX, FRAME_MAX, INPUT_WINDOW_BYTES, PROOF_WAIT};
use orchflow_core::pack::Codec;
use orchflow_core::peer::client::{Breach, ClientOptions, ClientPeer, Event, Loss};
use orchflow_core::protocol::frame::{Flags, Frame, Frames, StreamId};
use orchflow_core::protocol::handshake::{Nonce, Transcript};
use orchflow_core::protocol::kind::Kind;
use orchflow_core::protocol::message::{
    Attach, Challenge, ClientId, ErrorCode, Goodbye, Hello, Input, InstanceId, Message, Output, Packed, Proof, ServerLimits, Spawn,
    Spawned, Start, Welcome,
};
use orchflow_core::protocol::negotiation::{Agreed, Features, VERSIONS, Versions, is_grease};
use orchflow_core::protocol::token::{ResumeSecret, Role, Token};
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::time::Time;

use crate::net::Net;
use crate::rig::{hello, on};
use crate::server::{AUTHORITY, token};
use crate::user::User;

/// A server with one user who does nothing wrong, and a connection that is told what to send.
struct Bench {
    net: Net,
    user: usize,
    stream: StreamId,
    id: ConnectionId,
}

impl Bench {
    fn new(framing: Framing) -> Bench {
        let ptys = ScriptedPtys::new().with("cat", Script::new().raw().cat()).with("deaf", Script::new().raw().hang());
        let mut net = Net::new(ptys, framing, 1);
        let user = net.join(User::new(Role::Owner, 1));
        let stream = net.spawn(user, "cat");
        let id = net.server.accept(framing);
        Bench { net, user, stream, id }
    }

    /// One whose connection is in.
    fn inside(framing: Framing) -> Bench {
        let mut bench = Bench::new(framing);
        bench.enter(&token());
        bench
    }

    fn enter(&mut self, token: &Token) -> Vec<Message> {
        let hello = on(0, Message::Hello(Box::new(hello())));
        self.net.server.receive(self.id, hello.clone());
        let answer = self.frames();
        let challenge = answer[0].to_bytes();
        let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
        let mac = seen.client_proof(&token.pass(Role::Owner));
        self.send(on(0, Message::Proof(Box::new(Proof { mac, resume: None }))))
    }

    fn frames(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(message) = self.net.server.send(self.id) {
            frames.extend(Frames::new(message, FRAME_MAX).map(Result::unwrap));
        }
        frames
    }

    /// What is answered to `bytes`.
    fn send(&mut self, bytes: impl Into<Bytes>) -> Vec<Message> {
        self.net.server.receive(self.id, bytes.into());
        self.frames().into_iter().map(|frame| Message::decode(frame).unwrap().unwrap()).collect()
    }

    /// Sends `bytes`, which must end the connection for the reason `code`, and nothing else.
    fn ends(mut self, bytes: impl Into<Bytes>, code: ErrorCode) -> Goodbye {
        let before = self.net.server.refusals(code);
        let mut answers = self.send(bytes);
        let Some(Message::Goodbye(goodbye)) = answers.pop() else { panic!("no goodbye, but {answers:?}") };
        assert_eq!((goodbye.code, self.net.server.is_over(self.id)), (code, true));
        assert!(!goodbye.message.is_empty());
        assert_eq!(self.net.server.refusals(code), before + 1);
        self.others_notice_nothing();
        *goodbye
    }

    /// Sends `bytes`, of which a request must be refused for the reason `code`; the connection goes on.
    fn refuses(&mut self, bytes: impl Into<Bytes>, code: ErrorCode) {
        let before = self.net.server.refusals(code);
        match self.send(bytes).as_slice() {
            [Message::Error(refusal)] => assert_eq!(refusal.code, code),
            [Message::InputRefused(refused)] => assert_eq!(refused.code, code),
            other => panic!("{code} was expected, and {other:?} came"),
        }
        assert_eq!(self.net.server.refusals(code), before + 1);
        assert_eq!(self.send(on(0, Message::Ping { echo: 7 })), [Message::Pong { echo: 7 }]);
    }

    fn others_notice_nothing(&mut self) {
        let (user, stream) = (self.user, self.stream);
        self.net.users[user].client.write(stream, "still here").unwrap();
        self.net.until("echo", |net| net.users[user].screen(stream).bytes == b"still here");
        assert_eq!((self.net.users[user].losses.len(), self.net.users[user].told.len()), (0, 0));
    }
}

#[test]
fn strangers_are_turned_away_each_for_its_reason() {
    let mut bench = Bench::new(Framing::Messages);
    let answer = bench.enter(&Token::from_bytes([8; 32]));
    assert!(matches!(&answer[..], [Message::Goodbye(goodbye)] if goodbye.code == ErrorCode::Unauthorized));
    assert_eq!(bench.net.server.refusals(ErrorCode::Unauthorized), 1);
    bench.others_notice_nothing();

    for (oldest, newest, side) in [(0, 0, "the other"), (7, 9, "this")] {
        let offered = Versions::new(oldest, newest).unwrap();
        let hello = Hello { versions: offered, ..hello() };
        let goodbye = Bench::new(Framing::Messages).ends(on(0, Message::Hello(Box::new(hello))), ErrorCode::Version);
        assert_eq!((goodbye.versions, goodbye.offered), (Some(VERSIONS), Some(offered)));
        assert!(goodbye.message.contains(&format!("update {side} side")), "{}", goodbye.message);
    }
    let greeting = on(0, Message::Hello(Box::new(hello())));
    let at = greeting.windows(5).position(|part| part == b"owner").unwrap();
    let stranger = [&greeting[..at], b"guest", &greeting[at + 5..]].concat();
    let goodbye = Bench::new(Framing::Messages).ends(stranger, ErrorCode::Unauthorized);
    assert!(goodbye.message.contains("`guest` is no role"), "{}", goodbye.message);
    Bench::new(Framing::Messages).ends(on(0, Message::List { number: 1 }), ErrorCode::Unexpected);
    Bench::new(Framing::Messages).ends("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", ErrorCode::Malformed);
    let long = Frame { kind: 1, body: vec![0; FRAME_BEFORE_PROOF_MAX].into(), ..Frame::default() };
    Bench::new(Framing::Stream).ends(long.head().to_vec(), ErrorCode::Malformed);
    let nonsense = Frame { kind: 0x3f, flags: Flags::IGNORABLE, body: vec![0; 4000].into(), ..Frame::default() }.to_bytes();
    let mut bench = Bench::new(Framing::Stream);
    assert!((0..4).all(|_| bench.send(nonsense.clone()).is_empty()));
    bench.ends(nonsense, ErrorCode::Malformed);
}

#[test]
fn who_proves_nothing_is_turned_away_in_time() {
    let mut bench = Bench::new(Framing::Messages);
    bench.net.pass(PROOF_WAIT + std::time::Duration::from_millis(5));
    let frames: Vec<_> = bench.frames().into_iter().map(|frame| Message::decode(frame).unwrap().unwrap()).collect();
    assert!(matches!(&frames[..], [Message::Goodbye(goodbye)] if goodbye.code == ErrorCode::Timeout));
    assert_eq!(bench.net.server.refusals(ErrorCode::Timeout), 1);
    bench.others_notice_nothing();
}

#[test]
fn what_is_no_message_ends_the_connection_of_its_sender_alone() {
    let inside = || Bench::inside(Framing::Messages);
    let ping = on(0, Message::Ping { echo: 1 });
    inside().ends(ping.slice(..9), ErrorCode::Malformed);
    Bench::inside(Framing::Stream).ends(
        Frame { kind: 0x23, stream: StreamId::new(1), body: vec![0; FRAME_MAX].into(), ..Frame::default() }.head().to_vec(),
        ErrorCode::Malformed,
    );
    inside().ends(Frame { kind: 0x3e, ..Frame::default() }.to_bytes(), ErrorCode::UnknownType);
    inside().ends(on(0, Message::Hello(Box::new(hello()))), ErrorCode::Unexpected);
    let packed = Packed { offset: 0, codec: Codec::Deflate, begins: true, length: 1, data: "no".into(), replay: false, more: false };
    inside().ends(on(1, Message::Packed(packed)), ErrorCode::Unexpected);
    let input = Frame { kind: Kind::Input.code(), codec: 1, stream: StreamId::new(1), position: 1, ..Frame::default() };
    inside().ends(input.to_bytes(), ErrorCode::Malformed);
    inside().ends(on(1, Message::Output(Output { offset: 0, bytes: "no".into(), replay: false, more: false })), ErrorCode::Unexpected);
    inside()
        .ends(Frame { kind: Kind::List.code(), body: Bytes::from_static(b"\x01"), ..Frame::default() }.to_bytes(), ErrorCode::Malformed);
    inside().ends(
        Frame { kind: Kind::Spawn.code(), stream: StreamId::new(1), body: Bytes::from_static(b"\xff"), ..Frame::default() }.to_bytes(),
        ErrorCode::Malformed,
    );
}

#[test]
fn what_may_be_ignored_is_and_requests_without_sense_are_refused_one_by_one() {
    let mut bench = Bench::inside(Framing::Stream);
    let nonsense = Frame { kind: 0x7f, flags: Flags::IGNORABLE, body: "whatever".into(), ..Frame::default() };
    assert_eq!(bench.send(nonsense.to_bytes()), []);
    let empty = Frame { kind: Kind::Attach.code(), stream: StreamId::new(1), body: Bytes::from_static(b"\xa0"), ..Frame::default() };
    bench.refuses(empty.to_bytes(), ErrorCode::BadRequest);
    let attach = |session, start| Attach { number: 3, session, start, role: None, size: None, policy: None };
    bench.refuses(on(1, Message::Attach(attach(99, Start::Offset(0)))), ErrorCode::NoSession);
    bench.refuses(on(1, Message::Attach(attach(1, Start::Offset(1)))), ErrorCode::OffsetAhead);
    let spawn = |program: &str| Message::Spawn(Box::new(Spawn { number: 4, program: Some(program.into()), ..Spawn::default() }));
    bench.refuses(on(1, spawn("no such program")), ErrorCode::SpawnFailed);
    assert!(matches!(bench.send(on(1, spawn("deaf")))[..], [Message::Spawned(_), ..]));
    bench.refuses(on(1, spawn("deaf")), ErrorCode::StreamInUse);
    bench.refuses(on(2, Message::Attach(attach(2, Start::Offset(0)))), ErrorCode::StreamInUse);
    bench.others_notice_nothing();
}

#[test]
fn input_out_of_order_or_beyond_the_window_is_refused_and_void_until_it_is_mended() {
    let mut bench = Bench::inside(Framing::Messages);
    let spawn = Spawn { number: 4, program: Some("deaf".into()), ..Spawn::default() };
    bench.send(on(1, Message::Spawn(Box::new(spawn))));
    let typed =
        |sequence, len: usize| on(1, Message::Input(Input { sequence, bytes: vec![b'x'; len].into(), urgent: false, reply: false }));
    bench.refuses(typed(2, 1), ErrorCode::InputGap);
    let elsewhere = Message::Input(Input { sequence: 1, bytes: "late".into(), urgent: false, reply: false });
    assert_eq!(bench.send(on(9, elsewhere)), [], "it crossed with the end of its stream");
    assert_eq!(bench.send(typed(3, 1)), []);
    // More than a terminal's queue and the window hold.
    let (mut sequence, len) = (0, INPUT_WINDOW_BYTES as usize / 2);
    let refused = loop {
        sequence += 1;
        let answers = bench.send(typed(sequence, len));
        if let Some(Message::InputRefused(refused)) = answers.last() {
            break refused.clone();
        }
        assert!(sequence < 100, "nothing is ever full");
    };
    assert_eq!((refused.sequence, refused.code, refused.retryable), (sequence, ErrorCode::InputFull, true));
    assert_eq!(bench.send(typed(sequence + 1, 1)), []);
    assert_eq!(bench.net.server.refusals(ErrorCode::InputFull), 1);
    bench.others_notice_nothing();
}

// ---- The other way round: servers that are none ----

/// A client that has said Hello, and the frame it said it with.
fn caller() -> (ClientPeer, Bytes) {
    let mut client = ClientPeer::new(ClientOptions::new(token().pass(Role::Owner), AUTHORITY), 1);
    assert_eq!(client.poll_event(), Some(Event::Dial));
    client.handle_connected(&mut |bytes| bytes.fill(3), Time::ZERO);
    let hello = client.poll_frame().unwrap().to_bytes();
    (client, hello)
}

fn challenge(version: u16, features: Agreed) -> Bytes {
    let challenge = Challenge { version, nonce: Nonce::from_bytes([2; 32]), instance: InstanceId::from_bytes([4; 16]), features };
    on(0, Message::Challenge(Box::new(challenge)))
}

/// A client that was let in by a server which holds `token`, and has a stream open.
fn guest() -> (ClientPeer, StreamId) {
    guest_who_agreed(Agreed::default())
}

/// The same, where these features were agreed on.
pub(crate) fn guest_who_agreed(features: Agreed) -> (ClientPeer, StreamId) {
    let (mut client, hello) = caller();
    let challenge = challenge(1, features);
    client.handle_message(challenge.clone(), Time::ZERO);
    let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
    let mac = seen.server_proof(&token().pass(Role::Owner));
    client.handle_message(on(0, Message::Proof(Box::new(Proof { mac, resume: None }))), Time::ZERO);
    let welcome = Welcome {
        client: ClientId::from_bytes([5; 16]),
        secret: ResumeSecret::from_bytes([6; 32]),
        role: Role::Owner,
        resumed: false,
        limits: ServerLimits::default(),
        agent: String::new(),
    };
    client.handle_message(on(0, Message::Welcome(Box::new(welcome))), Time::ZERO);
    let stream = client.spawn(Spawn::default()).unwrap();
    let spawned = Spawned { number: 1, session: 1, pid: None, size: Default::default(), replies: true };
    client.handle_message(on(stream.as_raw(), Message::Spawned(spawned)), Time::ZERO);
    while client.poll_event().is_some() {}
    while client.poll_frame().is_some() {}
    (client, stream)
}

/// Why the client left, and what it said.
pub(crate) fn parting(mut client: ClientPeer) -> (Loss, Option<ErrorCode>) {
    let loss =
        std::iter::from_fn(|| client.poll_event()).find_map(|event| if let Event::Lost { why, .. } = event { Some(why) } else { None });
    let code = std::iter::from_fn(|| client.poll_frame()).find_map(|frame| match Message::decode(frame) {
        Ok(Some(Message::Goodbye(goodbye))) => Some(goodbye.code),
        _ => None,
    });
    (loss.expect("a loss"), code)
}

#[test]
fn a_stranger_on_the_port_learns_nothing_and_is_not_dialled_again() {
    let (mut client, hello) = caller();
    let challenge = challenge(1, Agreed::default());
    client.handle_message(challenge.clone(), Time::ZERO);
    let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
    let mac = seen.server_proof(&Token::from_bytes([9; 32]).pass(Role::Owner));
    client.handle_message(on(0, Message::Proof(Box::new(Proof { mac, resume: None }))), Time::ZERO);
    assert!(client.is_over());
    assert_eq!((client.poll_frame(), client.poll_timeout()), (None, None));
    assert_eq!(parting(client), (Loss::Impostor, None));
}

#[test]
fn a_client_offers_and_sends_nonsense_so_that_no_server_forgets_how_to_skip_it() {
    let (mut client, hello) = caller();
    let Ok(Some(Message::Hello(offered))) = Message::decode(Frames::new(hello.clone(), FRAME_MAX).next().unwrap().unwrap()) else {
        panic!()
    };
    let names = offered.features.agree(&offered.features);
    assert!(names.names().any(|name| name.starts_with("grease-")), "{names:?}");
    let challenge = challenge(1, Agreed::default());
    client.handle_message(challenge.clone(), Time::ZERO);
    let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
    let mac = seen.server_proof(&token().pass(Role::Owner));
    client.handle_message(on(0, Message::Proof(Box::new(Proof { mac, resume: None }))), Time::ZERO);
    let sent: Vec<Frame> = std::iter::from_fn(|| client.poll_frame()).collect();
    let is_nonsense = |frame: &Frame| is_grease(frame.kind) && frame.flags.contains(Flags::IGNORABLE);
    assert!(sent.iter().any(is_nonsense), "{sent:?}");
}

#[test]
fn versions_and_features_that_were_not_offered_are_not_taken() {
    let (mut client, _) = caller();
    client.handle_message(challenge(2, Agreed::default()), Time::ZERO);
    assert!(client.is_over());
    assert!(matches!(parting(client), (Loss::Breach(Breach::Version(_)), Some(ErrorCode::Version))));
    let (mut client, _) = caller();
    let features = Features::default().with("telepathy", &[]);
    client.handle_message(challenge(1, features.agree(&features)), Time::ZERO);
    assert_eq!(parting(client), (Loss::Breach(Breach::Features), Some(ErrorCode::Unexpected)));
}

#[test]
fn output_with_a_hole_or_twice_is_noticed_before_anybody_sees_it() {
    let output = |offset| Message::Output(Output { offset, bytes: "abc".into(), replay: false, more: false });
    for wrong in [output(4), output(0)] {
        let (mut client, stream) = guest();
        client.handle_message(on(stream.as_raw(), output(0)), Time::ZERO);
        client.handle_message(on(stream.as_raw(), wrong), Time::ZERO);
        let shown = std::iter::from_fn(|| client.poll_event()).filter(|event| matches!(event, Event::Output { .. })).count();
        assert_eq!(shown, 1);
        let again = client.poll_timeout().expect("it comes back");
        client.handle_timeout(again);
        client.handle_connected(&mut |bytes| bytes.fill(3), again);
        let Ok(Some(Message::Hello(hello))) = Message::decode(client.poll_frame().unwrap()) else { panic!() };
        assert_eq!(hello.resume[0].offset, 3, "it comes back for what is missing");
    }
    let (mut client, stream) = guest();
    client.handle_message(on(stream.as_raw(), output(4)), Time::ZERO);
    let expected = Breach::Offset { kind: Kind::Output, stream, expected: 0, found: 4 };
    assert_eq!(parting(client), (Loss::Breach(expected), Some(ErrorCode::Unexpected)));
}

#[test]
fn a_server_out_of_turn_is_left_and_said_why() {
    let cases: [(Bytes, ErrorCode); 6] = [
        (on(9, Message::Output(Output { offset: 0, bytes: "x".into(), replay: false, more: false })), ErrorCode::Unexpected),
        (on(0, Message::List { number: 1 }), ErrorCode::Unexpected),
        (on(1, Message::InputAck { sequence: 1 }), ErrorCode::Unexpected),
        (Frame { kind: 0x3e, ..Frame::default() }.to_bytes(), ErrorCode::UnknownType),
        (Bytes::from_static(b"HTTP/1.1 400 Bad Request"), ErrorCode::Malformed),
        (on(0, Message::Pong { echo: 1 }).slice(..7), ErrorCode::Malformed),
    ];
    for (bytes, code) in cases {
        let (mut client, _) = guest();
        client.handle_message(bytes, Time::ZERO);
        assert!(client.poll_timeout().is_some(), "once more");
        let (loss, said) = parting(client);
        assert!(matches!(loss, Loss::Breach(_)));
        assert_eq!(said, Some(code));
    }
}

#[test]
fn goodbyes_are_obeyed() {
    let goodbye = |code, retry_ms| on(0, Message::Goodbye(Box::new(Goodbye { retry_ms, ..Goodbye::new(code, "why") })));
    for code in [ErrorCode::Unauthorized, ErrorCode::Version, ErrorCode::Replaced] {
        let (mut client, _) = guest();
        client.handle_message(goodbye(code, Some(1)), Time::ZERO);
        assert!(client.is_over() && client.poll_timeout().is_none(), "{code}");
    }
    let (mut client, _) = guest();
    client.handle_message(goodbye(ErrorCode::Overloaded, Some(5_000)), Time::ZERO);
    let again = client.poll_timeout().unwrap();
    assert!(again >= Time::from_millis(5_000) && again <= Time::from_millis(5_100), "{again}");
}
