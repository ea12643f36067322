//! A driver of one terminal, small enough to check by eye: a reactor that takes descriptors and rings alike, and
//! a loop that reads, writes and collects. Every wait ends at [`PATIENCE`] with what was seen so far.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::retry_on_intr;

use crate::id::SessionId;
use crate::pty::{Doorbell, ExitStatus, Interest, Pty, Reactor, Ready, Source};

/// Far more than any step needs on a busy machine; a test that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Epoll for descriptors, a merged flag set for rings.
pub(crate) struct TestReactor {
    epoll: OwnedFd,
    watched: Mutex<BTreeMap<i32, Source>>,
    rung: Mutex<Ready>,
}

impl TestReactor {
    pub(crate) fn new() -> Arc<TestReactor> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).unwrap();
        Arc::new(TestReactor { epoll, watched: Mutex::default(), rung: Mutex::default() })
    }

    /// Every descriptor watched now.
    pub(crate) fn watched(&self) -> Vec<Source> {
        self.watched.lock().unwrap().values().copied().collect()
    }

    /// What is ready, waiting for it up to `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Ready {
        let mut ready = std::mem::take(&mut *self.rung.lock().unwrap());
        let timeout = if ready == Ready::default() { timeout } else { Duration::ZERO };
        let mut events = Vec::with_capacity(8);
        let timeout = rustix::time::Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
        retry_on_intr(|| epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout))).unwrap();
        for event in events {
            let flags = event.flags;
            let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
            match self.watched.lock().unwrap()[&(event.data.u64() as i32)] {
                Source::Terminal => {
                    ready.read |= flags.contains(EventFlags::IN) || gone;
                    ready.write |= flags.contains(EventFlags::OUT) || gone;
                }
                Source::Process => ready.exit = true,
            }
        }
        ready
    }
}

fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN, interest.read);
    flags.set(EventFlags::OUT, interest.write);
    flags
}

impl Reactor for TestReactor {
    fn watch(&self, _: SessionId, source: Source, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(fd.as_raw_fd() as u64);
        epoll::add(&self.epoll, fd, data, flags(interest))?;
        assert_eq!(self.watched.lock().unwrap().insert(fd.as_raw_fd(), source), None, "watched twice");
        Ok(())
    }

    fn rewatch(&self, _: SessionId, _: Source, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(fd.as_raw_fd() as u64);
        Ok(epoll::modify(&self.epoll, fd, data, flags(interest))?)
    }

    fn forget(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        assert!(self.watched.lock().unwrap().remove(&fd.as_raw_fd()).is_some(), "forgotten twice");
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    fn ring(&self, _: SessionId, ready: Ready) {
        let mut rung = self.rung.lock().unwrap();
        rung.read |= ready.read;
        rung.write |= ready.write;
        rung.exit |= ready.exit;
    }
}

/// One terminal, driven.
pub(crate) struct Rig {
    pub(crate) pty: Box<dyn Pty>,
    pub(crate) reactor: Arc<TestReactor>,
    /// Everything read so far.
    pub(crate) output: Vec<u8>,
    pub(crate) ended: bool,
    pub(crate) status: Option<ExitStatus>,
    to_write: Vec<u8>,
}

impl Rig {
    /// Drives `pty`, reading from the start.
    pub(crate) fn new(mut pty: Box<dyn Pty>) -> Rig {
        let reactor = TestReactor::new();
        pty.register(Doorbell::new(reactor.clone(), SessionId::from_raw(1))).unwrap();
        let mut rig = Rig { pty, reactor, output: Vec::new(), ended: false, status: None, to_write: Vec::new() };
        rig.want();
        rig
    }

    /// Queues input; it is written as the terminal takes it, while output is read.
    pub(crate) fn type_in(&mut self, bytes: impl AsRef<[u8]>) {
        self.to_write.extend_from_slice(bytes.as_ref());
        self.want();
    }

    /// Drives until `done` holds.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Rig) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what}; {:?}, ended: {}, read: {}", self.status, self.ended, self.tail());
            self.turn(left.min(Duration::from_millis(20)));
        }
    }

    /// Drives until the output holds `text`.
    #[track_caller]
    pub(crate) fn until_output(&mut self, text: &str) {
        self.until(text, |rig| rig.text().contains(text));
    }

    /// Drives until both the process and the stream have ended, and returns how the process did.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> ExitStatus {
        self.until("end", |rig| rig.ended && rig.status.is_some());
        self.status.unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// Sets the interest this rig has now.
    fn want(&mut self) {
        let interest = Interest { read: !self.ended, write: !self.to_write.is_empty() };
        self.pty.set_interest(interest).unwrap();
    }

    /// One wait, and at most one read and one write.
    fn turn(&mut self, timeout: Duration) {
        let ready = self.reactor.wait(timeout);
        if ready.read && !self.ended {
            let mut buffer = [0; 64 << 10];
            match self.pty.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => self.output.extend_from_slice(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        if ready.write && !self.to_write.is_empty() {
            match self.pty.write(&self.to_write) {
                Ok(count) => drop(self.to_write.drain(..count)),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        if ready.exit && self.status.is_none() {
            self.status = self.pty.try_exit().unwrap();
            assert!(self.status.is_some(), "an exit was announced and not told");
        }
        self.want();
    }

    fn tail(&self) -> String {
        String::from_utf8_lossy(&self.output[self.output.len().saturating_sub(400)..]).into_owned()
    }
}
