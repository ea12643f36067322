//! The shared-memory primitives the ring is built from: the standard ones, or loom's when the models run.
//!
//! Compiled with `--cfg orchflow_loom` (not `--cfg loom`, which would reach into our dependencies) the very same
//! ring code runs under the model checker, which explores every interleaving and every stale value the
//! memory model allows. Only `Arc` stays the standard one: counting references is not in question here.

pub(super) use std::sync::Arc;

#[cfg(not(orchflow_loom))]
mod real {
    pub(in crate::ring) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

    pub(in crate::ring) use futures::task::AtomicWaker;
    pub(in crate::ring) use parking_lot::Mutex;

    /// `std`'s cell with loom's closure-shaped interface.
    #[derive(Debug)]
    pub(in crate::ring) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(in crate::ring) const fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        pub(in crate::ring) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        pub(in crate::ring) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }
}

#[cfg(orchflow_loom)]
mod modelled {
    use std::task::Waker;

    pub(in crate::ring) use loom::cell::UnsafeCell;
    pub(in crate::ring) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

    /// loom's lock with `parking_lot`'s interface.
    pub(in crate::ring) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(in crate::ring) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(in crate::ring) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("invariant: a model that panicked has ended")
        }
    }

    /// The waker cell of `futures`, step by step, on loom's atomics. (loom's own is a lock: it would order more than
    /// the real one does.)
    pub(in crate::ring) struct AtomicWaker {
        state: AtomicUsize,
        /// Only ever touched by the one whom `state` entitles to.
        waker: std::sync::Mutex<Option<Waker>>,
    }

    const WAITING: usize = 0;
    const REGISTERING: usize = 1;
    const WAKING: usize = 2;

    impl AtomicWaker {
        pub(in crate::ring) fn new() -> Self {
            AtomicWaker { state: AtomicUsize::new(WAITING), waker: std::sync::Mutex::new(None) }
        }

        pub(in crate::ring) fn register(&self, waker: &Waker) {
            match self.state.compare_exchange(WAITING, REGISTERING, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    *self.slot() = Some(waker.clone());
                    if self.state.compare_exchange(REGISTERING, WAITING, Ordering::AcqRel, Ordering::Acquire).is_err() {
                        let waker = self.slot().take();
                        self.state.swap(WAITING, Ordering::AcqRel);
                        waker.into_iter().for_each(Waker::wake);
                    }
                }
                Err(WAKING) => {
                    waker.wake_by_ref();
                    loom::thread::yield_now(); // The task will come back at once, until the other is done.
                }
                Err(_) => {}
            }
        }

        pub(in crate::ring) fn take(&self) -> Option<Waker> {
            if self.state.fetch_or(WAKING, Ordering::AcqRel) != WAITING {
                return None;
            }
            let waker = self.slot().take();
            self.state.swap(WAITING, Ordering::Release);
            waker
        }

        fn slot(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
            self.waker.try_lock().expect("invariant: the state entitles one thread at a time")
        }
    }
}

#[cfg(orchflow_loom)]
pub(super) use modelled::*;
#[cfg(not(orchflow_loom))]
pub(super) use real::*;
