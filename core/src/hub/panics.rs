//! Panics of others: a waker is foreign code.
//!
//! A turn wakes many. One that panics must not cost the rest their turn: readiness that is rung for, and deadlines taken from the
//! heap, are told once. So a panic is kept until everything else was done, and then goes on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The last panic of a turn, if there was any.
#[derive(Default)]
pub(super) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    /// Does something that wakes. `None` when it panicked; it was done nevertheless, since waking comes last.
    pub(super) fn keep<R>(&mut self, work: impl FnOnce() -> R) -> Option<R> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| self.0 = Some(panic)).ok()
    }

    /// Lets the panic go on.
    pub(super) fn resume(self) {
        if let Some(panic) = self.0 {
            resume_unwind(panic);
        }
    }
}
