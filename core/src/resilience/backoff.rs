//! How long to wait before the next try, so that clients which lost one server together do not come back together.
//!
//! Each wait is drawn evenly from nothing to a ceiling (full jitter); the ceiling doubles from try to try. It falls back to the
//! first only after a connection has held for a while: a server that accepts and dies is not knocked over by its clients.
//!
//! Full jitter as in M. Brooker's *Exponential Backoff And Jitter* (AWS Architecture Blog), drawn by SplitMix64 (Steele, Lea and Flood, 2014).
//!
//! Deliberately absent: giving up. Who has reason to does not ask again.

use std::time::Duration;

use crate::limits::{RETRY_FIRST, RETRY_MAX, RETRY_STABLE};
use crate::time::Time;

/// How the waits grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The longest the first wait can be.
    pub first: Duration,
    /// The longest any wait can be.
    pub max: Duration,
    /// How long a connection must hold to count as well.
    pub stable: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { first: RETRY_FIRST, max: RETRY_MAX, stable: RETRY_STABLE }
    }
}

/// Waits between tries. The same seed gives the same waits.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # use orchflow_core::{resilience::{Backoff, Schedule}, time::Time};
/// let mut backoff = Backoff::new(Schedule::default(), 7);
/// let down = Time::from_millis(1_000);
/// let again = backoff.handle_down(down, Duration::ZERO);
/// assert!(again - down <= Duration::from_millis(100));
///
/// // A server that asks for a second gets it.
/// assert!(backoff.handle_down(down, Duration::from_secs(1)) - down >= Duration::from_secs(1));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    schedule: Schedule,
    /// Failures since all was well.
    failures: u32,
    /// Since when it is up.
    up: Option<Time>,
    /// The generator's state.
    random: u64,
}

impl Backoff {
    /// Waits by `schedule`. Give each client another seed, or they all wait alike.
    pub fn new(schedule: Schedule, seed: u64) -> Backoff {
        Backoff { schedule, failures: 0, up: None, random: seed }
    }

    /// It works, from now on.
    pub fn handle_up(&mut self, now: Time) {
        self.up = Some(now);
    }

    /// Whether it has worked for so long that all is well.
    pub fn is_stable(&self, now: Time) -> bool {
        self.up.is_some_and(|up| now - up >= self.schedule.stable)
    }

    /// It does not, or no longer. Returns when to try again: not before `at_least` has passed, as the other side may have asked.
    pub fn handle_down(&mut self, now: Time, at_least: Duration) -> Time {
        if self.is_stable(now) {
            self.failures = 0;
        }
        self.up = None;
        let doubled = self.schedule.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let ceiling = u64::try_from(doubled.min(self.schedule.max).as_nanos()).unwrap_or(u64::MAX);
        now + at_least + Duration::from_nanos(self.draw(ceiling))
    }

    /// No wait is drawn from more than this any longer: nobody looks, or somebody does again.
    pub fn set_max(&mut self, max: Duration) {
        self.schedule.max = max;
    }

    /// The circumstances are other ones (the network is back): begin anew with the short waits.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// From 0 to `max`, both included: SplitMix64, of which the high bits are scaled.
    fn draw(&mut self, max: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * (u128::from(max) + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: &mut Backoff, count: usize) -> Vec<Duration> {
        (0..count).map(|_| backoff.handle_down(Time::ZERO, Duration::ZERO) - Time::ZERO).collect()
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_longest() {
        let ceilings = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000];
        let mut longest = [Duration::ZERO; 10];
        for seed in 0..2_000 {
            for (longest, wait) in longest.iter_mut().zip(waits(&mut Backoff::new(Schedule::default(), seed), 10)) {
                *longest = wait.max(*longest);
            }
        }
        for (longest, ceiling) in longest.into_iter().zip(ceilings.map(Duration::from_millis)) {
            assert!(longest <= ceiling && longest > ceiling * 99 / 100, "{longest:?} of {ceiling:?}");
        }
    }

    #[test]
    fn waits_are_spread_evenly() {
        let mut short = 0;
        for seed in 0..10_000 {
            let wait = waits(&mut Backoff::new(Schedule::default(), seed), 1)[0];
            short += usize::from(wait < Duration::from_millis(25));
        }
        assert!((2_300..2_700).contains(&short), "{short} of 10,000 in the first quarter");
    }

    #[test]
    fn a_seed_replays() {
        let of = |seed| waits(&mut Backoff::new(Schedule::default(), seed), 20);
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }

    #[test]
    fn only_what_held_for_long_begins_anew() {
        let mut backoff = Backoff::new(Schedule::default(), 1);
        waits(&mut backoff, 10);
        let up = Time::from_millis(60_000);
        backoff.handle_up(up);
        backoff.handle_down(up + Duration::from_millis(4_999), Duration::ZERO);
        assert_eq!(backoff.failures, 11);
        backoff.handle_up(up);
        backoff.handle_down(up + Duration::from_secs(5), Duration::ZERO);
        assert_eq!(backoff.failures, 1);
    }

    #[test]
    fn a_year_of_failures_overflows_nothing() {
        let mut backoff = Backoff { failures: u32::MAX, ..Backoff::new(Schedule::default(), 1) };
        assert!(waits(&mut backoff, 3).iter().all(|wait| *wait <= Duration::from_secs(10)));
        assert_eq!(backoff.handle_down(Time::MAX, Duration::MAX), Time::MAX);
    }
}
