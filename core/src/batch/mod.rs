//! What is done when: which of many operations is next; when a viewer's output is sent, how much of it may be under way, and how far ahead of it its
//! terminal is read.
//!
//! All four are pure: told what happened and what time it is, they say what to do. `docs/batching.md` shows what comes of the last three.

mod adaptive;
mod backlog;
mod scheduler;
mod window;

pub use adaptive::Batcher;
pub use backlog::Backlog;
pub use scheduler::{Class, Scheduler};
pub use window::Window;
