//! One stretch of a log's bytes: the storage, and the word that says who may touch it.
//!
//! This is the only file of the ring with `unsafe`. The rules it keeps:
//! * A **descriptor** ([`Segment`]) is type-stable: it lives as long as the log and is used again and again for
//!   different stretches. Its *storage* comes and goes.
//! * One word packs `generation | evicted | pins`. A reader pins with a compare-exchange that fails when the
//!   generation has moved on or the segment was evicted; that is a gap in its stream, never a use after free.
//! * Storage is put in by the writer ([`Segment::open`]) while nobody can pin, and taken out exactly once: by the
//!   writer when it evicts a segment without pins, else by whoever drops the last pin.
//! * Bytes below the published length never change; bytes above it are touched by the writer alone. Storage is
//!   zero-initialised and reached through raw pointers, so no reference ever spans bytes that may change.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::slice;

use super::order::{self, CHECK_EVICTED, CHECK_GENERATION, CHECK_LAST_PIN, CHECK_PIN_CAS};
use super::pool::Lease;
use super::sync::{Arc, AtomicU32, AtomicU64, AtomicUsize, Ordering, UnsafeCell};

const PIN: u64 = 1;
const EVICTED: u64 = 1 << 31;
const PINS: u64 = EVICTED - 1;

/// Memory a segment can be made of: a pooled buffer, or a few modelled cells.
pub trait Storage: Send + Sync + Sized + 'static {
    /// Where it comes from.
    type Pool: Send + Sync;
    /// Takes `bytes` bytes, or nothing when the pool's budget is spent. It goes back when dropped.
    fn take(pool: &Arc<Self::Pool>, bytes: usize) -> Option<Self>;
    /// Its length in bytes.
    fn capacity(&self) -> usize;
    /// Lets `write` fill the bytes from `from` to the end.
    ///
    /// # Safety
    /// The caller is the only one who touches these bytes meanwhile.
    unsafe fn fill<R>(&self, from: usize, write: impl FnOnce(&mut [u8]) -> R) -> R;
}

/// A descriptor: who may touch one stretch of the log, and where its bytes are.
pub(super) struct Segment<S> {
    /// `generation << 32 | evicted << 31 | pins`.
    word: AtomicU64,
    /// Offset of the first byte in the log.
    base: AtomicU64,
    /// Bytes published so far.
    len: AtomicUsize,
    /// `None` while the descriptor is free.
    storage: UnsafeCell<Option<S>>,
    /// The next free descriptor, plus one; only while this one is in the free list.
    pub(super) next_free: AtomicU32,
}

// SAFETY: `storage` is written only by `open` (the writer, before anybody can pin this generation) and `take`
// (one thread, after the last pin of an evicted generation); everybody else reads it, between those two.
unsafe impl<S: Storage> Sync for Segment<S> {}

impl<S: Storage> Segment<S> {
    /// A free descriptor: evicted, so that no pin can succeed.
    pub(super) fn free() -> Self {
        Segment {
            word: AtomicU64::new(EVICTED),
            base: AtomicU64::new(0),
            len: AtomicUsize::new(0),
            storage: UnsafeCell::new(None),
            next_free: AtomicU32::new(0),
        }
    }

    /// Puts storage in for a new stretch that begins at `base`. Only the writer, only on a free descriptor.
    pub(super) fn open(&self, generation: u32, base: u64, storage: S) {
        self.storage.with_mut(|slot| {
            // SAFETY: the descriptor is free: its word is evicted with no pins, so no reader can reach the
            // storage, and the writer is one.
            unsafe { *slot = Some(storage) }
        });
        self.base.store(base, Ordering::Relaxed);
        self.len.store(0, Ordering::Relaxed);
        self.word.store(u64::from(generation) << 32, order::open_store());
    }

    /// Pins the stretch `generation`, or says that it is gone.
    pub(super) fn pin(&self, generation: u32) -> bool {
        loop {
            let word = self.word.load(order::pin_load());
            let ours = order::check(CHECK_GENERATION, (word >> 32) as u32 == generation);
            let here = order::check(CHECK_EVICTED, word & EVICTED == 0);
            if !(ours && here) {
                return false;
            }
            assert!(word & PINS < PINS, "a segment has more pins than a reader limit can allow");
            match self.word.compare_exchange(word, word + PIN, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(_) if order::check(CHECK_PIN_CAS, false) => {
                    self.word.fetch_add(PIN, Ordering::Relaxed); // Only ever in a mutant.
                    return true;
                }
                Err(_) => {}
            }
        }
    }

    /// Drops a pin. Returns the storage when this was the last one of an evicted stretch: the descriptor is free.
    pub(super) fn unpin(&self) -> Option<S> {
        let before = self.word.fetch_sub(PIN, order::unpin());
        debug_assert!(before & PINS > 0, "a pin was dropped twice");
        let last = order::check(CHECK_LAST_PIN, before & PINS == PIN);
        (last && before & EVICTED != 0).then(|| self.take())
    }

    /// Gives the stretch up: no new pins. Returns the storage when nobody holds one: the descriptor is free.
    /// Only the writer, once per stretch.
    pub(super) fn evict(&self) -> Option<S> {
        let before = self.word.fetch_or(EVICTED, order::evict());
        (before & PINS == 0).then(|| self.take())
    }

    /// Whether a reader holds a pin at this moment.
    pub(super) fn is_pinned(&self) -> bool {
        self.word.load(Ordering::Relaxed) & PINS > 0
    }

    fn take(&self) -> S {
        // SAFETY: evicted with no pins, so nobody reaches the storage any more; of the two places that can see
        // this state first, `evict` and `unpin`, exactly one does (each a read-modify-write of one word), and its
        // acquire half puts it after every reader's release.
        self.storage.with_mut(|slot| unsafe { (*slot).take() }).expect("invariant: an open segment has storage")
    }

    /// Offset of the first byte. Only the writer or the holder of a pin.
    pub(super) fn base(&self) -> u64 {
        self.base.load(Ordering::Relaxed)
    }

    /// Bytes published. Only the writer or the holder of a pin.
    pub(super) fn len(&self) -> usize {
        self.len.load(order::len_load())
    }

    /// Bytes the storage holds. Only the writer or the holder of a pin.
    pub(super) fn capacity(&self) -> usize {
        self.with_storage(Storage::capacity)
    }

    /// Lets `write` fill what is free and publishes as many bytes as it says it wrote. Only the writer.
    pub(super) fn fill<E>(&self, write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        let len = self.len.load(Ordering::Relaxed); // The writer's own value.
        let wrote = self.with_storage(|storage| {
            // SAFETY: bytes from `len` on are unpublished: readers stop at `len`, and the writer is one.
            unsafe { storage.fill(len, write) }
        })?;
        assert!(wrote <= self.capacity() - len, "a source claims to have written more than it was given room for");
        self.len.store(len + wrote, order::len_store());
        Ok(wrote)
    }

    /// Runs `f` on the storage. Only the writer or the holder of a pin.
    fn with_storage<R>(&self, f: impl FnOnce(&S) -> R) -> R {
        self.storage.with(|slot| {
            // SAFETY: while pinned, or open and on the writer's own thread, nobody puts or takes the storage.
            let storage = unsafe { &*slot };
            f(storage.as_ref().expect("invariant: an open segment has storage"))
        })
    }
}

#[cfg(not(orchflow_loom))]
impl super::log::Pinned<Buffer> {
    /// Published bytes as a slice, which borrows the pin. `to` is at most a length that this thread has seen.
    pub(super) fn slice(&self, from: usize, to: usize) -> &[u8] {
        self.segment().with_storage(|buffer| {
            assert!(from <= to && to <= buffer.capacity, "a read stays below the published length");
            // SAFETY: in bounds; bytes below the published length are never written again; and the pin, which the
            // result borrows, keeps the memory.
            unsafe { slice::from_raw_parts(buffer.memory.as_ptr().add(from), to - from) }
        })
    }
}

/// Pooled memory. Zeroed when made, so reading any of it is never undefined, and recycled without being cleared.
pub struct Buffer {
    memory: NonNull<u8>,
    capacity: usize,
    lease: Lease,
}

// SAFETY: `Buffer` owns its memory; who may touch which bytes is settled by `Segment`.
unsafe impl Send for Buffer {}
// SAFETY: as above; the safe methods only read the capacity.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Wraps owned memory that goes back to where `lease` says.
    pub(super) fn new(memory: Box<[u8]>, lease: Lease) -> Self {
        let capacity = memory.len();
        let memory = NonNull::from(Box::leak(memory)).cast();
        Buffer { memory, capacity, lease }
    }
}

impl Storage for Buffer {
    type Pool = super::pool::Pool;

    fn take(pool: &Arc<Self::Pool>, bytes: usize) -> Option<Self> {
        super::pool::Pool::take(pool, bytes)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    unsafe fn fill<R>(&self, from: usize, write: impl FnOnce(&mut [u8]) -> R) -> R {
        assert!(from <= self.capacity, "the published length never exceeds the capacity");
        // SAFETY: in bounds by the line above, initialised since it was made; exclusive by the caller's word.
        write(unsafe { slice::from_raw_parts_mut(self.memory.as_ptr().add(from), self.capacity - from) })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: made from a `Box<[u8]>` of this length in `new`, and given back only here.
        let memory = unsafe { Box::from_raw(NonNull::slice_from_raw_parts(self.memory, self.capacity).as_ptr()) };
        self.lease.give_back(memory);
    }
}

/// Storage for the models: each byte a cell whose every access loom checks for races. Its pool counts what is lent.
#[cfg(orchflow_loom)]
pub(super) struct Cells {
    bytes: Vec<UnsafeCell<u8>>,
    lent: Arc<std::sync::atomic::AtomicUsize>,
}

// SAFETY: loom itself reports accesses that are not ordered.
#[cfg(orchflow_loom)]
unsafe impl Sync for Cells {}

#[cfg(orchflow_loom)]
impl Storage for Cells {
    type Pool = std::sync::atomic::AtomicUsize;

    fn take(pool: &Arc<Self::Pool>, bytes: usize) -> Option<Self> {
        pool.fetch_add(bytes, Ordering::Relaxed);
        Some(Cells { bytes: (0..bytes).map(|_| UnsafeCell::new(0)).collect(), lent: Arc::clone(pool) })
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }

    unsafe fn fill<R>(&self, from: usize, write: impl FnOnce(&mut [u8]) -> R) -> R {
        let mut bytes = vec![0; self.bytes.len() - from];
        let result = write(&mut bytes);
        for (cell, byte) in self.bytes[from..].iter().zip(bytes) {
            // SAFETY: loom itself reports any access that is not exclusive.
            cell.with_mut(|place| unsafe { *place = byte });
        }
        result
    }
}

#[cfg(orchflow_loom)]
impl Drop for Cells {
    fn drop(&mut self) {
        self.lent.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

#[cfg(orchflow_loom)]
impl super::log::Pinned<Cells> {
    /// Published bytes, a copy. `to` is at most a length that this thread has seen.
    pub(super) fn copy(&self, from: usize, to: usize) -> Vec<u8> {
        // SAFETY: loom itself reports a write that races with this.
        let byte = |cell: &UnsafeCell<u8>| cell.with(|place| unsafe { *place });
        self.segment().with_storage(|cells| cells.bytes[from..to].iter().map(byte).collect())
    }
}
