//! The close ladder: how processes are asked to go, and made to.
//!
//! Hang-up, terminate, kill, each to every process of the session and each followed by a grace; after a hang-up
//! and a terminate also "continue", since a stopped process hears nothing else. It waits for the processes, never for a fixed
//! time: the moment they are gone it is over.

use std::time::Duration;

use crate::pty::Signal;
use crate::time::Time;

/// One rung: what to send now.
pub(super) type Rung = &'static [Signal];

const RUNGS: [Rung; 3] = [&[Signal::Hangup, Signal::Continue], &[Signal::Terminate, Signal::Continue], &[Signal::Kill]];

/// A climb, or none.
#[derive(Debug, Default)]
pub(super) enum Ladder {
    /// Nobody asked to close.
    #[default]
    Idle,
    /// `next` rungs were used; the next one is due at `at`.
    Climbing { next: usize, at: Time, grace: Duration },
    /// Everybody is gone, or has been sent a kill and had a grace to go.
    Done,
}

impl Ladder {
    /// Begins to climb, or hurries a climb that is under way if `grace` is shorter.
    pub(super) fn start(&mut self, now: Time, grace: Duration) {
        match self {
            Ladder::Idle => *self = Ladder::Climbing { next: 0, at: now, grace },
            Ladder::Climbing { at, grace: current, .. } if grace < *current => {
                *at = (*at).min(now + grace);
                *current = grace;
            }
            Ladder::Climbing { .. } | Ladder::Done => {}
        }
    }

    /// Whether processes may still be around that ought to go.
    pub(super) fn is_climbing(&self) -> bool {
        matches!(self, Ladder::Climbing { .. })
    }

    /// What to send now, if anything is due. Harmless when early.
    pub(super) fn handle_timeout(&mut self, now: Time) -> Option<Rung> {
        let Ladder::Climbing { next, at, grace } = self else { return None };
        if now < *at {
            return None;
        }
        let Some(rung) = RUNGS.get(*next) else {
            *self = Ladder::Done;
            return None;
        };
        *next += 1;
        *at = now + *grace;
        Some(rung)
    }

    /// All processes are gone.
    pub(super) fn handle_gone(&mut self) {
        if self.is_climbing() {
            *self = Ladder::Done;
        }
    }

    /// When the next rung is due.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        match self {
            Ladder::Climbing { at, .. } => Some(*at),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rung_has_its_grace_and_the_last_is_the_kill() {
        let mut ladder = Ladder::default();
        ladder.start(Time::ZERO, Duration::from_millis(10));
        assert_eq!(ladder.handle_timeout(Time::ZERO), Some(RUNGS[0]));
        assert_eq!(ladder.handle_timeout(Time::from_millis(9)), None);
        assert_eq!(ladder.handle_timeout(Time::from_millis(10)), Some(RUNGS[1]));
        assert_eq!(ladder.handle_timeout(Time::from_millis(20)), Some(&[Signal::Kill][..]));
        assert_eq!(ladder.handle_timeout(Time::from_millis(30)), None);
        assert!(!ladder.is_climbing());
    }

    #[test]
    fn it_stops_the_moment_everybody_is_gone() {
        let mut ladder = Ladder::default();
        ladder.start(Time::ZERO, Duration::from_secs(1));
        ladder.handle_timeout(Time::ZERO);
        ladder.handle_gone();
        assert_eq!((ladder.poll_timeout(), ladder.handle_timeout(Time::MAX)), (None, None));
    }

    #[test]
    fn a_shorter_grace_hurries_a_climb_and_a_longer_one_does_not_slow_it() {
        let mut ladder = Ladder::default();
        ladder.start(Time::ZERO, Duration::from_secs(1));
        ladder.handle_timeout(Time::ZERO);
        ladder.start(Time::from_millis(5), Duration::from_secs(9));
        assert_eq!(ladder.poll_timeout(), Some(Time::from_millis(1000)));
        ladder.start(Time::from_millis(5), Duration::ZERO);
        assert_eq!(ladder.poll_timeout(), Some(Time::from_millis(5)));
    }
}
