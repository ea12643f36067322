//! A terminal and all that is decided about it, behind one lock of its driver's.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::ending::Ending;
use super::error::{ResumeError, WriteError};
use super::event::EventKind;
use super::ladder::Ladder;
use super::lane::{Dropped, InputLane, Next};
use super::options::SessionOptions;
use crate::flow::Flow;
use crate::limits::READ_MAX;
use crate::metrics::{ErrorKind, ExitKind, Metrics};
use crate::pty::{Doorbell, Exit, ExitStatus, Interest, Pty, Signal, Target};
use crate::ring::{Mode, PoolSpent, Reader, Wakes, Writer};
use crate::size::Size;
use crate::time::Time;

/// What a call asks its driver to do, once no lock is held.
#[derive(Default)]
pub struct Effects {
    /// Tasks to wake.
    pub wakes: Wakes,
    /// Events to tell, in order.
    pub events: Vec<EventKind>,
    /// The pool's budget is spent: make room and call [`Terminal::handle_relief`], or the terminal waits.
    pub starved: bool,
    /// A claim on the history was given up: whoever waits for memory may try again.
    pub eased: bool,
}

/// What one turn of reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTurn {
    /// This many bytes are in the log; perhaps more wait.
    Read(usize),
    /// Nothing waits, or nothing may be read now.
    Nothing,
    /// The pool's budget is spent: see [`Effects::starved`].
    Starved,
}

/// Names a reader that was suspended, for its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Suspension(u64);

/// One terminal, its log and its process.
///
/// After any call, [`poll_timeout`](Terminal::poll_timeout) tells when to call [`handle_timeout`](Terminal::handle_timeout).
pub struct Terminal {
    /// Gone once the session has ended and nothing is left to be killed.
    pty: Option<Box<dyn Pty>>,
    log: Writer,
    lane: InputLane,
    flow: Flow,
    ending: Ending,
    ladder: Ladder,
    options: SessionOptions,
    metrics: Arc<Metrics>,
    interest: Interest,
    size: Size,
    /// Reading is stopped: for a reader's debt, or for want of memory.
    stopped: bool,
    starved: bool,
    /// Readers know that we wait for their acknowledgements.
    waiting: bool,
    /// Bytes that may be read although a reader is in debt: what the kernel held back when the process went.
    leftover: usize,
    resizes: u64,
    exit: Option<Exit>,
    /// Keeps the first bytes until somebody has begun to read.
    first_reader: Option<Reader>,
    suspended: Vec<Suspended>,
    suspensions: u64,
    /// Writers to wake when the input queue has room, and whether the host is to be told.
    writers: Vec<Waker>,
    room_wanted: bool,
    /// When input was last accepted and no output has come since.
    echo_since: Option<Time>,
}

struct Suspended {
    name: Suspension,
    reader: Reader,
    until: Time,
}

impl Terminal {
    /// Takes charge of `pty`.
    pub fn new(pty: Box<dyn Pty>, log: Writer, options: SessionOptions, metrics: Arc<Metrics>) -> Self {
        let first_reader = Some(Reader::new(&log, Mode::Owner, 0));
        Terminal {
            pty: Some(pty),
            log,
            lane: InputLane::new(options.input_queue_bytes),
            flow: Flow::new(options.flow),
            ending: Ending::new(options.ending),
            ladder: Ladder::default(),
            options,
            metrics,
            interest: Interest::default(),
            size: options.size,
            stopped: false,
            starved: false,
            waiting: false,
            leftover: 0,
            resizes: 0,
            exit: None,
            first_reader,
            suspended: Vec::new(),
            suspensions: 0,
            writers: Vec::new(),
            room_wanted: false,
            echo_since: None,
        }
    }

    /// Begins: from now on `doorbell` announces readiness.
    ///
    /// # Errors
    /// Whatever the reactor says; the terminal is of no use then.
    pub fn start(&mut self, doorbell: Doorbell) -> io::Result<()> {
        let Some(pty) = &mut self.pty else { return Ok(()) };
        pty.register(doorbell)?;
        self.interest = Interest { read: true, write: false };
        pty.set_interest(self.interest)
    }

    // ---- What is ready ----

    /// Output may wait: reads once, straight into the log.
    pub fn handle_readable(&mut self, now: Time, effects: &mut Effects) -> ReadTurn {
        if !self.may_read() {
            return ReadTurn::Nothing;
        }
        let Some(pty) = &mut self.pty else { return ReadTurn::Nothing };
        let read = self.log.append_with(&mut effects.wakes, |room| {
            let len = room.len().min(READ_MAX);
            pty.read(&mut room[..len])
        });
        let turn = match read {
            Ok(Ok(0)) => {
                self.ending.handle_end_of_output();
                ReadTurn::Nothing
            }
            Ok(Ok(bytes)) => {
                self.metrics.read(bytes);
                self.leftover = self.leftover.saturating_sub(bytes);
                if let Some(since) = self.echo_since.take() {
                    self.metrics.echo(now - since);
                }
                self.ending.handle_output(now);
                ReadTurn::Read(bytes)
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return ReadTurn::Nothing,
            Ok(Err(_)) => {
                // A terminal that cannot be read has no more output for us, whatever its reason.
                self.metrics.error(ErrorKind::Io);
                self.ending.handle_end_of_output();
                ReadTurn::Nothing
            }
            Err(PoolSpent) => {
                (self.starved, effects.starved) = (true, true);
                ReadTurn::Starved
            }
        };
        self.settle(now, effects);
        turn
    }

    /// There is room for input: writes once, and carries out the resizes that are due before the next byte.
    pub fn handle_writable(&mut self, now: Time, effects: &mut Effects) {
        self.drop_what_overflows(effects);
        let mut wrote = false;
        while let (Some(pty), Some(next)) = (self.pty.as_mut(), self.lane.next()) {
            match next {
                Next::Resize { number, size } => {
                    self.size = pty.resize(size).unwrap_or(self.size);
                    self.lane.resized();
                    effects.events.push(EventKind::Resized { number, size: self.size });
                }
                Next::Write(_) if wrote => break,
                Next::Write(bytes) => {
                    wrote = true;
                    match pty.write(bytes) {
                        Ok(bytes) => self.lane.wrote(bytes),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(_) => {
                            self.metrics.error(ErrorKind::Io);
                            self.discard_input(effects);
                        }
                    }
                }
            }
        }
        self.tell_room(effects);
        self.settle(now, effects);
    }

    /// The process may have ended.
    pub fn handle_exit(&mut self, now: Time, effects: &mut Effects) {
        let Some(pty) = self.pty.as_mut().filter(|_| self.ending.status().is_none()) else { return };
        let status = match pty.try_exit() {
            Ok(Some(status)) => status,
            Ok(None) => return,
            Err(_) => ExitStatus::Unknown, // It is gone, or we shall never know; either way nobody must wait for it.
        };
        self.ladder.handle_exit(now);
        self.metrics.exit(match status {
            ExitStatus::Code(_) => ExitKind::Code,
            ExitStatus::Signal(_) => ExitKind::Signal,
            ExitStatus::Unknown => ExitKind::Unknown,
        });
        effects.events.push(EventKind::ProcessExited(status));
        self.leftover = READ_MAX;
        self.ending.handle_exit(now, status, self.stopped);
        self.discard_input(effects);
        self.settle(now, effects);
    }

    /// Time has passed. Harmless when early.
    pub fn handle_timeout(&mut self, now: Time, effects: &mut Effects) {
        self.climb(now);
        let claims = self.suspended.len();
        self.suspended.retain(|suspended| now < suspended.until);
        effects.eased |= self.suspended.len() < claims;
        let standings = if self.flow.is_stopped() { self.log.standings() } else { Vec::new() };
        for index in self.flow.overdue(now, self.log.end(), &standings) {
            self.log.demote(index);
            self.metrics.viewer_demoted();
            effects.eased = true;
            effects.events.push(EventKind::ViewerDemoted);
        }
        self.settle(now, effects);
        self.lose_patience(now, effects);
    }

    /// When to come back, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        let ending = self.ending.poll_timeout().filter(|_| self.exit.is_none() && !self.ladder.is_climbing());
        let hold = self.suspended.iter().map(|suspended| suspended.until).min();
        let climb = self.ladder.poll_timeout().filter(|_| self.pty.is_some());
        [ending, hold, climb, self.flow.poll_timeout()].into_iter().flatten().min()
    }

    // ---- What a host asks for ----

    /// Accepts input, and writes it at once when nothing waits before it. Returns how many bytes were accepted: all, or as
    /// many as the queue has room for.
    ///
    /// `urgent` input (an interrupt key) discards the input that still waits, where the terminal itself would discard
    /// it; elsewhere it keeps its place.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was accepted then.
    pub fn write(&mut self, now: Time, bytes: &[u8], urgent: bool, effects: &mut Effects) -> Result<usize, WriteError> {
        let Some(pty) = self.pty.as_mut().filter(|_| self.ending.status().is_none() && self.exit.is_none()) else {
            return Err(WriteError::Closed);
        };
        if urgent && !self.lane.is_empty() {
            let mode = pty.line_mode().map_err(WriteError::Io)?;
            if mode.signals && mode.flushes {
                report(&self.metrics, self.lane.discard(), effects);
            }
        }
        let room = self.lane.room();
        if room == 0 && !bytes.is_empty() {
            self.room_wanted = true;
            return Err(WriteError::Full { limit: self.options.input_queue_bytes });
        }
        let bytes = &bytes[..bytes.len().min(room)];
        self.lane.check(bytes, || pty.line_mode())?;
        let mut written = 0;
        if self.lane.is_empty() && !bytes.is_empty() {
            written = match pty.write(bytes) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(WriteError::Io(error)),
            };
            self.lane.pass(written);
        }
        if written < bytes.len() {
            self.lane.push(&bytes[written..]);
            self.settle(now, effects);
        }
        self.metrics.input(bytes.len());
        if !bytes.is_empty() {
            self.echo_since.get_or_insert(now);
        }
        Ok(bytes.len())
    }

    /// Wakes `waker` when the input queue has room again.
    pub fn want_room(&mut self, waker: &Waker) {
        if !self.writers.iter().any(|known| known.will_wake(waker)) {
            self.writers.push(waker.clone());
        }
    }

    /// Changes the size, after the input that was accepted before. Returns the request's number; the event tells what
    /// resulted.
    ///
    /// # Errors
    /// [`WriteError::Closed`] when nobody is left to be told, or what the system says.
    pub fn resize(&mut self, now: Time, size: Size, effects: &mut Effects) -> Result<u64, WriteError> {
        let Some(pty) = self.pty.as_mut().filter(|_| self.exit.is_none()) else { return Err(WriteError::Closed) };
        if self.lane.is_empty() {
            self.size = pty.resize(size).map_err(WriteError::Io)?;
            self.resizes += 1;
            effects.events.push(EventKind::Resized { number: self.resizes, size: self.size });
        } else {
            self.resizes += 1;
            self.lane.push_resize(self.resizes, size);
            self.settle(now, effects);
        }
        Ok(self.resizes)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// [`WriteError::Closed`] when the session has ended, or what the system says.
    pub fn signal(&mut self, signal: Signal, target: Target) -> Result<(), WriteError> {
        let pty = self.pty.as_mut().filter(|_| self.exit.is_none()).ok_or(WriteError::Closed)?;
        pty.signal(signal, target).map_err(WriteError::Io)
    }

    /// Climbs the close ladder: hang-up, terminate, kill, to the whole session, with `grace` after each.
    pub fn close(&mut self, now: Time, grace: Duration, effects: &mut Effects) {
        if self.pty.is_none() {
            return;
        }
        self.first_reader = None; // Who closes before anybody has begun to read does not mean to.
        self.ladder.start(now, grace);
        self.discard_input(effects);
        self.climb(now);
        self.settle(now, effects);
    }

    /// Ends at once: kills the whole session and gives the terminal up without reading on. What was not read is
    /// lost, and said to be.
    pub fn abandon(&mut self, effects: &mut Effects) -> Option<Box<dyn Pty>> {
        if let Some(pty) = &mut self.pty {
            // They may be gone already; that is what we want.
            drop(pty.dismiss(&[Signal::Hangup, Signal::Continue, Signal::Kill]));
        }
        let status = self.ending.status().unwrap_or(ExitStatus::Unknown);
        self.finish(Exit { status, orphaned: !self.ending.is_end_of_output() }, effects);
        self.suspended.clear();
        self.first_reader = None;
        self.pty.take()
    }

    // ---- Readers ----

    /// A reader from `offset` on, or from the oldest byte held. Until there is a first one, the terminal is read no further than
    /// the high watermark, so that nothing is lost before anybody looks.
    pub fn reader(&mut self, mode: Mode, offset: Option<u64>) -> Reader {
        let reader = Reader::new(&self.log, mode, offset.unwrap_or_else(|| self.log.start()));
        self.first_reader = None;
        reader
    }

    /// Acknowledgements have come, or a reader has left or begun to wait: reading may go on.
    pub fn handle_acknowledged(&mut self, now: Time, effects: &mut Effects) {
        self.handle_timeout(now, effects);
    }

    /// Keeps `reader`'s claim although its link broke.
    pub fn suspend(&mut self, now: Time, reader: Reader) -> Suspension {
        self.suspensions += 1;
        let name = Suspension(self.suspensions);
        self.suspended.push(Suspended { name, reader, until: now + self.options.resume_hold });
        name
    }

    /// Gives a suspended reader back, at the place it had.
    ///
    /// # Errors
    /// [`ResumeError::Expired`] when it was held for too long, or came back before.
    pub fn resume(&mut self, name: Suspension) -> Result<Reader, ResumeError> {
        let index = self.suspended.iter().position(|suspended| suspended.name == name).ok_or(ResumeError::Expired)?;
        Ok(self.suspended.swap_remove(index).reader)
    }

    /// Memory may be had again.
    pub fn handle_relief(&mut self, now: Time, effects: &mut Effects) {
        self.starved = false;
        self.settle(now, effects);
    }

    /// Nobody is left who could read: no claim holds the terminal up any more.
    pub fn forget_readers(&mut self, now: Time, effects: &mut Effects) {
        self.first_reader = None;
        self.suspended.clear();
        effects.eased = true;
        self.settle(now, effects);
    }

    /// Gives up the oldest stretch of history; returns the bytes freed.
    pub fn shrink(&mut self) -> usize {
        self.log.shrink()
    }

    // ---- What it is ----

    /// Bytes of memory the history takes.
    pub fn held_bytes(&self) -> usize {
        self.log.held_bytes()
    }

    /// Whether it waits for memory.
    pub fn is_starved(&self) -> bool {
        self.starved
    }

    /// Offsets of the oldest byte held and of the next one to come.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.log.start()..self.log.end()
    }

    /// The size as last set.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Input accepted but not yet taken by the terminal, in bytes.
    pub fn queued_input(&self) -> usize {
        self.lane.queued()
    }

    /// The end, once it has come.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Whether nothing is left to be driven.
    pub fn is_over(&self) -> bool {
        self.pty.is_none()
    }

    /// The process's id, while there is one.
    pub fn pid(&self) -> Option<u32> {
        self.pty.as_ref().and_then(|pty| pty.pid())
    }

    // ---- How it decides ----

    /// Brings everything that depends on the rest up to date: whether to read, whether it is over, what to be told of.
    fn settle(&mut self, now: Time, effects: &mut Effects) {
        if self.exit.is_none() {
            self.regulate(now);
            if let Some(exit) = self.ending.exit(false) {
                self.finish(exit, effects);
            }
        }
        let interest =
            Interest { read: self.may_read(), write: self.exit.is_none() && !self.lane.is_empty() && self.ending.status().is_none() };
        if let Some(pty) = &mut self.pty
            && interest != self.interest
            && pty.set_interest(interest).is_ok()
        {
            self.interest = interest;
        }
        if self.exit.is_some() && !self.ladder.is_climbing() {
            self.pty = None;
        }
    }

    fn may_read(&self) -> bool {
        self.exit.is_none() && !self.stopped && !self.ending.is_end_of_output()
    }

    /// Stops reading, or lets it go on.
    fn regulate(&mut self, now: Time) {
        let end = self.log.end();
        let mut may_read = self.flow.may_read(now, end, self.log.floor());
        if !may_read && !self.waiting {
            // Say that we wait, then look again: an acknowledgement between the two looks would tell nobody.
            self.set_waiting(true);
            may_read = self.flow.may_read(now, end, self.log.floor());
        }
        if may_read && self.waiting {
            self.set_waiting(false);
        }
        // A session must come to its end although a reader is slow, so what the kernel held back (at most 20 KiB) is read
        // in any case; the history has room for it.
        self.stopped = self.starved || !(may_read || self.leftover > 0);
        self.ending.handle_stopped(now, self.stopped);
    }

    fn set_waiting(&mut self, waiting: bool) {
        self.waiting = waiting;
        self.log.set_waiting(waiting);
        if waiting {
            self.metrics.paused();
        } else {
            self.metrics.resumed();
        }
    }

    /// Ends the log and tells so. What comes after this is silence.
    fn finish(&mut self, exit: Exit, effects: &mut Effects) {
        if self.exit.is_some() {
            return;
        }
        self.exit = Some(exit);
        self.discard_input(effects);
        if self.waiting {
            self.set_waiting(false);
        }
        if exit.orphaned {
            self.metrics.orphan();
        }
        self.log.close(&mut effects.wakes);
        effects.events.push(EventKind::Exit(exit));
        self.writers.drain(..).for_each(|waker| effects.wakes.push(waker));
    }

    /// Sends what is due on the close ladder, unless everybody is gone.
    fn climb(&mut self, now: Time) {
        let (Some(pty), Some(due)) = (&mut self.pty, self.ladder.poll_timeout()) else { return };
        if now < due {
            return;
        }
        if self.ending.status().is_some() && !pty.has_processes() {
            self.ladder.handle_gone();
        }
        if let Some(rung) = self.ladder.handle_timeout(now)
            && pty.dismiss(rung).is_err()
        {
            self.metrics.error(ErrorKind::Io); // The next rung tries again.
        }
    }

    /// Leaves an orphan alone that was listened to for long enough.
    fn lose_patience(&mut self, now: Time, effects: &mut Effects) {
        let due = self.ending.poll_timeout().is_some_and(|due| due <= now);
        if !due || self.exit.is_some() || self.ladder.is_climbing() {
            return;
        }
        // All that the process itself wrote is in the log once a read finds nothing; or once more was read than a
        // kernel holds back (20 KiB), since it can write no more.
        let mut read = 0;
        let mut drained = false;
        while read < READ_MAX && !drained {
            match self.handle_readable(now, effects) {
                ReadTurn::Read(bytes) => read += bytes,
                ReadTurn::Nothing => drained = true,
                ReadTurn::Starved => return,
            }
        }
        if self.exit.is_none()
            && self.ending.is_patience_over(now, drained)
            && let Some(exit) = self.ending.exit(true)
        {
            self.finish(exit, effects);
            self.settle(now, effects);
        }
    }

    /// The program that input was accepted for may have gone, and its terminal now collects lines: input with a line too
    /// long for it would arrive cut, so none of it does.
    fn drop_what_overflows(&mut self, effects: &mut Effects) {
        if !self.lane.may_overflow() {
            return;
        }
        let mode = self.pty.as_ref().and_then(|pty| pty.line_mode().ok());
        if mode.is_some_and(|mode| self.lane.overflows(&mode)) {
            self.metrics.error(ErrorKind::InputLineTooLong);
            self.discard_input(effects);
        }
    }

    fn discard_input(&mut self, effects: &mut Effects) {
        report(&self.metrics, self.lane.discard(), effects);
        self.tell_room(effects);
    }

    /// Tells those who wait for room, once a good part of the queue is free: waking them for a byte would make them
    /// write a byte.
    fn tell_room(&mut self, effects: &mut Effects) {
        if self.lane.room() < self.options.input_queue_bytes.div_ceil(4) {
            return;
        }
        self.writers.drain(..).for_each(|waker| effects.wakes.push(waker));
        if std::mem::take(&mut self.room_wanted) {
            effects.events.push(EventKind::InputReady);
        }
    }
}

fn report(metrics: &Metrics, dropped: Option<Dropped>, effects: &mut Effects) {
    if let Some(Dropped { from, to }) = dropped {
        metrics.input_dropped((to - from) as usize);
        effects.events.push(EventKind::InputDropped { from, to });
    }
}
