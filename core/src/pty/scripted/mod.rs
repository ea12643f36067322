//! Terminals that live in memory and act out a [`Script`]: for tests, demos and simulations.
//!
//! They keep every promise of [`Pty`], as a terminal of the kernel does: output that nobody reads makes the process wait,
//! input that nobody reads is refused after a while, a signal key discards what was typed. The same calls lead to
//! the same bytes, in the same reads.
//!
//! Deliberately absent: threads, clocks, descriptors, and process ids. A process runs inside the calls to
//! its terminal, and inside [`ScriptedPtys::release`].

mod child;
mod script;
mod terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

pub use self::script::{Script, flood_byte};

use self::child::Session;
use self::terminal::Terminal;
use super::{Command, Doorbell, ExitStatus, Interest, LineMode, Pty, PtyBackend, Ready, Signal, SpawnError, Target};
use crate::size::Size;

/// Opens scripted terminals: a program is the name of a script. Arguments, environment and folder are checked
/// and then ignored.
///
/// Clones share everything, so a test keeps one as its remote control. See [`Script`] for an example.
#[derive(Clone, Debug, Default)]
pub struct ScriptedPtys {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    scripts: BTreeMap<OsString, Script>,
    /// Gates that were opened.
    gates: BTreeSet<String>,
    /// Terminals that may still be alive.
    terminals: Vec<Weak<Mutex<State>>>,
}

impl ScriptedPtys {
    /// Knows no program yet.
    pub fn new() -> Self {
        ScriptedPtys::default()
    }

    /// Adds the program `name`, or replaces it for terminals opened from now on.
    pub fn with(self, name: impl Into<OsString>, script: Script) -> Self {
        self.shared.lock().scripts.insert(name.into(), script);
        self
    }

    /// Opens `gate` for good, for processes that wait at it and those that come later. They run at once,
    /// inside this call.
    pub fn release(&self, gate: &str) {
        let mut shared = self.shared.lock();
        shared.gates.insert(gate.to_owned());
        let terminals: Vec<_> = shared.terminals.iter().filter_map(Weak::upgrade).collect();
        drop(shared); // A doorbell may open terminals of its own.
        for terminal in terminals {
            let mut state = terminal.lock();
            state.gates.insert(gate.to_owned());
            state.run(Ready::default());
        }
    }

    /// How many terminals have a process that waits at `gate` now.
    pub fn waiting_at(&self, gate: &str) -> usize {
        let terminals: Vec<_> = self.shared.lock().terminals.iter().filter_map(Weak::upgrade).collect();
        terminals.iter().filter(|terminal| terminal.lock().session.waits_at(gate)).count()
    }
}

impl PtyBackend for ScriptedPtys {
    fn spawn(&self, command: &Command, size: Size) -> Result<Box<dyn Pty>, SpawnError> {
        if let Some(text) = command.malformed() {
            return Err(SpawnError::Malformed { text });
        }
        let mut shared = self.shared.lock();
        let Some(script) = shared.scripts.get(command.program()) else {
            return Err(SpawnError::NotFound { program: command.program().to_owned() });
        };
        let mut state = State {
            terminal: Terminal::new(size),
            session: Session::new(script.clone()),
            gates: shared.gates.clone(),
            interest: Interest::default(),
            doorbell: None,
            announced: Ready::default(),
            told: false,
        };
        state.run(Ready::default());
        let state = Arc::new(Mutex::new(state));
        shared.terminals.retain(|terminal| terminal.strong_count() > 0);
        shared.terminals.push(Arc::downgrade(&state));
        Ok(Box::new(ScriptedPty { state }))
    }
}

/// One terminal; shared with the remote control only.
struct ScriptedPty {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    terminal: Terminal,
    session: Session,
    /// Gates opened so far.
    gates: BTreeSet<String>,
    interest: Interest,
    doorbell: Option<Doorbell>,
    /// What the doorbell has announced and no call has answered since.
    announced: Ready,
    /// The exit was told.
    told: bool,
}

impl State {
    /// Lets the processes go on after something happened, then rings for what became ready. What `answered` names was
    /// just acted upon, so it is announced anew if it still holds: that is what makes it level-triggered.
    fn run(&mut self, answered: Ready) {
        self.session.run(&mut self.terminal, &self.gates);
        self.announced.read &= !answered.read;
        self.announced.write &= !answered.write;
        let ready = self.ready();
        let fresh = Ready {
            read: ready.read && !self.announced.read,
            write: ready.write && !self.announced.write,
            exit: ready.exit && !self.announced.exit,
        };
        if let Some(doorbell) = &self.doorbell {
            self.announced = ready;
            if fresh != Ready::default() {
                doorbell.ring(fresh);
            }
        }
    }

    /// What is wanted and holds.
    fn ready(&self) -> Ready {
        Ready {
            read: self.interest.read && (self.terminal.has_output() || self.is_ended()),
            write: self.interest.write && (self.terminal.has_room() || !self.is_held_open()),
            exit: self.session.leader_status().is_some() && !self.told,
        }
    }

    /// Whether somebody has the process's side open: a process, or we ourselves until the exit was told.
    fn is_held_open(&self) -> bool {
        !self.told || self.session.has_jobs()
    }

    fn is_ended(&self) -> bool {
        !self.is_held_open() && !self.terminal.has_output()
    }
}

impl Pty for ScriptedPty {
    fn register(&mut self, doorbell: Doorbell) -> io::Result<()> {
        let mut state = self.state.lock();
        state.doorbell = Some(doorbell);
        state.run(Ready::default());
        Ok(())
    }

    fn set_interest(&mut self, interest: Interest) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.doorbell.is_none() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        state.interest = interest;
        state.run(Ready { read: true, write: true, exit: false });
        Ok(())
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        let count = state.terminal.read(into);
        let is_ended = state.is_ended();
        state.run(Ready { read: true, ..Ready::default() });
        if count > 0 || into.is_empty() || is_ended { Ok(count) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if !state.is_held_open() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = state.terminal.write(bytes);
        state.run(Ready { write: true, ..Ready::default() });
        if count > 0 || bytes.is_empty() { Ok(count) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn try_exit(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut state = self.state.lock();
        let status = state.session.leader_status();
        state.told |= status.is_some();
        state.run(Ready::default());
        Ok(status)
    }

    fn line_mode(&self) -> io::Result<LineMode> {
        Ok(self.state.lock().terminal.line_mode())
    }

    fn resize(&mut self, size: Size) -> io::Result<Size> {
        let mut state = self.state.lock();
        if state.terminal.resize(size) {
            state.session.notice_resize();
        }
        state.run(Ready::default());
        Ok(state.terminal.size())
    }

    fn signal(&mut self, signal: Signal, target: Target) -> io::Result<()> {
        let mut state = self.state.lock();
        match target {
            // The leader is alone in the foreground: its jobs have groups of their own.
            Target::Leader | Target::Foreground => state.session.signal_leader(signal),
            Target::Session => state.session.signal_everybody(signal),
        }
        state.run(Ready::default());
        Ok(())
    }

    fn has_processes(&mut self) -> bool {
        self.state.lock().is_held_open()
    }

    fn pid(&self) -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests;
