//! One writer and 32 readers of all modes on real threads. Each byte says where it belongs; what is read and what is
//! told as missed must add up.

use std::thread;

use super::*;

/// Enough for a thousand evictions. `ORCHFLOW_STRESS_BYTES` sets another total, for tools that are slow.
const TOTAL_BYTES: u64 = 64 << 20;
const READERS: usize = 32;
const HIGH_WATER: u64 = 128 << 10;

#[test]
fn what_is_read_and_what_is_missed_add_up_for_everyone() {
    let total = std::env::var("ORCHFLOW_STRESS_BYTES").map_or(TOTAL_BYTES, |bytes| bytes.parse().expect("a number of bytes"));
    let pool = Pool::new(64 << 20);
    let mut log = writer(&pool, 256 << 10);
    let writer_thread = thread::current();
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let mode = [Mode::Owner, Mode::Viewer, Mode::Lossy, Mode::Lossy][number % 4];
            let reader = Reader::new(&log, mode, 0);
            let writer_thread = writer_thread.clone();
            thread::spawn(move || Account::default().keep(reader, number, &writer_thread))
        })
        .collect();

    let pattern = Pattern::new();
    let mut wakes = Wakes::new();
    while log.end() < total {
        while log.end() - log.floor() > HIGH_WATER {
            log.set_waiting(true);
            if log.end() - log.floor() > HIGH_WATER {
                thread::park();
            }
        }
        log.set_waiting(false);
        let (from, left) = (log.end(), total - log.end());
        let wrote = log.append_with(&mut wakes, |room| {
            let len = room.len().min(4 << 10).min(usize::try_from(left).unwrap_or(usize::MAX));
            room[..len].copy_from_slice(pattern.of(from, len));
            Ok::<_, Infallible>(len)
        });
        wakes.wake();
        if wrote == Err(PoolSpent) {
            thread::yield_now(); // The readers hold all of it, and will let go.
        }
    }
    log.close(&mut wakes);
    drop((log, wakes));
    for (number, reader) in readers.into_iter().enumerate() {
        let account = reader.join().expect("a reader does not panic");
        assert_eq!(account.read + account.missed, total);
        if number % 4 < 2 {
            assert_eq!(account.missed, 0, "a lossless reader misses nothing");
        }
    }
    assert_eq!(pool.used(), 0);
}

#[derive(Default)]
struct Account {
    read: u64,
    missed: u64,
}

impl Account {
    /// Reads to the end, holding on to some chunks for a while.
    fn keep(mut self, mut reader: Reader, number: usize, writer: &thread::Thread) -> Self {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let pattern = Pattern::new();
        let mut held = std::collections::VecDeque::new();
        loop {
            let max = [1 << 16, 5_000, 777, 1 << 16][number % 4] + number;
            match reader.poll_read(&mut Context::from_waker(&waker), max) {
                Poll::Ready(Read::Chunk { at, bytes }) => {
                    assert_eq!(at, self.read + self.missed);
                    self.read += bytes.len() as u64;
                    held.push_back((at, bytes));
                }
                Poll::Ready(Read::Gap { from, to }) => {
                    assert_eq!(from, self.read + self.missed);
                    self.missed += to - from;
                }
                Poll::Ready(Read::End) => break,
                Poll::Ready(Read::Pending) => unreachable!("that is `Poll::Pending`"),
                Poll::Pending => thread::park(),
            }
            if held.len() > number % 8 {
                let (at, bytes) = held.pop_front().expect("there are some");
                assert!(bytes == pattern.of(at, bytes.len()), "the bytes at {at} are others");
            }
            if reader.ack(reader.offset()) {
                writer.unpark();
            }
        }
        if reader.leave() {
            writer.unpark();
        }
        self
    }
}

/// What a log holds, to be copied from and compared with.
struct Pattern(Vec<u8>);

impl Pattern {
    fn new() -> Self {
        Pattern(pattern(0, PERIOD as usize + SIZES[2]))
    }

    fn of(&self, from: u64, len: usize) -> &[u8] {
        &self.0[(from % PERIOD) as usize..][..len]
    }
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
