//! A service spoken to frame by frame, over a transport in memory: who comes in, what is answered, what is refused.

#[path = "../wire/cddl.rs"]
#[allow(dead_code, reason = "the page is held to the rules elsewhere")]
mod cddl;
mod line;
mod operations;
#[path = "../peers/shapes.rs"]
mod shapes;

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::{Either, select};
use orchflow_core::hub::serve::Service;
use orchflow_core::protocol::frame::{Frames, StreamId};
use orchflow_core::protocol::message::{
    Act, Attach, ClientLimits, Close, Control, ErrorCode, Hello, Input, Message, Resize, ResumePoint, Spawn, Spawned, Start,
};
use orchflow_core::protocol::negotiation::{Features, Versions};
use orchflow_core::protocol::token::{Role, Token};
use orchflow_core::pty::ExitStatus;
use orchflow_core::size::Size;

use line::{AUTHORITY, Line, hello, service, token, wire};

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
