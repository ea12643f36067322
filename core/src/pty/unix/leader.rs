//! The process that was spawned, known by a descriptor so that its number can never mean somebody else.
//!
//! Kernels before 5.3, some sandboxes, and valgrind have no such descriptor (pidfd). There a timer says every
//! [`LOOK_EVERY`](crate::limits::LOOK_EVERY) that it is time to look. Nobody but us collects our child in a host that keeps to its own, so its number is its own until then.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};

use super::open::refused;
use crate::limits::LOOK_EVERY;
use crate::pty::{ExitStatus, Signal, SpawnError};

/// The leader of a session: alive, or ended and not collected, or collected.
pub(super) struct Leader {
    pid: Pid,
    /// `None` once the process was collected, by us or by somebody else.
    watch: Option<Watch>,
    /// How it ended, once collected by [`poll`](Leader::poll).
    status: Option<ExitStatus>,
}

impl Leader {
    /// Takes charge of our child `pid`.
    ///
    /// # Errors
    /// [`SpawnError`] when no descriptor for it can be had; the child is killed then.
    pub(super) fn adopt(pid: Pid) -> Result<Leader, SpawnError> {
        let watch = match retry_on_intr(|| rustix::process::pidfd_open(pid, PidfdFlags::empty())) {
            Ok(pidfd) => Ok(Watch::Process(pidfd)),
            // A host that ignores SIGCHLD had it collected already.
            Err(Errno::SRCH) => return Ok(Leader { pid, watch: None, status: None }),
            Err(errno) if has_no_pidfds(errno) => Watch::by_looking(),
            Err(errno) => Err(errno),
        };
        match watch {
            Ok(watch) => Ok(Leader { pid, watch: Some(watch), status: None }.checked()),
            Err(errno) => {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                let _ = retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
                Err(refused("watch the process")(errno))
            }
        }
    }

    /// The same where the system has no descriptors for processes.
    #[cfg(test)]
    pub(super) fn looked_for(pid: Pid) -> Leader {
        Leader { pid, watch: Some(Watch::by_looking().unwrap()), status: None }
    }

    /// Gives up a descriptor that is not our child's: it was collected, and its number reused, between the spawn
    /// and the opening of the descriptor.
    fn checked(mut self) -> Leader {
        if !self.owns_its_number() {
            self.watch = None;
        }
        self
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// The descriptor that becomes readable when the process ends, or when it is time to look whether it has.
    pub(super) fn watched(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(Watch::fd)
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Collects the process if it has ended, and says whether its status is known now. Never waits.
    pub(super) fn poll(&mut self) -> io::Result<bool> {
        if self.status.is_none() {
            self.status = match &self.watch {
                None => Some(ExitStatus::Unknown),
                Some(watch) => {
                    watch.silence();
                    wait(watch.child(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?
                }
            };
        }
        Ok(self.status.is_some())
    }

    /// Closes the descriptor of a process that was collected.
    pub(super) fn close(&mut self) {
        self.watch = None;
    }

    /// Whether the process still exists, alive or not collected: its number is surely its own then.
    pub(super) fn owns_its_number(&self) -> bool {
        match &self.watch {
            Some(watch) if self.status.is_none() => {
                let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
                !matches!(wait(watch.child(self.pid), look), Ok(Some(ExitStatus::Unknown)))
            }
            _ => false,
        }
    }

    /// Signals the process. It may be gone; that is no error.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.watch {
            Some(Watch::Process(pidfd)) => ignore_gone(rustix::process::pidfd_send_signal(pidfd, raw(signal))),
            Some(Watch::Looking(_)) if self.owns_its_number() => ignore_gone(rustix::process::kill_process(self.pid, raw(signal))),
            _ => Ok(()),
        }
    }
}

/// What shows that the process has ended.
enum Watch {
    /// A descriptor of the process.
    Process(OwnedFd),
    /// A timer.
    Looking(OwnedFd),
}

impl Watch {
    fn by_looking() -> Result<Watch, Errno> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let every = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY.subsec_nanos().into() };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: every, it_value: every })?;
        Ok(Watch::Looking(timer))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        let (Watch::Process(fd) | Watch::Looking(fd)) = self;
        fd.as_fd()
    }

    /// It is looked now; the descriptor need not say so any more.
    fn silence(&self) {
        if let Watch::Looking(timer) = self {
            let _early = rustix::io::read(timer, &mut [0u8; 8]);
        }
    }

    /// The process, for `waitid`.
    fn child(&self, pid: Pid) -> WaitId<'_> {
        match self {
            Watch::Process(pidfd) => WaitId::PidFd(pidfd.as_fd()),
            Watch::Looking(_) => WaitId::Pid(pid),
        }
    }
}

/// Whether an error of `pidfd_open` says that there are none here: the kernel does not know the call, or a sandbox forbids it.
pub(super) fn has_no_pidfds(errno: Errno) -> bool {
    matches!(errno, Errno::NOSYS | Errno::PERM)
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
fn wait(child: WaitId<'_>, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
    match retry_on_intr(|| rustix::process::waitid(child.clone(), options)) {
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
