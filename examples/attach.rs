//! A terminal of a server elsewhere, in your terminal: starts a program there (or your shell) and passes everything through. When
//! the link breaks it comes back where it was, and what was typed meanwhile is typed then.
//!
//! `cargo run --release --example attach -- PLACE [PROGRAM [ARGUMENT..]]`. PLACE is the path of the server's Unix socket, with the
//! token beside it; or `link`, for the link that the server has printed, taken from the variable `ORCHFLOW_LINK`: others on the
//! machine see the arguments of a program, and not its variables.

use std::error::Error;
use std::io::{self, Write};
use std::net::ToSocketAddrs;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use orchflow_core::peer::client::{Event, InputError};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::Spawn;
use orchflow_core::protocol::token::{Pass, Role, Token};
use orchflow_core::pty::ExitStatus;
use orchflow_examples::remote::{Address, Remote};
use orchflow_examples::tty::{self, RawMode, Resized};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::isatty;

const USAGE: &str = "attach PLACE [PROGRAM [ARGUMENT..]], where PLACE is the path of the server's socket, \
                     or `link` for the link in the variable ORCHFLOW_LINK";

/// Keys that interrupt, quit and stop.
const INTERRUPTS: [&[u8]; 3] = [b"\x03", b"\x1c", b"\x1a"];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (address, pass) = server(&arguments.next().ok_or(USAGE)?)?;
    if !isatty(io::stdin()) {
        return Err("standard input is not a terminal: run this in one".into());
    }
    let spawn = Spawn { program: arguments.next(), args: arguments.collect(), size: Some(tty::size()), ..Spawn::default() };
    let mut remote = Remote::new(address, pass)?;
    let stream = remote.peer().spawn(spawn)?;
    let resized = Resized::listen()?;
    let raw = RawMode::enter()?;
    let status = Passthrough { remote, stream, resized, is_there: false, typed: Vec::new(), has_new_size: true }.run();
    drop(raw);
    Ok(match status? {
        ExitStatus::Code(code) => ExitCode::from(code as u8),
        ExitStatus::Signal(signal) => ExitCode::from(128u8.saturating_add(signal as u8)),
        _ => ExitCode::FAILURE,
    })
}

/// Where it is, and what lets us in.
fn server(place: &str) -> Result<(Address, Pass), Box<dyn Error>> {
    if place != "link" {
        let socket = PathBuf::from(place);
        let token = std::fs::read_to_string(socket.with_file_name("token"))?;
        return Ok((Address::Unix(socket), Token::from_text(token.trim_end())?.pass(Role::Owner)));
    }
    let link = std::env::var("ORCHFLOW_LINK")?;
    let parts = link.trim().strip_prefix("http://").and_then(|rest| rest.split_once("/#token="));
    let (authority, pass) = parts.ok_or("ORCHFLOW_LINK is no link of a server: http://HOST:PORT/#token=...")?;
    let at = authority.to_socket_addrs()?.next().ok_or("the link's host has no address")?;
    Ok((Address::WebSocket { at, authority: authority.to_owned() }, Pass::from_text(pass)?))
}

/// Between the terminal we are in and the one that is there.
struct Passthrough {
    remote: Remote,
    stream: StreamId,
    resized: Resized,
    /// The program was started.
    is_there: bool,
    /// Typed, and not yet kept by a client that was full, or has nobody to type to yet.
    typed: Vec<u8>,
    has_new_size: bool,
}

impl Passthrough {
    fn run(&mut self) -> Result<ExitStatus, Box<dyn Error>> {
        loop {
            self.remote.turn();
            while let Some(event) = self.remote.poll_event() {
                if let Some(status) = self.handle(event)? {
                    return Ok(status);
                }
            }
            io::stdout().flush()?;
            self.tell();
            self.remote.send();
            let [stdin, resized] = self.wait()?;
            if stdin && tty::read_keys(&mut self.typed)? == 0 {
                return Err("the terminal is gone".into());
            }
            if resized {
                self.resized.silence();
                self.has_new_size = true;
            }
        }
    }

    /// Waits until there is something to do. Keys are not read while earlier ones still wait.
    fn wait(&self) -> io::Result<[bool; 2]> {
        let stdin = io::stdin();
        let keys = if self.typed.is_empty() { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = vec![PollFd::from_borrowed_fd(stdin.as_fd(), keys), PollFd::from_borrowed_fd(self.resized.as_fd(), PollFlags::IN)];
        fds.extend(self.remote.fd().map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        let timeout = self.remote.timeout().map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => Ok([fds[0].revents(), fds[1].revents()].map(|ready| !ready.is_empty())),
            Err(rustix::io::Errno::INTR) => Ok([false; 2]),
            Err(error) => Err(error.into()),
        }
    }

    /// Shows what came; returns the status once there will be no more.
    fn handle(&mut self, event: Event) -> Result<Option<ExitStatus>, Box<dyn Error>> {
        match event {
            Event::Spawned { .. } => self.is_there = true,
            Event::Output { stream, offset, bytes, .. } => {
                io::stdout().write_all(&bytes)?;
                self.remote.peer().rendered(stream, offset + bytes.len() as u64);
            }
            Event::Gap { stream, gap } => self.remote.peer().rendered(stream, gap.to),
            Event::Exit { ended, .. } => return Ok(Some(ended.status)),
            Event::Lost { why, again: None } => return Err(format!("the server is gone: {why:?}").into()),
            Event::Refused { refusal, .. } => return Err(format!("refused: {refusal:?}").into()),
            Event::Detached { detached, .. } => return Err(format!("detached: {detached:?}").into()),
            Event::InputRefused { .. } => io::stdout().write_all(b"\x07")?, // What a terminal does with a key it has no room for.
            _ => {}
        }
        Ok(None)
    }

    /// Passes on what was typed, and the size.
    fn tell(&mut self) {
        if !self.is_there {
            return;
        }
        let (peer, stream) = (self.remote.peer(), self.stream);
        if self.has_new_size {
            self.has_new_size = peer.resize(stream, tty::size()).is_err();
        }
        if self.typed.is_empty() {
            return;
        }
        let keys = self.typed.clone();
        let taken = if INTERRUPTS.contains(&&keys[..]) { peer.interrupt(stream, keys) } else { peer.write(stream, keys) };
        if !matches!(taken, Err(InputError::Full { .. })) {
            self.typed.clear();
        }
    }
}
