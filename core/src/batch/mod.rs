//! What is done when: which of many operations is next, and when a viewer's output is sent.
//!
//! Both are pure: told what came and what time it is, they say what to do.

mod adaptive;
mod scheduler;

pub use adaptive::Batcher;
pub use scheduler::{Class, Scheduler};
