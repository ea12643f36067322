//! What a host asks of a terminal: input, sizes, signals, the end.

use std::io;
use std::task::Waker;
use std::time::Duration;

use super::super::error::WriteError;
use super::super::event::EventKind;
use super::super::lane::Dropped;
use super::{Effects, Terminal};
use crate::metrics::{ErrorKind, Metrics};
use crate::pty::{Exit, ExitStatus, Pty, Signal, Target};
use crate::size::Size;
use crate::time::Time;

impl Terminal {
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
        self.lane.check(bytes, room, || pty.line_mode())?;
        let bytes = &bytes[..bytes.len().min(room)];
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

    // ---- Input that will not be written ----

    /// The program that input was accepted for may have gone, and its terminal now collects lines: input with a line too
    /// long for it would arrive cut, so none of it does.
    pub(super) fn drop_what_overflows(&mut self, effects: &mut Effects) {
        if !self.lane.may_overflow() {
            return;
        }
        let mode = self.pty.as_ref().and_then(|pty| pty.line_mode().ok());
        if mode.is_some_and(|mode| self.lane.overflows(&mode)) {
            self.metrics.error(ErrorKind::InputLineTooLong);
            self.discard_input(effects);
        }
    }

    pub(super) fn discard_input(&mut self, effects: &mut Effects) {
        report(&self.metrics, self.lane.discard(), effects);
        self.tell_room(effects);
    }

    /// Tells those who wait for room, once a good part of the queue is free: waking them for a byte would make them
    /// write a byte.
    pub(super) fn tell_room(&mut self, effects: &mut Effects) {
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
