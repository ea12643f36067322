//! A reader's place in a log, and the one step it can take.

use std::task::Waker;

use super::log::{Pinned, Shared, Writer};
use super::seat::{Mode, Seat};
use super::segment::Storage;
use super::sync::Arc;

/// What lies at a cursor.
pub(super) enum Step<S: Storage> {
    /// Published bytes: `from..to` of the pinned segment, which begin at offset `at` of the log.
    Bytes { pinned: Pinned<S>, number: u64, at: u64, from: usize, to: usize },
    /// The bytes `from..to` of the log are no longer held.
    Gap { from: u64, to: u64 },
    /// Nothing yet.
    Pending,
    /// Nothing, ever.
    End,
}

/// A place in a log.
pub(super) struct Cursor<S: Storage> {
    pub(super) shared: Arc<Shared<S>>,
    pub(super) seat: Arc<Seat>,
    /// The next byte to read.
    pub(super) offset: u64,
    /// The segment in which it lies, or which comes next.
    number: u64,
}

impl<S: Storage> Cursor<S> {
    /// A reader of `writer`'s log from `offset` on; one that asks for bytes that are gone begins with a gap.
    pub(super) fn new(writer: &Writer<S>, mode: Mode, offset: u64) -> Self {
        let seat = Arc::new(Seat::new(mode, offset));
        writer.shared().seats.join(Arc::clone(&seat));
        let mut cursor = Cursor { shared: Arc::clone(writer.shared()), seat, offset, number: 0 };
        cursor.find();
        cursor
    }

    /// Another place in the same log, lossy, for looking back.
    #[cfg(not(orchflow_loom))]
    pub(super) fn place_at(&mut self, offset: u64) {
        self.offset = offset;
        self.find();
    }

    /// Finds the segment of `offset`: the last retained one that begins at or before it, else the oldest.
    fn find(&mut self) {
        let opened = self.shared.opened();
        self.number = self.shared.first();
        for number in self.number..opened {
            match self.shared.pin(number) {
                Some(pinned) if pinned.segment().base() > self.offset => break,
                Some(_) => self.number = number,
                None => self.number = self.shared.first(),
            }
        }
    }

    /// What lies here. Moves over gaps and from segment to segment, but over bytes only by [`advance`](Cursor::advance).
    pub(super) fn step(&mut self) -> Step<S> {
        loop {
            // The order of these three looks matters: once closed, no more is opened; once the next segment is
            // opened, this one's length is final.
            let closed = self.shared.is_closed();
            let opened = self.shared.opened();
            let nothing = if closed { Step::End } else { Step::Pending };
            if self.number >= opened {
                return nothing;
            }
            let Some(pinned) = self.shared.pin(self.number) else {
                self.number = self.shared.first();
                continue;
            };
            let base = pinned.segment().base();
            if base > self.offset {
                return self.skip_to(base);
            }
            let (from, to) = ((self.offset - base) as usize, pinned.segment().len());
            if from < to {
                return Step::Bytes { pinned, number: self.number, at: self.offset, from, to };
            }
            if self.number + 1 >= opened {
                return nothing;
            }
            self.number += 1;
        }
    }

    fn skip_to(&mut self, base: u64) -> Step<S> {
        let from = std::mem::replace(&mut self.offset, base);
        Step::Gap { from, to: base }
    }

    /// Whether a step would find anything. Leaves everything as it is.
    #[cfg(not(orchflow_loom))]
    pub(super) fn is_ready(&mut self) -> bool {
        let offset = self.offset;
        let step = self.step();
        self.offset = offset; // A gap that was looked at is still to be told.
        !matches!(step, Step::Pending)
    }

    /// Moves over `bytes` that were read.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.offset += bytes as u64;
    }

    /// Tells the writer that everything before `offset` was dealt with. Answers whether it waits to hear so.
    pub(super) fn acknowledge(&self, offset: u64) -> bool {
        self.shared.seats.acknowledge(&self.seat, offset.min(self.offset))
    }

    /// Asks to be woken when there is more; step once more before sleeping.
    pub(super) fn park(&self, waker: &Waker) {
        self.seat.park(waker);
    }
}

impl<S: Storage> Drop for Cursor<S> {
    fn drop(&mut self) {
        self.shared.seats.leave(&self.seat);
    }
}
