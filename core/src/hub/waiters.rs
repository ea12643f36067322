//! Tasks that wait for the same thing.
//!
//! Each has a place of its own and gives it up when it stops waiting, so that a wait given up (a timeout beside it) leaves
//! nothing behind, however often it is repeated.

use std::collections::BTreeMap;
use std::task::Waker;

use crate::ring::Wakes;

/// Wakers by place.
#[derive(Default)]
pub(super) struct Waiters {
    wakers: BTreeMap<u64, Waker>,
    places: u64,
}

impl Waiters {
    /// Has `waker` woken by the next [`take`](Waiters::take), at the place it had before if it has one.
    pub(super) fn put(&mut self, place: &mut Option<u64>, waker: &Waker) {
        let place = *place.get_or_insert_with(|| {
            self.places += 1;
            self.places
        });
        self.wakers.entry(place).and_modify(|known| known.clone_from(waker)).or_insert_with(|| waker.clone());
    }

    /// Gives a place up.
    pub(super) fn leave(&mut self, place: u64) {
        self.wakers.remove(&place);
    }

    /// Takes everybody who waits.
    pub(super) fn take(&mut self, wakes: &mut Wakes) {
        std::mem::take(&mut self.wakers).into_values().for_each(|waker| wakes.push(waker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_that_is_given_up_leaves_nothing() {
        let mut waiters = Waiters::default();
        for _ in 0..3 {
            let mut place = None;
            waiters.put(&mut place, Waker::noop());
            waiters.put(&mut place, Waker::noop());
            assert_eq!(waiters.wakers.len(), 1);
            waiters.leave(place.unwrap());
        }
        assert!(waiters.wakers.is_empty());
    }
}
