//! What the ring promises on one thread, each promise by name. The same against a plain model is in `model`, on
//! many threads in `stress`, in every order of events in the loom models.

mod model;
mod stress;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;

use super::pool::SIZES;
use super::*;
use crate::limits::PINNED_BYTES;

/// A prime, so that no segment begins like the one before.
const PERIOD: u64 = 251;

/// A byte that tells where in a log it belongs.
fn byte(at: u64) -> u8 {
    (at % PERIOD) as u8
}

fn pattern(from: u64, len: usize) -> Vec<u8> {
    (from..).take(len).map(byte).collect()
}

fn append(log: &mut Writer, len: usize) {
    let bytes = pattern(log.end(), len);
    assert_eq!(log.append(&mut Wakes::new(), &bytes), len);
}

/// A waker that counts.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn rung(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn bell() -> (Arc<Bell>, Waker) {
    let bell = Arc::new(Bell::default());
    (Arc::clone(&bell), Waker::from(bell))
}

fn poll(reader: &mut Reader, waker: &Waker) -> Poll<Read> {
    reader.poll_read(&mut Context::from_waker(waker), usize::MAX)
}

fn chunk(read: Read) -> Bytes {
    match read {
        Read::Chunk { bytes, .. } => bytes,
        other => panic!("a chunk was expected, not {other:?}"),
    }
}

// ---- Memory ----

#[test]
fn a_silent_log_holds_no_memory_and_a_quiet_one_a_page() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 20);
    let _reader = Reader::new(&log, Mode::Owner, 0);
    assert_eq!(pool.used(), 0);
    append(&mut log, 1);
    assert_eq!(pool.used(), SIZES[0]);
}

#[test]
fn memory_that_came_back_is_used_again() {
    let pool = Pool::new(1 << 20);
    let room_of_a_new_log = || {
        let mut place = 0;
        let wrote = writer(&pool, 1 << 20).append_with(&mut Wakes::new(), |room| {
            place = room.as_ptr().addr();
            Ok::<_, Infallible>(1)
        });
        assert_eq!(wrote, Ok(Ok(1)));
        place
    };
    assert_eq!(room_of_a_new_log(), room_of_a_new_log());
}

#[test]
fn a_spent_pool_refuses_before_the_source_is_asked_and_goes_on_once_memory_comes_back() {
    let pool = Pool::new(2 * SIZES[0]);
    let mut log = writer(&pool, SIZES[0]);
    let mut reader = Reader::new(&log, Mode::Lossy, 0);
    append(&mut log, SIZES[0]);
    let held = chunk(reader.try_read(1));
    append(&mut log, SIZES[0]); // The first page is evicted, but the reader pins it.
    let refused = log.append_with(&mut Wakes::new(), |_| -> Result<usize, Infallible> { unreachable!("there is no room") });
    assert_eq!(refused, Err(PoolSpent));
    assert_eq!(log.append(&mut Wakes::new(), b"x"), 0);
    drop(held);
    append(&mut log, SIZES[0]);
    assert_eq!(pool.used(), SIZES[0]);
}

#[test]
fn one_held_byte_of_every_segment_stops_the_reader_at_its_limit_and_nobody_else() {
    let pool = Pool::new(4 * PINNED_BYTES);
    let mut log = writer(&pool, 2 * PINNED_BYTES);
    append(&mut log, 2 * PINNED_BYTES);
    let mut reader = Reader::new(&log, Mode::Lossy, 0);
    let mut other = Reader::new(&log, Mode::Lossy, 0);
    let (bell, waker) = bell();
    let mut held = Vec::new();
    while let Poll::Ready(read) = poll(&mut reader, &waker) {
        held.push(chunk(read).slice(..1)); // The rest of the chunk goes, its segment stays.
    }
    assert!(reader.pinned_bytes() <= PINNED_BYTES && reader.pinned_bytes() + SIZES[2] > PINNED_BYTES);
    assert!(!reader.park(&waker), "there are bytes, but not for this one");
    append(&mut log, 1);
    assert_eq!(bell.rung(), 0, "new bytes are of no use to it");
    assert!(matches!(other.try_read(1), Read::Chunk { .. }));
    let used = pool.used();

    let oldest = held.remove(0);
    let others: Vec<Bytes> = (0..3).map(|_| oldest.clone()).collect();
    drop(oldest);
    assert_eq!(bell.rung(), 0, "clones share the pin");
    drop(others);
    held.remove(1);
    assert_eq!(bell.rung(), 1, "woken once for one parking");
    assert!(poll(&mut reader, &waker).is_ready());
    assert_eq!(pool.used(), used, "what the log retains stays");
    drop(held);
    assert_eq!(reader.pinned_bytes(), 0);
}

#[test]
fn a_chunk_that_outlives_everybody_keeps_its_own_segment_only() {
    for writer_goes_last in [false, true] {
        let pool = Pool::new(1 << 20);
        let mut log = writer(&pool, 1 << 18);
        append(&mut log, 1 << 18);
        let mut reader = Reader::new(&log, Mode::Owner, 0);
        let held = chunk(reader.try_read(1));
        if writer_goes_last {
            drop(reader);
            drop(log);
        } else {
            drop(log);
            assert!(pool.used() > 1 << 17, "a reader is still there");
            drop(reader);
        }
        assert_eq!(pool.used(), SIZES[0]);
        assert_eq!(held, [byte(0)][..]);
        drop(held);
        assert_eq!(pool.used(), 0);
    }
}

#[test]
fn shrinking_gives_up_the_oldest_that_brings_memory_back_and_nothing_in_vain() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16); // Segments of 4 KiB.
    append(&mut log, 3 * SIZES[0]);
    let mut reader = Reader::new(&log, Mode::Lossy, 0);
    let first = chunk(reader.try_read(usize::MAX));
    let second = chunk(reader.try_read(usize::MAX));
    let third = chunk(reader.try_read(usize::MAX));
    assert_eq!((log.shrink(), log.start()), (0, 0), "all is pinned");
    drop(second);
    assert_eq!(log.shrink(), SIZES[0]);
    assert_eq!(log.start(), 2 * SIZES[0] as u64, "what was pinned went first");
    assert_eq!(log.shrink(), 0, "only the tail is left, and pinned");
    assert_eq!(pool.used(), 2 * SIZES[0]);
    drop((first, third));
    assert_eq!(pool.used(), SIZES[0]);
}

#[test]
fn a_log_given_up_whole_goes_on_small_and_says_what_is_gone() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 20);
    append(&mut log, 50_000);
    let mut behind = Reader::new(&log, Mode::Lossy, 0);
    let mut ahead = Reader::new(&log, Mode::Viewer, 50_000);
    while log.shrink() > 0 {}
    assert_eq!((log.start(), log.held_bytes(), pool.used()), (50_000, 0, 0));
    assert_eq!(ahead.try_read(1), Read::Pending);
    assert_eq!(behind.try_read(1), Read::Gap { from: 0, to: 50_000 }, "told at once, not with the next byte");
    let mut joined = Reader::new(&log, Mode::Lossy, 49_999);
    assert_eq!(joined.try_read(1), Read::Gap { from: 49_999, to: 50_000 });
    append(&mut log, 1);
    assert_eq!(log.held_bytes(), SIZES[0], "a log that begins anew begins small");
    for reader in [&mut behind, &mut ahead, &mut joined] {
        assert_eq!(reader.try_read(1), Read::Chunk { at: 50_000, bytes: Bytes::copy_from_slice(&[byte(50_000)]) });
    }
    ahead.ack(50_001);
    assert_eq!(log.shrink(), SIZES[0]);
    drop(log);
    let late = &mut joined;
    late.seek(3);
    assert_eq!((late.try_read(1), late.try_read(1)), (Read::Gap { from: 3, to: 50_001 }, Read::End));
}

#[test]
fn shrinking_spares_what_a_lossless_reader_has_not_acknowledged() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    append(&mut log, 3 * SIZES[0]);
    let mut reader = Reader::new(&log, Mode::Viewer, 0);
    assert_eq!(log.shrink(), 0);
    drop(reader.try_read(usize::MAX));
    assert_eq!(log.shrink(), 0, "read is not acknowledged");
    reader.ack(reader.offset());
    assert_eq!(log.shrink(), SIZES[0]);
    assert_eq!(log.shrink(), 0);
    while let Read::Chunk { .. } = reader.try_read(usize::MAX) {}
    reader.ack(reader.offset() - 1);
    assert_eq!((log.shrink(), log.shrink()), (SIZES[0], 0), "a byte of the tail is not acknowledged");
}

// ---- Waking ----

#[test]
fn a_reader_that_sleeps_is_woken_once_and_one_that_does_not_never() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    let (mut asleep, mut awake) = (Reader::new(&log, Mode::Owner, 0), Reader::new(&log, Mode::Owner, 0));
    let ((bell, waker), (quiet, quiet_waker)) = (bell(), bell());
    assert!(poll(&mut asleep, &waker).is_pending());
    append(&mut log, 1);
    append(&mut log, 1);
    assert_eq!(bell.rung(), 1);
    assert!(poll(&mut awake, &quiet_waker).is_ready());
    append(&mut log, 1);
    assert_eq!(quiet.rung(), 0);
    log.close(&mut Wakes::new());
    assert_eq!((bell.rung(), quiet.rung()), (1, 0));
}

#[test]
fn a_request_to_be_woken_lapses_when_something_is_found_before() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    let mut reader = Reader::new(&log, Mode::Owner, 0);
    let (bell, waker) = bell();
    append(&mut log, 1);
    drop(reader.try_read(1));
    assert!(poll(&mut reader, &waker).is_pending());
    reader.seek(0);
    assert!(poll(&mut reader, &waker).is_ready());
    append(&mut log, 1);
    assert_eq!(bell.rung(), 0);
}

#[test]
fn dropping_chunks_does_not_wake_a_reader_that_waits_for_bytes() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    append(&mut log, 1);
    let mut reader = Reader::new(&log, Mode::Owner, 0);
    let (bell, waker) = bell();
    let held = chunk(reader.try_read(1));
    assert!(poll(&mut reader, &waker).is_pending());
    drop(held);
    assert_eq!(bell.rung(), 0);
}

#[test]
fn a_reader_that_goes_leaves_no_waker_behind() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    let mut reader = Reader::new(&log, Mode::Owner, 0);
    append(&mut log, 1); // Now the writer knows of it.
    reader.seek(1);
    let (bell, waker) = bell();
    assert!(poll(&mut reader, &waker).is_pending());
    drop((reader, waker));
    assert_eq!(Arc::strong_count(&bell), 1);
    assert_eq!(bell.rung(), 0);
}

// ---- Acknowledging ----

#[test]
fn a_lossless_reader_is_waited_for_until_it_acknowledges_or_goes() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    let (mut one, two) = (Reader::new(&log, Mode::Viewer, 0), Reader::new(&log, Mode::Owner, 0));
    append(&mut log, 10);
    drop(one.try_read(4));
    assert!(!one.ack(u64::MAX), "nobody waits, and what was not read cannot be acknowledged");
    assert_eq!(log.floor(), 0);
    log.set_waiting(true);
    assert!(two.leave(), "somebody must tell the writer");
    assert_eq!(log.floor(), 4);
    assert!(one.ack(2) && one.writer_waits());
    assert_eq!(log.floor(), 4, "never back");
    log.demote(0);
    assert_eq!((one.mode(), log.floor()), (Mode::Lossy, 10));
}

#[test]
fn a_reader_that_comes_late_owes_nothing_for_bytes_that_are_gone() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, SIZES[0]);
    append(&mut log, 4 * SIZES[0]);
    let mut reader = Reader::new(&log, Mode::Viewer, 0);
    assert_eq!(log.floor(), log.start());
    assert_eq!(reader.try_read(1), Read::Gap { from: 0, to: log.start() });
    assert_eq!(reader.try_read(1), Read::Chunk { at: log.start(), bytes: vec![byte(log.start())].into() });
}

// ---- The source and the end ----

#[test]
fn a_source_that_has_nothing_or_fails_changes_nothing() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    let mut reader = Reader::new(&log, Mode::Owner, 0);
    let (bell, waker) = bell();
    assert!(poll(&mut reader, &waker).is_pending());
    assert_eq!(log.append_with(&mut Wakes::new(), |_| Ok::<_, ()>(0)), Ok(Ok(0)));
    assert_eq!(log.append_with(&mut Wakes::new(), |_| Err("gone")), Ok(Err("gone")));
    assert_eq!((log.end(), bell.rung()), (0, 0));
    append(&mut log, 1);
    assert_eq!(chunk(reader.try_read(9)), pattern(0, 1));
}

#[test]
fn a_source_that_panics_publishes_nothing_and_the_log_goes_on() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    let mut reader = Reader::new(&log, Mode::Owner, 0);
    let panics = |log: &mut Writer| log.append_with(&mut Wakes::new(), |_| -> Result<usize, ()> { panic!("a broken source") });
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panics(&mut log))).is_err());
    assert_eq!(reader.try_read(1), Read::Pending);
    append(&mut log, 3);
    assert_eq!(chunk(reader.try_read(9)), pattern(0, 3));
}

#[test]
#[should_panic(expected = "more than it was given room for")]
fn a_source_that_claims_too_much_is_a_bug() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    let _ = log.append_with(&mut Wakes::new(), |room| Ok::<_, ()>(room.len() + 1));
}

#[test]
#[should_panic(expected = "takes no more")]
fn nothing_comes_after_the_end() {
    let pool = Pool::new(1 << 20);
    let mut log = writer(&pool, 1 << 16);
    log.close(&mut Wakes::new());
    append(&mut log, 1);
}

#[test]
fn all_of_it_may_be_sent_to_other_threads() {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<Writer>();
    sendable::<Reader>();
    sendable::<Read>();
    sendable::<Pool>();
    sendable::<Wakes>();
}
