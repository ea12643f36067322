//! What the writer knows of one reader: where it is, what it holds, and how to wake it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

use super::order::{self, FENCE_ACKED, FENCE_PARKED, FENCE_PUBLISHED, FENCE_WAITING};
use super::sync::{Arc, AtomicBool, AtomicU8, AtomicU64, AtomicUsize, AtomicWaker, Mutex, Ordering};

/// How much a reader may demand of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// The program that owns the terminal: loses nothing, and is waited for as long as it takes.
    Owner = 0,
    /// Somebody who watches: loses nothing unless it stalls while others wait; then it becomes lossy and is told.
    Viewer = 1,
    /// Takes what is there: the writer never waits for it, and it is told each gap.
    Lossy = 2,
}

/// Where one reader stands, as far as others are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it may demand.
    pub mode: Mode,
    /// Everything before this offset is acknowledged.
    pub acked: u64,
    /// Whether it has read everything and sleeps until there is more.
    pub waits: bool,
}

/// One reader as the writer sees it.
pub(super) struct Seat {
    mode: AtomicU8,
    /// Everything before this offset was acknowledged.
    acked: AtomicU64,
    /// Bytes of storage this reader keeps alive.
    pinned: AtomicUsize,
    parked: AtomicBool,
    waker: AtomicWaker,
}

impl Seat {
    pub(super) fn new(mode: Mode, acked: u64) -> Self {
        Seat {
            mode: AtomicU8::new(mode as u8),
            acked: AtomicU64::new(acked),
            pinned: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Relaxed) {
            0 => Mode::Owner,
            1 => Mode::Viewer,
            _ => Mode::Lossy,
        }
    }

    /// From now on nobody waits for this reader.
    pub(super) fn demote(&self) {
        self.mode.store(Mode::Lossy as u8, Ordering::Relaxed);
    }

    pub(super) fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    pub(super) fn pinned(&self) -> usize {
        self.pinned.load(Ordering::Relaxed)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { mode: self.mode(), acked: self.acked(), waits: self.parked.load(Ordering::Relaxed) }
    }

    /// Asks to be woken. The caller must look once more afterwards, and only then sleep.
    pub(super) fn park(&self, waker: &Waker) {
        self.waker.register(waker);
        self.parked.store(true, Ordering::Relaxed);
        order::handshake(FENCE_PARKED);
    }

    /// Takes the request back, since the second look found something.
    pub(super) fn unpark(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }

    /// The waker, if this reader is parked. Each parking is answered once.
    pub(super) fn wake(&self) -> Option<Waker> {
        (self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::Relaxed)).then(|| self.waker.take()).flatten()
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.pinned.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Pays back a charge; a reader that was refused for its limit may go on.
    pub(super) fn discharge(&self, bytes: usize) {
        self.pinned.fetch_sub(bytes, Ordering::Relaxed);
        order::handshake(FENCE_PUBLISHED);
        if let Some(waker) = self.wake() {
            waker.wake();
        }
    }
}

/// All readers of a log. Membership is behind a lock, which the writer takes only when it changed; what
/// happens per chunk (parking, acknowledging) is in the seats' atomics.
pub(super) struct Seats {
    members: Mutex<Vec<Arc<Seat>>>,
    version: AtomicU64,
    /// The writer has stopped and wants to hear of acknowledgements.
    waiting: AtomicBool,
}

impl Seats {
    pub(super) fn new() -> Self {
        Seats { members: Mutex::new(Vec::new()), version: AtomicU64::new(0), waiting: AtomicBool::new(false) }
    }

    pub(super) fn join(&self, seat: Arc<Seat>) {
        self.members.lock().push(seat);
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self, seat: &Arc<Seat>) {
        self.members.lock().retain(|member| !Arc::ptr_eq(member, seat));
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Moves `seat`'s acknowledgement up to `offset`; never back. Answers whether the writer waits to hear of it.
    pub(super) fn acknowledge(&self, seat: &Seat, offset: u64) -> bool {
        if seat.acked.fetch_max(offset, Ordering::Relaxed) >= offset {
            return false;
        }
        order::handshake(FENCE_ACKED);
        self.waiting.load(Ordering::Relaxed)
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
    pub(super) fn current<'a>(&'a mut self, all: &Seats) -> &'a [Arc<Seat>] {
        if all.version.load(Ordering::Relaxed) != self.version {
            let members = all.members.lock();
            self.version = all.version.load(Ordering::Relaxed);
            self.seats.clone_from(&members);
        }
        &self.seats
    }

    /// The seats as they were when last looked at: indices into [`current`](SeatList::current) hold.
    pub(super) fn seen(&self) -> &[Arc<Seat>] {
        &self.seats
    }

    /// The writer has published: collects the wakers of all who are parked.
    pub(super) fn collect_parked(&mut self, all: &Seats, wakes: &mut Wakes) {
        order::handshake(FENCE_PUBLISHED);
        for seat in self.current(all) {
            wakes.0.extend(seat.wake());
        }
    }
}

/// Wakers to call once no lock is held. Dropping them calls them.
#[derive(Default)]
pub struct Wakes(Vec<Waker>);

impl Wakes {
    /// Nobody to wake yet.
    pub const fn new() -> Self {
        Wakes(Vec::new())
    }

    /// Adds one.
    pub fn push(&mut self, waker: Waker) {
        self.0.push(waker);
    }

    /// Wakes everybody collected so far. One whose waker panics does not keep the others asleep; its panic goes on
    /// after them.
    pub fn wake(&mut self) {
        let mut panicked = None;
        for waker in self.0.drain(..) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                panicked = Some(panic);
            }
        }
        if let Some(panic) = panicked.filter(|_| !std::thread::panicking()) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.wake();
    }
}
