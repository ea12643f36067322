//! Whose turn it is to be heard, among those who ask for a lot.
//!
//! A runtime runs its tasks in the order in which they were woken. If a hundred connections have a batch each to be decoded and carried
//! out, whoever types on another waits for a hundred; so one of them is heard, and then wakes the next, which comes behind whoever was
//! woken meanwhile. What the others have sent waits in the kernel, and holds its senders back.

use std::collections::{BTreeSet, VecDeque};

use crate::host::ConnectionId;

/// A turn that goes round among connections.
#[derive(Debug, Default)]
pub(super) struct Turns {
    holder: Option<ConnectionId>,
    waiting: VecDeque<ConnectionId>,
    /// Those of `waiting`.
    known: BTreeSet<ConnectionId>,
}

impl Turns {
    /// Whether it is the turn of `id`. If not it will be, after those who wait already.
    pub(super) fn ask(&mut self, id: ConnectionId) -> bool {
        let holder = *self.holder.get_or_insert(id);
        if holder != id && self.known.insert(id) {
            self.waiting.push_back(id);
        }
        holder == id
    }

    /// Whether `id` waits for its turn, or has it.
    pub(super) fn knows(&self, id: ConnectionId) -> bool {
        self.holder == Some(id) || self.known.contains(&id)
    }

    /// The turn of `id` is over, if it was. Answers whose it is now: wake that one.
    pub(super) fn pass(&mut self, id: ConnectionId) -> Option<ConnectionId> {
        if self.holder != Some(id) {
            return None;
        }
        self.holder = self.waiting.pop_front();
        self.holder.inspect(|next| {
            self.known.remove(next);
        })
    }

    /// `id` is gone. Answers as [`pass`](Turns::pass).
    pub(super) fn leave(&mut self, id: ConnectionId) -> Option<ConnectionId> {
        if self.known.remove(&id) {
            self.waiting.retain(|waiting| *waiting != id);
        }
        self.pass(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConnectionId = ConnectionId(1);
    const TWO: ConnectionId = ConnectionId(2);
    const THREE: ConnectionId = ConnectionId(3);

    #[test]
    fn the_turn_goes_round_in_the_order_in_which_it_was_asked_for() {
        let mut turns = Turns::default();
        assert!(turns.ask(ONE) && turns.ask(ONE));
        assert!(!turns.ask(TWO) && !turns.ask(THREE) && !turns.ask(TWO));
        assert_eq!(turns.pass(TWO), None, "it is not its turn");
        assert_eq!(turns.pass(ONE), Some(TWO));
        assert!(!turns.ask(ONE) && turns.ask(TWO));
        assert_eq!([TWO, THREE, ONE].map(|id| turns.pass(id)), [Some(THREE), Some(ONE), None]);
        assert!(turns.ask(THREE), "nobody wanted it");
    }

    #[test]
    fn who_leaves_neither_keeps_a_turn_nor_gets_one() {
        let mut turns = Turns::default();
        turns.ask(ONE);
        turns.ask(TWO);
        turns.ask(THREE);
        assert_eq!(turns.leave(TWO), None);
        assert_eq!(turns.leave(ONE), Some(THREE));
        assert_eq!(turns.leave(THREE), None);
        assert!(turns.ask(TWO));
    }
}
