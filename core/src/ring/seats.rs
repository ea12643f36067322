//! Everybody who reads or writes a log.
//!
//! Membership is behind a lock, which the writer takes only when it changed. What happens per chunk (parking,
//! acknowledging) is in the seats' atomics.

use super::order::{self, FENCE_ACKED, FENCE_PUBLISHED, FENCE_WAITING};
use super::seat::{Seat, Want};
use super::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering};
use super::wakes::Wakes;

pub(super) struct Seats {
    members: Mutex<Members>,
    /// Counts changes of membership. Relaxed is enough: it changes before the fence of a newcomer that parks.
    version: AtomicU64,
    /// The writer has stopped and wants to hear of acknowledgements.
    waiting: AtomicBool,
}

struct Members {
    readers: Vec<Arc<Seat>>,
    writer: bool,
}

impl Members {
    fn is_empty(&self) -> bool {
        !self.writer && self.readers.is_empty()
    }
}

impl Seats {
    pub(super) fn new() -> Self {
        Seats {
            members: Mutex::new(Members { readers: Vec::new(), writer: true }),
            version: AtomicU64::new(0),
            waiting: AtomicBool::new(false),
        }
    }

    pub(super) fn join(&self, seat: Arc<Seat>) {
        self.members.lock().readers.push(seat);
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers whether this was the last one, which happens once. Leaving again is harmless.
    pub(super) fn leave(&self, seat: &Arc<Seat>) -> bool {
        let last = {
            let mut members = self.members.lock();
            let Some(place) = members.readers.iter().position(|member| Arc::ptr_eq(member, seat)) else { return false };
            members.readers.remove(place);
            members.is_empty()
        };
        self.version.fetch_add(1, Ordering::Relaxed);
        seat.vacate(); // The writer's own list forgets us only at its next turn, which may be far off.
        order::handshake(FENCE_ACKED); // Whoever goes acknowledges everything.
        last
    }

    /// The writer goes. Answers whether it was the last one.
    pub(super) fn abandon(&self) -> bool {
        let mut members = self.members.lock();
        members.writer = false;
        members.is_empty()
    }

    /// Moves `seat`'s acknowledgement up to `offset`, never back. Answers whether the writer waits to hear of it.
    pub(super) fn acknowledge(&self, seat: &Seat, offset: u64) -> bool {
        if seat.acknowledge(offset) {
            order::handshake(FENCE_ACKED);
        }
        self.writer_waits()
    }

    /// Lets the writer go up to `offset` for `seat`. Answers whether it waits to hear of it.
    pub(super) fn allow(&self, seat: &Seat, offset: u64) -> bool {
        seat.allow(offset);
        order::handshake(FENCE_ACKED);
        self.writer_waits()
    }

    /// Whether the writer wants to hear of acknowledgements.
    pub(super) fn writer_waits(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The writer's half of the handshake with [`acknowledge`](Seats::acknowledge): say so, then look at the seats once more.
    pub(super) fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Relaxed);
        order::handshake(FENCE_WAITING);
    }
}

/// The writer's own list of seats, refreshed when membership changes.
pub(super) struct SeatList {
    seats: Vec<Arc<Seat>>,
    version: u64,
}

impl SeatList {
    pub(super) fn new() -> Self {
        SeatList { seats: Vec::new(), version: 0 }
    }

    /// The seats as they are now.
    pub(super) fn current(&mut self, all: &Seats) -> &[Arc<Seat>] {
        if all.version.load(Ordering::Relaxed) != self.version {
            let members = all.members.lock();
            self.version = all.version.load(Ordering::Relaxed);
            self.seats.clone_from(&members.readers);
        }
        &self.seats
    }

    /// The seats as they were when last looked at: indices into [`current`](SeatList::current) hold.
    pub(super) fn seen(&self) -> &[Arc<Seat>] {
        &self.seats
    }

    /// The writer has published: collects the wakers of all who wait for bytes.
    pub(super) fn collect_parked(&mut self, all: &Seats, wakes: &mut Wakes) {
        order::handshake(FENCE_PUBLISHED);
        self.current(all).iter().filter_map(|seat| seat.take_waker(Want::Bytes)).for_each(|waker| wakes.push(waker));
    }
}
