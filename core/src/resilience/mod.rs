//! What to do when the other side is not there, or has too much to do: pure machines, of integers and seeds only, so that the clients in
//! every language do the same. `core/testdata/resilience` holds them to that.

mod backoff;
mod breaker;
mod budget;

pub use backoff::{Backoff, Schedule};
pub use breaker::{Breaker, BreakerOptions, BreakerState, Force, Outcome, Refused, Ticket};
pub use budget::{BudgetOptions, RetryBudget};
