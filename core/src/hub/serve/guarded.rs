//! The lock of a service, and wakers that are called only while it is free.
//!
//! Much that happens under the lock wakes somebody: another connection is told something, a terminal is written to and
//! its readers hear of it. A waker is foreign code, and might ask the service for something at once. So whoever waits leaves a
//! waker of ours ([`Wakers`]), which puts theirs on a list; the list is called by whoever lets go of the lock next, or at
//! once if nobody holds it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use parking_lot::{Mutex, MutexGuard};

use crate::ring::Wakes;

/// A value behind a lock.
pub(super) struct Guarded<T> {
    value: Mutex<T>,
    due: Mutex<Wakes>,
}

impl<T> Guarded<T> {
    pub(super) fn new(value: T) -> Arc<Self> {
        Arc::new(Guarded { value: Mutex::new(value), due: Mutex::default() })
    }

    pub(super) fn lock(&self) -> Guard<'_, T> {
        Guard { value: Some(self.value.lock()), owner: self }
    }

    /// Calls `waker` as soon as nobody holds the lock.
    fn call(&self, waker: Waker) {
        self.due.lock().push(waker);
        // Whoever holds it now looks at the list after letting go, and so after this.
        drop(self.value.try_lock().map(|value| Guard { value: Some(value), owner: self }));
    }

    fn call_due(&self) {
        let mut due = std::mem::take(&mut *self.due.lock());
        due.wake();
    }
}

/// The value, as long as the lock is held.
pub(super) struct Guard<'a, T> {
    value: Option<MutexGuard<'a, T>>,
    owner: &'a Guarded<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("only dropping the guard takes the value")
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("only dropping the guard takes the value")
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.owner.call_due();
    }
}

/// The waker that one task leaves wherever it waits.
#[derive(Default)]
pub(super) struct Wakers(Option<(Waker, Waker)>);

impl Wakers {
    /// One that wakes `task` while nobody holds the lock of `guarded`.
    pub(super) fn of<T: Send + 'static>(&mut self, task: &Waker, guarded: &Arc<Guarded<T>>) -> &Waker {
        if self.0.as_ref().is_none_or(|(known, _)| !known.will_wake(task)) {
            // Weak, for what it wakes may be held by what the lock guards.
            let later = Later { guarded: Arc::downgrade(guarded), task: task.clone() };
            self.0 = Some((task.clone(), Waker::from(Arc::new(later))));
        }
        &self.0.as_ref().expect("invariant: it was made above").1
    }
}

struct Later<T> {
    guarded: Weak<Guarded<T>>,
    task: Waker,
}

impl<T: Send + 'static> Wake for Later<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.guarded.upgrade() {
            Some(guarded) => guarded.call(self.task.clone()),
            None => self.task.wake_by_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A task whose waker takes the lock, as one does that asks the service for something.
    struct Curious {
        guarded: Arc<Guarded<u32>>,
        seen: AtomicUsize,
    }

    impl Wake for Curious {
        fn wake(self: Arc<Self>) {
            self.seen.fetch_add(*self.guarded.lock() as usize, Ordering::SeqCst);
        }
    }

    #[test]
    fn waker_that_takes_the_lock_is_called_once_it_is_free_and_then_at_once() {
        let guarded = Guarded::new(0);
        let curious = Arc::new(Curious { guarded: Arc::clone(&guarded), seen: AtomicUsize::new(0) });
        let mut wakers = Wakers::default();
        let waker = wakers.of(&Waker::from(Arc::clone(&curious)), &guarded).clone();
        let mut value = guarded.lock();
        waker.wake_by_ref();
        *value = 7;
        assert_eq!(curious.seen.load(Ordering::SeqCst), 0);
        drop(value);
        assert_eq!(curious.seen.load(Ordering::SeqCst), 7);
        waker.wake();
        assert_eq!(curious.seen.load(Ordering::SeqCst), 14);
    }

    #[test]
    fn nobody_is_forgotten_between_two_threads() {
        let guarded = Guarded::new(0);
        let curious = Arc::new(Curious { guarded: Arc::clone(&guarded), seen: AtomicUsize::new(0) });
        *guarded.lock() = 1;
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut wakers = Wakers::default();
                    for _ in 0..10_000 {
                        wakers.of(&Waker::from(Arc::clone(&curious)), &guarded).wake_by_ref();
                        drop(guarded.lock());
                    }
                });
            }
        });
        assert_eq!(curious.seen.load(Ordering::SeqCst), 20_000);
    }
}
