//! One terminal at the far end of a connection, seen by the client that the examples use.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use bytes::Bytes;
use orchflow_core::peer::client::Event;
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::Spawn;
use orchflow_core::protocol::token::Pass;
use orchflow_examples::remote::{Address, Remote};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::terminals::Terminals;

/// Where a server listens, and what lets one in.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) at: SocketAddr,
    pub(crate) pass: Pass,
}

impl Site {
    /// A client that is in.
    pub(crate) fn enter(&self) -> io::Result<Remote> {
        let mut remote = Remote::new(Address::web_socket(self.at), self.pass.clone())?;
        match next(&mut remote)? {
            Event::Welcome(_) => Ok(remote),
            event => Err(unexpected(&event)),
        }
    }
}

/// A client with one session, whose output counts as rendered as soon as it was handed over.
pub(crate) struct RemoteTerminal {
    remote: Remote,
    stream: StreamId,
}

impl RemoteTerminal {
    /// Connects, starts a program and waits until it says that it is ready.
    pub(crate) fn start(site: &Site, program: &str, args: &[&str]) -> io::Result<RemoteTerminal> {
        let mut remote = site.enter()?;
        let spawn = Spawn {
            number: 0,
            program: Some(program.to_owned()),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env: Vec::new(),
            cwd: None,
            size: None,
            title: String::new(),
            ..Spawn::default()
        };
        let stream = remote.peer().spawn(spawn).map_err(io::Error::other)?;
        let mut terminal = RemoteTerminal { remote, stream };
        let (begun, mut ready) = (Instant::now(), false);
        terminal.remote.flush();
        while !ready {
            terminal.turn(PATIENCE, &mut |_, output| ready |= output.contains(&b'R'))?;
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the program was never ready"));
            }
        }
        Ok(terminal)
    }

    /// What to wait for, where one waits for many.
    pub(crate) fn fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        self.remote.fd()
    }

    /// Deals with what has come, without waiting.
    pub(crate) fn take_ready(&mut self, on_read: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.remote.turn();
        while let Some(event) = self.remote.poll_event() {
            match event {
                Event::Output { offset, bytes, .. } => {
                    on_read(&bytes);
                    self.remote.peer().rendered(self.stream, offset + bytes.len() as u64);
                }
                Event::Spawned { .. } | Event::Settled { .. } | Event::Viewers { .. } => {}
                event => return Err(unexpected(&event)),
            }
        }
        self.remote.flush();
        Ok(())
    }
}

impl Terminals for RemoteTerminal {
    fn write(&mut self, _: usize, bytes: &[u8]) -> io::Result<()> {
        self.remote.peer().write(self.stream, Bytes::copy_from_slice(bytes)).map_err(io::Error::other)?;
        self.remote.flush();
        Ok(())
    }

    /// Waits for output: that input has been taken is news too, but not what is waited for.
    fn turn(&mut self, timeout: Duration, on_read: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        let (until, mut any) = (Instant::now() + timeout, false);
        while !any {
            let left = until.saturating_duration_since(Instant::now());
            let (fd, flags) = self.fd().ok_or_else(lost)?;
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&timeout))?;
            self.take_ready(&mut |output| {
                any = true;
                on_read(0, output);
            })?;
            any |= left.is_zero();
        }
        Ok(())
    }
}

/// The next thing that happens to `remote`.
pub(crate) fn next(remote: &mut Remote) -> io::Result<Event> {
    remote.wait(PATIENCE)?.ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "the server does not answer"))
}

/// Waits until the program that was asked for runs: its session.
pub(crate) fn spawned(remote: &mut Remote) -> io::Result<u64> {
    loop {
        match next(remote)? {
            Event::Spawned { spawned, .. } => return Ok(spawned.session),
            Event::Output { .. } | Event::Viewers { .. } => {} // Of others, where one client has several.
            event => return Err(unexpected(&event)),
        }
    }
}

/// Loopback answers at once; after this long it will not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Nothing else happens unless something is wrong.
pub(crate) fn unexpected(event: &Event) -> io::Error {
    io::Error::other(format!("the server's answer: {event:?}"))
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection broke")
}
