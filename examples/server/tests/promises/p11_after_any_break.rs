//! After any break every acknowledged input was applied once, and every byte of output arrives once or its gap is named.

use std::fs;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use orchflow_core::limits::HISTORY_BYTES;
use orchflow_core::peer::client::{ClientOptions, Event};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Attach, Ended, Gap, GapReason, Policy, Spawn, Start};
use orchflow_core::protocol::token::{Pass, Role, Token};
use orchflow_examples::remote::{Address, Remote};

use crate::proxy::{Cut, Proxy};
use crate::server::{PATIENCE, Server};

/// 50 MB in lines of 16 bytes: what stands at an offset follows from it.
const FLOOD_LINES: u64 = 3_200_000;
const LINE_BYTES: u64 = 16;
/// Lines that are typed.
const TYPED: u64 = 10_000;
const CUTS: usize = 100;

/// What `seq -f %015.0f` has written from `offset` on.
fn numbered(offset: u64, count: usize) -> Vec<u8> {
    let lines = offset / LINE_BYTES..=(offset + count as u64) / LINE_BYTES;
    let text: String = lines.map(|line| format!("{line:015}\n")).collect();
    text.as_bytes()[(offset % LINE_BYTES) as usize..][..count].to_vec()
}

fn pass(server: &Server) -> Pass {
    Token::from_text(&server.token).unwrap().pass(Role::Owner)
}

/// A client through `proxy` that comes back at once, or soon.
fn through(proxy: &Proxy, server: &Server, soon: Duration) -> Remote {
    let mut options = ClientOptions::new(pass(server), server.host());
    (options.schedule.first, options.schedule.max) = (Duration::from_millis(1), soon);
    let address = Address::WebSocket { at: proxy.at, authority: server.host() };
    Remote::with_options(address, options).unwrap()
}

fn shell(script: &str) -> Spawn {
    Spawn { program: Some("/bin/sh".into()), args: vec!["-c".into(), script.into()], ..Spawn::default() }
}

/// The next event. A test that waits for one that never comes has failed.
fn next(remote: &mut Remote) -> Event {
    remote.wait(PATIENCE).unwrap().expect("something happens")
}

fn plan() -> Vec<Cut> {
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut throw = |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice % sides as u64) as usize
    };
    let mut cut = |number: usize| match number % 5 {
        0 => Cut::Down(1_000 + throw(500_000)),
        1 => Cut::Up(500 + throw(4_000)),
        // Less than a server waits for, whatever else was not acknowledged: who hears nothing on a link asks only after 15 s.
        2 => Cut::Lost(1_000 + throw(250_000), 1 + throw(16_000)),
        3 => Cut::BeforeInputAck(throw(8)),
        _ => Cut::Down(1 + throw(700)), // Of the handshake's some 600 bytes.
    };
    (0..CUTS).map(&mut cut).collect()
}

/// A client with a program that floods and one that is typed into.
struct Person {
    remote: Remote,
    flood: StreamId,
    /// Offset behind the last byte of the flood that came.
    at: u64,
    lines: StreamId,
    is_ready: bool,
    typed: u64,
    settled: u64,
    ended: Vec<(StreamId, Ended)>,
}

impl Person {
    /// Starts both, and waits until they are.
    fn start(mut remote: Remote, typed: &Path) -> Person {
        let flood = format!("stty -opost; exec seq -f %015.0f 0 {}", FLOOD_LINES - 1);
        let lines = format!("stty -echo; printf ready; exec cat > '{}'", typed.display());
        let [flood, lines] = [flood, lines].map(|script| remote.peer().spawn(shell(&script)).unwrap());
        let mut person = Person { remote, flood, at: 0, lines, is_ready: false, typed: 0, settled: 0, ended: Vec::new() };
        let mut spawned = 0;
        while spawned < 2 {
            let event = next(&mut person.remote);
            spawned += usize::from(matches!(event, Event::Spawned { .. }));
            person.handle(event);
        }
        person
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Output { stream, offset, bytes, .. } if stream == self.flood => {
                assert_eq!(offset, self.at, "bytes are missing or doubled");
                assert!(bytes == numbered(offset, bytes.len()), "other bytes at {offset}");
                self.at += bytes.len() as u64;
                self.remote.peer().rendered(stream, self.at);
            }
            Event::Output { stream, offset, bytes, .. } => {
                self.is_ready = true; // Nothing else is said there.
                self.remote.peer().rendered(stream, offset + bytes.len() as u64);
            }
            Event::Settled { stream, sequence } => {
                assert!(stream == self.lines && sequence > self.settled, "{sequence} after {}", self.settled);
                self.settled = sequence;
            }
            Event::Exit { stream, ended } => self.ended.push((stream, ended)),
            Event::Welcome(_) | Event::Lost { .. } | Event::Attached { .. } | Event::Spawned { .. } => {}
            Event::Viewers { .. } | Event::ProcessExited { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// Goes on until both programs have ended: lines are typed as the flood goes on, whether or not there is a link, and then the
    /// end of them.
    fn play(&mut self) {
        while self.ended.len() < 2 {
            let due = if self.is_ready { self.at * TYPED / (FLOOD_LINES * LINE_BYTES) } else { 0 };
            while self.typed < due && self.remote.peer().write(self.lines, typed(self.typed)).is_ok() {
                self.typed += 1;
            }
            if self.typed == TYPED && self.remote.peer().write(self.lines, "\x04").is_ok() {
                self.typed += 1;
            }
            let Some(event) = self.remote.wait(PATIENCE).unwrap() else {
                let (at, typed, settled, ended, open) = (self.at, self.typed, self.settled, &self.ended, self.remote.peer().is_open());
                panic!("nothing happens: {at} bytes came, {typed} lines were typed and {settled} settled, {ended:?}, open: {open}");
            };
            self.handle(event);
        }
    }
}

fn typed(number: u64) -> String {
    format!("line {number:05} of {TYPED}\n")
}

#[test]
fn a_hundred_cuts_lose_and_double_neither_output_nor_input() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.port);
    let file = server.folder.path().join("typed");
    let mut person = Person::start(through(&proxy, &server, Duration::from_millis(10)), &file);
    proxy.cut(plan());
    person.play();
    assert_eq!(proxy.made().len(), CUTS, "the flood was over before the last cut");
    assert_eq!(person.at, FLOOD_LINES * LINE_BYTES);
    assert_eq!(person.settled, TYPED + 1);
    assert!(person.ended.iter().all(|(_, ended)| ended.status.success()), "{:?}", person.ended);
    let expected: String = (0..TYPED).map(typed).collect();
    assert!(fs::read_to_string(&file).unwrap() == expected, "lines were lost, doubled or out of order");
    assert_eq!(server.metric("terminal_sessions_total"), 2, "each program was started once");
}

const OUTAGE: Duration = Duration::from_secs(30);

/// Somebody who would rather miss output than hold the program up.
struct Onlooker {
    remote: Remote,
    /// Offset behind the last byte that came or is known to be missing.
    at: u64,
    gaps: Vec<Gap>,
    ended: Option<Ended>,
}

impl Onlooker {
    fn handle(&mut self, event: Event) {
        match event {
            Event::Output { stream, offset, bytes, .. } => {
                assert_eq!(offset, self.at, "bytes are missing without a gap, or doubled");
                assert!(bytes == numbered(offset, bytes.len()), "other bytes at {offset}");
                self.at += bytes.len() as u64;
                self.remote.peer().rendered(stream, self.at);
            }
            Event::Gap { stream, gap } => {
                assert!(gap.from == self.at && gap.to > gap.from, "{gap:?} at {}", self.at);
                self.at = gap.to;
                self.gaps.push(gap);
                self.remote.peer().rendered(stream, self.at);
            }
            Event::Exit { ended, .. } => self.ended = Some(ended),
            Event::Refused { .. } | Event::Detached { .. } => panic!("{event:?}"),
            _ => {}
        }
    }

    /// Goes on until there are `bytes` more.
    fn watch(&mut self, bytes: u64) {
        let until = self.at + bytes;
        while self.at < until {
            let event = next(&mut self.remote);
            self.handle(event);
        }
    }

    /// Tries in vain until the outage is over.
    fn miss(&mut self, proxy: &Proxy) {
        let until = Instant::now() + OUTAGE;
        proxy.go_down();
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if let Some(event) = self.remote.wait(left).unwrap() {
                self.handle(event);
            }
        }
        assert!(proxy.mend() > 0, "it did not try to come back");
    }
}

/// Starts a program that numbers its lines, a megabyte a second or so, until there is a file `stop`; returns the session, and reads all of
/// it meanwhile.
fn program_that_is_read(server: &Server, stop: &Path) -> (u64, JoinHandle<u64>) {
    let mut owner = Remote::new(Address::Unix(server.socket()), pass(server)).unwrap();
    let block = "seq -f %015.0f $i $((i+4095)); i=$((i+4096)); sleep 0.05";
    let script = format!("stty -opost; i=0; while [ ! -e '{}' ]; do {block}; done", stop.display());
    owner.peer().spawn(shell(&script)).unwrap();
    let session = loop {
        if let Event::Spawned { spawned, .. } = next(&mut owner) {
            break spawned.session;
        }
    };
    let reading = thread::spawn(move || {
        let mut at = 0;
        loop {
            match next(&mut owner) {
                Event::Output { stream, offset, bytes, .. } => {
                    assert!(offset == at && bytes == numbered(offset, bytes.len()), "other bytes at {offset}");
                    at += bytes.len() as u64;
                    owner.peer().rendered(stream, at);
                }
                Event::Exit { ended, .. } => return ended.offset,
                Event::Gap { .. } | Event::Lost { .. } => panic!("whoever reads on misses nothing"),
                _ => {}
            }
        }
    });
    (session, reading)
}

#[test]
fn outages_of_half_a_minute_cost_who_may_miss_output_what_the_gaps_name() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.port);
    let stop = server.folder.path().join("stop");
    let (session, reading) = program_that_is_read(&server, &stop);
    let mut remote = through(&proxy, &server, Duration::from_millis(200));
    let attach = Attach { number: 0, session, start: Start::Offset(0), role: None, size: None, policy: Some(Policy::Resync) };
    remote.peer().attach(attach).unwrap();
    let mut onlooker = Onlooker { remote, at: 0, gaps: Vec::new(), ended: None };
    for outage in 1..=2 {
        onlooker.watch(200_000);
        onlooker.miss(&proxy);
        onlooker.watch(1);
        let long = onlooker.gaps.iter().filter(|gap| gap.why == GapReason::History && gap.to - gap.from > 10 * HISTORY_BYTES as u64);
        assert_eq!(long.count(), outage, "{:?}", onlooker.gaps);
    }
    fs::write(&stop, "").unwrap();
    while onlooker.ended.is_none() {
        let event = next(&mut onlooker.remote);
        onlooker.handle(event);
    }
    let all = reading.join().unwrap();
    assert_eq!((onlooker.at, onlooker.ended.unwrap().offset), (all, all));
}
