//! Models of memory that changes hands: pins against evictions, and descriptors that come back.

use loom::thread;

use super::super::descriptors::Descriptors;
use super::super::log::Pinned;
use super::super::segment::Storage;
use super::*;

/// Pins the first byte of `cursor`'s log, which must not have been evicted.
fn pin(cursor: &mut Cursor<Cells>) -> Pinned<Cells> {
    match cursor.step() {
        Step::Bytes { pinned, .. } => pinned,
        _ => unreachable!("nothing was evicted yet"),
    }
}

fn shows_first_byte(pinned: &Pinned<Cells>) {
    assert_eq!(pinned.copy(0, 1), [byte(0)]);
}

#[test]
fn a_pinned_segment_outlives_its_eviction_and_one_of_the_two_reclaims_it() {
    explore(3, || {
        let mut writer = log(2, 1);
        append(&mut writer, 1);
        let mut cursor = Cursor::new(&writer, Mode::Lossy, 0);
        let pinned = pin(&mut cursor);
        let reader = thread::spawn(move || {
            shows_first_byte(&pinned);
            drop(pinned);
            drop(cursor);
        });
        append(&mut writer, 2); // Fills the segment the reader pins, opens another, and evicts the first.
        append(&mut writer, 2);
        reader.join().unwrap();
        assert!(writer.held_bytes() <= 4);
    });
}

#[test]
fn the_last_of_two_pins_reclaims() {
    explore(3, || {
        let mut writer = log(1, 1);
        append(&mut writer, 1);
        let readers = [(); 2].map(|()| {
            let mut cursor = Cursor::new(&writer, Mode::Lossy, 0);
            let pinned = pin(&mut cursor);
            std::mem::forget(cursor); // Its leaving is not the matter here.
            thread::spawn(move || {
                shows_first_byte(&pinned);
                drop(pinned);
            })
        });
        append(&mut writer, 1);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn two_readers_that_pin_while_the_writer_evicts_read_the_byte_or_miss_it() {
    explore(2, || {
        let mut writer = log(1, 1);
        append(&mut writer, 1);
        let readers = [(); 2].map(|()| {
            let mut cursor = Cursor::new(&writer, Mode::Lossy, 0);
            thread::spawn(move || {
                let mut diary = Diary::default();
                diary.read(&mut cursor);
                std::mem::forget(cursor);
            })
        });
        append(&mut writer, 1);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn descriptors_emptied_by_two_readers_come_back_to_the_writer() {
    explore(3, || {
        let pool = Arc::new(AtomicUsize::new(0));
        let storage = || Cells::take(&pool, 1).unwrap();
        let descriptors = Arc::new(Descriptors::<Cells>::new());
        descriptors.grow();
        let threads = [0, 1].map(|index| {
            let segment = descriptors.at(index);
            segment.open(0, 0, storage());
            assert!(segment.pin(0));
            assert!(segment.evict().is_none(), "it is pinned");
            let descriptors = Arc::clone(&descriptors);
            thread::spawn(move || {
                drop(descriptors.at(index).unpin().expect("the last pin"));
                descriptors.push_free(index);
            })
        });
        let mut free = Vec::new();
        descriptors.take_free(&mut free);
        descriptors.take_free(&mut free);
        for &index in &free {
            descriptors.at(index).open(1, 0, storage());
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        descriptors.take_free(&mut free);
        free.sort_unstable();
        assert_eq!(free, [0, 1]);
    });
}

#[test]
fn a_reader_of_shrunk_history_finds_where_it_begins_now() {
    explore(3, || {
        let mut writer = log(1, 8);
        append(&mut writer, 2);
        let _claim = Cursor::new(&writer, Mode::Viewer, 1); // So the second byte stays.
        let mut cursor = Cursor::new(&writer, Mode::Lossy, 0);
        let reader = thread::spawn(move || {
            let mut diary = Diary::default();
            diary.read(&mut cursor);
            diary.gap_end
        });
        writer.shrink();
        append(&mut writer, 1); // In the descriptor of what was given up, unless the reader pins that.
        assert!(reader.join().unwrap() <= 1, "only the first byte was given up");
    });
}

#[test]
fn a_reader_of_a_log_given_up_whole_is_told_all_that_it_missed() {
    explore(3, || {
        let mut writer = log(2, 8);
        append(&mut writer, 2);
        let mut cursor = Cursor::new(&writer, Mode::Lossy, 0);
        let reader = thread::spawn(move || {
            let mut diary = Diary::default();
            diary.read_until(&mut cursor, 3);
        });
        writer.shrink();
        append_one(&mut writer);
        writer.shrink(); // It may sleep now, and be woken by the end only.
        writer.close(&mut Wakes::new());
        reader.join().unwrap();
    });
}

#[test]
fn the_last_to_leave_gives_everything_up() {
    explore(3, || {
        let pool = Arc::new(AtomicUsize::new(0));
        let geometry = Geometry { capacity: 2, sizes: vec![1], room_min: 1 };
        let mut writer = Writer::<Cells>::with_geometry(geometry, Arc::clone(&pool));
        append(&mut writer, 2);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        let pinned = pin(&mut cursor);
        let reader = thread::spawn(move || drop(cursor));
        drop(writer);
        reader.join().unwrap();
        assert_eq!(pool.load(Ordering::Relaxed), 1, "what is pinned, and nothing else");
        shows_first_byte(&pinned);
        drop(pinned);
        assert_eq!(pool.load(Ordering::Relaxed), 0);
    });
}
