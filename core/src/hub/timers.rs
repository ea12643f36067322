//! Deadlines in order. Pure: it is told the time.

use std::collections::BTreeMap;
use std::task::Waker;

use crate::id::SessionId;
use crate::time::Time;

/// What is due.
#[derive(Debug)]
pub(super) enum Due {
    /// A session wants to know that time has passed.
    Session(SessionId),
    /// A task sleeps.
    Task(Waker),
}

/// Names a deadline, to move or cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerKey {
    at: Time,
    number: u64,
}

/// All deadlines of a hub.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<TimerKey, Due>,
    numbers: u64,
}

impl Timers {
    pub(super) fn insert(&mut self, at: Time, due: Due) -> TimerKey {
        self.numbers += 1;
        let key = TimerKey { at, number: self.numbers };
        self.due.insert(key, due);
        key
    }

    /// Forgets a deadline; one that has passed is forgotten already.
    pub(super) fn cancel(&mut self, key: TimerKey) {
        self.due.remove(&key);
    }

    /// Whether a deadline is still to come, with another task to wake.
    pub(super) fn replace(&mut self, key: TimerKey, waker: &Waker) -> bool {
        match self.due.get_mut(&key) {
            Some(Due::Task(old)) => {
                old.clone_from(waker);
                true
            }
            _ => false,
        }
    }

    /// Takes one deadline that has passed, the earliest first.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Due> {
        let first = self.due.first_entry()?;
        (first.key().at <= now).then(|| first.remove())
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Time> {
        self.due.first_key_value().map(|(key, _)| key.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(due: Option<Due>) -> Option<u64> {
        due.map(|due| match due {
            Due::Session(id) => id.as_raw(),
            Due::Task(_) => 0,
        })
    }

    #[test]
    fn a_clock_that_jumps_by_years_makes_each_deadline_due_once_and_in_order() {
        let mut timers = Timers::default();
        for number in [3u64, 1, 2] {
            timers.insert(Time::from_millis(number * 1_000_000), Due::Session(SessionId::from_raw(number)));
        }
        let far = Time::from_millis(u64::MAX / 2_000_000);
        assert_eq!(session(timers.take_due(far)), Some(1));
        assert_eq!(session(timers.take_due(far)), Some(2));
        assert_eq!(session(timers.take_due(far)), Some(3));
        assert_eq!((session(timers.take_due(Time::MAX)), timers.next()), (None, None));
    }

    #[test]
    fn nothing_is_due_early_nor_after_it_was_cancelled() {
        let mut timers = Timers::default();
        let key = timers.insert(Time::from_millis(10), Due::Session(SessionId::from_raw(1)));
        assert!(timers.take_due(Time::from_millis(9)).is_none());
        timers.cancel(key);
        assert!(timers.take_due(Time::MAX).is_none());
    }
}
