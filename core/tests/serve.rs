//! A service spoken to frame by frame, over a transport in memory: who comes in, what is answered, what is refused.

#[path = "wire/cddl.rs"]
#[allow(dead_code, reason = "the page is held to the rules elsewhere")]
mod cddl;
#[path = "peers/shapes.rs"]
mod shapes;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::{Sink, SinkExt, Stream, StreamExt};
use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::{Framing, Service, ServiceOptions, Transport};
use orchflow_core::limits::FRAME_MAX;
use orchflow_core::protocol::frame::{Frame, Frames, StreamId};
use orchflow_core::protocol::handshake::{Nonce, Transcript};
use orchflow_core::protocol::message::{
    Act, Attach, ClientLimits, Close, Control, ErrorCode, Hello, Input, Message, Proof, Resize, ResumePoint, Spawn, Spawned, Start, Welcome,
};
use orchflow_core::protocol::negotiation::{Features, VERSIONS, Versions};
use orchflow_core::protocol::token::{Role, Token};
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::pty::{Command, ExitStatus};
use orchflow_core::size::Size;

const AUTHORITY: &str = "127.0.0.1:7681";

/// Messages in memory.
struct Wire {
    incoming: mpsc::UnboundedReceiver<Bytes>,
    outgoing: mpsc::UnboundedSender<Bytes>,
}

impl Stream for Wire {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.incoming.poll_next_unpin(cx).map(|bytes| bytes.map(Ok))
    }
}

impl Sink<Bytes> for Wire {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_ready_unpin(cx).map_err(io::Error::other)
    }

    fn start_send(mut self: Pin<&mut Self>, bytes: Bytes) -> io::Result<()> {
        self.outgoing.start_send_unpin(bytes).map_err(io::Error::other)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close_channel();
        Poll::Ready(Ok(()))
    }
}

impl Transport for Wire {
    fn framing(&self) -> Framing {
        Framing::Messages
    }

    fn set_message_max(&mut self, bytes: usize) {
        assert_eq!(bytes, FRAME_MAX);
    }
}

/// The other end, and the frames that came together.
struct Line {
    outgoing: mpsc::UnboundedSender<Bytes>,
    incoming: mpsc::UnboundedReceiver<Bytes>,
    rest: Vec<Frame>,
}

fn wire() -> (Wire, Line) {
    let ((to_server, from_client), (to_client, from_server)) = (mpsc::unbounded(), mpsc::unbounded());
    let line = Line { outgoing: to_server, incoming: from_server, rest: Vec::new() };
    (Wire { incoming: from_client, outgoing: to_client }, line)
}

impl Line {
    fn send(&self, stream: u16, message: Message) -> Bytes {
        let bytes = message.into_frame(StreamId::new(stream)).to_bytes();
        self.outgoing.unbounded_send(bytes.clone()).unwrap();
        bytes
    }

    async fn frame(&mut self) -> Frame {
        while self.rest.is_empty() {
            let message = self.incoming.next().await.expect("a frame, and not the end");
            shapes::hold_all(&message);
            self.rest = Frames::new(message, FRAME_MAX).map(Result::unwrap).collect();
            self.rest.reverse();
        }
        self.rest.pop().unwrap()
    }

    async fn message(&mut self) -> (u16, Message) {
        let frame = self.frame().await;
        (frame.stream.as_raw(), Message::decode(frame).unwrap().unwrap())
    }

    /// Comes in, or fails as the server says.
    async fn enter(&mut self, token: &Token, hello: Hello) -> Result<Welcome, ErrorCode> {
        let pass = token.pass(hello.role);
        let secret = None;
        self.enter_with(&pass, hello, secret).await
    }

    async fn enter_with(
        &mut self,
        pass: &orchflow_core::protocol::token::Pass,
        hello: Hello,
        before: Option<&Welcome>,
    ) -> Result<Welcome, ErrorCode> {
        let hello = self.send(0, Message::Hello(Box::new(hello)));
        let challenge = self.frame().await;
        if let Some(Message::Goodbye(goodbye)) = Message::decode(challenge.clone()).unwrap() {
            return Err(goodbye.code);
        }
        let challenge = challenge.to_bytes();
        let seen = Transcript { authority: AUTHORITY, hello: &hello, challenge: &challenge };
        let (_, Message::Proof(proof)) = self.message().await else { panic!("no proof") };
        if proof.mac != seen.server_proof(pass) {
            eprintln!("the server does not hold this pass");
        }
        let resume = before.map(|welcome| seen.resume_proof(&welcome.secret));
        self.send(0, Message::Proof(Box::new(Proof { mac: seen.client_proof(pass), resume })));
        match self.message().await {
            (0, Message::Welcome(welcome)) => Ok(*welcome),
            (0, Message::Goodbye(goodbye)) => Err(goodbye.code),
            other => panic!("{other:?}"),
        }
    }

    /// Collects output of `stream` until it has `count` bytes.
    async fn output(&mut self, stream: u16, count: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < count {
            match self.message().await {
                (on, Message::Output(output)) if on == stream => text.extend_from_slice(&output.bytes),
                (_, Message::InputAck { .. } | Message::Viewers(_) | Message::ProcessExited(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        text
    }
}

fn hello(role: Role) -> Hello {
    Hello {
        versions: VERSIONS,
        role,
        nonce: Nonce::from_bytes([1; 32]),
        features: Features::known(),
        limits: ClientLimits::default(),
        agent: "test/1".into(),
        name: "tester".into(),
        client: None,
        instance: None,
        resume: Vec::new(),
    }
}

fn token() -> Token {
    Token::from_bytes([7; 32])
}

fn service() -> (Hub, Service) {
    let ptys =
        ScriptedPtys::new().with("cat", Script::new().raw().print("ready").cat()).with("hello", Script::new().raw().print("hello").exit(7));
    let hub = Hub::builder().backend(Arc::new(ptys)).events().threaded().unwrap();
    let options = ServiceOptions { command: Command::new("cat"), ..ServiceOptions::default() };
    let service = Service::new(&hub, token(), options).unwrap();
    (hub, service)
}

/// Runs `client` beside the service and as many connections as it opens.
fn play(client: impl AsyncFnOnce(&dyn Fn() -> Line, &Service)) {
    let (hub, service) = service();
    let executor = smol::LocalExecutor::new();
    let runner = service.clone();
    executor.spawn(async move { runner.run().await }).detach();
    let connect = || {
        let (wire, line) = wire();
        let service = service.clone();
        executor.spawn(async move { service.serve(wire, AUTHORITY.into()).await }).detach();
        line
    };
    let patience = hub.sleep(Duration::from_secs(20));
    let client = Box::pin(client(&connect, &service));
    match smol::block_on(executor.run(select(client, patience))) {
        Either::Left(_) => {}
        Either::Right(_) => panic!("the client was not done in time"),
    }
}

#[test]
fn a_client_comes_in_starts_a_program_types_and_reads() {
    play(async |connect, _| {
        let mut line = connect();
        let welcome = line.enter(&token(), hello(Role::Owner)).await.unwrap();
        assert!(!welcome.resumed);
        line.send(1, Message::Spawn(Box::new(Spawn { number: 1, ..Spawn::default() })));
        let (1, Message::Spawned(spawned)) = line.message().await else { panic!() };
        assert_eq!((spawned.number, spawned.replies), (1, true));
        assert_eq!(line.output(1, 5).await, b"ready");
        line.send(1, Message::Input(Input { sequence: 1, bytes: "typed".into(), urgent: false, reply: false }));
        assert_eq!(line.output(1, 5).await, b"typed");
    });
}

#[test]
fn the_exit_is_the_last_frame_of_its_stream() {
    play(async |connect, _| {
        let mut line = connect();
        line.enter(&token(), hello(Role::Owner)).await.unwrap();
        line.send(1, Message::Spawn(Box::new(Spawn { number: 1, program: Some("hello".into()), ..Spawn::default() })));
        let mut kinds = Vec::new();
        loop {
            match line.message().await.1 {
                Message::Exit(ended) => break assert_eq!((ended.offset, ended.status), (5, ExitStatus::Code(7))),
                Message::Output(output) => kinds.push(output.bytes),
                Message::Spawned(_) | Message::Viewers(_) | Message::ProcessExited(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kinds.concat(), b"hello");
        line.send(0, Message::Ping { echo: 5 });
        assert_eq!(line.message().await, (0, Message::Pong { echo: 5 }));
    });
}

#[test]
fn who_comes_back_goes_on_where_it_was_and_what_it_types_twice_is_typed_once() {
    play(async |connect, service| {
        let mut line = connect();
        let welcome = line.enter(&token(), hello(Role::Owner)).await.unwrap();
        line.send(1, Message::Spawn(Box::new(Spawn { number: 1, ..Spawn::default() })));
        let (1, Message::Spawned(spawned)) = line.message().await else { panic!() };
        line.output(1, 5).await;
        let typed = |sequence, bytes: &'static str| Message::Input(Input { sequence, bytes: bytes.into(), urgent: false, reply: false });
        line.send(1, typed(1, "one"));
        line.output(1, 3).await;
        // The link breaks; what was under way is sent again, and more.
        drop(line);
        let mut line = connect();
        let point = ResumePoint { stream: StreamId::new(9), session: spawned.session, offset: 6 };
        let again = Hello { client: Some(welcome.client), instance: None, resume: vec![point], ..hello(Role::Owner) };
        let stranger = line.enter_with(&token().pass(Role::Owner), again.clone(), Some(&welcome)).await.unwrap();
        assert!(!stranger.resumed, "another instance's client was known");
        let mut line = connect();
        let mut probe = connect();
        let probed = probe.enter(&token(), hello(Role::Viewer)).await.unwrap();
        assert_ne!(probed.client, welcome.client);
        let instance = {
            probe.send(0, Message::Ping { echo: 1 });
            probe.message().await;
            instance_of(&mut connect()).await
        };
        let again = Hello { instance: Some(instance), ..again };
        let back = line.enter_with(&token().pass(Role::Owner), again, Some(&welcome)).await.unwrap();
        assert!(back.resumed);
        assert_eq!(back.client, welcome.client);
        let (9, Message::Attached(attached)) = line.message().await else { panic!() };
        assert_eq!((attached.number, attached.start, attached.end, attached.input), (0, 6, 8, 1));
        line.send(9, typed(1, "one"));
        line.send(9, typed(2, "two"));
        assert_eq!(line.output(9, 5).await, b"netwo");
        assert_eq!(service.counts().sessions, 1);
    });
}

/// The run of the server, as a Challenge tells it.
async fn instance_of(line: &mut Line) -> orchflow_core::protocol::message::InstanceId {
    line.send(0, Message::Hello(Box::new(hello(Role::Viewer))));
    let (_, Message::Challenge(challenge)) = line.message().await else { panic!() };
    challenge.instance
}

#[test]
fn a_viewer_watches_and_does_nothing_else() {
    play(async |connect, service| {
        let (mut owner, mut viewer) = (connect(), connect());
        owner.enter(&token(), hello(Role::Owner)).await.unwrap();
        viewer.enter(&token(), hello(Role::Viewer)).await.unwrap();
        owner.send(1, Message::Spawn(Box::new(Spawn { number: 1, ..Spawn::default() })));
        let (1, Message::Spawned(spawned)) = owner.message().await else { panic!() };
        owner.output(1, 5).await;
        viewer.send(4, Message::Spawn(Box::new(Spawn { number: 1, ..Spawn::default() })));
        assert!(matches!(viewer.message().await, (4, Message::Error(refusal)) if refusal.code == ErrorCode::Forbidden));
        let attach =
            Attach { number: 2, session: spawned.session, start: Start::Tail(3), role: Some(Role::Owner), size: None, policy: None };
        viewer.send(4, Message::Attach(attach));
        let (4, Message::Attached(attached)) = viewer.message().await else { panic!() };
        assert_eq!((attached.role, attached.start, attached.replies), (Role::Viewer, 2, false));
        assert_eq!(viewer.output(4, 3).await, b"ady");
        viewer.send(4, Message::Input(Input { sequence: 1, bytes: "rm".into(), urgent: false, reply: false }));
        assert!(matches!(viewer.message().await, (4, Message::InputRefused(refused)) if refused.code == ErrorCode::Forbidden));
        assert_eq!(service.counts().refusals[&ErrorCode::Forbidden], 2);
    });
}

#[test]
fn strangers_are_turned_away_each_for_its_reason() {
    play(async |connect, service| {
        let wrong = Token::from_bytes([8; 32]);
        assert_eq!(connect().enter(&wrong, hello(Role::Owner)).await, Err(ErrorCode::Unauthorized));
        let old = Hello { versions: Versions::new(7, 9).unwrap(), ..hello(Role::Owner) };
        assert_eq!(connect().enter(&token(), old).await, Err(ErrorCode::Version));
        let mut early = connect();
        early.send(0, Message::List { number: 1 });
        assert!(matches!(early.message().await.1, Message::Goodbye(goodbye) if goodbye.code == ErrorCode::Unexpected));
        let mut garbled = connect();
        garbled.outgoing.unbounded_send(Bytes::from_static(b"GET / HTTP/1.1\r\n")).unwrap();
        assert!(matches!(garbled.message().await.1, Message::Goodbye(goodbye) if goodbye.code == ErrorCode::Malformed));
        let refusals = service.counts().refusals;
        let codes = [ErrorCode::Version, ErrorCode::Unauthorized, ErrorCode::Malformed, ErrorCode::Unexpected];
        assert!(codes.iter().all(|code| refusals[code] == 1), "{refusals:?}");
    });
}

// ---- As `docs/protocol.md` says ----

#[test]
fn the_servers_clock_is_told_where_it_is_asked_for() {
    play(async |connect, _| {
        let (mut line, mut plain) = (connect(), connect());
        line.enter(&token(), hello(Role::Owner)).await.unwrap();
        plain.enter(&token(), Hello { features: Features::default(), ..hello(Role::Owner) }).await.unwrap();
        for line in [&mut line, &mut plain] {
            line.send(0, Message::Ping { echo: 5 });
            assert!(line.frame().await.timestamp.is_some(), "a Pong always has it");
        }
        for (line, agreed) in [(&mut line, true), (&mut plain, false)] {
            line.send(1, Message::Spawn(Box::new(Spawn { number: 1, ..Spawn::default() })));
            line.send(1, Message::Input(Input { sequence: 1, bytes: "x".into(), urgent: false, reply: false }));
            let (mut ack, mut output) = (None, None);
            while ack.is_none() || output.is_none() {
                let frame = line.frame().await;
                let timestamp = frame.timestamp;
                match Message::decode(frame).unwrap().unwrap() {
                    Message::InputAck { sequence: 1 } => ack = Some(timestamp.is_some()),
                    Message::Output(_) => output = Some(timestamp.is_some()),
                    _ => {}
                }
            }
            assert_eq!((ack, output), (Some(agreed), Some(agreed)));
        }
    });
}

#[test]
fn what_one_does_to_a_session_is_told_to_the_others_only() {
    play(async |connect, _| {
        let (mut owner, mut viewer) = (connect(), connect());
        let plain = |role| Hello { features: Features::default(), ..hello(role) };
        owner.enter(&token(), plain(Role::Owner)).await.unwrap();
        viewer.enter(&token(), plain(Role::Viewer)).await.unwrap();
        owner.send(1, Message::Spawn(Box::new(Spawn { number: 1, ..Spawn::default() })));
        let (1, Message::Spawned(spawned)) = owner.message().await else { panic!() };
        owner.output(1, 5).await;
        let start = Start::Tail(0);
        viewer.send(4, Message::Attach(Attach { number: 1, session: spawned.session, start, role: None, size: None, policy: None }));
        assert!(matches!(viewer.message().await, (4, Message::Attached(_))));
        let title = |text: &str| Act::Title(text.to_owned());
        owner.send(1, Message::Control(Control { number: 2, act: title("build\u{202e}\x1b]0;") }));
        assert_eq!(owner.message().await, (1, Message::Done { number: 2 }));
        assert_eq!(viewer.message().await, (4, Message::Control(Control { number: 0, act: title("build]0;") })));
        owner.send(0, Message::Ping { echo: 1 });
        assert_eq!(owner.message().await, (0, Message::Pong { echo: 1 }), "it was told what it did itself");
    });
}

#[test]
fn frames_that_crossed_with_the_end_of_their_stream_are_ignored() {
    play(async |connect, service| {
        let mut line = connect();
        line.enter(&token(), hello(Role::Owner)).await.unwrap();
        line.send(1, Message::Spawn(Box::new(Spawn { number: 1, ..Spawn::default() })));
        let (1, Message::Spawned(Spawned { session, .. })) = line.message().await else { panic!("no session") };
        assert_eq!(line.output(1, 5).await, b"ready");
        line.send(9, Message::Input(Input { sequence: 1, bytes: "x".into(), urgent: false, reply: false }));
        line.send(9, Message::Ack { rendered: 7 });
        line.send(9, Message::Resize(Resize { number: 1, size: Size::default() }));
        line.send(9, Message::Control(Control { number: 2, act: Act::Reset }));
        line.send(9, Message::Close(Close { number: 3, session: None, grace_ms: 0 }));
        line.send(9, Message::Close(Close { number: 3, session: Some(session), grace_ms: 0 })); // Which is named on stream 0 only.
        line.send(9, Message::Detach { number: 4 });
        line.send(0, Message::Ping { echo: 1 });
        assert_eq!(line.message().await, (0, Message::Pong { echo: 1 }));
        line.send(1, Message::Input(Input { sequence: 1, bytes: "here".into(), urgent: false, reply: false }));
        assert_eq!(line.output(1, 4).await, b"here");
        assert!(service.counts().refusals.is_empty());
    });
}

#[test]
fn no_message_is_longer_than_its_client_takes() {
    const FRAME: u32 = 4096;
    play(async |connect, _| {
        let (mut owner, mut small) = (connect(), connect());
        owner.enter(&token(), hello(Role::Owner)).await.unwrap();
        let limits = ClientLimits { frame: FRAME, ..ClientLimits::default() };
        small.enter(&token(), Hello { limits, ..hello(Role::Owner) }).await.unwrap();
        for number in 1..=20 {
            let spawn = Spawn { number, title: "\u{1f4dc}".repeat(300), ..Spawn::default() };
            owner.send(number as u16, Message::Spawn(Box::new(spawn)));
        }
        let mut spawned = 0;
        while spawned < 20 {
            spawned += u32::from(matches!(owner.message().await.1, Message::Spawned(_)));
        }
        small.send(0, Message::List { number: 1 });
        let mut listed = Vec::new();
        loop {
            let bytes = small.incoming.next().await.unwrap();
            assert!(bytes.len() <= FRAME as usize, "{} bytes in one message", bytes.len());
            let frames = Frames::new(bytes, FRAME as usize).map(|frame| Message::decode(frame.unwrap()).unwrap().unwrap());
            let lists = frames.map(|message| match message {
                Message::Sessions(sessions) => sessions,
                other => panic!("{other:?}"),
            });
            let mut more = true;
            for list in lists {
                more = list.more;
                listed.extend(list.sessions.into_iter().map(|info| (info.session, info.title.chars().count())));
            }
            if !more {
                break;
            }
        }
        assert_eq!(listed, (1..=20).map(|session| (session, 256)).collect::<Vec<_>>());
    });
}
