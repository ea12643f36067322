//! The shared-memory primitives the ring is built from: the standard ones, or loom's when the models run.
//!
//! Compiled with `--cfg orchflow_loom` (not `--cfg loom`, which would reach into our dependencies) the very same
//! ring code runs under the model checker, which explores every interleaving and every stale value the
//! memory model allows.

#[cfg(not(orchflow_loom))]
mod real {
    pub(in crate::ring) use std::sync::Arc;
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
    pub(in crate::ring) use loom::sync::Arc;
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

    /// loom's waker cell with the interface of `futures`.
    pub(in crate::ring) struct AtomicWaker(loom::future::AtomicWaker);

    impl AtomicWaker {
        pub(in crate::ring) fn new() -> Self {
            AtomicWaker(loom::future::AtomicWaker::new())
        }

        pub(in crate::ring) fn register(&self, waker: &Waker) {
            self.0.register_by_ref(waker);
        }

        pub(in crate::ring) fn take(&self) -> Option<Waker> {
            self.0.take_waker()
        }
    }
}

#[cfg(orchflow_loom)]
pub(super) use modelled::*;
#[cfg(not(orchflow_loom))]
pub(super) use real::*;
