//! What writer and readers of a log share: numbered segments, where the log begins and ends, and who is there.
//!
//! Segments are numbered from 0; number `n` sits in slot `n % slots`, which names its descriptor. Readers find a
//! segment by number and pin it; a pin that fails is a gap.
//!
//! The last to leave, writer or reader, gives up what is still retained: a chunk that outlives them all keeps its own
//! segment and nothing else.

use super::descriptors::Descriptors;
use super::order;
use super::seat::Seat;
use super::seats::Seats;
use super::segment::{Segment, Storage};
use super::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Ordering};

pub(super) struct Shared<S: Storage> {
    slots: Box<[AtomicU32]>,
    pub(super) descriptors: Descriptors<S>,
    /// Segments opened so far; the newest is one less.
    tail: AtomicU64,
    /// The oldest segment retained, or the next one to be opened when none is.
    first: AtomicU64,
    /// Offset before which everything was given up.
    gone: AtomicU64,
    closed: AtomicBool,
    pub(super) seats: Seats,
}

impl<S: Storage> Shared<S> {
    /// Nothing yet, and never more than `slots` segments retained at once.
    pub(super) fn new(slots: usize) -> Self {
        Shared {
            slots: (0..slots).map(|_| AtomicU32::new(0)).collect(),
            descriptors: Descriptors::new(),
            tail: AtomicU64::new(0),
            first: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            seats: Seats::new(),
        }
    }

    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    fn slot(&self, number: u64) -> &AtomicU32 {
        &self.slots[(number % self.slots.len() as u64) as usize]
    }

    // ---- For readers ----

    /// How many segments have been opened.
    pub(super) fn opened(&self) -> u64 {
        self.tail.load(order::tail_load())
    }

    /// The oldest segment retained, or the next one to be opened when none is.
    pub(super) fn first(&self) -> u64 {
        self.first.load(order::first_load())
    }

    /// Offset before which everything was given up, at least up to the segment that [`first`](Shared::first) has
    /// answered to this thread.
    pub(super) fn gone(&self) -> u64 {
        self.gone.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(order::closed_load())
    }

    /// Pins segment `number`, which must have been opened, or says that it was evicted.
    pub(super) fn pin(self: &Arc<Self>, number: u64) -> Option<Pinned<S>> {
        let index = self.slot(number).load(Ordering::Relaxed);
        self.descriptors.at(index).pin(generation(number)).then(|| Pinned { shared: Arc::clone(self), index })
    }

    /// A reader goes. Answers whether the writer waits for acknowledgements: perhaps it was this reader's.
    pub(super) fn leave(&self, seat: &Arc<Seat>) -> bool {
        if self.seats.leave(seat) {
            self.give_up_all();
        }
        self.seats.writer_waits()
    }

    // ---- For the writer ----

    /// Announces the segment in the descriptor at `index` as the next one.
    pub(super) fn announce(&self, number: u64, index: u32) {
        self.slot(number).store(index, Ordering::Relaxed);
        self.tail.store(number + 1, order::tail_store());
    }

    /// Gives up segment `number`, the oldest, with all bytes before `end`. Answers whether its descriptor was emptied on
    /// the spot.
    pub(super) fn evict(&self, number: u64, index: u32, end: u64) -> bool {
        // First where the log begins now, then that this is gone: who misses it must know where to go.
        self.gone.store(end, Ordering::Relaxed);
        self.first.store(number + 1, order::first_store());
        self.descriptors.at(index).evict().is_some()
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed); // See `closed_load`.
    }

    /// The writer goes.
    pub(super) fn abandon(&self) {
        if self.seats.abandon() {
            self.give_up_all();
        }
    }

    /// Nobody is left to read or write; their lock has put us after everything they did.
    fn give_up_all(&self) {
        for number in self.first.load(Ordering::Relaxed)..self.tail.load(Ordering::Relaxed) {
            drop(self.descriptors.at(self.slot(number).load(Ordering::Relaxed)).evict());
        }
    }
}

/// A segment's generation: enough of its number that it cannot come round while somebody looks (2³² segments).
pub(super) fn generation(number: u64) -> u32 {
    number as u32
}

/// A segment that stays where it is until this is dropped.
pub(super) struct Pinned<S: Storage> {
    shared: Arc<Shared<S>>,
    index: u32,
}

impl<S: Storage> Pinned<S> {
    pub(super) fn segment(&self) -> &Segment<S> {
        self.shared.descriptors.at(self.index)
    }
}

impl<S: Storage> Drop for Pinned<S> {
    fn drop(&mut self) {
        if let Some(storage) = self.segment().unpin() {
            drop(storage);
            self.shared.descriptors.push_free(self.index);
        }
    }
}
