//! How many may stand in the door: connections that have not proved who they are.
//!
//! Up to [`EarlyDrop::begin`] of them everybody is let in. From there on newcomers are turned away at random, more and more often, and all of them at
//! [`EarlyDrop::full`]. So a flood of strangers cannot lock the user out by being first, as it could with a plain
//! limit. This is OpenSSH's `MaxStartups`.
//!
//! Deliberately absent: penalties by address. Here everybody comes from loopback, and any page in the user's browser could have the user
//! locked out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::refusal::Refusal;

/// When to turn newcomers away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EarlyDrop {
    /// From this many unproved connections on, some are turned away,
    pub(crate) begin: usize,
    /// beginning with this share of them, in percent,
    pub(crate) percent: u32,
    /// up to all of them from this many on.
    pub(crate) full: usize,
}

impl Default for EarlyDrop {
    /// Ten times OpenSSH's numbers, for a page may open many connections at once and the clock of each is twelve times shorter.
    fn default() -> Self {
        EarlyDrop { begin: 256, percent: 30, full: 1024 }
    }
}

impl EarlyDrop {
    /// How many percent of the newcomers are turned away while `unproved` are there.
    pub(crate) fn percent_at(&self, unproved: usize) -> u32 {
        if unproved < self.begin {
            return 0;
        }
        if unproved >= self.full {
            return 100;
        }
        let share = (unproved - self.begin) as u64 * u64::from(100 - self.percent) / (self.full - self.begin) as u64;
        self.percent + share as u32 // Below 100, for `unproved` is below `full`.
    }

    /// Whether a newcomer is turned away. `random` is uniform over all its values.
    pub(crate) fn turns_away(&self, unproved: usize, random: u32) -> bool {
        let dice = (u64::from(random) * 100) >> 32; // 0 to 99.
        dice < u64::from(self.percent_at(unproved))
    }

    /// Limits of the same shape that `room` connections can reach.
    pub(crate) fn within(self, room: usize) -> EarlyDrop {
        if self.full <= room {
            return self;
        }
        let full = room.max(1);
        EarlyDrop { begin: self.begin * full / self.full, full, ..self }
    }
}

/// One door, and who stands in it.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    rule: EarlyDrop,
    unproved: Arc<AtomicUsize>,
}

impl Gate {
    pub(crate) fn new(rule: EarlyDrop) -> Gate {
        Gate { rule, unproved: Arc::default() }
    }

    /// Lets a newcomer in, or not. The place is kept until it is dropped.
    ///
    /// # Errors
    /// [`Refusal::Crowded`].
    pub(crate) fn enter(&self, random: impl FnOnce() -> u32) -> Result<Place, Refusal> {
        let unproved = self.unproved();
        if unproved >= self.rule.begin && self.rule.turns_away(unproved, random()) {
            return Err(Refusal::Crowded { unproved, full: self.rule.full });
        }
        self.unproved.fetch_add(1, Relaxed);
        Ok(Place { unproved: Arc::clone(&self.unproved) })
    }

    /// How many there are that have not proved who they are.
    pub(crate) fn unproved(&self) -> usize {
        self.unproved.load(Relaxed)
    }
}

/// A connection's place in the door.
#[derive(Debug)]
pub(crate) struct Place {
    unproved: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.unproved.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: EarlyDrop = EarlyDrop { begin: 10, percent: 30, full: 100 };

    #[test]
    fn share_grows_from_the_first_to_all_as_in_openssh() {
        assert_eq!([0, 9, 10, 55, 99, 100, 5_000].map(|unproved| RULE.percent_at(unproved)), [0, 0, 30, 65, 99, 100, 100]);
        let shares: Vec<u32> = (0..200).map(|unproved| RULE.percent_at(unproved)).collect();
        assert!(shares.is_sorted());
    }

    #[test]
    fn who_is_turned_away_is_decided_by_the_dice_alone() {
        let share = |unproved| (0..1_000).filter(|&step| RULE.turns_away(unproved, step * (u32::MAX / 1_000))).count();
        assert_eq!(share(9), 0);
        assert!((295..=305).contains(&share(10)), "{}", share(10));
        assert!((645..=655).contains(&share(55)), "{}", share(55));
        assert_eq!(share(100), 1_000);
        assert!(RULE.turns_away(100, u32::MAX));
    }

    #[test]
    fn degenerate_rules_are_plain_limits() {
        let one = EarlyDrop { begin: 1, percent: 100, full: 1 };
        assert_eq!([0, 1, 2].map(|unproved| one.percent_at(unproved)), [0, 100, 100]);
        let none = EarlyDrop { begin: 0, percent: 0, full: 0 };
        assert_eq!(none.percent_at(0), 100);
    }

    #[test]
    fn limits_shrink_to_the_room_there_is_and_keep_their_shape() {
        let rule = EarlyDrop::default();
        assert_eq!(rule.within(4_096), rule);
        assert_eq!(rule.within(512), EarlyDrop { begin: 128, percent: 30, full: 512 });
        assert_eq!(rule.within(0), EarlyDrop { begin: 0, percent: 30, full: 1 });
    }

    #[test]
    fn place_is_free_again_when_its_connection_leaves_or_has_proved_itself() {
        let gate = Gate::new(EarlyDrop { begin: 2, percent: 100, full: 2 });
        let (first, _second) = (gate.enter(|| 0).unwrap(), gate.enter(|| 0).unwrap());
        assert!(gate.enter(|| u32::MAX).is_err());
        drop(first);
        assert_eq!(gate.unproved(), 1);
        assert!(gate.enter(|| u32::MAX).is_ok());
    }

    #[test]
    fn dice_are_thrown_only_in_a_crowd() {
        let gate = Gate::new(RULE);
        assert!(gate.enter(|| panic!("nobody is here yet")).is_ok());
    }
}
