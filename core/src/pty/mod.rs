//! The door to terminals: what the engine asks of a pseudo-terminal, whoever provides it.
//!
//! Two providers exist: `unix::UnixPtys`, the kernel's, and [`scripted::ScriptedPtys`],
//! which live in memory and act out a script; every session test runs on both. The traits show no
//! descriptor, so that a provider with none (ConPTY, a terminal behind ssh) can stand beside them.

mod command;
#[cfg(all(test, target_os = "linux"))]
mod conformance;
mod error;
mod exit;
mod line;
pub mod scripted;
mod signal;
#[cfg(target_os = "linux")]
pub mod unix;

use std::sync::Arc;
use std::{fmt, io};

pub use command::Command;
pub use error::SpawnError;
pub use exit::{Exit, ExitStatus};
pub use line::{LineMode, Measured, UnfinishedLine};
pub use signal::{Signal, Target};

use crate::id::SessionId;
use crate::size::Size;

/// Makes terminals, each with a process inside.
pub trait PtyBackend: Send + Sync {
    /// Opens a terminal of `size` and starts `command` in it, as the leader of its own session. The size is
    /// there before the process is.
    ///
    /// # Errors
    /// [`SpawnError`] at once, in this call, also for a program that cannot be executed; nothing is left behind.
    fn spawn(&self, command: &Command, size: Size) -> Result<Box<dyn Pty>, SpawnError>;
}

/// One pseudo-terminal and the process that leads its session. No call blocks.
///
/// Dropping it closes the terminal, which hangs up on the process but does not end it: see
/// [`signal`](Pty::signal).
pub trait Pty: Send {
    /// Tells where readiness is to be announced, once, before anything else. Nothing is announced before the
    /// first [`set_interest`](Pty::set_interest), except the process's exit.
    fn register(&mut self, doorbell: Doorbell) -> io::Result<()>;

    /// Says which readiness is wanted from now on. It is **level-triggered**: while `read` is wanted and
    /// bytes (or the end) wait, the doorbell keeps ringing; while nothing is wanted it is silent, also when the
    /// terminal was hung up.
    fn set_interest(&mut self, interest: Interest) -> io::Result<()>;

    /// Reads what waits into `into`, at most once through its length. `Ok(0)` is the end, for ever.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing waits. Interruptions are retried inside.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// Writes input and returns how much was taken, at least 1 of a non-empty `bytes`.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room. Any other error means that no input will ever be
    /// taken again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Collects the process's status, when it has one. Reads do not end before it was told. Afterwards they end with
    /// `Ok(0)` after the last byte, unless a process that outlives the leader keeps the terminal open.
    fn try_exit(&mut self) -> io::Result<Option<ExitStatus>>;

    /// How the terminal treats its input at this moment.
    fn line_mode(&self) -> io::Result<LineMode>;

    /// Changes the size and returns the one that resulted.
    fn resize(&mut self, size: Size) -> io::Result<Size>;

    /// Sends a signal. That nobody is left to receive it is not an error.
    fn signal(&mut self, signal: Signal, target: Target) -> io::Result<()>;

    /// Sends `signals` to every process of the session that is known of, at a price that many sessions can pay at once. One that
    /// was started in the last moments may be overlooked; [`has_processes`](Pty::has_processes) overlooks none, so ask it afterwards.
    fn dismiss(&mut self, signals: &[Signal]) -> io::Result<()> {
        signals.iter().try_for_each(|&signal| self.signal(signal, Target::Session))
    }

    /// Whether any process of the session is left, the leader or one it started.
    fn has_processes(&mut self) -> bool;

    /// The leader's process id, where the provider has such a thing.
    fn pid(&self) -> Option<u32>;
}

/// What a driver wants to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Output waits, or its end.
    pub read: bool,
    /// There is room for input.
    pub write: bool,
}

/// What became ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// [`Pty::read`] would not block.
    pub read: bool,
    /// [`Pty::write`] would not block.
    pub write: bool,
    /// [`Pty::try_exit`] would tell a status.
    pub exit: bool,
}

/// Which of a session's two sources a descriptor stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The terminal: readable, writable.
    Terminal,
    /// The process: readable once it has ended.
    Process,
}

/// Where terminals announce that they are ready: the hub's side of the door.
///
/// A provider with descriptors lends them to the reactor; one without rings.
pub trait Reactor: Send + Sync {
    /// Watches `fd`, which stays open until [`forget`](Reactor::forget), level-triggered.
    #[cfg(unix)]
    fn watch(&self, session: SessionId, source: Source, fd: std::os::fd::BorrowedFd<'_>, interest: Interest) -> io::Result<()>;

    /// Changes what is wanted of a watched `fd`.
    #[cfg(unix)]
    fn rewatch(&self, session: SessionId, source: Source, fd: std::os::fd::BorrowedFd<'_>, interest: Interest) -> io::Result<()>;

    /// Stops watching `fd`. Must come before it is closed.
    #[cfg(unix)]
    fn forget(&self, fd: std::os::fd::BorrowedFd<'_>) -> io::Result<()>;

    /// Announces readiness that no descriptor shows. From any thread, with any lock of the provider's held;
    /// rings for the same session may be merged.
    ///
    /// Without a descriptor nothing repeats a ring by itself: it holds until the driver makes the call it
    /// speaks of, which rings again if there is more. So a reactor keeps what it has not acted upon.
    fn ring(&self, session: SessionId, ready: Ready);
}

/// A reactor and the session it should wake.
#[derive(Clone)]
pub struct Doorbell {
    reactor: Arc<dyn Reactor>,
    session: SessionId,
}

impl Doorbell {
    /// A doorbell that announces `session` to `reactor`.
    pub fn new(reactor: Arc<dyn Reactor>, session: SessionId) -> Self {
        Doorbell { reactor, session }
    }

    /// The reactor, for providers that lend it descriptors.
    pub fn reactor(&self) -> &dyn Reactor {
        &*self.reactor
    }

    /// The session announced.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Announces readiness that no descriptor shows.
    pub fn ring(&self, ready: Ready) {
        self.reactor.ring(self.session, ready);
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell").field("session", &self.session).finish_non_exhaustive()
    }
}
