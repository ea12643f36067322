//! What to do when the other side is not there: pure, seeded machines that say how long to wait.

mod backoff;

pub use backoff::{Backoff, Schedule};
