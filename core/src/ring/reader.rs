//! Reading a log as `Bytes` that share its memory.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::cursor::{Cursor, Step};
use super::log::{Pinned, Writer};
use super::seat::{Mode, Seat};
use super::segment::Buffer;
use crate::limits::PINNED_BYTES;

/// What a reader finds at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The next bytes.
    Chunk {
        /// Offset of the first of them.
        at: u64,
        /// The bytes; they share the log's memory and keep it alive, on this reader's account.
        bytes: Bytes,
    },
    /// These bytes are no longer held; reading goes on after them.
    Gap {
        /// The first byte missed.
        from: u64,
        /// The byte after the last one missed.
        to: u64,
    },
    /// Nothing yet; or this reader holds on to as much as it may, and must drop some of it first.
    Pending,
    /// Nothing, ever: every byte was read.
    End,
}

/// A cursor in a log.
///
/// A lossless reader stops the writer when it falls behind by more than the writer's patience. What counts is
/// what it **acknowledged**: an [`Owner`](Mode::Owner) does so by coming back for more, the others by [`ack`](Reader::ack).
pub struct Reader {
    cursor: Cursor<Buffer>,
    pin: Option<(u64, Weak<Pin>)>,
}

impl Reader {
    /// A reader of `writer`'s log from `offset` on; one that asks for bytes that are gone begins with a gap, one
    /// that asks for bytes that are still to come begins at the end.
    pub fn new(writer: &Writer, mode: Mode, offset: u64) -> Reader {
        Reader { cursor: Cursor::new(writer, mode, offset.min(writer.end())), pin: None }
    }

    /// Reads up to `max` bytes, never across a segment's edge. Does not wait.
    pub fn try_read(&mut self, max: usize) -> Read {
        match self.cursor.step() {
            Step::Bytes { pinned, number, at, from, to } => {
                let to = to.min(from.saturating_add(max.max(1)));
                let Some(pin) = self.hold(number, pinned) else { return Read::Pending };
                self.cursor.advance(to - from);
                Read::Chunk { at, bytes: Bytes::from_owner(Span { pin, from, to }) }
            }
            Step::Gap { from, to } => Read::Gap { from, to },
            Step::Pending => Read::Pending,
            Step::End => Read::End,
        }
    }

    /// Reads as [`try_read`](Reader::try_read) does, or arranges for the task to be woken when there is more.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Read> {
        match self.try_read(max) {
            Read::Pending => self.park_unless_ready(cx.waker(), max),
            read => Poll::Ready(read),
        }
    }

    /// Asks to be woken, then looks once more: what came between the two looks would wake nobody.
    fn park_unless_ready(&mut self, waker: &Waker, max: usize) -> Poll<Read> {
        self.cursor.park(waker);
        match self.try_read(max) {
            Read::Pending => Poll::Pending,
            read => {
                self.cursor.seat.unpark();
                Poll::Ready(read)
            }
        }
    }

    /// Asks for a wake-up when there is something to read, unless there is: then it answers `true`, and nobody is woken.
    pub fn park(&mut self, waker: &Waker) -> bool {
        self.cursor.park(waker);
        let ready = self.cursor.is_ready();
        if ready {
            self.cursor.seat.unpark();
        }
        ready
    }

    /// Says that everything before `offset` has been dealt with (rendered, written, passed on); at most what was
    /// read. Answers whether the writer has stopped and waits to hear so.
    pub fn ack(&self, offset: u64) -> bool {
        self.cursor.acknowledge(offset)
    }

    /// The next byte to be read.
    pub fn offset(&self) -> u64 {
        self.cursor.offset
    }

    /// Goes on reading at `offset`, backwards or forwards. Acknowledgements stay where they are.
    pub fn seek(&mut self, offset: u64) {
        self.cursor.place_at(offset);
    }

    /// What this reader may demand; a viewer that stalled has become lossy.
    pub fn mode(&self) -> Mode {
        self.cursor.seat.mode()
    }

    /// Bytes of the log's memory that this reader keeps alive by holding on to chunks.
    pub fn pinned_bytes(&self) -> usize {
        self.cursor.seat.pinned()
    }

    /// Whether the writer has stopped and waits for acknowledgements.
    pub fn writer_waits(&self) -> bool {
        self.cursor.shared.seats.writer_waits()
    }

    pub(super) fn seat(&self) -> &super::sync::Arc<Seat> {
        &self.cursor.seat
    }

    /// One pin per segment and reader, shared by all chunks taken from it, and charged once. `None` at the limit.
    fn hold(&mut self, number: u64, pinned: Pinned<Buffer>) -> Option<Arc<Pin>> {
        if let Some((held, pin)) = &self.pin
            && *held == number
            && let Some(pin) = pin.upgrade()
        {
            return Some(pin);
        }
        let bytes = pinned.segment().capacity();
        let seat = self.seat();
        if seat.pinned() + bytes > PINNED_BYTES {
            return None;
        }
        seat.charge(bytes);
        let pin = Arc::new(Pin { pinned: Some(pinned), seat: Arc::clone(seat), bytes });
        self.pin = Some((number, Arc::downgrade(&pin)));
        Some(pin)
    }
}

/// A pinned segment on a reader's account.
struct Pin {
    pinned: Option<Pinned<Buffer>>,
    seat: Arc<Seat>,
    bytes: usize,
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.pinned = None; // First the memory, then the account: whoever is woken finds room.
        self.seat.discharge(self.bytes);
    }
}

/// Bytes of a pinned segment.
struct Span {
    pin: Arc<Pin>,
    from: usize,
    to: usize,
}

impl AsRef<[u8]> for Span {
    fn as_ref(&self) -> &[u8] {
        let pinned = self.pin.pinned.as_ref().expect("invariant: a pin is emptied only when it is dropped");
        pinned.slice(self.from, self.to)
    }
}
