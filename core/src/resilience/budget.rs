//! How often what was refused may be asked again, so that clients do not bring down a server that is merely slow.
//!
//! A bucket of retries: each first try puts a part of one in, each retry takes one out, and a reserve comes with time, for those who
//! ask for little. So retries stay a small part of the load, however much is refused, and a lone refusal is still tried again.
//!
//! After the retry budgets of Google's *Site Reliability Engineering*, chapter 21 (a tenth of the requests, three tries of each), and
//! Finagle's `RetryBudget` (deposits, withdrawals, a reserve).

use std::time::Duration;

use crate::limits::{RETRIES_KEPT, RETRIES_PERCENT, RETRIES_START, RETRY_RESERVE, TRIES_MAX};
use crate::time::Time;

/// How many retries there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetOptions {
    /// How often one request is tried, the first time included.
    pub tries_max: u32,
    /// Hundredths of a retry that each first try pays in.
    pub percent: u32,
    /// Retries there are at first.
    pub start: u32,
    /// Retries that can be saved up.
    pub kept_max: u32,
    /// After this long there is one more; counted from the first time that one was asked for.
    pub reserve_every: Duration,
}

impl Default for BudgetOptions {
    fn default() -> Self {
        BudgetOptions {
            tries_max: TRIES_MAX,
            percent: RETRIES_PERCENT,
            start: RETRIES_START,
            kept_max: RETRIES_KEPT,
            reserve_every: RETRY_RESERVE,
        }
    }
}

/// The retries that are left.
///
/// # Examples
/// ```
/// # use orchflow_core::{resilience::{BudgetOptions, RetryBudget}, time::Time};
/// let mut budget = RetryBudget::new(BudgetOptions { start: 1, ..BudgetOptions::default() });
/// assert!(budget.take(1, Time::ZERO)); // Tried once, and refused.
/// assert!(!budget.take(1, Time::ZERO)); // There was one.
/// (0..10).for_each(|_| budget.handle_first_try());
/// assert!(budget.take(1, Time::ZERO)); // Ten requests pay for one retry.
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget {
    options: BudgetOptions,
    /// In hundredths of a retry.
    balance: u64,
    /// Up to when the reserve was paid in.
    since: Option<Time>,
}

impl RetryBudget {
    /// A budget that nothing was taken from.
    pub fn new(options: BudgetOptions) -> RetryBudget {
        let balance = RETRY.saturating_mul(options.start.min(options.kept_max).into());
        RetryBudget { options, balance, since: None }
    }

    /// Something is asked for the first time.
    pub fn handle_first_try(&mut self) {
        self.pay_in(self.options.percent.into());
    }

    /// Whether a request that was refused `tries` times may be tried again; if so, that is paid for.
    pub fn take(&mut self, tries: u32, now: Time) -> bool {
        let since = *self.since.get_or_insert(now);
        let every = self.options.reserve_every.as_nanos().max(1);
        let periods = u64::try_from((now - since).as_nanos() / every).unwrap_or(u64::MAX);
        self.since = Some(since + Duration::from_nanos_u128(every.saturating_mul(periods.into())));
        self.pay_in(periods.saturating_mul(RETRY));
        let may = tries < self.options.tries_max && self.balance >= RETRY;
        if may {
            self.balance -= RETRY;
        }
        may
    }

    /// Retries that are left.
    pub fn left(&self) -> u64 {
        self.balance / RETRY
    }

    fn pay_in(&mut self, hundredths: u64) {
        let most = RETRY.saturating_mul(self.options.kept_max.into());
        self.balance = self.balance.saturating_add(hundredths).min(most);
    }
}

/// What a retry costs, in hundredths of one.
const RETRY: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &mut RetryBudget, now: Time) -> usize {
        std::iter::repeat_with(|| budget.take(1, now)).take_while(|may| *may).count()
    }

    #[test]
    fn a_lone_refusal_is_tried_again_but_no_request_more_than_three_times() {
        let mut budget = RetryBudget::new(BudgetOptions::default());
        budget.handle_first_try();
        assert_eq!([1, 2, 3, 4].map(|tries| budget.take(tries, Time::ZERO)), [true, true, false, false]);
    }

    #[test]
    fn when_all_is_refused_retries_are_a_tenth_of_the_requests() {
        let mut budget = RetryBudget::new(BudgetOptions::default());
        taken(&mut budget, Time::ZERO);
        let retries = (0..1_000).filter(|_| {
            budget.handle_first_try();
            budget.take(1, Time::ZERO)
        });
        assert_eq!(retries.count(), 100);
    }

    #[test]
    fn who_asks_for_little_has_one_more_now_and_then_and_never_many() {
        let mut budget = RetryBudget::new(BudgetOptions::default());
        taken(&mut budget, Time::ZERO);
        assert_eq!(taken(&mut budget, Time::ZERO + (RETRY_RESERVE - Duration::from_nanos(1))), 0);
        assert_eq!(taken(&mut budget, Time::ZERO + RETRY_RESERVE), 1);
        assert_eq!(taken(&mut budget, Time::MAX), RETRIES_KEPT as usize);
    }
}
