//! 6. No input from network or child makes the process panic, hang or grow without bound.
//!
//! Each test plays with one server, and at its end asks what no hostile peer may change: nobody else noticed anything, no connection's task
//! panicked, memory and descriptors are where they were, but for what the limits grant.

use std::time::{Duration, Instant};

use orchflow_core::limits::{FRAME_MAX, TITLE_CHARS_MAX};
use orchflow_core::protocol::message::{Act, Attach, Close, Control, ErrorCode, Hello, Input, Message, Policy, Spawn, Start};
use orchflow_core::protocol::token::Role;

use crate::neighbour::Neighbour;
use crate::server::{PATIENCE, Server};
use crate::speaker::{CARRIERS, Carrier, Speaker, hello, on};

/// What the process may hold more than at rest, in bytes: histories of 1 MiB for a few sessions, queues of 1 MiB for a few connections, and what
/// an allocator keeps of them for next time. Each test sends several times as much.
const GROWTH_MAX: u64 = 48 << 20;

/// A server with a good client, and what it held before anybody was bad.
struct Siege {
    server: Server,
    neighbour: Neighbour,
    memory: u64,
    descriptors: u64,
}

impl Siege {
    fn new() -> Siege {
        let server = Server::start(&[]);
        let neighbour = Neighbour::of(&server);
        neighbour.notices_nothing();
        let (memory, descriptors) = (server.metric("process_resident_memory_bytes"), server.metric("process_open_fds"));
        Siege { server, neighbour, memory, descriptors }
    }

    /// Nobody else noticed, nothing panicked, and nothing grew beyond what is granted.
    fn holds(&self) {
        self.neighbour.notices_nothing();
        assert_eq!(self.server.metric("terminal_connection_panics_total"), 0);
        let grown = self.server.metric("process_resident_memory_bytes").saturating_sub(self.memory);
        assert!(grown < GROWTH_MAX, "{grown} bytes more than at rest");
    }

    /// Once those who were bad have gone, so is all they held.
    fn lifts(self) {
        let until = Instant::now() + PATIENCE;
        while self.server.metric("process_open_fds") > self.descriptors {
            assert!(Instant::now() < until, "descriptors stay open");
            self.neighbour.notices_nothing();
        }
        self.ends();
    }

    /// It holds, and ends in good order and in time.
    fn ends(self) {
        self.holds();
        self.neighbour.leave();
        let (status, folder, _) = self.server.stop();
        assert!(status.success() && folder.contents().is_empty(), "{status}: {:?}", folder.contents());
    }
}

fn shell(number: u64, script: &str) -> Message {
    Message::Spawn(Box::new(Spawn { number, program: Some("sh".into()), args: vec!["-c".into(), script.into()], ..Spawn::default() }))
}

/// Chance that can be played again.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn bytes_that_nobody_planned_end_their_connection_at_the_most() {
    let siege = Siege::new();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let sensible = [
        on(1, Message::Spawn(Box::new(Spawn { number: 1, program: Some("true".into()), ..Spawn::default() }))),
        on(
            1,
            Message::Attach(Attach { number: 2, session: 1, start: Start::Tail(9), role: None, size: None, policy: Some(Policy::Resync) }),
        ),
        on(1, Message::Input(Input { sequence: 1, bytes: "x".into(), urgent: true, reply: false })),
        on(0, Message::List { number: 3 }),
        on(0, Message::Hello(Box::new(Hello { name: "x".repeat(500), ..hello(Role::Owner) }))),
    ];
    for round in 0..200 {
        let carrier = CARRIERS[round % 2];
        // Strangers and guests; as a viewer, so that no garbage ends the neighbour's session.
        let mut speaker =
            if round % 4 < 2 { Speaker::open(&siege.server, carrier) } else { Speaker::inside(&siege.server, carrier, Role::Viewer) };
        for _ in 0..5 {
            let mut bytes = sensible[dice.next() as usize % sensible.len()].to_vec();
            for _ in 0..dice.next() % 4 {
                let at = dice.next() as usize % bytes.len();
                bytes[at] = dice.next() as u8;
            }
            bytes.truncate(1 + dice.next() as usize % (2 * bytes.len()));
            speaker.say(&bytes);
        }
        if round % 20 == 0 {
            siege.neighbour.notices_nothing();
        }
    }
    siege.lifts();
}

#[test]
fn who_asks_and_never_listens_is_not_listened_to() {
    let siege = Siege::new();
    let mut deaf: Vec<Speaker> = CARRIERS.map(|carrier| Speaker::inside(&siege.server, carrier, Role::Owner)).into();
    let mut questions = Vec::new();
    while questions.len() < 32 << 10 {
        questions.extend_from_slice(&on(0, Message::List { number: 1 }));
        questions.extend_from_slice(&on(0, Message::Ping { echo: 2 }));
    }
    for speaker in &mut deaf {
        // The kernel's buffers fill, and then nothing more is taken.
        speaker.set_write_patience(Duration::from_millis(500));
        let sent = speaker.flood(&questions, 256 << 20);
        assert!(sent < 64 << 20, "{sent} bytes of questions were read, and their answers by nobody");
        siege.holds();
    }
    drop(deaf);
    siege.lifts();
}

#[test]
fn who_does_not_read_output_stops_its_own_program_and_nothing_else() {
    let siege = Siege::new();
    let mut deaf = Speaker::inside(&siege.server, Carrier::WebSocket, Role::Owner);
    for stream in 1..=8 {
        deaf.tell(stream, shell(stream.into(), "exec cat /dev/zero"));
    }
    // Each is held up once its output is under way and its log is full.
    let until = Instant::now() + PATIENCE;
    while siege.server.metric("terminal_paused") < 8 {
        assert!(Instant::now() < until, "somebody is read whose output nobody takes");
        siege.neighbour.notices_nothing();
    }
    siege.holds();
    siege.ends(); // With all of them running, and one who does not listen still there.
}

#[test]
fn program_that_writes_garbage_and_endless_escape_sequences_is_shown_as_it_is() {
    let siege = Siege::new();
    let mut owner = Speaker::inside(&siege.server, Carrier::WebSocket, Role::Owner);
    // Noise; a title and a string of 4 MiB that begin and never end in time; ten thousand queries; half a character.
    let script = "stty raw -echo; head -c 4194304 /dev/urandom; printf '\\033]0;'; head -c 4194304 /dev/zero | tr '\\0' A; printf '\\033P'; \
                  head -c 4194304 /dev/zero | tr '\\0' B; i=0; while [ $i -lt 2000 ]; do printf '\\033[c\\033[6n\\033]52;c;?\\a'; i=$((i+1)); done; \
                  printf '\\303'";
    owner.tell(1, shell(1, script));
    let mut bytes = 0;
    let ended = loop {
        match owner.message() {
            (1, Message::Output(output)) => {
                bytes += output.bytes.len() as u64;
                owner.acknowledge(1, &output);
            }
            (1, Message::Exit(ended)) => break ended,
            (_, Message::Error(refusal)) => panic!("{refusal:?}"),
            _ => {}
        }
    };
    assert_eq!(ended.offset, bytes);
    assert_eq!(bytes, (12 << 20) + 4 + 2 + 2_000 * (3 + 4 + 9) + 1);
    owner.is_served();
    siege.ends();
}

#[test]
fn title_of_a_megabyte_becomes_a_title() {
    let siege = Siege::new();
    let mut owner = Speaker::inside(&siege.server, Carrier::WebSocket, Role::Owner);
    let long = |character: &str| character.repeat((FRAME_MAX - 200) / character.len());
    owner.tell(1, Message::Spawn(Box::new(Spawn { number: 1, program: Some("cat".into()), title: long("\u{202e}x"), ..Spawn::default() })));
    assert!(matches!(owner.answer(), Message::Spawned(_)));
    for number in 2..50 {
        owner.tell(1, Message::Control(Control { number, act: Act::Title(long("\u{1b}\u{9b}é")) }));
        assert_eq!(owner.answer(), Message::Done { number });
    }
    owner.tell(0, Message::List { number: 60 });
    let Message::Sessions(sessions) = owner.answer() else { panic!("no list") };
    let title = &sessions.sessions.last().unwrap().title;
    assert!(title.chars().count() <= TITLE_CHARS_MAX && title.chars().all(|character| character == 'é'), "{title:?}");
    siege.ends();
}

#[test]
fn more_streams_and_requests_than_anybody_needs_are_refused_one_by_one() {
    let siege = Siege::new();
    let mut owner = Speaker::inside(&siege.server, Carrier::Unix, Role::Owner);
    for stream in 1..=40 {
        owner.tell(stream, shell(stream.into(), "exec cat"));
        assert!(matches!(owner.answer(), Message::Spawned(_)));
    }
    for stream in 1_000..6_000 {
        let attach = Attach { number: stream.into(), session: 9_999, start: Start::Offset(0), role: None, size: None, policy: None };
        owner.tell(stream, Message::Attach(attach));
        assert!(matches!(owner.answer(), Message::Error(refusal) if refusal.code == ErrorCode::NoSession));
    }
    siege.holds();
    for stream in 1..=40 {
        owner.tell(stream, Message::Close(Close { number: 10_000, session: None, grace_ms: 0 }));
    }
    let mut ended = 0;
    while ended < 40 {
        ended += usize::from(matches!(owner.answer(), Message::Exit(_)));
    }
    drop(owner);
    siege.lifts();
}
