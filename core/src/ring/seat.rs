//! One reader as the writer sees it: what it may demand, what it has acknowledged, what it holds, and how to wake it.
//!
//! A reader that finds nothing **parks**: it leaves its waker, says what it waits for, and looks once more. Whoever
//! brings that takes the waker. Between the two either the second look finds it or the flag is seen; the fences
//! see to that. That the flag itself is relaxed is enough: leaving and taking a waker order each other, so who
//! has seen the flag comes after the waker was left.

use std::task::Waker;

use super::order::{self, FENCE_DISCHARGED, FENCE_PARKED};
use super::sync::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, AtomicWaker, Ordering};

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
    /// Whether it came after the writer last [took note](super::Writer::greet) of all who were there.
    pub is_new: bool,
}

/// What a reader that found nothing waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Want {
    /// More bytes, or the end.
    Bytes = 1,
    /// Its own chunks to be dropped: it holds as many as it may. New bytes are of no use to it.
    Room = 2,
}

const AWAKE: u8 = 0;

pub(super) struct Seat {
    mode: AtomicU8,
    acked: AtomicU64,
    /// The writer goes no further for this reader, if it is the only one.
    allowed: AtomicU64,
    /// Bytes of storage this reader keeps alive.
    pinned: AtomicUsize,
    /// The writer has not taken note of it.
    is_new: AtomicBool,
    /// A [`Want`], or [`AWAKE`].
    parked: AtomicU8,
    waker: AtomicWaker,
}

impl Seat {
    pub(super) fn new(mode: Mode, acked: u64) -> Self {
        Seat {
            mode: AtomicU8::new(mode as u8),
            acked: AtomicU64::new(acked),
            allowed: AtomicU64::new(u64::MAX),
            pinned: AtomicUsize::new(0),
            is_new: AtomicBool::new(true),
            parked: AtomicU8::new(AWAKE),
            waker: AtomicWaker::new(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let waits = self.parked.load(Ordering::Relaxed) == Want::Bytes as u8;
        Standing { mode: self.mode(), acked: self.acked(), waits, is_new: self.is_new.load(Ordering::Relaxed) }
    }

    /// It goes away for a while, or has come back.
    pub(super) fn renew(&self) {
        self.is_new.store(true, Ordering::Relaxed);
    }

    /// The writer has taken note of it.
    pub(super) fn greet(&self) {
        self.is_new.store(false, Ordering::Relaxed);
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

    // ---- Acknowledging ----

    /// Everything before this offset was acknowledged.
    pub(super) fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// Moves the acknowledgement up to `offset`, never back; answers whether it moved.
    pub(super) fn acknowledge(&self, offset: u64) -> bool {
        self.acked.fetch_max(offset, Ordering::Relaxed) < offset
    }

    /// How far the writer may go for this reader.
    pub(super) fn allowed(&self) -> u64 {
        if self.mode() == Mode::Lossy { u64::MAX } else { self.allowed.load(Ordering::Relaxed) }
    }

    pub(super) fn allow(&self, offset: u64) {
        self.allowed.store(offset, Ordering::Relaxed);
    }

    // ---- Holding ----

    pub(super) fn pinned(&self) -> usize {
        self.pinned.load(Ordering::Relaxed)
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.pinned.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Pays back a charge, and wakes a reader that was refused for its limit. The caller holds no lock that a waker
    /// might want.
    pub(super) fn discharge(&self, bytes: usize) {
        self.pinned.fetch_sub(bytes, Ordering::Relaxed);
        order::handshake(FENCE_DISCHARGED);
        self.take_waker(Want::Room).into_iter().for_each(Waker::wake);
    }

    // ---- Waiting ----

    /// Asks to be woken. The caller must look once more afterwards, and only then sleep.
    pub(super) fn park(&self, waker: &Waker, want: Want) {
        self.waker.register(waker);
        self.parked.store(want as u8, Ordering::Relaxed);
        order::handshake(FENCE_PARKED);
    }

    /// Takes the request back, since there is something.
    pub(super) fn unpark(&self) {
        if self.parked.load(Ordering::Relaxed) != AWAKE {
            self.parked.store(AWAKE, Ordering::Relaxed);
        }
    }

    /// The waker, if this reader is parked for `want`. Each parking is answered once. Needs a handshake before it.
    pub(super) fn take_waker(&self, want: Want) -> Option<Waker> {
        let want = want as u8;
        let parked = self.parked.load(Ordering::Relaxed) == want;
        if parked && self.parked.compare_exchange(want, AWAKE, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return self.waker.take();
        }
        None
    }

    /// Nobody will wait here any more: the waker, which may keep a whole task alive, goes.
    pub(super) fn vacate(&self) {
        drop(self.waker.take());
    }
}
