//! The door to an async runtime: what a hub needs of one, which is very little.
//!
//! A hub needs no runtime. A program that has one implements these two traits (15 lines; `examples/embed_tokio.rs` and
//! `examples/embed_smol.rs` show them) and calls [`Hub::drive`](crate::hub::Hub::drive); from then on the hub runs inside it, without a thread of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;

/// Whether a turn left anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The budget is spent; more may be ready.
    More,
    /// Nothing was ready. Only now may an edge-triggered runtime forget that the descriptor was readable.
    Idle,
}

/// A runtime that can run a task and watch a descriptor.
pub trait Runtime: Send + Sync {
    /// Runs `task` in the background. `name` is for the runtime's own tools.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);

    /// Watches `fd` for reading. The registration shares the descriptor and ends when it is dropped.
    ///
    /// # Errors
    /// Whatever the runtime says.
    fn register(&self, fd: Arc<OwnedFd>) -> io::Result<Box<dyn Readiness>>;
}

/// A watched descriptor.
pub trait Readiness: Send {
    /// Waits until the descriptor is readable, then calls `turn`, once per poll at the most. On [`Turn::Idle`], and only then, it forgets
    /// that the descriptor was readable; on [`Turn::More`] it arranges to be polled again soon. Never completes but by an
    /// error.
    fn poll_turns(&mut self, cx: &mut Context<'_>, turn: &mut dyn FnMut() -> Turn) -> Poll<io::Error>;
}
