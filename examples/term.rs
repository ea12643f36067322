//! A terminal in your terminal: runs your shell (or the command given) and passes everything through.
//!
//! `cargo run --release --example term -- vim notes.txt`. It is also the shape of every host with a loop of its own: one
//! `poll` over what the host cares about and the hub's one descriptor.

use std::error::Error;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use orchflow_core::hub::{Hub, Output, Reader, Session};
use orchflow_core::limits::TURN_BYTES;
use orchflow_core::pty::{Command, ExitStatus};
use orchflow_core::session::{EventKind, SessionOptions, WriteError};
use orchflow_examples::tty::{self, RawMode, Resized};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::isatty;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if !isatty(io::stdin()) {
        return Err("standard input is not a terminal: run this in one".into());
    }
    let hub = Hub::builder().events().hosted()?;
    let session = hub.spawn(&command_from_arguments(), SessionOptions::default().size(tty::size()))?;
    let raw = RawMode::enter()?;
    let status = Passthrough::new(hub, session)?.run();
    drop(raw);
    Ok(match status? {
        ExitStatus::Code(code) => ExitCode::from(code as u8),
        ExitStatus::Signal(signal) => ExitCode::from(128u8.saturating_add(signal as u8)),
        _ => ExitCode::FAILURE,
    })
}

fn command_from_arguments() -> Command {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().map_or_else(Command::shell, |program| Command::new(program).args(arguments))
}

/// Between the terminal we are in and the one we made.
struct Passthrough {
    hub: Hub,
    session: Session,
    reader: Reader,
    resized: Resized,
    /// Typed, and not yet accepted by a session whose input queue was full.
    typed: Vec<u8>,
}

impl Passthrough {
    fn new(hub: Hub, session: Session) -> io::Result<Self> {
        let reader = session.reader();
        Ok(Passthrough { hub, session, reader, resized: Resized::listen()?, typed: Vec::new() })
    }

    fn run(&mut self) -> io::Result<ExitStatus> {
        loop {
            let [stdin, resized] = self.wait()?;
            self.hub.dispatch(TURN_BYTES)?;
            while let Some(event) = self.hub.next_event() {
                if event.kind == EventKind::InputReady {
                    self.type_in()?;
                }
            }
            if let Some(status) = self.show()? {
                return Ok(status);
            }
            if stdin {
                self.read_keys()?;
            }
            if resized {
                self.pass_size_on()?;
            }
        }
    }

    /// Waits until there is something to do. Keys are not read while earlier ones still wait.
    fn wait(&self) -> io::Result<[bool; 2]> {
        let stdin = io::stdin();
        let keys = if self.typed.is_empty() { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [
            PollFd::from_borrowed_fd(stdin.as_fd(), keys),
            PollFd::from_borrowed_fd(self.resized.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.hub.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) => Ok([fds[0].revents(), fds[1].revents()].map(|ready| !ready.is_empty())),
            Err(rustix::io::Errno::INTR) => Ok([false; 2]),
            Err(error) => Err(error.into()),
        }
    }

    /// Shows all output there is; returns the status once there will be no more.
    fn show(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut stdout = io::stdout().lock();
        while let Some(output) = self.reader.try_read() {
            match output {
                Output::Chunk { bytes, .. } => stdout.write_all(&bytes)?,
                Output::Gap { .. } => {}
                Output::Exit(exit) => return Ok(Some(exit.status)),
            }
        }
        stdout.flush()?;
        Ok(None)
    }

    fn read_keys(&mut self) -> io::Result<()> {
        if tty::read_keys(&mut self.typed)? == 0 {
            self.session.close(orchflow_core::limits::CLOSE_GRACE); // Our terminal is gone; so is its reader.
        }
        self.type_in()
    }

    fn type_in(&mut self) -> io::Result<()> {
        match self.session.write(&self.typed) {
            Ok(accepted) => drop(self.typed.drain(..accepted)),
            Err(WriteError::Full { .. }) => {} // An event tells when to try again.
            Err(WriteError::Closed) => self.typed.clear(),
            Err(WriteError::LineTooLong { .. }) => {
                self.typed.clear();
                io::stdout().write_all(b"\x07")?; // What a terminal does with a key it has no room for.
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(())
    }

    fn pass_size_on(&mut self) -> io::Result<()> {
        self.resized.silence();
        match self.session.resize(tty::size()) {
            Ok(_) | Err(WriteError::Closed) => Ok(()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
