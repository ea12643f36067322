//! Starts programs, and for a while does not where the system has failed at that again and again: a machine that has no process left is
//! not helped by a hundred clients who ask it for one.

use crate::protocol::message::{ErrorCode, Refusal};
use crate::pty::SpawnError;
use crate::resilience::{Breaker, BreakerOptions, BreakerState, Force, Outcome, Refused};
use crate::time::Time;

/// The breaker before the system.
pub(super) struct Spawner {
    breaker: Breaker,
}

impl Default for Spawner {
    fn default() -> Self {
        Spawner { breaker: Breaker::new(BreakerOptions::default()) }
    }
}

impl Spawner {
    pub(super) fn state(&self, now: Time) -> BreakerState {
        self.breaker.state(now)
    }

    pub(super) fn force(&mut self, force: Option<Force>, now: Time) {
        self.breaker.force(force, now);
    }

    /// Starts something for request `number`.
    ///
    /// # Errors
    /// What to tell the client.
    pub(super) fn spawn<S>(&mut self, number: u64, now: Time, start: impl FnOnce() -> Result<S, SpawnError>) -> Result<S, Refusal> {
        let ticket = self.breaker.pass(now).map_err(|refused| Refusal::new(number, ErrorCode::Overloaded, told(refused, now)))?;
        let started = start();
        self.breaker.handle(ticket, outcome(started.as_ref().err()), now);
        started.map_err(|error| Refusal::new(number, code(&error), error.to_string()))
    }
}

/// What a client is told while nothing is started.
fn told(Refused { since, until }: Refused, now: Time) -> String {
    let ago = (now - since).as_secs();
    match until {
        Some(until) => {
            let wait = (until - now).as_millis().div_ceil(1_000);
            format!("no program is started: the system has failed at that for {ago} s; the next try is in {wait} s")
        }
        None => format!("no program is started: somebody wants it so, for {ago} s"),
    }
}

/// What it says of the system. A request that makes no sense, and a limit of our own, say nothing.
fn outcome(error: Option<&SpawnError>) -> Outcome {
    match error {
        None => Outcome::Success,
        Some(SpawnError::Exhausted { .. } | SpawnError::Io { .. }) => Outcome::Failure,
        Some(_) => Outcome::Neither,
    }
}

fn code(error: &SpawnError) -> ErrorCode {
    match error {
        SpawnError::TooManySessions { .. } | SpawnError::Exhausted { .. } => ErrorCode::TooMany,
        SpawnError::Closed | SpawnError::Forked => ErrorCode::ShuttingDown,
        _ => ErrorCode::SpawnFailed,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;
    use crate::limits::{BREAKER_CALLS_LEAST, BREAKER_OPEN_FIRST};

    fn exhausted() -> Result<(), SpawnError> {
        Err(SpawnError::Exhausted { source: io::ErrorKind::OutOfMemory.into() })
    }

    fn missing() -> Result<(), SpawnError> {
        Err(SpawnError::NotFound { program: "none".into() })
    }

    /// One whose system has just failed so often that it gave up.
    fn opened() -> Spawner {
        let mut spawner = Spawner::default();
        for _ in 0..BREAKER_CALLS_LEAST {
            assert_eq!(spawner.spawn(1, Time::ZERO, exhausted).unwrap_err().code, ErrorCode::TooMany);
        }
        spawner
    }

    #[test]
    fn a_system_that_fails_again_and_again_is_left_alone_and_clients_are_told_how_long() {
        let mut spawner = opened();
        let now = Time::ZERO + Duration::from_millis(400);
        let refusal = spawner.spawn(7, now, || -> Result<(), _> { unreachable!("the system is left alone") }).unwrap_err();
        assert_eq!((refusal.number, refusal.code, refusal.retryable), (7, ErrorCode::Overloaded, true));
        assert_eq!(refusal.message, "no program is started: the system has failed at that for 0 s; the next try is in 1 s");
    }

    #[test]
    fn one_that_starts_is_enough_to_go_on() {
        let mut spawner = opened();
        let now = Time::ZERO + BREAKER_OPEN_FIRST;
        assert_eq!(spawner.state(now), BreakerState::HalfOpen);
        assert_eq!(spawner.spawn(8, now, || Ok(())), Ok(()));
        assert_eq!(spawner.state(now), BreakerState::Closed);
    }

    #[test]
    fn programs_that_do_not_exist_are_no_reason_to_start_none() {
        let mut spawner = Spawner::default();
        for number in 0..100 {
            assert_eq!(spawner.spawn(number, Time::ZERO, missing).unwrap_err().code, ErrorCode::SpawnFailed);
        }
        assert_eq!(spawner.state(Time::ZERO), BreakerState::Closed);
    }

    #[test]
    fn what_somebody_wants_holds() {
        let mut spawner = Spawner::default();
        spawner.force(Some(Force::Open), Time::ZERO);
        let refusal = spawner.spawn(1, Time::ZERO + Duration::from_secs(90), || Ok(())).unwrap_err();
        assert_eq!(refusal.message, "no program is started: somebody wants it so, for 90 s");
        spawner.force(None, Time::ZERO);
        assert_eq!(spawner.spawn(2, Time::ZERO, || Ok(())), Ok(()));
    }
}
