//! Wakers to call once no lock is held.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

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
