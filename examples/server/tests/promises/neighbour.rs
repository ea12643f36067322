//! A client that does everything right, beside those that do not: it must notice nothing of them.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use orchflow_core::peer::client::{ClientOptions, Event};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::Spawn;
use orchflow_core::protocol::token::{Role, Token};
use orchflow_examples::remote::{Address, Remote};

use crate::server::{PATIENCE, Server};

/// An owner with a session that repeats what is typed into it, on a thread of its own.
pub(crate) struct Neighbour {
    /// The session, for others to be curious about.
    pub(crate) session: u64,
    asks: Option<Sender<()>>,
    answers: Receiver<()>,
    thread: Option<JoinHandle<String>>,
}

const PROGRAM: &str = "stty -echo; echo ready; while read -r line; do echo \"heard $line.\"; done";

impl Neighbour {
    pub(crate) fn of(server: &Server) -> Neighbour {
        let address = Address::web_socket(SocketAddr::from(([127, 0, 0, 1], server.port)));
        let options = ClientOptions::new(Token::from_text(&server.token).unwrap().pass(Role::Owner), server.host());
        let remote = Remote::with_options(address, options).unwrap();
        let (asks, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let (told, session) = mpsc::channel();
        let thread = thread::spawn(move || live(remote, &told, &asked, &answer));
        let session = session.recv_timeout(PATIENCE).expect("its session starts");
        Neighbour { session, asks: Some(asks), answers, thread: Some(thread) }
    }

    /// It types a line and reads the program's answer to it.
    pub(crate) fn notices_nothing(&self) {
        self.asks.as_ref().unwrap().send(()).expect("it is there still");
        self.answers.recv_timeout(PATIENCE).expect("its program answers, as if it were alone");
    }

    /// All that its program ever wrote.
    pub(crate) fn leave(mut self) -> String {
        self.asks = None;
        self.thread.take().unwrap().join().expect("it had nothing to complain of")
    }
}

fn live(mut remote: Remote, told: &Sender<u64>, asked: &Receiver<()>, answer: &Sender<()>) -> String {
    let spawn = Spawn { program: Some("sh".into()), args: vec!["-c".into(), PROGRAM.into()], ..Spawn::default() };
    let stream = remote.peer().spawn(spawn).unwrap();
    let (mut read, mut lines) = (String::new(), 0);
    let late = Instant::now() + PATIENCE;
    let session = loop {
        match next(&mut remote, stream, &mut read) {
            Some(Event::Spawned { spawned, .. }) => break spawned.session,
            _ => assert!(Instant::now() < late, "its session does not start"),
        }
    };
    until(&mut remote, stream, &mut read, "ready");
    told.send(session).unwrap();
    loop {
        match asked.try_recv() {
            Ok(()) => {
                lines += 1;
                remote.peer().write(stream, format!("line {lines}\n")).unwrap();
                until(&mut remote, stream, &mut read, &format!("heard line {lines}."));
                answer.send(()).unwrap();
            }
            Err(TryRecvError::Empty) => drop(next(&mut remote, stream, &mut read)),
            Err(TryRecvError::Disconnected) => break,
        }
    }
    let now = remote.now();
    remote.peer().leave(now);
    while remote.poll_event().is_some() {}
    read
}

fn until(remote: &mut Remote, stream: StreamId, read: &mut String, words: &str) {
    let late = Instant::now() + PATIENCE;
    while !read.contains(words) {
        assert!(Instant::now() < late, "no {words:?} in {read:?}");
        next(remote, stream, read);
    }
}

/// What happens in a short while. Whatever would not happen to somebody alone is a failure.
fn next(remote: &mut Remote, stream: StreamId, read: &mut String) -> Option<Event> {
    let event = remote.wait(Duration::from_millis(20)).unwrap();
    match &event {
        Some(Event::Output { bytes, offset, .. }) => {
            read.push_str(&String::from_utf8_lossy(bytes));
            remote.peer().rendered(stream, offset + bytes.len() as u64);
        }
        None | Some(Event::Welcome(_) | Event::Spawned { .. } | Event::Settled { .. } | Event::Viewers { .. }) => {}
        Some(other) => panic!("a good client was told {other:?}"),
    }
    event
}
