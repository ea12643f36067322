//! The process that was spawned, known by a descriptor so that its number can never mean somebody else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions};

use super::open::refused;
use crate::pty::{ExitStatus, Signal, SpawnError};

/// The leader of a session: alive, or ended and not collected, or collected.
pub(super) struct Leader {
    pid: Pid,
    /// `None` once the process was collected, by us or by somebody else.
    pidfd: Option<OwnedFd>,
    /// How it ended, once collected by [`poll`](Leader::poll).
    status: Option<ExitStatus>,
}

impl Leader {
    /// Takes charge of our child `pid`.
    ///
    /// # Errors
    /// [`SpawnError`] when no descriptor for it can be had; the child is killed then.
    pub(super) fn adopt(pid: Pid) -> Result<Leader, SpawnError> {
        match retry_on_intr(|| rustix::process::pidfd_open(pid, PidfdFlags::empty())) {
            Ok(pidfd) => Ok(Leader { pid, pidfd: Some(pidfd), status: None }.checked()),
            // A host that ignores SIGCHLD had it collected already.
            Err(Errno::SRCH) => Ok(Leader { pid, pidfd: None, status: None }),
            Err(errno) => {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                let _ = retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
                Err(refused("watch the process")(errno))
            }
        }
    }

    /// Gives up a descriptor that is not our child's: it was collected, and its number reused, between the spawn
    /// and the opening of the descriptor.
    fn checked(mut self) -> Leader {
        if !self.owns_its_number() {
            self.pidfd = None;
        }
        self
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// The descriptor that becomes readable when the process ends.
    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Collects the process if it has ended, and says whether its status is known now. Never waits.
    pub(super) fn poll(&mut self) -> io::Result<bool> {
        if self.status.is_none() {
            self.status = match &self.pidfd {
                None => Some(ExitStatus::Unknown),
                Some(pidfd) => wait(pidfd, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?,
            };
        }
        Ok(self.status.is_some())
    }

    /// Closes the descriptor of a process that was collected.
    pub(super) fn close(&mut self) {
        self.pidfd = None;
    }

    /// Whether the process still exists, alive or not collected: its number is surely its own then.
    pub(super) fn owns_its_number(&self) -> bool {
        match &self.pidfd {
            Some(pidfd) if self.status.is_none() => {
                let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
                !matches!(wait(pidfd, look), Ok(Some(ExitStatus::Unknown)))
            }
            _ => false,
        }
    }

    /// Signals the process. It may be gone; that is no error.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.pidfd {
            Some(pidfd) => ignore_gone(rustix::process::pidfd_send_signal(pidfd, raw(signal))),
            None => Ok(()),
        }
    }
}

/// The kernel's number for `signal`.
pub(super) fn raw(signal: Signal) -> rustix::process::Signal {
    use rustix::process::Signal as Raw;
    match signal {
        Signal::Hangup => Raw::HUP,
        Signal::Interrupt => Raw::INT,
        Signal::Quit => Raw::QUIT,
        Signal::Terminate => Raw::TERM,
        Signal::Kill => Raw::KILL,
        Signal::Continue => Raw::CONT,
        Signal::Stop => Raw::STOP,
        Signal::User1 => Raw::USR1,
        Signal::User2 => Raw::USR2,
    }
}

/// That nobody is left to receive a signal is not an error.
pub(super) fn ignore_gone(sent: Result<(), Errno>) -> io::Result<()> {
    match sent {
        Err(Errno::SRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// Asks for the status of a child. `Unknown` means that somebody else collected it.
fn wait(pidfd: &OwnedFd, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
    match retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options)) {
        Ok(status) => Ok(status.as_ref().map(exit_status)),
        Err(Errno::CHILD) => Ok(Some(ExitStatus::Unknown)),
        Err(errno) => Err(errno.into()),
    }
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(signal)) => ExitStatus::Signal(signal),
        (None, None) => ExitStatus::Unknown,
    }
}
