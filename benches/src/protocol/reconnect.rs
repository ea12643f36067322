//! A client has missed a mebibyte: how long from dialling again until it has every byte of it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use orchflow_core::peer::client::Event;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Attach, Policy, Spawn, Start};
use orchflow_examples::remote::Remote;
use rustix::net::{Shutdown as Cut, shutdown};

use crate::clock::micros;
use crate::interleave::interleave;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::ws::{Server, Site, next};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[Spec {
        name: "reconnect.1mib",
        unit: "us",
        better: Better::Lower,
        reach: Reach::Nothing,
        note: "dialled, proved, resumed, every byte at hand and acknowledged; a TCP connection that is sent as much at once. One CPU",
    }],
    measure,
};

const MISSED: u64 = 1 << 20;

/// What the program prints, over and over: any stretch of it tells where it comes from, within a line.
const LINE: &[u8; 16] = b"0123456789abcde\n";

/// What it prints before that, once.
const READY: &str = "R";

/// Prints a mebibyte for each key that is typed, after a while in which a link can be cut.
const PROGRAM: &str =
    "stty raw -echo; printf R; while dd bs=1 count=1 status=none | grep -q .; do sleep 0.1; yes 0123456789abcde | head -c 1048576; done";

const PATIENCE: Duration = Duration::from_secs(10);

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let _pinned = Pinned::packed()?;
    let server = Server::start()?;
    let mut client = Client::start(&server.site)?;
    let (mut reference, mut again) = (Sender::start()?, Sender::start()?);
    let [ours, reference, again] =
        interleave(plan.pick(11, 101), [&mut || client.miss_and_return(), &mut || reference.fetch(), &mut || again.fetch()])?;
    sheet.put("reconnect.1mib", Figures::of_blocks(&ours, &reference, &again));
    Ok(())
}

/// One who watches a session under the policy that holds nobody up, so that all of it is printed while it is away.
struct Client {
    remote: Remote,
    /// Somebody who looks how far the session has come.
    other: Remote,
    session: u64,
    stream: StreamId,
    /// The next byte.
    at: u64,
    /// What came since it was last looked at, and its offsets.
    came: Vec<(u64, Bytes)>,
}

impl Client {
    fn start(site: &Site) -> io::Result<Client> {
        let (mut other, mut remote) = (site.enter()?, site.enter()?);
        let spawn = Spawn { program: Some("sh".into()), args: vec!["-c".into(), PROGRAM.into()], ..Spawn::default() };
        let spawned_on = other.peer().spawn(spawn).map_err(io::Error::other)?;
        let mut session = 0;
        loop {
            match next(&mut other)? {
                Event::Spawned { spawned, .. } => session = spawned.session,
                Event::Output { .. } => break, // It is ready.
                _ => {}
            }
        }
        other.peer().detach(spawned_on).map_err(io::Error::other)?;
        while !matches!(next(&mut other)?, Event::Detached { .. }) {}
        let start = Start::Offset(READY.len() as u64);
        let attach = Attach { number: 0, session, start, role: None, size: None, policy: Some(Policy::Resync) };
        let stream = remote.peer().attach(attach).map_err(io::Error::other)?;
        while !matches!(next(&mut remote)?, Event::Attached { .. }) {}
        Ok(Client { remote, other, session, stream, at: READY.len() as u64, came: Vec::new() })
    }

    /// Has a mebibyte printed while its link is cut. Returns how long it takes to have it, in microseconds.
    fn miss_and_return(&mut self) -> io::Result<f64> {
        let sequence = self.remote.peer().write(self.stream, "x").map_err(io::Error::other)?;
        // It is cut right after its key was taken, before the program goes on.
        while !matches!(self.take()?, Event::Settled { sequence: settled, .. } if settled == sequence) {}
        let (fd, _) = self.remote.fd().ok_or_else(|| io::Error::other("the link broke"))?;
        shutdown(fd, Cut::Both)?;
        while !matches!(self.take()?, Event::Lost { .. }) {}
        let end = self.at + MISSED;
        self.await_end(end)?;
        let begun = Instant::now();
        self.remote.peer().dial();
        while self.at < end {
            self.take()?;
        }
        self.remote.flush();
        let took = micros(begun.elapsed());
        self.compare()?;
        Ok(took)
    }

    /// The next event; output is kept, and rendered.
    fn take(&mut self) -> io::Result<Event> {
        let event = next(&mut self.remote)?;
        match &event {
            Event::Output { offset, bytes, .. } => {
                self.came.push((*offset, bytes.clone()));
                self.at = offset + bytes.len() as u64;
                self.remote.peer().rendered(self.stream, self.at);
            }
            Event::Gap { gap, .. } => return Err(io::Error::other(format!("output is missing: {gap:?}"))),
            _ => {}
        }
        Ok(event)
    }

    /// What came is what was printed, to the byte.
    fn compare(&mut self) -> io::Result<()> {
        let mut at = self.at - self.came.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
        for (offset, bytes) in self.came.drain(..) {
            let line_at = offset as usize - READY.len();
            let same = bytes.iter().enumerate().all(|(index, byte)| *byte == LINE[(line_at + index) % LINE.len()]);
            if offset != at || !same {
                return Err(io::Error::other(format!("other output than was printed, at {offset} instead of {at}")));
            }
            at += bytes.len() as u64;
        }
        Ok(())
    }

    fn await_end(&mut self, end: u64) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            self.other.peer().list().map_err(io::Error::other)?;
            let Event::Sessions(sessions) = next(&mut self.other)? else { continue };
            let reached = sessions.sessions.iter().find(|info| info.session == self.session).map_or(0, |info| info.end);
            if reached >= end {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{reached} bytes were printed, and {end} are due")));
            }
        }
    }
}

/// Sends whoever connects a mebibyte, and closes.
struct Sender {
    at: SocketAddr,
    buffer: Vec<u8>,
}

impl Sender {
    fn start() -> io::Result<Sender> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let at = listener.local_addr()?;
        std::thread::spawn(move || {
            let all = LINE.repeat(MISSED as usize / LINE.len());
            for stream in listener.incoming().flatten() {
                send(stream, &all);
            }
        });
        Ok(Sender { at, buffer: Vec::with_capacity(MISSED as usize) })
    }

    fn fetch(&mut self) -> io::Result<f64> {
        let begun = Instant::now();
        self.buffer.clear();
        TcpStream::connect(self.at)?.read_to_end(&mut self.buffer)?;
        let took = micros(begun.elapsed());
        let whole = self.buffer.len() as u64 == MISSED && self.buffer.chunks(16).all(|line| line == LINE);
        if whole { Ok(took) } else { Err(io::Error::other("the reference sent something else")) }
    }
}

fn send(mut stream: TcpStream, all: &[u8]) {
    // Who leaves early does not want the rest.
    let _left = stream.write_all(all).and_then(|()| stream.shutdown(Shutdown::Write));
}
