//! The one readable descriptor: an epoll set of terminals, processes, the alarm and the bell.
//!
//! **Level-triggered**, and that is the contract with every host: with an edge-triggered inner set, output that was
//! announced but not yet read would leave the outer descriptor silent.

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use super::opener::Opener;
use crate::id::SessionId;
use crate::pty::{Interest, Reactor, Ready, Source};
use crate::time::Time;

const BELL: u64 = 0;
const ALARM: u64 = 1;
/// Sessions count from 1, so their two tokens begin at 2; nobody reaches the last number.
const FLAG: u64 = u64::MAX;

/// Descriptors handled in one turn: what one `epoll_wait` may bring.
const BATCH: usize = 64;

/// One thing that became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// Another thread wants attention.
    Bell,
    /// The alarm went off.
    Alarm,
    /// Events wait to be taken by the host; nothing for us to do.
    Flag,
    /// A session's terminal or process is ready.
    Session(SessionId, Ready),
}

impl From<epoll::Event> for Happened {
    fn from(event: epoll::Event) -> Self {
        let (token, flags) = (event.data.u64(), event.flags);
        match token {
            BELL => Happened::Bell,
            ALARM => Happened::Alarm,
            FLAG => Happened::Flag,
            _ => {
                // A hang-up or an error is found out by reading.
                let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
                let ready = if token & 1 == 0 {
                    Ready { read: flags.intersects(readable), write: flags.contains(epoll::EventFlags::OUT), exit: false }
                } else {
                    Ready { exit: true, ..Ready::default() }
                };
                Happened::Session(SessionId::from_raw(token >> 1), ready)
            }
        }
    }
}

/// The set, and what can be put in it from any thread.
pub(super) struct Poller {
    epoll: OwnedFd,
    bell: OwnedFd,
    alarm: OwnedFd,
    bell_rung: AtomicBool,
    /// There may be memory again for terminals that wait for it.
    relief: AtomicBool,
    /// Readiness that no descriptor shows, merged by session.
    rings: Mutex<BTreeMap<SessionId, Ready>>,
    opener: Opener,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let poller = Poller {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            alarm: timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?,
            bell_rung: AtomicBool::new(false),
            relief: AtomicBool::new(false),
            rings: Mutex::new(BTreeMap::new()),
            opener: Opener::new(),
        };
        poller.add(poller.bell.as_fd(), BELL, epoll::EventFlags::IN)?;
        poller.add(poller.alarm.as_fd(), ALARM, epoll::EventFlags::IN)?;
        Ok(poller)
    }

    /// Adds the descriptor that shows a host that events wait.
    pub(super) fn add_flag(&self, flag: BorrowedFd<'_>) -> io::Result<()> {
        self.add(flag, FLAG, epoll::EventFlags::IN)
    }

    /// Takes it out again.
    pub(super) fn remove_flag(&self, flag: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, flag)?)
    }

    fn add(&self, fd: BorrowedFd<'_>, token: u64, flags: epoll::EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), flags)?)
    }

    /// The descriptor a host watches.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Whether this process is a fork of the one that made the set, and must leave it alone: they share it.
    pub(super) fn is_forked(&self) -> bool {
        self.opener.is_forked()
    }

    /// An error in a fork of the process that made the set.
    pub(super) fn check_process(&self) -> io::Result<()> {
        self.opener.check()
    }

    /// Tells `each` what is ready, waiting up to `timeout` for something (without end if `None`). An interrupted wait brings
    /// nothing.
    pub(super) fn wait(&self, timeout: Option<Duration>, mut each: impl FnMut(Happened)) -> io::Result<()> {
        // A wait too long to be said is no different from one without end.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut room = [const { MaybeUninit::uninit() }; BATCH];
        match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
            Ok((events, _)) => {
                events.iter().for_each(|event| each(Happened::from(*event)));
                Ok(())
            }
            Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Wakes whoever waits, from any thread.
    pub(super) fn ring_bell(&self) {
        if !self.bell_rung.swap(true, Ordering::SeqCst) && !self.is_forked() {
            // It can only fail when the counter is full, and then it is readable.
            let _full = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }

    /// Wakes whoever waits, and says that there may be memory again. Other rings are no reason to look: terminals without
    /// descriptors ring when they look for memory, and two that wait for some would keep each other awake.
    pub(super) fn ring_for_relief(&self) {
        self.relief.store(true, Ordering::SeqCst);
        self.ring_bell();
    }

    /// Whether there may be memory again; told once.
    pub(super) fn take_relief(&self) -> bool {
        self.relief.load(Ordering::Relaxed) && self.relief.swap(false, Ordering::SeqCst)
    }

    /// Silences the bell. Look at everything it may have been rung for afterwards.
    pub(super) fn silence_bell(&self) {
        let _empty = rustix::io::read(&self.bell, &mut [0u8; 8]);
        self.bell_rung.store(false, Ordering::SeqCst);
    }

    /// Takes the readiness that was rung for.
    pub(super) fn take_rings(&self) -> BTreeMap<SessionId, Ready> {
        std::mem::take(&mut self.rings.lock())
    }

    /// Lets the alarm go off at `at` of the monotonic clock, or never.
    pub(super) fn set_alarm(&self, at: Option<Time>) -> io::Result<()> {
        if self.is_forked() {
            return Ok(());
        }
        let value = at.map_or(Timespec { tv_sec: 0, tv_nsec: 0 }, |at| {
            let nanos = at.as_nanos().max(1); // All zeros would disarm it.
            Timespec { tv_sec: (nanos / 1_000_000_000) as i64, tv_nsec: (nanos % 1_000_000_000) as i64 }
        });
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }

    /// Silences the alarm.
    pub(super) fn silence_alarm(&self) {
        let _early = rustix::io::read(&self.alarm, &mut [0u8; 8]);
    }
}

impl Reactor for Poller {
    fn watch(&self, session: SessionId, source: Source, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
        self.check_process()?;
        self.add(fd, token(session, source), flags(interest))
    }

    fn rewatch(&self, session: SessionId, source: Source, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
        self.check_process()?;
        Ok(epoll::modify(&self.epoll, fd, epoll::EventData::new_u64(token(session, source)), flags(interest))?)
    }

    fn forget(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        if self.is_forked() {
            return Ok(()); // The set is our parent's.
        }
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    fn ring(&self, session: SessionId, ready: Ready) {
        let mut rings = self.rings.lock();
        let known = rings.entry(session).or_default();
        *known = Ready { read: known.read | ready.read, write: known.write | ready.write, exit: known.exit | ready.exit };
        drop(rings);
        self.ring_bell();
    }
}

fn token(session: SessionId, source: Source) -> u64 {
    session.as_raw() << 1 | u64::from(source == Source::Process)
}

fn flags(interest: Interest) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, interest.read);
    flags.set(epoll::EventFlags::OUT, interest.write);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_announced_and_not_dealt_with_is_announced_again() {
        let poller = Poller::new().unwrap();
        let (session, wanted) = (SessionId::from_raw(1), Interest { read: true, write: false });
        let (reader, writer) = io::pipe().unwrap();
        poller.watch(session, Source::Terminal, reader.as_fd(), wanted).unwrap();
        rustix::io::write(&writer, b"bytes that nobody reads").unwrap();
        for _ in 0..3 {
            let mut happened = Vec::new();
            poller.wait(Some(Duration::ZERO), |what| happened.push(what)).unwrap();
            assert_eq!(happened, [Happened::Session(session, Ready { read: true, write: false, exit: false })]);
        }
    }
}
