//! What holds whatever comes, in whichever order.

use std::time::Duration;

use orchflow_core::resilience::{
    Backoff, Breaker, BreakerOptions, BreakerState, BudgetOptions, Force, Outcome, Refused, RetryBudget, Schedule, Ticket,
};
use orchflow_core::time::Time;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Pass,
    End(usize, Outcome),
    Force(Option<Force>),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Failure), Just(Outcome::Neither)];
    prop_oneof![
        4 => (0..2_000_u64).prop_map(Step::Wait),
        8 => Just(Step::Pass),
        8 => (0..8_usize, outcome).prop_map(|(ticket, outcome)| Step::End(ticket, outcome)),
        1 => prop_oneof![Just(None), Just(Some(Force::Open)), Just(Some(Force::Closed))].prop_map(Step::Force),
    ]
}

fn options() -> impl Strategy<Value = BreakerOptions> {
    (1..8_usize, 1..6_usize, 1..=100_usize, 1..4_u32).prop_map(|(calls, calls_min, failures_percent, probes)| BreakerOptions {
        calls,
        calls_min,
        failures_percent,
        probes,
        ..BreakerOptions::default()
    })
}

/// A breaker, and what a plain model knows of it.
struct Watched {
    breaker: Breaker,
    options: BreakerOptions,
    now: Time,
    forced: Option<Force>,
    tickets: Vec<(u64, Ticket)>,
    /// Counts the times it changed its mind, as seen from outside.
    life: u64,
    /// Probes of this half-open time: without an outcome, and good ones.
    under_way: u32,
    good: u32,
    /// Until when it said that it refuses.
    until: Option<Time>,
}

impl Watched {
    fn turn(&mut self, step: Step) {
        match step {
            Step::Wait(ms) => self.now = self.now + Duration::from_millis(ms),
            Step::Pass => self.pass(),
            Step::End(ticket, outcome) if !self.tickets.is_empty() => self.end(ticket % self.tickets.len(), outcome),
            Step::End(..) => {}
            Step::Force(force) => {
                self.breaker.force(force, self.now);
                self.forced = force;
                self.begin_anew();
            }
        }
    }

    fn begin_anew(&mut self) {
        (self.life, self.under_way, self.good, self.until) = (self.life + 1, 0, 0, None);
    }

    fn pass(&mut self) {
        let before = self.breaker.state(self.now);
        let passed = self.breaker.pass(self.now);
        match (self.forced, before) {
            (Some(Force::Closed), _) | (None, BreakerState::Closed) => assert!(passed.is_ok()),
            (Some(Force::Open), _) => assert_eq!(passed.as_ref().unwrap_err().until, None),
            (None, BreakerState::Open) => {
                let Err(Refused { until: Some(until), .. }) = passed else { panic!("{passed:?} while it is open") };
                assert!(until > self.now && until - self.now <= self.options.open_max);
                assert!(self.until.is_none_or(|told| told == until), "the deadline moved");
                self.until = Some(until);
            }
            (None, BreakerState::HalfOpen) => {
                if self.until.take().is_some() || (self.under_way, self.good) == (0, 0) {
                    self.life += 1; // Tickets of before are of no use now.
                    (self.under_way, self.good) = (0, 0);
                }
                let is_full = self.under_way + self.good >= self.options.probes;
                assert_eq!(passed.is_err(), is_full, "{} under way and {} good of {}", self.under_way, self.good, self.options.probes);
                self.under_way += u32::from(passed.is_ok());
            }
        }
        self.tickets.extend(passed.ok().map(|ticket| (self.life, ticket)));
    }

    fn end(&mut self, ticket: usize, outcome: Outcome) {
        let (life, ticket) = self.tickets.swap_remove(ticket);
        let before = self.breaker.state(self.now);
        self.breaker.handle(ticket, outcome, self.now);
        let after = self.breaker.state(self.now);
        if self.forced.is_some() || life != self.life {
            return assert_eq!(before, after, "what passed in another life changes nothing");
        }
        match (before, outcome) {
            (BreakerState::HalfOpen, Outcome::Failure) => assert_eq!(after, BreakerState::Open),
            (BreakerState::HalfOpen, Outcome::Success) => {
                (self.under_way, self.good) = (self.under_way - 1, self.good + 1);
                let closes = self.good == self.options.probes;
                assert_eq!(after == BreakerState::Closed, closes, "a streak of {} closes it", self.options.probes);
            }
            (BreakerState::HalfOpen, Outcome::Neither) => self.under_way -= 1,
            (_, Outcome::Success | Outcome::Neither) => assert_eq!(before, after),
            (_, Outcome::Failure) => {}
        }
        if before != after {
            self.begin_anew();
        }
    }
}

proptest! {
    #[test]
    fn a_breaker_refuses_until_its_deadline_lets_few_probes_through_and_closes_after_a_streak(
        options in options(),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut watched = Watched {
            breaker: Breaker::new(options), options, now: Time::ZERO, forced: None, tickets: Vec::new(), life: 0, under_way: 0, good: 0, until: None,
        };
        for step in steps {
            watched.turn(step);
            match watched.forced {
                Some(Force::Open) => prop_assert_eq!(watched.breaker.state(watched.now), BreakerState::Open),
                Some(Force::Closed) => prop_assert_eq!(watched.breaker.state(watched.now), BreakerState::Closed),
                None => {}
            }
        }
    }

    #[test]
    fn retries_are_never_more_than_were_paid_for(turns in prop::collection::vec((any::<bool>(), 1..5_u32, 0..3_000_u64), 1..300)) {
        let options = BudgetOptions::default();
        let mut budget = RetryBudget::new(options);
        let (mut now, mut firsts, mut retries) = (Time::ZERO, 0_u64, 0_u64);
        for (is_first, tries, wait_ms) in turns {
            now = now + Duration::from_millis(wait_ms);
            if is_first {
                budget.handle_first_try();
                firsts += 1;
            } else if budget.take(tries, now) {
                prop_assert!(tries < options.tries_max);
                retries += 1;
            }
            let reserve = (now - Time::ZERO).as_nanos() / options.reserve_every.as_nanos();
            let paid = u64::from(options.start) * 100 + firsts * u64::from(options.percent) + u64::try_from(reserve).unwrap() * 100;
            prop_assert!(retries * 100 <= paid);
            prop_assert!(budget.left() <= options.kept_max.into());
        }
    }

    #[test]
    fn no_wait_is_longer_than_asked_for_and_the_ceiling(seed in any::<u64>(), least_ms in 0..60_000_u64, failures in 1..40_usize) {
        let schedule = Schedule::default();
        let mut backoff = Backoff::new(schedule, seed);
        let least = Duration::from_millis(least_ms);
        for turn in 0..failures {
            let wait = backoff.handle_down(Time::ZERO, least) - Time::ZERO;
            let ceiling = (schedule.first * 2_u32.pow(turn.min(20) as u32)).min(schedule.max);
            prop_assert!(wait >= least && wait <= least + ceiling);
        }
    }
}
