//! 7. A viewer cannot type, resize, spawn, end, rename or signal, nor answer for a terminal (which is how a program reads a clipboard).

use orchflow_core::protocol::message::{Act, Attach, Close, Control, ErrorCode, Input, Message, Resize, Sessions, Spawn, Start};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::{Signal, Target};
use orchflow_core::size::Size;

use crate::neighbour::Neighbour;
use crate::server::Server;
use crate::speaker::{CARRIERS, Carrier, Speaker, refusals};

/// To watch as an owner would, in a window of this size.
fn attach(session: u64, size: Option<Size>) -> Message {
    Message::Attach(Attach { number: 1, session, start: Start::Offset(0), role: Some(Role::Owner), size, policy: None })
}

fn input(bytes: &'static str, urgent: bool, reply: bool) -> Message {
    Message::Input(Input { sequence: 1, bytes: bytes.into(), urgent, reply })
}

/// What would change something, all of it about `session`.
fn deeds(session: u64) -> Vec<(&'static str, Message)> {
    let control = |act| Message::Control(Control { number: 7, act });
    vec![
        ("type", input("echo typed\n", false, false)),
        ("interrupt", input("\x03", true, false)),
        ("answer for a terminal", input("\x1b]52;c;c2VjcmV0\x1b\\", false, true)),
        ("resize", Message::Resize(Resize { number: 7, size: Size::default() })),
        ("rename", control(Act::Title("mine".into()))),
        ("clear", control(Act::Clear)),
        ("reset", control(Act::Reset)),
        ("signal", control(Act::Signal { name: Signal::Kill, to: Target::Session })),
        ("end", Message::Close(Close { number: 7, session: None, grace_ms: 0 })),
        ("end by number", Message::Close(Close { number: 7, session: Some(session), grace_ms: 0 })),
    ]
}

/// Why an answer says no.
fn refused(answer: &Message) -> Option<ErrorCode> {
    match answer {
        Message::Error(refusal) => Some(refusal.code),
        Message::InputRefused(refused) => Some(refused.code),
        _ => None,
    }
}

fn sessions(speaker: &mut Speaker) -> Sessions {
    speaker.tell(0, Message::List { number: 9 });
    let Message::Sessions(sessions) = speaker.answer() else { panic!("no list") };
    sessions
}

#[test]
fn viewer_sees_everything_and_every_deed_is_refused_by_name_and_counted() {
    for carrier in CARRIERS {
        let server = Server::start(&[]);
        let neighbour = Neighbour::of(&server);
        let mut viewer = Speaker::inside(&server, carrier, Role::Viewer);
        let small = Size::new(10, 3).unwrap();
        viewer.tell(4, attach(neighbour.session, Some(small)));
        let Message::Attached(attached) = viewer.answer() else { panic!("not attached") };
        // It asked for more than it may, and its window makes nobody else's smaller.
        assert_eq!((attached.role, attached.replies, attached.size), (Role::Viewer, false, Size::default()));
        let before = sessions(&mut viewer);
        for (count, (what, deed)) in deeds(neighbour.session).into_iter().enumerate() {
            viewer.tell(4, deed);
            let answer = viewer.answer();
            assert_eq!(refused(&answer), Some(ErrorCode::Forbidden), "{what} over {carrier:?}: {answer:?}");
            assert_eq!(refusals(&server, ErrorCode::Forbidden), count as u64 + 1, "{what}");
            viewer.is_served();
            neighbour.notices_nothing();
        }
        viewer.tell(5, Message::Spawn(Box::new(Spawn { number: 8, ..Spawn::default() })));
        assert_eq!(refused(&viewer.answer()), Some(ErrorCode::Forbidden));
        let (mut after, mut before) = (sessions(&mut viewer), before);
        for info in after.sessions.iter_mut().chain(&mut before.sessions) {
            (info.age_ms, info.end) = (0, 0);
        }
        assert_eq!(after, before, "something changed");
        assert_eq!(server.metric("terminal_sessions_total"), 1);
        let read = neighbour.leave();
        assert!(!read.contains("typed") && !read.contains("c2VjcmV0"), "{read:?}");
    }
}

#[test]
fn who_attaches_to_watch_may_do_no_more_than_that_whoever_it_is() {
    let server = Server::start(&[]);
    let neighbour = Neighbour::of(&server);
    let mut owner = Speaker::inside(&server, Carrier::WebSocket, Role::Owner);
    let watch =
        Attach { number: 1, session: neighbour.session, start: Start::Offset(0), role: Some(Role::Viewer), size: None, policy: None };
    owner.tell(4, Message::Attach(watch));
    assert!(matches!(owner.answer(), Message::Attached(attached) if attached.role == Role::Viewer && !attached.replies));
    owner.tell(4, input("echo typed\n", false, false));
    assert_eq!(refused(&owner.answer()), Some(ErrorCode::Forbidden));
    neighbour.notices_nothing();
    assert!(!neighbour.leave().contains("typed"));
}

#[test]
fn writer_types_but_starts_and_ends_nothing_and_a_reader_of_metrics_sees_nothing() {
    let server = Server::start(&[]);
    let neighbour = Neighbour::of(&server);
    let close = || Message::Close(Close { number: 7, session: Some(neighbour.session), grace_ms: 0 });
    let spawn = || Message::Spawn(Box::new(Spawn { number: 8, ..Spawn::default() }));
    let mut writer = Speaker::inside(&server, Carrier::WebSocket, Role::Writer);
    let mut reader = Speaker::inside(&server, Carrier::WebSocket, Role::Metrics);
    for request in [close(), spawn()] {
        writer.tell(4, request);
        assert_eq!(refused(&writer.answer()), Some(ErrorCode::Forbidden));
    }
    for request in [attach(neighbour.session, None), close(), spawn()] {
        reader.tell(4, request);
        assert_eq!(refused(&reader.answer()), Some(ErrorCode::Forbidden));
    }
    assert_eq!(sessions(&mut reader).sessions, []);
    writer.tell(4, attach(neighbour.session, None));
    assert!(matches!(writer.answer(), Message::Attached(_)));
    writer.tell(4, input("from a writer\n", false, false));
    let mut read = String::new();
    while !read.contains("heard from a writer.") {
        if let (_, Message::Output(output)) = writer.message() {
            read.push_str(&String::from_utf8_lossy(&output.bytes));
        }
    }
    neighbour.notices_nothing();
    assert_eq!(refusals(&server, ErrorCode::Forbidden), 5);
}
