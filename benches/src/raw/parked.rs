//! One terminal read by a thread of its own, which wakes a parked caller.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::pty::RawPty;

/// The shortest hand-over between two threads: a counter, `park` and `unpark`.
pub(crate) struct ParkedLoop {
    pty: Arc<RawPty>,
    /// Reads so far; [`ENDED`] when there will be no more.
    reads: Arc<AtomicU64>,
    reader: Option<JoinHandle<()>>,
}

const ENDED: u64 = u64::MAX;

impl ParkedLoop {
    /// Reads `pty` in a new thread, which inherits the caller's CPUs and wakes only the caller.
    pub(crate) fn new(pty: RawPty) -> ParkedLoop {
        let pty = Arc::new(pty);
        let reads = Arc::new(AtomicU64::new(0));
        let (caller, terminal, counter) = (thread::current(), Arc::clone(&pty), Arc::clone(&reads));
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while matches!(rustix::io::read(&*terminal, &mut buffer), Ok(1..)) {
                counter.fetch_add(1, Ordering::Release);
                caller.unpark();
            }
            counter.store(ENDED, Ordering::Release);
            caller.unpark();
        });
        ParkedLoop { pty, reads, reader: Some(reader) }
    }

    /// Writes one byte and tells how long it took until this thread knew that one came back.
    pub(crate) fn round_trip(&mut self) -> io::Result<Duration> {
        let before = self.reads.load(Ordering::Acquire);
        let start = Instant::now();
        rustix::io::write(&*self.pty, b"x")?;
        while self.reads.load(Ordering::Acquire) == before {
            thread::park();
        }
        let took = start.elapsed();
        if self.reads.load(Ordering::Acquire) == ENDED { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(took) }
    }
}

impl Drop for ParkedLoop {
    fn drop(&mut self) {
        self.pty.kill(); // Ends the reader's blocking read.
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}
