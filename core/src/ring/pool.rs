//! The memory all logs of a hub share: buffers of three sizes under one budget.
//!
//! A silent terminal holds none of it, a quiet one 4 KiB, a busy one 64 KiB at a time. Returned buffers are
//! kept for the next taker, up to [`CACHED`] of each size; taking and returning are lock-free.

use std::task::Waker;

use concurrent_queue::ConcurrentQueue;

use super::order::{self, FENCE_RELIEVED, FENCE_STARVING};
use super::segment::Buffer;
use super::sync::{Arc, AtomicBool, AtomicUsize, AtomicWaker, Ordering};
use crate::limits::READ_MAX;

/// Buffer sizes, in bytes: a page, and two steps to the most that one read may take.
pub(super) const SIZES: [usize; 3] = [4 << 10, 16 << 10, READ_MAX];

/// Free buffers kept of each size; of the largest that is 2 MiB, enough for a flood's turnover.
const CACHED: usize = 32;

/// A budget of bytes and the free buffers within reach.
pub struct Pool {
    free: [ConcurrentQueue<Box<[u8]>>; SIZES.len()],
    used: AtomicUsize,
    limit: usize,
    starving: AtomicBool,
    relief: AtomicWaker,
}

impl Pool {
    /// A pool that lends at most `limit` bytes at a time.
    pub fn new(limit: usize) -> Arc<Pool> {
        Arc::new(Pool {
            free: std::array::from_fn(|_| ConcurrentQueue::bounded(CACHED)),
            used: AtomicUsize::new(0),
            limit,
            starving: AtomicBool::new(false),
            relief: AtomicWaker::new(),
        })
    }

    /// Bytes lent at this moment, never more than [`limit`](Pool::limit).
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The budget, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Asks for a wake-up when a buffer comes back. Try to take once more afterwards, and only then wait.
    pub fn want_relief(&self, waker: &Waker) {
        self.relief.register(waker);
        self.starving.store(true, Ordering::Relaxed);
        order::handshake(FENCE_STARVING);
    }

    /// Lends a buffer of `bytes`, one of [`SIZES`], unless that would exceed the budget.
    pub(super) fn take(pool: &Arc<Pool>, bytes: usize) -> Option<Buffer> {
        let class = SIZES.iter().position(|&size| size == bytes).expect("invariant: segments come in pool sizes");
        let within = |used: usize| used.checked_add(bytes).filter(|&after| after <= pool.limit);
        pool.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).ok()?;
        let memory = pool.free[class].pop().unwrap_or_else(|_| vec![0; bytes].into_boxed_slice());
        Some(Buffer::new(memory, Lease { pool: Arc::clone(pool), class }))
    }
}

/// Where a buffer goes back to.
pub(super) struct Lease {
    pool: Arc<Pool>,
    class: usize,
}

impl Lease {
    /// Returns the memory; beyond what is worth keeping it is freed.
    pub(super) fn give_back(&self, memory: Box<[u8]>) {
        self.pool.used.fetch_sub(memory.len(), Ordering::Relaxed);
        drop(self.pool.free[self.class].push(memory));
        order::handshake(FENCE_RELIEVED);
        if self.pool.starving.load(Ordering::Relaxed) && self.pool.starving.swap(false, Ordering::Relaxed) {
            self.pool.relief.take().into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(all(test, not(orchflow_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_refuses_and_a_returned_buffer_pays_it_back() {
        let pool = Pool::new(SIZES[0] + SIZES[1]);
        let small = Pool::take(&pool, SIZES[0]).unwrap();
        assert!(Pool::take(&pool, SIZES[2]).is_none());
        let middle = Pool::take(&pool, SIZES[1]).unwrap();
        assert_eq!(pool.used(), pool.limit());
        assert!(Pool::take(&pool, SIZES[0]).is_none());
        drop(small);
        assert!(Pool::take(&pool, SIZES[0]).is_some());
        drop(middle);
        assert_eq!(pool.used(), 0);
    }
}
