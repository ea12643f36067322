//! Each decoder and each machine alone with whatever bytes come: for the fuzz targets, which share this file, and for a test of many mutations.
//!
//! What holds whatever comes: no panic, no hang; nothing waits that is not taken; output is shown once and in order; a
//! stranger gets no further than the door.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use orchflow_core::host::{ConnectionId, Host, HostOptions, LaneId, Started, Terminals};
use orchflow_core::id::SessionId;
use orchflow_core::limits::{CONTEXTS_MAX, FRAME_BEFORE_PROOF_MAX, FRAME_MAX, INPUT_ACK_WAIT};
use orchflow_core::pack::{Recent, Unpacker};
use orchflow_core::peer::client::{ClientOptions, ClientPeer, Event};
use orchflow_core::peer::server::{ServerPeer, World};
use orchflow_core::protocol::frame::{Frame, FrameDecoder, FrameFault, Frames, StreamId};
use orchflow_core::protocol::handshake::{Nonce, Transcript};
use orchflow_core::protocol::message::{
    Attach, Batch, Challenge, ClientId, ErrorCode, Hello, InstanceId, Message, Operation, Policy, Proof, Refusal, ServerLimits, Spawn,
    Start, Welcome,
};
use orchflow_core::protocol::negotiation::{Features, VERSIONS};
use orchflow_core::protocol::token::{ResumeSecret, Role, Token};
use orchflow_core::pty::{Signal, Target};
use orchflow_core::ring::Mode;
use orchflow_core::session::{ResumeError, Suspension, WriteError};
use orchflow_core::size::Size;
use orchflow_core::time::Time;

const AUTHORITY: &str = "unix";
pub(crate) const INSTANCE: InstanceId = InstanceId::from_bytes([4; 16]);

fn token() -> Token {
    Token::from_bytes([7; 32])
}

/// Sessions that are only counted.
#[derive(Default)]
pub(crate) struct Pretended {
    /// How much output and input each has.
    pub(crate) sessions: BTreeMap<SessionId, (u64, usize)>,
    lanes: BTreeMap<LaneId, (SessionId, u64)>,
}

const SESSIONS_MAX: usize = 16;
pub(crate) const INPUT_MAX: usize = 64 << 10;

impl Terminals for Pretended {
    fn spawn(&mut self, spawn: &Spawn, _: Size) -> Result<Started, Refusal> {
        if self.sessions.len() >= SESSIONS_MAX {
            return Err(Refusal::new(spawn.number, ErrorCode::TooMany, "enough"));
        }
        let session = SessionId::from_raw(self.sessions.len() as u64 + 1);
        self.sessions.insert(session, (100, 0));
        Ok(Started { session, pid: None, program: spawn.program.clone().unwrap_or_default() })
    }

    fn write(&mut self, session: SessionId, bytes: &[u8], _: bool) -> Result<usize, WriteError> {
        let (_, taken) = self.sessions.get_mut(&session).ok_or(WriteError::Closed)?;
        let count = bytes.len().min(INPUT_MAX - *taken);
        *taken += count;
        if count == 0 { Err(WriteError::Full { limit: INPUT_MAX }) } else { Ok(count) }
    }

    fn resize(&mut self, _: SessionId, _: Size) -> Result<u64, WriteError> {
        Ok(1)
    }

    fn signal(&mut self, _: SessionId, _: Signal, _: Target) -> Result<(), WriteError> {
        Ok(())
    }

    fn close(&mut self, _: SessionId, _: Duration) {}

    fn range(&self, session: SessionId) -> Range<u64> {
        self.sessions.get(&session).map_or(0..0, |(end, _)| 0..*end)
    }

    fn read_at(&self, _: SessionId, offset: u64) -> Option<Time> {
        offset.is_multiple_of(2).then_some(Time::ZERO)
    }

    fn peek(&self, session: SessionId, offset: u64, count: usize) -> (u64, Vec<u8>) {
        let held = self.range(session).end.saturating_sub(offset) as usize;
        (offset, vec![b'x'; held.min(count)])
    }

    fn open(&mut self, lane: LaneId, session: SessionId, _: Mode, offset: u64) {
        self.lanes.insert(lane, (session, offset));
    }

    fn ack(&mut self, _: LaneId, _: u64) {}

    fn allow(&mut self, _: LaneId, _: u64) {}

    fn seek(&mut self, lane: LaneId, offset: u64) {
        if let Some((_, at)) = self.lanes.get_mut(&lane) {
            *at = offset;
        }
    }

    fn shut(&mut self, lane: LaneId) {
        self.lanes.remove(&lane);
    }

    fn suspend(&mut self, lane: LaneId) -> Option<Suspension> {
        self.lanes.remove(&lane);
        None
    }

    fn resume(&mut self, _: LaneId, _: SessionId, _: Suspension) -> Result<(), ResumeError> {
        Err(ResumeError::Closed)
    }

    fn forget(&mut self, _: SessionId, _: Suspension) {}
}

/// Bytes that one message may make a machine queue, two frames at the most being in it: the longest answer is a list of every session.
const QUEUED_MAX: usize = 128 << 10;

/// Things that one message may make happen.
const EVENTS_MAX: usize = 1_000;

/// A small limit, so that it is met often.
const SMALL_FRAME_MAX: usize = 1024;

/// Hands `input` to both frame decoders: they agree, and what they take for a frame has those bytes. Its first byte cuts the
/// stream into pieces.
pub(crate) fn decoders_take(input: &[u8]) {
    let Some((cut, bytes)) = input.split_first() else { return };
    let mut stream = FrameDecoder::new(SMALL_FRAME_MAX);
    let mut from_stream = Vec::new();
    let mut failed = None;
    for piece in bytes.chunks(usize::from(*cut) + 1) {
        stream.handle_bytes(piece);
        while failed.is_none() {
            match stream.poll_frame() {
                Ok(Some(frame)) => from_stream.push(frame),
                Ok(None) => break,
                Err(error) => failed = Some(error),
            }
        }
    }
    let mut at = 0;
    for (index, frame) in Frames::new(Bytes::copy_from_slice(bytes), SMALL_FRAME_MAX).enumerate() {
        match frame {
            Ok(frame) => {
                assert_eq!(from_stream.get(index), Some(&frame));
                let whole = frame.to_bytes();
                assert_eq!(whole, bytes[at..at + whole.len()]);
                at += whole.len();
            }
            Err(error) if matches!(error.fault, FrameFault::Truncated { .. }) => assert_eq!(failed, None),
            Err(error) => assert_eq!(failed, Some(error)),
        }
    }
}

/// Hands the frames of `input` to the message decoder: each is a message or an error, and a message said again means the same.
pub(crate) fn messages_take(input: &[u8]) {
    for frame in Frames::new(Bytes::copy_from_slice(input), FRAME_MAX).flatten() {
        let (stream, timestamp) = (frame.stream, frame.timestamp);
        match Message::decode(frame) {
            Ok(Some(message)) => {
                let again = Message::decode(message.clone().stamped(stream, timestamp));
                assert_eq!(again, Ok(Some(message)));
            }
            Ok(None) => {}
            Err(error) => assert!(!error.to_string().is_empty() && !error.code().as_str().is_empty()),
        }
    }
}

/// Hands packed output among the frames of `input` to the unpackers of their streams: each comes to as many bytes as it was said to, or ends
/// its context.
pub(crate) fn unpackers_take(input: &[u8]) {
    let mut contexts: Recent<StreamId, Option<Unpacker>> = Recent::new(CONTEXTS_MAX);
    for frame in Frames::new(Bytes::copy_from_slice(input), FRAME_MAX).flatten() {
        let stream = frame.stream;
        let Ok(Some(Message::Packed(packed))) = Message::decode(frame) else { continue };
        let context = contexts.touch(stream);
        if packed.begins {
            *context = Some(Unpacker::new(packed.codec));
        }
        let Some(unpacker) = context.as_mut().filter(|unpacker| unpacker.codec() == packed.codec) else { continue };
        match unpacker.unpack(&packed.data, packed.length) {
            Ok(bytes) => assert_eq!(bytes.len(), packed.length),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                *context = None;
            }
        }
    }
}

/// Hands `input` to a server: its first byte says whether its sender has proved itself, and how it is cut.
pub(crate) fn server_takes(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let (mut host, mut terminals) = (Host::new(INSTANCE, token(), HostOptions::default()), Pretended::default());
    let mut peer = ServerPeer::new(ConnectionId(1), AUTHORITY.into(), Time::ZERO);
    let mut now = Time::ZERO;
    macro_rules! with {
        ($touch:expr) => {{
            let mut random = |bytes: &mut [u8]| bytes.fill(9);
            let mut world = World { host: &mut host, terminals: &mut terminals, random: &mut random, now };
            #[allow(clippy::redundant_closure_call)] // It gives the argument its type.
            ($touch)(&mut peer, &mut world)
        }};
    }
    let is_inside = choice & 1 == 1;
    if is_inside {
        let hello = on(0, Message::Hello(Box::new(hello())));
        with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.handle_message(hello.clone(), world));
        let challenge = peer.poll_frame().expect("a challenge").to_bytes();
        let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
        let mac = seen.client_proof(&token().pass(Role::Owner));
        let proof = on(0, Message::Proof(Box::new(Proof { mac, resume: None })));
        with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.handle_message(proof, world));
        assert!(peer.client().is_some());
    }
    for message in pieces(*choice, bytes) {
        with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.handle_message(message, world));
        now = now + Duration::from_millis(700);
        with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.handle_timeout(world));
        while host.run_operations(&mut terminals, now) {}
        while let Some((lane, notice)) = host.poll_notice() {
            with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.handle_notice(lane.stream, notice, world));
        }
        with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.settle_in(world));
        for (lane, (session, at)) in terminals.lanes.clone() {
            let end = terminals.sessions.get(&session).map_or(at, |(end, _)| *end);
            let wanted = peer.wants_output(lane.stream, end, now) as u64;
            if at < end && wanted > 0 {
                let end = end.min(at + wanted);
                let bytes = vec![b'x'; (end - at) as usize];
                with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.handle_output(lane.stream, at, bytes.into(), world));
                terminals.lanes.insert(lane, (session, end));
            }
        }
        assert!(peer.queued() <= QUEUED_MAX, "{} bytes wait", peer.queued());
        now = now + INPUT_ACK_WAIT; // What nobody waits for leaves by then.
        with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.handle_timeout(world));
        while let Some(frame) = peer.poll_frame() {
            assert!(frame.encoded_len() <= FRAME_MAX);
            assert!(matches!(Message::decode(frame), Ok(Some(_))), "what a server says makes sense");
        }
        assert_eq!(peer.queued(), 0);
        assert!(peer.client().is_none() || is_inside, "somebody is in who has proved nothing");
    }
    with!(|peer: &mut ServerPeer, world: &mut World<'_>| peer.park(true, world));
    assert!(terminals.lanes.is_empty(), "a reader without a connection");
}

/// Hands `input` to a client: its first byte says whether its sender has proved itself, and how it is cut.
pub(crate) fn client_takes(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let mut now = Time::ZERO;
    let mut client = ClientPeer::new(ClientOptions::new(token().pass(Role::Owner), AUTHORITY), 1);
    let spawned = client.spawn(Spawn::default()).expect("room for a request");
    let attach = Attach { number: 0, session: 2, start: Start::Offset(0), role: None, size: None, policy: Some(Policy::Resync) };
    client.attach(attach).expect("room for a request");
    client.list().expect("room for a request");
    client.batch(Batch::new([Operation::Query { session: 2 }, Operation::Query { session: 3 }]), now).expect("room for a request");
    let mut shown = BTreeMap::<StreamId, u64>::new();
    let mut is_known = false;
    for message in pieces(*choice, bytes) {
        let mut events = 0;
        while let Some(event) = client.poll_event() {
            events += 1;
            assert!(events <= EVENTS_MAX, "events without end");
            match event {
                Event::Dial => {
                    connect(&mut client, choice & 1 == 1, is_known && choice & 2 == 2, now);
                    is_known |= client.is_open();
                }
                Event::Spawned { stream, .. } => drop(shown.insert(stream, 0)),
                Event::Attached { stream, attached } => drop(shown.insert(stream, attached.start)),
                Event::Output { stream, offset, bytes, .. } => {
                    let at = shown.get_mut(&stream).expect("a stream that is open");
                    assert_eq!(offset, *at, "bytes are missing or doubled");
                    *at += bytes.len() as u64;
                    client.rendered(stream, *at);
                }
                Event::Gap { stream, gap } => {
                    let at = shown.get_mut(&stream).expect("a stream that is open");
                    assert_eq!(std::mem::replace(at, gap.to), gap.from);
                }
                Event::Lost { .. } => assert!(!client.is_open()),
                _ => {}
            }
        }
        assert!(client.queued() <= QUEUED_MAX, "{} bytes wait", client.queued());
        while let Some(frame) = client.poll_frame() {
            assert!(frame.encoded_len() <= FRAME_MAX);
        }
        assert_eq!(client.queued(), 0);
        // Refused where the stream is not open, or full.
        let _taken = client.write(spawned, "typed");
        client.handle_message(message, now);
        now = now + Duration::from_millis(700);
        client.handle_timeout(now);
        assert!(choice & 1 == 1 || !client.is_open(), "a client that is let in by somebody who has proved nothing");
    }
}

/// Opens a link; the server on it is a real one, if `is_real`, which knows the client if `resumed`.
fn connect(client: &mut ClientPeer, is_real: bool, resumed: bool, now: Time) {
    client.handle_connected(&mut |bytes| bytes.fill(3), now);
    let hello = client.poll_frame().expect("a hello");
    assert!(hello.encoded_len() <= FRAME_BEFORE_PROOF_MAX);
    if !is_real {
        return;
    }
    let hello = hello.to_bytes();
    let features = Features::known().agree(&Features::known());
    let challenge = Challenge { version: 1, nonce: Nonce::from_bytes([2; 32]), instance: INSTANCE, features };
    let challenge = on(0, Message::Challenge(Box::new(challenge)));
    let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
    let mac = seen.server_proof(&token().pass(Role::Owner));
    client.handle_message(challenge, now);
    client.handle_message(on(0, Message::Proof(Box::new(Proof { mac, resume: None }))), now);
    let (id, secret) = (ClientId::from_bytes([5; 16]), ResumeSecret::from_bytes([6; 32]));
    let limits = ServerLimits::default();
    let welcome = Welcome { client: id, secret, role: Role::Owner, resumed, limits, agent: String::new() };
    client.handle_message(on(0, Message::Welcome(Box::new(welcome))), now);
    assert!(client.is_open());
}

/// A greeting that asks for nothing special.
pub(crate) fn hello() -> Hello {
    Hello {
        versions: VERSIONS,
        role: Role::Owner,
        nonce: Nonce::from_bytes([1; 32]),
        features: Features::known(),
        limits: Default::default(),
        agent: String::new(),
        name: String::new(),
        client: None,
        instance: None,
        resume: Vec::new(),
    }
}

pub(crate) fn on(stream: u16, message: Message) -> Bytes {
    message.into_frame(StreamId::new(stream)).to_bytes()
}

/// The messages that `bytes` are cut into: whole frames as far as they are some, each in a message of its own or two by two;
/// then the rest.
fn pieces(choice: u8, bytes: &[u8]) -> Vec<Bytes> {
    let bytes = Bytes::copy_from_slice(bytes);
    let (mut at, mut ends) = (0, Vec::new());
    for frame in Frames::new(bytes.clone(), FRAME_MAX).map_while(Result::ok) {
        at += Frame::encoded_len(&frame);
        ends.push(at);
    }
    if choice & 4 == 4 {
        ends = ends.into_iter().skip(1).step_by(2).collect();
    }
    ends.push(bytes.len());
    let mut from = 0;
    let mut pieces: Vec<Bytes> = ends.into_iter().map(|end| bytes.slice(std::mem::replace(&mut from, end)..end)).collect();
    pieces.insert(0, Bytes::new()); // Nothing at all is a message, too.
    pieces.push(Bytes::new());
    pieces
}
