//! A terminal and all that is decided about it, behind one lock of its driver's.

mod asked;
mod readers;

use std::io;
use std::sync::Arc;
use std::task::Waker;

use readers::Suspended;
pub use readers::Suspension;

use super::ending::Ending;
use super::event::EventKind;
use super::ladder::Ladder;
use super::lane::{InputLane, Next};
use super::marks::Marks;
use super::options::SessionOptions;
use crate::flow::{Flow, Overdue};
use crate::limits::READ_MAX;
use crate::metrics::{ErrorKind, ExitKind, Hop, Metrics};
use crate::pty::{Doorbell, Exit, ExitStatus, Interest, Pty};
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
    /// When output was read.
    marks: Marks,
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
            marks: Marks::default(),
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
        let allowed = self.log.allowed().saturating_sub(self.log.end()).max(self.leftover as u64);
        let most = usize::try_from(allowed).unwrap_or(usize::MAX).clamp(1, READ_MAX);
        let Some(pty) = &mut self.pty else { return ReadTurn::Nothing };
        let read = self.log.append_with(&mut effects.wakes, |room| {
            let len = room.len().min(most);
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
                    self.metrics.hop(Hop::Program, now - since);
                }
                self.marks.note(self.log.end() - bytes as u64, now);
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
        let Overdue { readers, anew } = self.flow.overdue(now, self.log.end(), &standings);
        if anew {
            self.log.greet();
        }
        for index in readers {
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

    // ---- What it is ----

    /// Offsets of the oldest byte held and of the next one to come.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.log.start()..self.log.end()
    }

    /// When the byte at `offset` was read, or up to 0.1 ms and an eighth of that longer ago; `None` if that is not known any more.
    pub fn read_at(&self, offset: u64) -> Option<Time> {
        self.marks.at(offset)
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
        let mut may_read = self.is_wanted(now);
        if !may_read && !self.waiting {
            self.log.greet();
            // Say that we wait, then look again: an acknowledgement between the two looks would tell nobody.
            self.set_waiting(true);
            may_read = self.is_wanted(now);
        }
        if may_read && self.waiting {
            self.set_waiting(false);
        }
        // A session must come to its end although a reader is slow, so what the kernel held back (at most 20 KiB) is read
        // in any case; the history has room for it.
        self.stopped = self.starved || !(may_read || self.leftover > 0);
        // Whoever has closed a session does not wait for memory that perhaps only they could give back.
        let waits = self.stopped && !(self.starved && self.ladder.is_done());
        self.ending.handle_stopped(now, waits);
    }

    /// Whether no reader holds it up.
    fn is_wanted(&mut self, now: Time) -> bool {
        let end = self.log.end();
        self.flow.may_read(now, end, self.log.floor()) && end < self.log.allowed()
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
        // kernel holds back (20 KiB), since it can write no more. So it is when this look has to stop for a reader's debt.
        let too_long = self.ending.is_patience_over(now, false);
        let mut read = 0;
        let mut drained = false;
        while read < READ_MAX && !drained {
            match self.handle_readable(now, effects) {
                ReadTurn::Read(bytes) => read += bytes,
                ReadTurn::Nothing => drained = true,
                ReadTurn::Starved => return,
            }
        }
        if self.exit.is_some() || !(too_long || self.ending.is_patience_over(now, drained)) {
            return;
        }
        if !too_long && self.pty.as_mut().is_some_and(|pty| !pty.has_processes()) {
            self.ending.handle_nobody_left();
            return;
        }
        if let Some(exit) = self.ending.exit(true) {
            self.finish(exit, effects);
            self.settle(now, effects);
        }
    }
}
