//! A reader's place in a log, and how it finds what lies there.

use std::task::{Poll, Waker};

use super::log::{Pinned, Shared};
use super::order::{self, CHECK_SECOND_LOOK};
use super::seat::{Mode, Seat, Want};
use super::segment::Storage;
use super::sync::Arc;
use super::writer::Writer;

/// What lies at a cursor.
pub(super) enum Step<S: Storage> {
    /// Published bytes: `from..to` of the pinned segment.
    Bytes { pinned: Pinned<S>, from: usize, to: usize },
    /// The bytes up to offset `to` are no longer held.
    Gap { to: u64 },
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
    offset: u64,
    /// The segment in which it lies, or which comes next.
    number: u64,
}

impl<S: Storage> Cursor<S> {
    /// A place in `writer`'s log at `offset`, or at its end when that comes first. Bytes that are gone already count
    /// as acknowledged.
    pub(super) fn new(writer: &Writer<S>, mode: Mode, offset: u64) -> Self {
        let shared = Arc::clone(writer.shared());
        let seat = Arc::new(Seat::new(mode, offset.clamp(writer.start(), writer.end())));
        shared.seats.join(Arc::clone(&seat));
        let mut cursor = Cursor { shared, seat, offset: 0, number: 0 };
        cursor.seek(offset);
        cursor
    }

    /// Goes to `offset`, or to the log's end when that comes first.
    pub(super) fn seek(&mut self, offset: u64) {
        while !self.try_seek(offset) {} // Not done: everything it knew of was evicted meanwhile, so there is newer.
    }

    /// Looks from the newest segment backwards for one that begins at or before `offset`; the oldest will do.
    fn try_seek(&mut self, offset: u64) -> bool {
        let (first, opened) = (self.shared.first(), self.shared.opened());
        if first >= opened {
            (self.offset, self.number) = (offset.min(self.shared.gone()), first); // Nothing is held at all.
            return true;
        }
        let mut found = false;
        for number in (first..opened).rev() {
            let Some(pinned) = self.shared.pin(number) else { break };
            let base = pinned.segment().base();
            if !found {
                self.offset = offset.min(base + pinned.segment().len() as u64);
            }
            self.number = number;
            found = true;
            if base <= offset {
                break;
            }
        }
        found
    }

    /// What lies here. Moves from segment to segment, but over bytes and gaps only by [`move_to`](Cursor::move_to).
    pub(super) fn step(&mut self) -> Step<S> {
        loop {
            // The order of these three looks matters: once closed, no more is opened; once the next segment is
            // opened, this one's length is final.
            let closed = self.shared.is_closed();
            let opened = self.shared.opened();
            let nothing = if closed { Step::End } else { Step::Pending };
            if self.number >= opened {
                let gone = self.shared.gone();
                return if self.offset < gone { Step::Gap { to: gone } } else { nothing };
            }
            let Some(pinned) = self.shared.pin(self.number) else {
                self.number = self.shared.first(); // Later than it was, for who sees an eviction sees this too.
                continue;
            };
            let base = pinned.segment().base();
            if base > self.offset {
                return Step::Gap { to: base };
            }
            let (from, to) = ((self.offset - base) as usize, pinned.segment().len());
            if from < to {
                return Step::Bytes { pinned, from, to };
            }
            if self.number + 1 >= opened {
                return nothing;
            }
            self.number += 1;
        }
    }

    /// The next byte to read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the segment at which the last [`step`](Cursor::step) ended.
    #[cfg(not(orchflow_loom))]
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Moves on to `offset`, over bytes that were read or a gap that was told; returns the offset left.
    pub(super) fn move_to(&mut self, offset: u64) -> u64 {
        std::mem::replace(&mut self.offset, offset)
    }

    /// Runs `look` until it finds something, or has found nothing twice, the second time with `waker` left: then what
    /// it wants will wake that.
    pub(super) fn look_or_park<T>(&mut self, waker: &Waker, mut look: impl FnMut(&mut Self) -> Result<T, Want>) -> Poll<T> {
        let mut parked = None;
        loop {
            match look(self) {
                Ok(found) => {
                    self.seat.unpark();
                    return Poll::Ready(found);
                }
                Err(want) if parked == Some(want) => return Poll::Pending,
                Err(want) => {
                    self.seat.park(waker, want);
                    if order::check(CHECK_SECOND_LOOK, false) {
                        return Poll::Pending; // Only ever in a mutant.
                    }
                    parked = Some(want);
                }
            }
        }
    }

    /// Tells the writer that everything before `offset`, of what was read, was dealt with. Answers whether it waits to
    /// hear so.
    pub(super) fn acknowledge(&self, offset: u64) -> bool {
        self.shared.seats.acknowledge(&self.seat, offset.min(self.offset))
    }

    /// Gives the seat up. Answers whether the writer waits for acknowledgements. Leaving again is harmless.
    pub(super) fn leave(&self) -> bool {
        self.shared.leave(&self.seat)
    }
}

impl<S: Storage> Drop for Cursor<S> {
    fn drop(&mut self) {
        self.leave();
    }
}
