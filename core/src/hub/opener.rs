//! The process that opened a hub. A fork of it has a copy of the hub's memory, but shares its descriptors.
//!
//! What the copy does to its memory is its own affair. What reaches a shared descriptor would disturb the parent: it
//! would take a wake-up, move an alarm, change what is watched. So in a fork none of that happens.

use std::io;

use crate::pty::unix;

/// Tells a process from its forks.
#[derive(Debug)]
pub(super) struct Opener(u32);

impl Opener {
    /// This process.
    pub(super) fn new() -> Self {
        Opener(unix::forks())
    }

    /// Whether this process is a fork of the one that made this.
    pub(super) fn is_forked(&self) -> bool {
        unix::forks() != self.0
    }

    /// An error in a fork.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_forked() {
            return Err(io::Error::other("this process is a fork of the one that opened the hub; only that one may drive it"));
        }
        Ok(())
    }
}
