//! When a viewer's output is sent, how much of it may be under way, and how far ahead of it its terminal is read.
//!
//! All three are pure: told what happened and what time it is, they say what to do. `docs/batching.md` shows what comes of it.

mod adaptive;
mod backlog;
mod window;

pub use adaptive::Batcher;
pub use backlog::Backlog;
pub use window::Window;
