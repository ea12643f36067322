//! The kernel's terminals, on Linux.
//!
//! What holds for each of them:
//! * Its size and its modes are there before its process is.
//! * Starting costs the same whatever the host's memory: `posix_spawn`, not `fork`.
//! * The process is known by a descriptor (pidfd) and not by its number, so no signal meets a stranger and no
//!   `SIGCHLD` handler is needed; where the system has none, it is looked for now and then. A host that collects our child gets [`ExitStatus::Unknown`], not a hang.
//! * The process has descriptors 0, 1 and 2 and no other, whatever the host has open.
//!
//! Deliberately absent: threads, waiting, packet mode, and other systems. macOS has neither pidfd nor
//! `TIOCGPTPEER`; its provider will stand beside this one.

mod census;
mod fork;
mod leader;
mod lookup;
mod members;
mod open;
mod spawn;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;
use rustix::termios::{LocalModes, SpecialCodeIndex, Termios};

pub use self::fork::forks;
use self::leader::Leader;
use self::open::Opened;
use super::{Command, Doorbell, ExitStatus, Interest, LineMode, Pty, PtyBackend, Ready, Signal, Source, SpawnError, Target};
use crate::size::Size;

/// Opens the kernel's terminals.
///
/// # Examples
/// ```
/// # use orchflow_core::pty::{Command, PtyBackend, unix::UnixPtys};
/// # use orchflow_core::size::Size;
/// let pty = UnixPtys.spawn(&Command::new("true"), Size::DEFAULT)?;
/// assert!(pty.pid().is_some());
/// # Ok::<(), orchflow_core::pty::SpawnError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct UnixPtys;

impl PtyBackend for UnixPtys {
    fn spawn(&self, command: &Command, size: Size) -> Result<Box<dyn Pty>, SpawnError> {
        let program = lookup::find(command)?;
        let Opened { master, peer } = open::open(size)?;
        let pid = spawn::spawn(command, &program, &open::path_for_child(&master, &peer)?)?;
        let leader = Leader::adopt(pid)?;
        Ok(Box::new(UnixPty {
            terminal: master,
            peer: Some(peer),
            leader,
            interest: Interest::default(),
            doorbell: None,
            ended: false,
            disturbed: Instant::now(),
        }))
    }
}

/// One terminal of the kernel.
struct UnixPty {
    /// Our side; the only non-blocking descriptor of the two.
    terminal: OwnedFd,
    /// The process's side, held until the process's exit was told and closed then. So the kernel cannot announce
    /// a hang-up while the leader lives, even when the leader closes its three descriptors and opens `/dev/tty` again
    /// later; and once it is gone the end of output comes exactly after the last byte. (Perhaps a moment after
    /// this is closed: a process being started by another thread holds a copy until it becomes its program.)
    peer: Option<OwnedFd>,
    leader: Leader,
    /// What the reactor watches of `terminal`; nothing at all means that it does not know it.
    interest: Interest,
    doorbell: Option<Doorbell>,
    /// A read told the end. Kept, because a stranger who opens the terminal by name would bring it back to life.
    ended: bool,
    /// When its processes were last sent a signal, or the leader was seen to be gone.
    disturbed: Instant,
}

impl Pty for UnixPty {
    fn register(&mut self, doorbell: Doorbell) -> io::Result<()> {
        match self.leader.watched() {
            Some(fd) => {
                let readable = Interest { read: true, write: false };
                doorbell.reactor().watch(doorbell.session(), Source::Process, fd, readable)?;
            }
            // Collected by somebody else before it could be watched: no descriptor will ever show it.
            None => doorbell.ring(Ready { exit: true, ..Ready::default() }),
        }
        self.doorbell = Some(doorbell);
        Ok(())
    }

    fn set_interest(&mut self, interest: Interest) -> io::Result<()> {
        let Some(doorbell) = &self.doorbell else { return Err(io::Error::from(io::ErrorKind::NotConnected)) };
        if interest == self.interest {
            return Ok(());
        }
        let (reactor, session, fd) = (doorbell.reactor(), doorbell.session(), self.terminal.as_fd());
        match (is_any(self.interest), is_any(interest)) {
            (false, _) => reactor.watch(session, Source::Terminal, fd, interest)?,
            (true, true) => reactor.rewatch(session, Source::Terminal, fd, interest)?,
            // The kernel reports a hang-up also to those who asked for nothing.
            (true, false) => reactor.forget(fd)?,
        }
        self.interest = interest;
        Ok(())
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ended || into.is_empty() {
            return Ok(0);
        }
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.terminal, &mut *into)) {
            // How Linux says that nobody holds the other side open any more, after its last byte.
            Ok(0) | Err(Errno::IO) => {
                self.ended = true;
                Ok(0)
            }
            Ok(count) => Ok(count),
            Err(errno) => Err(errno.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.ended {
            return Err(Errno::IO.into()); // The kernel would take it for a moment more, for nobody.
        }
        match rustix::io::retry_on_intr(|| rustix::io::write(&self.terminal, bytes))? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn try_exit(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.leader.status().is_none() && self.leader.poll()? {
            self.forget_leader();
            self.leader.close();
            self.peer = None;
            self.disturbed = Instant::now();
        }
        Ok(self.leader.status())
    }

    fn line_mode(&self) -> io::Result<LineMode> {
        // Linux answers on our side with the settings of the process's side.
        Ok(line_mode(&rustix::io::retry_on_intr(|| rustix::termios::tcgetattr(&self.terminal))?))
    }

    fn resize(&mut self, size: Size) -> io::Result<Size> {
        rustix::io::retry_on_intr(|| rustix::termios::tcsetwinsize(&self.terminal, open::winsize(size)))?;
        let resulted = rustix::io::retry_on_intr(|| rustix::termios::tcgetwinsize(&self.terminal))?;
        // The process may have set a size of its own since.
        open::size(resulted).map_err(io::Error::other)
    }

    fn signal(&mut self, signal: Signal, target: Target) -> io::Result<()> {
        self.disturbed = Instant::now();
        match target {
            Target::Leader => self.leader.signal(signal),
            Target::Foreground => members::signal_foreground(&self.terminal, &self.leader, signal),
            Target::Session => members::signal_session(&self.terminal, &self.leader, signal),
        }
    }

    fn dismiss(&mut self, signals: &[Signal]) -> io::Result<()> {
        let before = std::mem::replace(&mut self.disturbed, Instant::now());
        members::dismiss(&self.terminal, &self.leader, before, signals)
    }

    fn has_processes(&mut self) -> bool {
        self.leader.owns_its_number() || members::any_left(&self.leader, self.disturbed)
    }

    fn pid(&self) -> Option<u32> {
        u32::try_from(self.leader.pid().as_raw_nonzero().get()).ok()
    }
}

impl UnixPty {
    /// Takes the process's descriptor from the reactor, which must precede its closing.
    fn forget_leader(&self) {
        if let (Some(doorbell), Some(fd)) = (&self.doorbell, self.leader.watched()) {
            // A reactor that lost it already has nothing left to forget.
            let _ = doorbell.reactor().forget(fd);
        }
    }
}

impl Drop for UnixPty {
    /// Hangs up. A process that has ended is collected, so it leaves no zombie; one that lives on is the host's
    /// to collect, which is why a driver kills the session and sees its exit before it drops.
    fn drop(&mut self) {
        if let Some(doorbell) = self.doorbell.as_ref().filter(|_| is_any(self.interest)) {
            let _ = doorbell.reactor().forget(self.terminal.as_fd());
        }
        self.forget_leader();
        let _ = self.leader.poll();
    }
}

fn is_any(interest: Interest) -> bool {
    interest.read || interest.write
}

/// What of `termios` matters to accepted input. Keys have a meaning only in the mode that gives them one.
fn line_mode(termios: &Termios) -> LineMode {
    use rustix::termios::InputModes;
    let (input, local) = (termios.input_modes, termios.local_modes);
    let canonical = local.contains(LocalModes::ICANON);
    let signals = local.contains(LocalModes::ISIG);
    let flushes = signals && !local.contains(LocalModes::NOFLSH);
    let key = |meant: bool, index: SpecialCodeIndex| {
        let byte = termios.special_codes[index];
        (meant && byte != KEY_OFF).then_some(byte)
    };
    LineMode {
        canonical,
        signals,
        flushes,
        return_is_newline: input.contains(InputModes::ICRNL) && !input.contains(InputModes::IGNCR),
        ends: [SpecialCodeIndex::VEOF, SpecialCodeIndex::VEOL, SpecialCodeIndex::VEOL2].map(|index| key(canonical, index)),
        discards: [
            key(canonical, SpecialCodeIndex::VKILL),
            key(flushes, SpecialCodeIndex::VINTR),
            key(flushes, SpecialCodeIndex::VQUIT),
            key(flushes, SpecialCodeIndex::VSUSP),
        ],
        quotes: key(canonical && local.contains(LocalModes::IEXTEN), SpecialCodeIndex::VLNEXT),
    }
}

/// The value of a control character that is switched off (`_POSIX_VDISABLE`).
const KEY_OFF: u8 = 0;
