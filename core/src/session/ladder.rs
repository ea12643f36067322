//! The close ladder: how processes are asked to go, and made to.
//!
//! Hang-up, terminate, kill, each to every process of the session and each followed by a grace; after a hang-up
//! and a terminate also "continue", since a stopped process hears nothing else. It waits for the processes, never for a fixed
//! time: once the leader is gone it looks whether others are left. The kill is repeated, for whoever was started while it
//! was being sent.

use std::time::Duration;

use crate::pty::Signal;
use crate::time::Time;

/// One rung: what to send now.
pub(super) type Rung = &'static [Signal];

const RUNGS: [Rung; 5] =
    [&[Signal::Hangup, Signal::Continue], &[Signal::Terminate, Signal::Continue], &[Signal::Kill], &[Signal::Kill], &[Signal::Kill]];

/// The first rung that kills. Nobody can prepare for it, so what follows it follows soon.
const KILLS: usize = 2;

/// Between one kill and the next.
const MOMENT: Duration = Duration::from_millis(10);

/// A climb, or none.
#[derive(Debug, Default)]
pub(super) enum Ladder {
    /// Nobody asked to close.
    #[default]
    Idle,
    /// `next` rungs were used; the next one is due at `at`, and a look for who is left at `look`.
    Climbing { next: usize, at: Time, grace: Duration, look: Option<Time> },
    /// Everybody is gone, or has been sent a kill and had a grace to go.
    Done,
}

impl Ladder {
    /// Begins to climb, or hurries a climb that is under way if `grace` is shorter.
    pub(super) fn start(&mut self, now: Time, grace: Duration) {
        match self {
            Ladder::Idle => *self = Ladder::Climbing { next: 0, at: now, grace, look: None },
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

    /// Whether somebody asked to close, and all that could be done was.
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Ladder::Done)
    }

    /// The leader is gone. The look for others is due at once, yet as a deadline: sessions that end in one turn share it.
    pub(super) fn handle_exit(&mut self, now: Time) {
        if let Ladder::Climbing { look, .. } = self {
            *look = Some(now);
        }
    }

    /// What to send now, if anything is due. Harmless when early.
    pub(super) fn handle_timeout(&mut self, now: Time) -> Option<Rung> {
        let Ladder::Climbing { next, at, grace, look } = self else { return None };
        if look.is_some_and(|look| look <= now) {
            *look = None;
        }
        if now < *at {
            return None;
        }
        let Some(rung) = RUNGS.get(*next) else {
            *self = Ladder::Done;
            return None;
        };
        *at = now + if *next < KILLS { *grace } else { (*grace).min(MOMENT) };
        *next += 1;
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
            Ladder::Climbing { at, look, .. } => Some(look.map_or(*at, |look| look.min(*at))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_jumps_by_a_year_takes_one_step_and_the_next_grace_is_whole() {
        let mut ladder = Ladder::default();
        let (year, grace) = (Duration::from_secs(365 * 24 * 3600), Duration::from_secs(1));
        ladder.start(Time::ZERO, grace);
        assert_eq!(ladder.handle_timeout(Time::ZERO), Some(RUNGS[0]));
        assert_eq!(ladder.handle_timeout(Time::ZERO + year), Some(RUNGS[1]));
        assert_eq!(ladder.handle_timeout(Time::ZERO + year), None);
        assert_eq!(ladder.poll_timeout(), Some(Time::ZERO + year + grace));
    }

    #[test]
    fn each_rung_has_its_grace_and_the_last_are_kills() {
        let mut ladder = Ladder::default();
        ladder.start(Time::ZERO, Duration::from_millis(10));
        assert_eq!(ladder.handle_timeout(Time::ZERO), Some(RUNGS[0]));
        assert_eq!(ladder.handle_timeout(Time::from_millis(9)), None);
        assert_eq!(ladder.handle_timeout(Time::from_millis(10)), Some(RUNGS[1]));
        for millis in [20, 30, 40] {
            assert_eq!(ladder.handle_timeout(Time::from_millis(millis)), Some(&[Signal::Kill][..]));
        }
        assert_eq!(ladder.handle_timeout(Time::from_millis(50)), None);
        assert!(!ladder.is_climbing());
    }

    #[test]
    fn once_the_leader_is_gone_it_is_time_to_look_for_others() {
        let mut ladder = Ladder::default();
        ladder.start(Time::ZERO, Duration::from_secs(1));
        ladder.handle_timeout(Time::ZERO);
        ladder.handle_exit(Time::from_millis(5));
        assert_eq!(ladder.poll_timeout(), Some(Time::from_millis(5)));
        assert_eq!(ladder.handle_timeout(Time::from_millis(5)), None);
        assert_eq!(ladder.poll_timeout(), Some(Time::from_millis(1000)));
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
