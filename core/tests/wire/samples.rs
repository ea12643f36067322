//! One frame of every type, and of every form that its fields allow.

use bytes::Bytes;
use orchflow_core::batch::Class;
use orchflow_core::protocol::frame::{Flags, Frame, StreamId};
use orchflow_core::protocol::handshake::{Nonce, Transcript};
use orchflow_core::protocol::message::*;
use orchflow_core::protocol::negotiation::{Features, VERSIONS, Versions};
use orchflow_core::protocol::token::{Pass, ResumeSecret, Role, Token};
use orchflow_core::pty::{ExitStatus, Signal, Target};
use orchflow_core::size::{Pixels, Size};
use orchflow_core::time::Time;

/// A frame and what to call it.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) frame: Frame,
}

pub(crate) const AUTHORITY: &str = "127.0.0.1:7681";
const INSTANCE: InstanceId = InstanceId::from_bytes([0x1a; 16]);
const CLIENT: ClientId = ClientId::from_bytes([0xc1; 16]);

pub(crate) fn token() -> Token {
    Token::from_bytes(std::array::from_fn(|at| at as u8))
}

pub(crate) fn pass() -> Pass {
    token().pass(Role::Owner)
}

pub(crate) fn secret() -> ResumeSecret {
    ResumeSecret::from_bytes([0x5e; 32])
}

/// The features of a peer that knows no codec: which are built in is not the same everywhere.
pub(crate) fn known() -> Features {
    Features::known().without_codecs()
}

/// The Hello that begins the worked example of the specification.
pub(crate) fn hello() -> Frame {
    connection(Message::Hello(Box::new(first_hello())))
}

/// The Hello of a client that comes back.
pub(crate) fn hello_again() -> Frame {
    connection(Message::Hello(Box::new(Hello {
        versions: Versions::new(1, 3).unwrap(),
        features: known().with("grease-1f2e", &[]).with("sound", &["volume"]),
        limits: ClientLimits { frame: 64 << 10, credit: Credit::new(256 << 10) },
        agent: "web/0.1.0".into(),
        name: "Ada's tablet".into(),
        client: Some(CLIENT),
        instance: Some(INSTANCE),
        resume: vec![
            ResumePoint { stream: StreamId::new(1), session: 7, offset: 1_048_576 },
            ResumePoint { stream: StreamId::new(2), session: 9, offset: 0 },
        ],
        ..first_hello()
    })))
}

fn first_hello() -> Hello {
    Hello {
        versions: VERSIONS,
        role: Role::Owner,
        nonce: Nonce::from_bytes([0xaa; 32]),
        features: Features::default(),
        limits: ClientLimits::default(),
        agent: String::new(),
        name: String::new(),
        client: None,
        instance: None,
        resume: Vec::new(),
    }
}

pub(crate) fn challenge() -> Frame {
    let features = Features::default();
    connection(Message::Challenge(Box::new(Challenge {
        version: 1,
        nonce: Nonce::from_bytes([0xbb; 32]),
        instance: INSTANCE,
        features: features.agree(&features),
    })))
}

/// A session in the other direction: what both proofs of the worked example are over.
pub(crate) fn server_proof() -> Frame {
    let (hello, challenge) = (hello().to_bytes(), challenge().to_bytes());
    let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
    connection(Message::Proof(Box::new(Proof { mac: seen.server_proof(&pass()), resume: None })))
}

pub(crate) fn client_proof() -> Frame {
    let (hello, challenge) = (hello().to_bytes(), challenge().to_bytes());
    let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
    connection(Message::Proof(Box::new(Proof { mac: seen.client_proof(&pass()), resume: None })))
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut all = handshake();
    all.extend(upkeep());
    all.extend(sessions());
    all.extend(operations());
    all.extend(flow());
    all
}

fn handshake() -> Vec<Sample> {
    let known = known();
    let chosen = Challenge { version: 1, nonce: Nonce::from_bytes([0xbb; 32]), instance: INSTANCE, features: known.agree(&known) };
    let (again, answer) = (hello_again().to_bytes(), challenge().to_bytes());
    let seen = Transcript { authority: AUTHORITY, hello: &again, challenge: &answer };
    let both = Proof { mac: seen.client_proof(&pass()), resume: Some(seen.resume_proof(&secret())) };
    let welcome = Welcome {
        client: CLIENT,
        secret: secret(),
        role: Role::Owner,
        resumed: false,
        limits: ServerLimits::default(),
        agent: String::new(),
    };
    let narrow =
        ServerLimits { frame: 256 << 10, credit: Credit::new(256 << 10), input: 64 << 10, streams: 16, ping_ms: 5_000, hold_ms: 30_000 };
    let back = Welcome { role: Role::Viewer, resumed: true, limits: narrow, agent: "orchflow/0.1.0".into(), ..welcome.clone() };
    vec![
        sample("hello", hello()),
        sample("hello-again", hello_again()),
        sample("challenge", challenge()),
        sample("challenge-features", connection(Message::Challenge(Box::new(chosen)))),
        sample("proof-server", server_proof()),
        sample("proof-client", client_proof()),
        sample("proof-resume", connection(Message::Proof(Box::new(both)))),
        sample("welcome", connection(Message::Welcome(Box::new(welcome)))),
        sample("welcome-back", connection(Message::Welcome(Box::new(back)))),
    ]
}

fn upkeep() -> Vec<Sample> {
    let moment = Some(Time::from_nanos(1_500_000_000));
    let refusal = Refusal::new(12, ErrorCode::NoSession, "there is no session 99: ask for the list");
    let later = Refusal::new(13, ErrorCode::TooMany, "64 sessions run, and no more may: close one");
    let versions = Goodbye {
        versions: Some(VERSIONS),
        offered: Versions::new(4, 6),
        ..Goodbye::new(ErrorCode::Version, "this side speaks protocol 1 and the other 4 to 6: update this side")
    };
    let overloaded = Goodbye { retry_ms: Some(2_000), ..Goodbye::new(ErrorCode::Overloaded, "too many connections") };
    vec![
        sample("ping", connection(Message::Ping { echo: 123_456 })),
        sample("pong-client", connection(Message::Pong { echo: 1 })),
        sample("pong-server", Message::Pong { echo: 123_456 }.stamped(StreamId::CONNECTION, moment)),
        sample("error", connection(Message::Error(refusal))),
        sample("error-stream", stream(Message::Error(later))),
        sample("done", connection(Message::Done { number: 14 })),
        sample("done-stream", stream(Message::Done { number: 15 })),
        sample("goodbye-version", connection(Message::Goodbye(Box::new(versions)))),
        sample("goodbye-overloaded", connection(Message::Goodbye(Box::new(overloaded)))),
        sample("goodbye-leaving", connection(Message::Goodbye(Box::new(Goodbye::new(ErrorCode::Leaving, ""))))),
    ]
}

fn full_spawn() -> Spawn {
    Spawn {
        number: 2,
        program: Some("make".into()),
        args: vec!["-j4".into(), "test".into()],
        env: vec![("CI".into(), Some("1".into())), ("DISPLAY".into(), None)],
        cwd: Some("/srv/project".into()),
        size: Some(with_pixels()),
        title: "tests ✓".into(),
        secret: false,
    }
}

fn sessions() -> Vec<Sample> {
    let spawn = full_spawn();
    let attach = |start, more: fn(Attach) -> Attach| {
        stream(Message::Attach(more(Attach { number: 3, session: 7, start, role: None, size: None, policy: None })))
    };
    let viewer = |attach| Attach { role: Some(Role::Viewer), size: Some(with_pixels()), policy: Some(Policy::Resync), ..attach };
    let attached = Attached {
        number: 3,
        session: 7,
        role: Role::Writer,
        start: 65_536,
        end: 70_000,
        input: 41,
        size: size(),
        policy: Policy::Resync,
        replies: true,
        title: "tests ✓".into(),
    };
    let resumed = Attached { number: 0, policy: Policy::Backpressure, replies: false, input: 0, title: String::new(), ..attached.clone() };
    let lost_right = Detached { number: 0, code: Some(ErrorCode::Forbidden), message: "the owner keeps this session to itself".into() };
    let running = SessionInfo {
        session: 7,
        title: "tests ✓".into(),
        program: "make".into(),
        size: size(),
        age_ms: 754_000,
        end: 70_000,
        viewers: 2,
        status: None,
    };
    let over =
        |session, status| SessionInfo { session, title: String::new(), program: String::new(), status: Some(status), ..running.clone() };
    let some = Sessions { number: 4, more: true, sessions: vec![running.clone(), over(8, ExitStatus::Code(2))] };
    let rest = Sessions { number: 4, more: false, sessions: vec![over(9, ExitStatus::Signal(9)), over(10, ExitStatus::Unknown)] };
    let control = |number, act| stream(Message::Control(Control { number, act }));
    let viewers = Viewers {
        count: 40,
        viewers: vec![
            Viewer { name: "Ada's tablet".into(), role: Role::Owner, you: true, replies: true },
            Viewer { name: String::new(), role: Role::Viewer, you: false, replies: false },
        ],
    };
    vec![
        sample("spawn-secret", stream(Message::Spawn(Box::new(Spawn { number: 1, secret: true, ..Spawn::default() })))),
        sample("spawn-shell", stream(Message::Spawn(Box::new(Spawn { number: 1, ..Spawn::default() })))),
        sample("spawn", stream(Message::Spawn(Box::new(spawn)))),
        sample("spawned", stream(Message::Spawned(Spawned { number: 1, session: 7, pid: Some(4242), size: size(), replies: true }))),
        sample("attach-offset", attach(Start::Offset(65_536), |attach| attach)),
        sample("attach-tail", attach(Start::Tail(4_096), viewer)),
        sample("attached", stream(Message::Attached(Box::new(attached)))),
        sample("attached-resumed", stream(Message::Attached(Box::new(resumed)))),
        sample("detach", stream(Message::Detach { number: 5 })),
        sample("detached", stream(Message::Detached(Detached { number: 5, ..Detached::default() }))),
        sample("detached-by-server", stream(Message::Detached(lost_right))),
        sample("list", connection(Message::List { number: 4 })),
        sample("sessions-more", connection(Message::Sessions(some))),
        sample("sessions", connection(Message::Sessions(rest))),
        sample("close", stream(Message::Close(Close { number: 6, session: None, grace_ms: 1_000 }))),
        sample("close-other", connection(Message::Close(Close { number: 7, session: Some(8), grace_ms: 0 }))),
        sample("control-clear", control(8, Act::Clear)),
        sample("control-reset", control(9, Act::Reset)),
        sample("control-title", control(0, Act::Title("deploy".into()))),
        sample("control-signal", control(10, Act::Signal { name: Signal::Interrupt, to: Target::Foreground })),
        sample("viewers", stream(Message::Viewers(viewers))),
    ]
}

fn operations() -> Vec<Sample> {
    let all = [
        Operation::Spawn(Box::new(Spawn { secret: true, ..full_spawn() })),
        Operation::Input { session: 7, bytes: Bytes::from_static(b"make\r"), urgent: false },
        Operation::Input { session: 7, bytes: Bytes::from_static(b"\x03"), urgent: true },
        Operation::Resize { session: 7, size: size() },
        Operation::Control { session: 7, act: Act::Title("tests ✓".into()) },
        Operation::Control { session: 7, act: Act::Signal { name: Signal::Interrupt, to: Target::Foreground } },
        Operation::Close { session: 8, grace_ms: 1_000 },
        Operation::Query { session: 7 },
        Operation::Host { name: "search".into(), body: Bytes::from_static(&[0xa1, 0x61, 0x71]) },
    ];
    let batch = Batch {
        number: 17,
        key: Some("deploy-42".into()),
        mode: Mode::StopOnError,
        class: Class::Interactive,
        within_ms: Some(500),
        ..Batch::new(all)
    };
    let info = SessionInfo {
        session: 7,
        title: "tests ✓".into(),
        program: "make".into(),
        size: size(),
        age_ms: 754_000,
        end: 70_000,
        viewers: 2,
        status: Some(ExitStatus::Code(2)),
    };
    let mut some = Results { number: 17, more: true, ..Results::default() };
    some.add(0, Ok(Some(Answer::Spawned { session: 9, pid: Some(4243) })));
    (1..=5).for_each(|at| some.add(at, Ok(None)));
    let mut rest = Results { number: 17, ..Results::default() };
    rest.add(6, Err(Fault::new(ErrorCode::NoSession, "there is no session 8: List tells which there are")));
    rest.add(7, Ok(Some(Answer::Session(Box::new(info.clone())))));
    rest.add(9, Ok(Some(Answer::Session(Box::new(SessionInfo { status: Some(ExitStatus::Signal(9)), ..info.clone() })))));
    rest.add(8, Ok(Some(Answer::Host(Bytes::from_static(&[0xf5])))));
    let mut late = Results { number: 18, ..Results::default() };
    late.add(64, Err(Fault::new(ErrorCode::TooMany, "64 sessions run, and no more may: close one")));
    (0..64).for_each(|at| late.add(at, Err(Fault::new(ErrorCode::Expired, "its time was over before it began: give it longer"))));
    let small = Batch { number: 18, ..Batch::new([Operation::Query { session: 7 }]) };
    vec![
        sample("batch", connection(Message::Batch(Box::new(batch)))),
        sample("batch-small", connection(Message::Batch(Box::new(small)))),
        sample("cancel", connection(Message::Cancel { number: 17 })),
        sample("results-more", connection(Message::Results(Box::new(some)))),
        sample("results", connection(Message::Results(Box::new(rest)))),
        sample("results-refused", connection(Message::Results(Box::new(late)))),
    ]
}

fn flow() -> Vec<Sample> {
    let bytes = Bytes::from_static(b"\x1b[1mhello\x1b[0m\r\n");
    let output = |replay, more| Message::Output(Output { offset: 65_536, bytes: bytes.clone(), replay, more });
    let input =
        |sequence, bytes: &'static [u8], urgent, reply| stream(Message::Input(Input { sequence, bytes: bytes.into(), urgent, reply }));
    let full = "the program does not read its input: wait";
    let refused = InputRefused { sequence: 45, code: ErrorCode::InputFull, message: full.into(), retryable: true };
    let exited = |status| stream(Message::ProcessExited(Exited { offset: 70_016, status }));
    let ended = |status, orphaned| stream(Message::Exit(Ended { offset: 70_020, status, orphaned }));
    vec![
        sample("output", stream(output(false, false))),
        sample("output-stamped", output(false, true).stamped(StreamId::new(3), Some(Time::from_nanos(1_500_250_000)))),
        sample("output-replay", stream(output(true, false))),
        sample(
            "output-cut-character",
            stream(Message::Output(Output { offset: 9, bytes: "é".as_bytes()[..1].to_vec().into(), replay: false, more: false })),
        ),
        sample("ack", stream(Message::Ack { rendered: 65_551 })),
        sample("gap", stream(Message::Gap(Gap { from: 0, to: 65_536, why: GapReason::History }))),
        sample("gap-interrupt", stream(Message::Gap(Gap { from: 70_000, to: 1_070_000, why: GapReason::Interrupt }))),
        sample("input", input(42, b"ls\r", false, false)),
        sample("input-reply", input(43, b"\x1b[?1;2c", false, true)),
        sample("interrupt", input(44, b"\x03", true, false)),
        sample("input-ack", stream(Message::InputAck { sequence: 42 })),
        sample("input-ack-stamped", Message::InputAck { sequence: 44 }.stamped(StreamId::new(3), Some(Time::from_nanos(1_500_100_000)))),
        sample("input-dropped", stream(Message::InputDropped(InputDropped { from: 40, to: 42, bytes: 8_197 }))),
        sample("input-refused", stream(Message::InputRefused(refused))),
        sample("resize", stream(Message::Resize(Resize { number: 11, size: with_pixels() }))),
        sample("resized", stream(Message::Resized(Resized { number: 11, size: size() }))),
        sample("process-exited", exited(ExitStatus::Code(0))),
        sample("process-killed", exited(ExitStatus::Signal(15))),
        sample("exit", ended(ExitStatus::Code(0), false)),
        sample("exit-killed", ended(ExitStatus::Signal(9), false)),
        sample("exit-orphaned", ended(ExitStatus::Unknown, true)),
    ]
}

/// Frames that may be skipped, and their neighbours.
pub(crate) fn skipped() -> Vec<Sample> {
    let unknown = |kind| Frame { kind, flags: Flags::IGNORABLE, body: "whatever".into(), ..Frame::default() };
    vec![
        sample("grease", unknown(0x4f)),
        sample("grease-stream", Frame { stream: StreamId::new(3), ..unknown(0xff) }),
        sample("unassigned", unknown(0x90)),
    ]
}

fn sample(name: &'static str, frame: Frame) -> Sample {
    Sample { name, frame }
}

fn connection(message: Message) -> Frame {
    message.into_frame(StreamId::CONNECTION)
}

fn stream(message: Message) -> Frame {
    message.into_frame(StreamId::new(3))
}

fn size() -> Size {
    Size::new(120, 40).unwrap()
}

fn with_pixels() -> Size {
    size().with_pixels(Some(Pixels { width: 1_080, height: 800 }))
}
