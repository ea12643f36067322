//! The raw limit: what a program gets that talks to the kernel itself and does nothing else.
//!
//! Each loop here is the shortest one that does its job, with no bookkeeping, so that a ratio to it is the price
//! of the engine.

pub(crate) mod blocking;
pub(crate) mod epoll;
pub(crate) mod parked;
pub(crate) mod pty;
