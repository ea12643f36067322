//! One terminal, and a thread that blocks on it.

use std::io;
use std::time::Duration;

use super::pty::RawPty;
use crate::terminals::Terminals;

/// Reads with blocking calls of at most 64 KiB.
pub(crate) struct BlockingLoop {
    pty: RawPty,
    buffer: Vec<u8>,
}

impl BlockingLoop {
    /// Takes a terminal whose process is ready.
    pub(crate) fn new(pty: RawPty) -> BlockingLoop {
        BlockingLoop { pty, buffer: vec![0; 64 << 10] }
    }
}

impl Terminals for BlockingLoop {
    fn write(&mut self, _: usize, bytes: &[u8]) -> io::Result<()> {
        rustix::io::write(&self.pty, bytes)?;
        Ok(())
    }

    /// Blocks for as long as it takes: that is what makes this loop the shortest of all.
    fn turn(&mut self, _: Duration, on_read: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        let len = rustix::io::read(&self.pty, &mut self.buffer)?;
        on_read(0, &self.buffer[..len]);
        Ok(())
    }
}
