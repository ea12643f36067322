//! Reading a log as `Bytes` that share its memory.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::cursor::{Cursor, Step};
use super::log::Pinned;
use super::seat::{Mode, Seat, Want};
use super::segment::Buffer;
use super::writer::Writer;
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
/// A lossless reader stops the writer when it falls behind by more than the writer's patience. What counts is what it
/// **acknowledged** by [`ack`](Reader::ack), not what it read.
///
/// Dropping a chunk may wake the reader's task: hold no lock then that its waker might want.
pub struct Reader {
    cursor: Cursor<Buffer>,
    held: Held,
}

impl Reader {
    /// A reader of `writer`'s log from `offset` on; one that asks for bytes that are gone begins with a gap, one
    /// that asks for bytes that are still to come begins at the end.
    pub fn new(writer: &Writer, mode: Mode, offset: u64) -> Reader {
        Reader { cursor: Cursor::new(writer, mode, offset), held: Held::default() }
    }

    /// Reads up to `max` bytes, never across a segment's edge. Does not wait.
    pub fn try_read(&mut self, max: usize) -> Read {
        take(&mut self.cursor, &mut self.held, max).unwrap_or(Read::Pending)
    }

    /// Reads as [`try_read`](Reader::try_read) does, or arranges for the task to be woken when there is more.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Read> {
        let held = &mut self.held;
        self.cursor.look_or_park(cx.waker(), |cursor| take(cursor, held, max))
    }

    /// Asks for a wake-up when there is something to read, unless there is: then it answers `true`, and nobody is woken.
    pub fn park(&mut self, waker: &Waker) -> bool {
        let held = &self.held;
        let look = |cursor: &mut Cursor<Buffer>| match cursor.step() {
            Step::Bytes { pinned, .. } if !held.may_take(cursor.number(), &pinned, &cursor.seat) => Err(Want::Room),
            Step::Pending => Err(Want::Bytes),
            _ => Ok(()),
        };
        self.cursor.look_or_park(waker, look).is_ready()
    }

    /// Says that everything before `offset` has been dealt with (rendered, written, passed on); at most what was
    /// read. Answers whether the writer has stopped and waits to hear so.
    pub fn ack(&self, offset: u64) -> bool {
        self.cursor.acknowledge(offset)
    }

    /// Lets the writer go up to `offset`, `u64::MAX` for as far as it likes, as long as this is the only reader. Answers whether the
    /// writer has stopped and waits to hear so.
    pub fn allow(&self, offset: u64) -> bool {
        self.cursor.shared.seats.allow(&self.cursor.seat, offset)
    }

    /// The next byte to be read.
    pub fn offset(&self) -> u64 {
        self.cursor.offset()
    }

    /// Goes on reading at `offset`, backwards or forwards, at most at the end. Acknowledgements stay where they are.
    pub fn seek(&mut self, offset: u64) {
        self.cursor.seek(offset);
    }

    /// What this reader may demand; a viewer that stalled has become lossy.
    pub fn mode(&self) -> Mode {
        self.cursor.seat.mode()
    }

    /// Is [new](super::Standing::is_new) to the writer from now on: it goes away for a while, or has come back.
    pub fn renew(&self) {
        self.cursor.seat.renew();
    }

    /// Bytes of the log's memory that this reader keeps alive by holding on to chunks.
    pub fn pinned_bytes(&self) -> usize {
        self.cursor.seat.pinned()
    }

    /// Whether the writer has stopped and waits for acknowledgements.
    pub fn writer_waits(&self) -> bool {
        self.cursor.shared.seats.writer_waits()
    }

    /// Goes, as dropping it does, and answers whether the writer has stopped: perhaps for this reader, so somebody must
    /// tell it.
    pub fn leave(self) -> bool {
        self.cursor.leave()
    }
}

/// Takes what lies at `cursor`, or says what is wanting.
fn take(cursor: &mut Cursor<Buffer>, held: &mut Held, max: usize) -> Result<Read, Want> {
    match cursor.step() {
        Step::Bytes { pinned, from, to } => {
            let to = to.min(from.saturating_add(max.max(1)));
            let pin = held.take(cursor.number(), pinned, &cursor.seat).ok_or(Want::Room)?;
            let at = cursor.move_to(cursor.offset() + (to - from) as u64);
            Ok(Read::Chunk { at, bytes: Bytes::from_owner(Span { pin, from, to }) })
        }
        Step::Gap { to } => Ok(Read::Gap { from: cursor.move_to(to), to }),
        Step::Pending => Err(Want::Bytes),
        Step::End => Ok(Read::End),
    }
}

/// The last segment a reader took bytes from, as long as some of them are alive: one pin per segment and reader,
/// shared by all chunks taken from it, and charged once.
#[derive(Default)]
struct Held(Option<(u64, Weak<Pin>)>);

impl Held {
    /// The pin on segment `number`, or `None` at the limit.
    fn take(&mut self, number: u64, pinned: Pinned<Buffer>, seat: &Arc<Seat>) -> Option<Arc<Pin>> {
        if let Some(pin) = self.pin(number) {
            return Some(pin);
        }
        let bytes = pinned.segment().capacity();
        if seat.pinned() + bytes > PINNED_BYTES {
            return None;
        }
        seat.charge(bytes);
        let pin = Arc::new(Pin { pinned: Some(pinned), seat: Arc::clone(seat), bytes });
        self.0 = Some((number, Arc::downgrade(&pin)));
        Some(pin)
    }

    /// Whether [`take`](Held::take) would succeed.
    fn may_take(&self, number: u64, pinned: &Pinned<Buffer>, seat: &Seat) -> bool {
        self.pin(number).is_some() || seat.pinned() + pinned.segment().capacity() <= PINNED_BYTES
    }

    fn pin(&self, number: u64) -> Option<Arc<Pin>> {
        self.0.as_ref().filter(|(held, _)| *held == number).and_then(|(_, pin)| pin.upgrade())
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
