//! A terminal of a server elsewhere, in your terminal; like ssh with a memory. When the link breaks it comes back where it was, and what
//! was typed meanwhile is typed then. `~.` at the beginning of a line lets go of the session, which goes on; `--session` comes back to it.
//!
//! `cargo run --release --example attach -- PLACE [PROGRAM [ARGUMENT..]]`, or PLACE `--list`, or PLACE `--session NUMBER`. PLACE is the
//! path of the server's Unix socket, with the token beside it; or `link`, for the link that the server has printed, taken from the
//! variable `ORCHFLOW_LINK`: others on the machine see the arguments of a program, and not its variables.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::ToSocketAddrs;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use orchflow_core::peer::client::{Event, InputError, Loss};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Attach, Spawn, Start};
use orchflow_core::protocol::token::{Pass, Role, Token};
use orchflow_core::pty::ExitStatus;
use orchflow_examples::answers::Answers;
use orchflow_examples::escapes::Escapes;
use orchflow_examples::remote::{Address, Remote};
use orchflow_examples::tty::{self, RawMode, Resized};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::isatty;

const USAGE: &str = "attach PLACE [PROGRAM [ARGUMENT..]], attach PLACE --list, or attach PLACE --session NUMBER, where PLACE is \
                     the path of the server's socket, or `link` for the link in the variable ORCHFLOW_LINK";

/// Keys that interrupt, quit and stop.
const INTERRUPTS: [&[u8]; 3] = [b"\x03", b"\x1c", b"\x1a"];

/// Of a session that one comes back to, so much is shown again, in bytes: some screens full.
const SHOWN_AGAIN: u64 = 32 << 10;

/// How long a list of sessions may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = std::env::args_os().skip(1).map(OsString::into_string).collect::<Result<Vec<_>, _>>();
    let mut arguments = arguments.map_err(|one| format!("{one:?} is no text, and the protocol carries text only"))?.into_iter();
    let (address, pass) = server(&arguments.next().ok_or(USAGE)?)?;
    let mut remote = Remote::new(address, pass)?;
    let program = arguments.next();
    if program.as_deref() == Some("--list") {
        return list(&mut remote);
    }
    if !isatty(io::stdin()) {
        return Err("standard input is not a terminal: run this in one".into());
    }
    let stream = if program.as_deref() == Some("--session") {
        let session = arguments.next().and_then(|number| number.parse().ok()).ok_or(USAGE)?;
        let (start, size) = (Start::Tail(SHOWN_AGAIN), Some(tty::size()));
        remote.peer().attach(Attach { number: 0, session, start, role: None, size, policy: None })?
    } else {
        let size = Some(tty::size());
        remote.peer().spawn(Spawn { program, args: arguments.collect(), size, ..Spawn::default() })?
    };
    let resized = Resized::listen()?;
    let raw = RawMode::enter()?;
    let end = Passthrough::new(remote, stream, resized).run();
    drop(raw);
    Ok(match end? {
        End::Exit(ExitStatus::Code(code)) => ExitCode::from(code as u8),
        End::Exit(ExitStatus::Signal(signal)) => ExitCode::from(128u8.saturating_add(signal as u8)),
        End::Exit(_) => ExitCode::FAILURE,
        End::LetGo { session } => {
            println!("\nsession {session} goes on; `--session {session}` comes back to it");
            ExitCode::SUCCESS
        }
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

/// Prints the sessions there are.
fn list(remote: &mut Remote) -> Result<ExitCode, Box<dyn Error>> {
    remote.peer().list()?;
    loop {
        match remote.wait(PATIENCE)?.ok_or("the server does not answer")? {
            Event::Sessions(some) => {
                for one in &some.sessions {
                    let state = if one.status.is_some() { "ended" } else { "runs" };
                    println!("{}\t{}\t{}\t{} watching\t{}", one.session, state, one.size, one.viewers, one.title);
                }
                if !some.more {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            Event::Lost { why, .. } => return Err(unreachable(remote, &why).into()),
            _ => {}
        }
    }
}

/// Says why there is no server to speak to.
fn unreachable(remote: &Remote, why: &Loss) -> String {
    match (why, remote.dial_error()) {
        (Loss::Goodbye(goodbye), _) => format!("the server has said goodbye: {} ({})", goodbye.message, goodbye.code),
        (Loss::Impostor, _) => "whoever listens there does not hold the token of this link: is it of an earlier run?".to_owned(),
        (Loss::Broke, Some(error)) => format!("the server cannot be reached: {error}"),
        _ => format!("the server is gone: {why:?}"),
    }
}

/// Why one is no longer attached.
enum End {
    /// The program has ended.
    Exit(ExitStatus),
    /// The user let go of it.
    LetGo { session: u64 },
}

/// Between the terminal we are in and the one that is there.
struct Passthrough {
    remote: Remote,
    stream: StreamId,
    resized: Resized,
    /// Which session it is, once it is there.
    session: Option<u64>,
    escapes: Escapes,
    answers: Answers,
    /// Typed, and not yet kept by a client that was full, or has nobody to type to yet.
    typed: Vec<u8>,
    has_new_size: bool,
}

impl Passthrough {
    fn new(remote: Remote, stream: StreamId, resized: Resized) -> Self {
        let (escapes, answers) = (Escapes::default(), Answers::default());
        Passthrough { remote, stream, resized, session: None, escapes, answers, typed: Vec::new(), has_new_size: true }
    }

    /// Until the end; the server is told that nobody comes back.
    fn run(&mut self) -> Result<End, Box<dyn Error>> {
        let end = self.pass();
        let now = self.remote.now();
        self.remote.peer().leave(now);
        while self.remote.poll_event().is_some() {}
        end
    }

    fn pass(&mut self) -> Result<End, Box<dyn Error>> {
        loop {
            self.remote.turn();
            while let Some(event) = self.remote.poll_event() {
                if let Some(status) = self.handle(event)? {
                    return Ok(End::Exit(status));
                }
            }
            io::stdout().flush()?;
            self.tell();
            self.remote.flush();
            let [stdin, resized] = self.wait()?;
            if stdin && let Some(session) = self.read_keys()? {
                return Ok(End::LetGo { session });
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

    /// Reads keys; returns the session if they let go of it.
    fn read_keys(&mut self) -> Result<Option<u64>, Box<dyn Error>> {
        let mut came = Vec::new();
        if tty::read_keys(&mut came)? == 0 {
            return Err("the terminal is gone".into());
        }
        let keys = self.answers.strip(&came);
        let lets_go = self.escapes.pass(&keys, &mut self.typed);
        Ok(if lets_go { Some(self.session.ok_or("there is no session yet")?) } else { None })
    }

    /// Shows what came; returns the status once there will be no more.
    fn handle(&mut self, event: Event) -> Result<Option<ExitStatus>, Box<dyn Error>> {
        match event {
            Event::Spawned { spawned, .. } => {
                self.session = Some(spawned.session);
                self.answers.set_wanted(spawned.replies);
            }
            Event::Attached { attached, .. } => {
                self.session = Some(attached.session);
                self.answers.set_wanted(attached.replies);
            }
            Event::Viewers { viewers, .. } => {
                if let Some(own) = viewers.viewers.iter().find(|viewer| viewer.you) {
                    self.answers.set_wanted(own.replies);
                }
            }
            Event::Output { stream, offset, bytes, replay, .. } => {
                let mut terminal = io::stdout();
                terminal.write_all(&bytes)?;
                if replay {
                    self.answers.ignore(&mut terminal)?;
                }
                self.remote.peer().rendered(stream, offset + bytes.len() as u64);
            }
            Event::Gap { stream, gap } => self.remote.peer().rendered(stream, gap.to),
            Event::Exit { ended, .. } => return Ok(Some(ended.status)),
            // One that was never reached is not waited for: there is nothing to come back to.
            Event::Lost { why, again } if again.is_none() || self.session.is_none() => return Err(unreachable(&self.remote, &why).into()),
            Event::Refused { refusal, .. } => return Err(format!("refused: {} ({})", refusal.message, refusal.code).into()),
            Event::Detached { detached, .. } => return Err(format!("the session is gone: {}", detached.message).into()),
            Event::InputRefused { .. } => io::stdout().write_all(b"\x07")?, // What a terminal does with a key it has no room for.
            _ => {}
        }
        Ok(None)
    }

    /// Passes on what was typed, and the size.
    fn tell(&mut self) {
        if self.session.is_none() {
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
