//! When to stop asking somebody who fails again and again, and when to ask again: a circuit breaker.
//!
//! *Closed*, everything passes, and the newest outcomes are counted. Where enough of enough of them are failures it *opens*: everything is
//! refused until a deadline. Then it is *half open*: a few probes pass. If they all succeed it closes, and if one fails it opens for
//! twice as long. Outcomes of what passed before it last changed its mind do not count.
//!
//! After M. Nygard's *Release It!*; counts, ratio, window and probes as in Resilience4j and `recloser`. The deadline has no jitter,
//! for what is refused here is not repeated by a timer.
//!
//! Deliberately absent: what a failure is. A program that does not exist says nothing of the system that was asked to start it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{BREAKER_CALLS, BREAKER_CALLS_LEAST, BREAKER_FAILURES_PERCENT, BREAKER_OPEN_FIRST, BREAKER_OPEN_MAX, BREAKER_WINDOW};
use crate::time::Time;

/// When it opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerOptions {
    /// How many outcomes count, of the newest.
    pub calls: usize,
    /// No outcome counts for longer.
    pub window: Duration,
    /// With fewer outcomes it does not open.
    pub calls_min: usize,
    /// It opens with so many failures in a hundred.
    pub failures_percent: usize,
    /// How long it is open at first; each failed probe doubles that.
    pub open_first: Duration,
    /// How long it is open at most.
    pub open_max: Duration,
    /// How many pass while it is half open; once they all succeeded it closes.
    pub probes: u32,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        BreakerOptions {
            calls: BREAKER_CALLS,
            window: BREAKER_WINDOW,
            calls_min: BREAKER_CALLS_LEAST,
            failures_percent: BREAKER_FAILURES_PERCENT,
            open_first: BREAKER_OPEN_FIRST,
            open_max: BREAKER_OPEN_MAX,
            probes: 1,
        }
    }
}

/// Where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Everything passes.
    #[default]
    Closed,
    /// Nothing passes.
    Open,
    /// A few pass, and decide.
    HalfOpen,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [BreakerState; 3] = [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen];

    /// Its name in metrics and test data.
    pub const fn name(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half_open",
        }
    }
}

/// What somebody wants it to be, whatever the outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Nothing passes.
    Open,
    /// Everything passes.
    Closed,
}

/// How something ended that had passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Success,
    /// As it does where it is of no use to try again soon.
    Failure,
    /// In a way that says nothing of that.
    Neither,
}

/// Leave to try. Each goes back with its outcome.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Ticket(u64);

/// It did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Since when things fail.
    pub since: Time,
    /// When to ask again; without it, once a probe that is under way has ended, or somebody does not want it open any longer.
    pub until: Option<Time>,
}

/// A circuit breaker.
///
/// # Examples
/// ```
/// # use orchflow_core::{resilience::{Breaker, BreakerOptions, Outcome}, time::Time};
/// let mut breaker = Breaker::new(BreakerOptions { calls_min: 1, ..BreakerOptions::default() });
/// let ticket = breaker.pass(Time::ZERO)?;
/// breaker.handle(ticket, Outcome::Failure, Time::ZERO);
///
/// let until = breaker.pass(Time::ZERO).unwrap_err().until.unwrap();
/// let probe = breaker.pass(until)?;
/// assert_eq!(breaker.pass(until).unwrap_err().until, None); // One at a time.
/// breaker.handle(probe, Outcome::Success, until);
/// assert!(breaker.pass(until).is_ok());
/// # Ok::<(), orchflow_core::resilience::Refused>(())
/// ```
#[derive(Clone, Debug)]
pub struct Breaker {
    options: BreakerOptions,
    phase: Phase,
    forced: Option<(Force, Time)>,
    /// Outcomes that count while it is closed: when, and whether it was a failure.
    outcomes: VecDeque<(Time, bool)>,
    /// Changes of mind: a ticket of before does not count.
    epoch: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    /// Not closed since then, after so many failed rounds of probes.
    Open {
        since: Time,
        until: Time,
        rounds: u32,
    },
    HalfOpen {
        since: Time,
        rounds: u32,
        /// Probes without an outcome.
        under_way: u32,
        /// Probes that succeeded.
        good: u32,
    },
}

impl Breaker {
    /// A closed one, which has seen nothing.
    pub fn new(options: BreakerOptions) -> Breaker {
        Breaker { options, phase: Phase::Closed, forced: None, outcomes: VecDeque::new(), epoch: 0 }
    }

    /// Where it stands.
    pub fn state(&self, now: Time) -> BreakerState {
        match (self.forced, self.phase) {
            (Some((Force::Open, _)), _) => BreakerState::Open,
            (Some((Force::Closed, _)), _) | (None, Phase::Closed) => BreakerState::Closed,
            (None, Phase::Open { until, .. }) if now < until => BreakerState::Open,
            (None, Phase::Open { .. } | Phase::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }

    /// Asks whether to try something now.
    ///
    /// # Errors
    /// [`Refused`], with when to ask again.
    pub fn pass(&mut self, now: Time) -> Result<Ticket, Refused> {
        match self.forced {
            Some((Force::Open, since)) => return Err(Refused { since, until: None }),
            Some((Force::Closed, _)) => return Ok(Ticket(self.epoch)),
            None => {}
        }
        if let Phase::Open { since, until, rounds } = self.phase {
            if now < until {
                return Err(Refused { since, until: Some(until) });
            }
            self.become_phase(Phase::HalfOpen { since, rounds, under_way: 0, good: 0 });
        }
        if let Phase::HalfOpen { since, under_way, good, .. } = &mut self.phase {
            if *under_way + *good >= self.options.probes.max(1) {
                return Err(Refused { since: *since, until: None });
            }
            *under_way += 1;
        }
        Ok(Ticket(self.epoch))
    }

    /// What was let through has ended.
    pub fn handle(&mut self, ticket: Ticket, outcome: Outcome, now: Time) {
        if ticket.0 != self.epoch || self.forced.is_some() {
            return;
        }
        match (&mut self.phase, outcome) {
            (Phase::Closed, Outcome::Neither) | (Phase::Open { .. }, _) => {}
            (Phase::Closed, _) => self.count(outcome == Outcome::Failure, now),
            (Phase::HalfOpen { under_way, .. }, Outcome::Neither) => *under_way -= 1,
            (Phase::HalfOpen { under_way, good, .. }, Outcome::Success) => {
                (*under_way, *good) = (*under_way - 1, *good + 1);
                if *good >= self.options.probes {
                    self.become_phase(Phase::Closed);
                }
            }
            (Phase::HalfOpen { since, rounds, .. }, Outcome::Failure) => {
                let (since, rounds) = (*since, rounds.saturating_add(1));
                self.open(since, rounds, now);
            }
        }
    }

    /// Makes it open or closed, until it is told otherwise; with `None` it is closed, and decides by itself again.
    pub fn force(&mut self, force: Option<Force>, now: Time) {
        self.forced = force.map(|force| (force, now));
        self.become_phase(Phase::Closed);
    }

    fn count(&mut self, is_failure: bool, now: Time) {
        self.outcomes.push_back((now, is_failure));
        while self.outcomes.len() > self.options.calls.max(1)
            || self.outcomes.front().is_some_and(|(at, _)| now - *at > self.options.window)
        {
            self.outcomes.pop_front();
        }
        let failures = self.outcomes.iter().filter(|(_, is_failure)| *is_failure).count();
        let total = self.outcomes.len();
        if is_failure && total >= self.options.calls_min && failures * 100 >= total.saturating_mul(self.options.failures_percent) {
            self.open(now, 0, now);
        }
    }

    fn open(&mut self, since: Time, rounds: u32, now: Time) {
        let doubled = self.options.open_first.saturating_mul(1_u32.checked_shl(rounds).unwrap_or(u32::MAX));
        self.become_phase(Phase::Open { since, until: now + doubled.min(self.options.open_max), rounds });
    }

    fn become_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
        self.outcomes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: BreakerOptions = BreakerOptions {
        calls: 8,
        window: Duration::from_secs(30),
        calls_min: 4,
        failures_percent: 50,
        open_first: Duration::from_secs(1),
        open_max: Duration::from_secs(3),
        probes: 2,
    };

    fn put(breaker: &mut Breaker, outcomes: &[Outcome], now: Time) {
        for outcome in outcomes {
            let ticket = breaker.pass(now).expect("it lets this one through");
            breaker.handle(ticket, *outcome, now);
        }
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(OPTIONS);
        put(&mut breaker, &[Outcome::Failure; 4], Time::ZERO);
        breaker
    }

    #[test]
    fn it_opens_once_half_of_enough_calls_have_failed() {
        let mut breaker = Breaker::new(OPTIONS);
        put(&mut breaker, &[Outcome::Success, Outcome::Success, Outcome::Failure], Time::ZERO);
        assert_eq!(breaker.state(Time::ZERO), BreakerState::Closed);
        put(&mut breaker, &[Outcome::Failure], Time::ZERO);
        assert_eq!(breaker.state(Time::ZERO), BreakerState::Open);
    }

    #[test]
    fn failures_of_long_ago_and_those_that_mean_nothing_do_not_count() {
        let mut breaker = Breaker::new(OPTIONS);
        put(&mut breaker, &[Outcome::Failure; 3], Time::ZERO);
        put(&mut breaker, &[Outcome::Neither; 20], Time::ZERO);
        put(&mut breaker, &[Outcome::Failure; 3], Time::from_millis(30_001));
        assert_eq!(breaker.state(Time::from_millis(30_001)), BreakerState::Closed);
    }

    #[test]
    fn each_failed_probe_doubles_the_wait_up_to_the_longest() {
        let mut breaker = opened();
        let mut now = Time::ZERO;
        for wait in [1_000, 2_000, 3_000, 3_000] {
            let refused = breaker.pass(now).unwrap_err();
            assert_eq!(refused, Refused { since: Time::ZERO, until: Some(now + Duration::from_millis(wait)) });
            now = now + Duration::from_millis(wait);
            put(&mut breaker, &[Outcome::Failure], now);
        }
    }

    #[test]
    fn it_closes_once_all_probes_succeeded() {
        let mut breaker = opened();
        let now = Time::from_millis(1_000);
        put(&mut breaker, &[Outcome::Success], now);
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        put(&mut breaker, &[Outcome::Neither, Outcome::Success], now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }

    #[test]
    fn what_was_let_through_before_it_opened_no_longer_counts() {
        let mut breaker = Breaker::new(OPTIONS);
        let late = breaker.pass(Time::ZERO).expect("it is closed");
        put(&mut breaker, &[Outcome::Failure; 4], Time::ZERO);
        let now = Time::from_millis(1_000);
        let probe = breaker.pass(now).expect("it is half open");
        breaker.handle(late, Outcome::Failure, now);
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        breaker.handle(probe, Outcome::Failure, now);
        assert_eq!(breaker.state(now), BreakerState::Open);
    }
}
