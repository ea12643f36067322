//! What every side can do, ours and the raw ones: so that one routine, with one clock, measures them all.

use std::io;
use std::time::{Duration, Instant};

/// Some terminals driven by the calling thread, known by their index.
pub(crate) trait Terminals {
    /// Types `bytes` into one terminal. What is typed here is a few bytes, which are taken whole.
    fn write(&mut self, terminal: usize, bytes: &[u8]) -> io::Result<()>;

    /// Waits until something is there, at most for `timeout`, and tells it. The end of a terminal is an error.
    fn turn(&mut self, timeout: Duration, on_read: &mut dyn FnMut(usize, &[u8])) -> io::Result<()>;

    /// Types a key into the first terminal and tells how long it took until its echo was at hand. What the other
    /// terminals wrote meanwhile is taken and dropped.
    fn round_trip(&mut self) -> io::Result<Duration> {
        let start = Instant::now();
        self.write(0, b"x")?;
        let mut took = None;
        while took.is_none() {
            self.turn(PATIENCE, &mut |terminal, _| {
                if terminal == 0 {
                    took = took.or_else(|| Some(start.elapsed()));
                }
            })?;
            if took.is_none() && start.elapsed() > PATIENCE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no echo came back"));
            }
        }
        Ok(took.expect("the loop ends with a value"))
    }

    /// Takes output until `bytes` or more have come; returns how many.
    fn take(&mut self, bytes: u64) -> io::Result<u64> {
        let mut taken = 0;
        while taken < bytes {
            let before = taken;
            self.turn(PATIENCE, &mut |_, output| taken += output.len() as u64)?;
            if taken == before {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the output stopped"));
            }
        }
        Ok(taken)
    }
}

/// After this long nothing will come any more.
const PATIENCE: Duration = Duration::from_secs(10);
