//! The output log by itself: appending 4 KiB while a reader sleeps, and waking it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use orchflow_core::limits::HISTORY_BYTES;
use orchflow_core::ring::{Mode, Pool, Read, Reader, Wakes, Writer, writer};

use crate::alloc::allocations;
use crate::interleave::interleave;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};
use crate::stats::{median, percentile};

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        Spec {
            name: "ring.append_4k",
            unit: "ns",
            better: Better::Lower,
            reach: Reach::Ours(1000.0),
            note: "a copy into a fixed 1 MiB and the same wake; one reader parked; reading the clock included in both",
        },
        Spec {
            name: "ring.append_4k.allocations",
            unit: "each",
            better: Better::Lower,
            reach: Reach::Ours(0.01),
            note: "per append, counted in the allocator; the reference is the limit",
        },
    ],
    measure,
};

/// What a read of a terminal brings at most times.
const CHUNK: [u8; 4 << 10] = [b'x'; 4 << 10];

/// Appends of one block.
const APPENDS: usize = 2000;

/// Appends of which one may allocate.
const ALLOCATIONS_MAX: f64 = 0.01;

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let _pinned = Pinned::packed()?;
    let (mut ours, mut reference, mut again) = (Log::new(), Copy::new(), Copy::new());
    let sides = interleave(
        plan.pick(41, 201),
        [&mut || Ok(block(&mut || ours.append())), &mut || Ok(block(&mut || reference.append())), &mut || {
            Ok(block(&mut || again.append()))
        }],
    )?;
    let [log, copy, copy_again] = sides.each_ref().map(|blocks| blocks.iter().map(|block| block.ns).collect::<Vec<_>>());
    sheet.put("ring.append_4k", Figures::of_blocks(&log, &copy, &copy_again));
    let allocations: Vec<f64> = sides[0].iter().map(|block| block.allocations).collect();
    sheet.put("ring.append_4k.allocations", Figures::against(median(&allocations), ALLOCATIONS_MAX));
    Ok(())
}

/// Per append.
struct AppendBlock {
    ns: f64,
    allocations: f64,
}

fn block(append: &mut dyn FnMut() -> (Duration, u64)) -> AppendBlock {
    let (times, counts): (Vec<Duration>, Vec<u64>) = (0..APPENDS).map(|_| append()).unzip();
    let mut ns: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e9).collect();
    AppendBlock { ns: percentile(&mut ns, 50.0), allocations: counts.iter().sum::<u64>() as f64 / APPENDS as f64 }
}

/// Ours.
struct Log {
    writer: Writer,
    reader: Reader,
    wakes: Wakes,
    woken: Arc<Woken>,
    waker: Waker,
}

impl Log {
    fn new() -> Log {
        let writer = writer(&Pool::new(4 * HISTORY_BYTES), HISTORY_BYTES);
        let reader = Reader::new(&writer, Mode::Owner, 0);
        let woken = Arc::new(Woken::default());
        Log { writer, reader, wakes: Wakes::new(), waker: Waker::from(Arc::clone(&woken)), woken }
    }

    /// Parks the reader, then times one append and the wake.
    fn append(&mut self) -> (Duration, u64) {
        let mut cx = Context::from_waker(&self.waker);
        while let Poll::Ready(read) = self.reader.poll_read(&mut cx, usize::MAX) {
            assert!(matches!(read, Read::Chunk { .. }), "a lossless reader of an open log gets bytes");
        }
        self.reader.ack(self.reader.offset());
        let woken_before = self.woken.times();
        let (allocations_before, start) = (allocations(), Instant::now());
        let appended = self.writer.append(&mut self.wakes, &CHUNK);
        self.wakes.wake();
        let (took, allocated) = (start.elapsed(), allocations() - allocations_before);
        assert_eq!((appended, self.woken.times() - woken_before), (CHUNK.len(), 1), "all is appended and the reader woken once");
        (took, allocated)
    }
}

/// The least that could do it: copy, and wake.
struct Copy {
    memory: Vec<u8>,
    at: usize,
    waker: Waker,
}

impl Copy {
    fn new() -> Copy {
        Copy { memory: vec![0; HISTORY_BYTES], at: 0, waker: Waker::from(Arc::new(Woken::default())) }
    }

    fn append(&mut self) -> (Duration, u64) {
        let waker = self.waker.clone(); // Parked, as the log's reader is.
        let start = Instant::now();
        self.memory[self.at..][..CHUNK.len()].copy_from_slice(std::hint::black_box(&CHUNK));
        std::hint::black_box(&mut self.memory);
        waker.wake();
        let took = start.elapsed();
        self.at = (self.at + CHUNK.len()) % self.memory.len();
        (took, 0)
    }
}

/// A sleeper that only counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicU64);

impl Woken {
    fn times(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
