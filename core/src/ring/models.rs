//! The ring under loom: every interleaving (up to a number of preemptions) and every stale value of a few threads that
//! do little.
//!
//! The log is the real one; only its bytes are modelled cells, a few to a segment. Byte `n` of a log is `n + 1`, so
//! that neither an unwritten cell nor a byte of another stretch can pass for it.
//!
//! `ORCHFLOW_MUTANT=<name>` weakens one ordering or drops one check of [`order`](super::order): then at least one model
//! must fail. [`print_mutants`] names them.

mod reading;
mod reclaiming;
mod waking;

use std::convert::Infallible;
use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::task::{Poll, Wake, Waker};

use super::cursor::{Cursor, Step};
use super::order;
use super::seat::{Mode, Want};
use super::segment::Cells;
use super::sync::{Arc, Ordering};
use super::wakes::Wakes;
use super::writer::{Geometry, Writer};

#[test]
fn print_mutants() {
    for name in order::ORDERING_MUTANTS.concat().iter().chain(order::CHECK_MUTANTS) {
        println!("mutant {name}");
    }
}

/// Explores `run`, switching threads against their will at most `preemptions` times.
fn explore(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(preemptions));
    model.max_branches = 400; // Enough for the longest run; a mutant that runs in circles stops here.
    model.check(run);
}

/// A log in segments of `segment` bytes that keeps the newest `capacity`.
fn log(segment: usize, capacity: usize) -> Writer<Cells> {
    let geometry = Geometry { capacity, sizes: vec![segment], room_min: 1 };
    Writer::with_geometry(geometry, Arc::new(AtomicUsize::new(0)))
}

fn byte(at: u64) -> u8 {
    at as u8 + 1
}

/// Appends the next `count` bytes, as one or, over a segment's edge, several publications.
fn append(writer: &mut Writer<Cells>, count: usize) {
    let bytes: Vec<u8> = (writer.end()..).take(count).map(byte).collect();
    assert_eq!(writer.append(&mut Wakes::new(), &bytes), count);
}

/// Appends the next byte alone, where there is room for more.
fn append_one(writer: &mut Writer<Cells>) {
    let next = byte(writer.end());
    let wrote = writer.append_with(&mut Wakes::new(), |room| {
        room[0] = next;
        Ok::<_, Infallible>(1)
    });
    assert_eq!(wrote, Ok(Ok(1)));
}

/// What a reader was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Bytes(Range<u64>),
    Gap(Range<u64>),
    End,
}

/// Looks once; checks that bytes are those the log holds there.
fn look(cursor: &mut Cursor<Cells>) -> Result<Told, Want> {
    match cursor.step() {
        Step::Bytes { pinned, from, to, .. } => {
            let at = cursor.move_to(cursor.offset() + (to - from) as u64);
            let expected: Vec<u8> = (at..cursor.offset()).map(byte).collect();
            assert_eq!(pinned.copy(from, to), expected);
            Ok(Told::Bytes(at..cursor.offset()))
        }
        Step::Gap { to } => Ok(Told::Gap(cursor.move_to(to)..to)),
        Step::Pending => Err(Want::Bytes),
        Step::End => Ok(Told::End),
    }
}

/// What a reader found from one offset on: it is told everything once, in order.
#[derive(Default)]
struct Diary {
    offset: u64,
    gap_end: u64,
    ended: bool,
}

impl Diary {
    fn note(&mut self, told: Told) {
        let (Told::Bytes(range) | Told::Gap(range)) = &told else {
            self.ended = true;
            return;
        };
        assert_eq!(range.start, self.offset, "what is told begins where the last ended");
        assert!(range.end > range.start);
        self.offset = range.end;
        if let Told::Gap(range) = told {
            self.gap_end = range.end;
        }
    }

    /// Notes all that is there.
    fn read(&mut self, cursor: &mut Cursor<Cells>) {
        while !self.ended
            && let Ok(told) = look(cursor)
        {
            self.note(told);
        }
    }

    /// Notes what comes until `end`, sleeping in between.
    fn read_until(&mut self, cursor: &mut Cursor<Cells>, end: u64) {
        while self.offset < end {
            self.note(wait(cursor, look));
        }
    }
}

/// Sleeps until `look` finds something.
fn wait<T>(cursor: &mut Cursor<Cells>, mut look: impl FnMut(&mut Cursor<Cells>) -> Result<T, Want>) -> T {
    let waker = sleeper();
    loop {
        match cursor.look_or_park(&waker, &mut look) {
            Poll::Ready(found) => return found,
            Poll::Pending => loom::thread::park(),
        }
    }
}

/// A waker for the thread that asks; if nobody calls it while all others are done, loom reports a deadlock.
fn sleeper() -> Waker {
    struct Unpark(loom::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Waker::from(Arc::new(Unpark(loom::thread::current())))
}
