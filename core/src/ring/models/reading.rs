//! Models of one who appends and others who read: whole bytes, in order, gaps exact, the end last.

use loom::thread;

use super::*;

#[test]
fn bytes_are_read_whole_and_in_order() {
    explore(3, || {
        let mut writer = log(4, 4);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        let reader = thread::spawn(move || {
            let mut diary = Diary::default();
            diary.read(&mut cursor);
            diary.read(&mut cursor);
            assert_eq!(diary.gap_end, 0);
        });
        append(&mut writer, 1);
        append(&mut writer, 2);
        reader.join().unwrap();
    });
}

#[test]
fn a_reader_goes_on_in_the_next_segment_when_this_one_is_final() {
    explore(3, || {
        let mut writer = log(2, 8);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        let reader = thread::spawn(move || {
            let mut diary = Diary::default();
            diary.read(&mut cursor);
            assert_eq!(diary.gap_end, 0);
        });
        append_one(&mut writer);
        append(&mut writer, 2);
        append(&mut writer, 2);
        reader.join().unwrap();
    });
}

#[test]
fn a_gap_is_exact_and_only_over_bytes_that_had_to_go() {
    explore(2, || {
        let mut writer = log(1, 1);
        let mut cursor = Cursor::new(&writer, Mode::Lossy, 0);
        append(&mut writer, 1);
        let reader = thread::spawn(move || {
            let mut diary = Diary::default();
            diary.read(&mut cursor);
            diary.gap_end
        });
        append(&mut writer, 3); // Evicts one segment after another and uses their descriptors again.
        let gap_end = reader.join().unwrap();
        assert!(gap_end < writer.end(), "the newest byte is never missed");
    });
}

#[test]
fn bytes_behind_the_evicted_ones_are_not_skipped() {
    explore(3, || {
        let mut writer = log(1, 2);
        let mut cursor = Cursor::new(&writer, Mode::Lossy, 0);
        append(&mut writer, 2);
        let reader = thread::spawn(move || {
            let mut diary = Diary::default();
            diary.read(&mut cursor);
            diary.gap_end
        });
        append(&mut writer, 2);
        let gap_end = reader.join().unwrap();
        assert!(gap_end <= writer.end() - 2, "the two newest bytes are never missed");
    });
}

#[test]
fn seeking_while_the_log_moves_on_finds_a_place_in_it() {
    explore(2, || {
        let mut writer = log(1, 1);
        append(&mut writer, 1);
        let mut cursor = Cursor::new(&writer, Mode::Lossy, 0);
        let reader = thread::spawn(move || {
            cursor.seek(u64::MAX);
            assert!((1..=3).contains(&cursor.offset()), "the end is where the log ended at some moment meanwhile");
            let mut diary = Diary { offset: cursor.offset(), ..Diary::default() };
            diary.read(&mut cursor);
        });
        append(&mut writer, 2);
        reader.join().unwrap();
    });
}

#[test]
fn the_end_comes_after_the_last_byte() {
    explore(3, || {
        let mut writer = log(2, 4);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        let reader = thread::spawn(move || {
            let mut diary = Diary::default();
            diary.read(&mut cursor);
            assert!(!diary.ended || diary.offset == 3, "ended after {} bytes of 3", diary.offset);
        });
        append(&mut writer, 3);
        writer.close(&mut Wakes::new());
        reader.join().unwrap();
    });
}

#[test]
fn one_who_joins_while_another_leaves_reads_from_its_offset_on() {
    explore(2, || {
        let mut writer = log(2, 4);
        let first = Cursor::new(&writer, Mode::Owner, 0);
        let early = thread::spawn(move || drop(first));
        append(&mut writer, 1);
        let mut second = Cursor::new(&writer, Mode::Viewer, 1);
        let late = thread::spawn(move || {
            let mut diary = Diary { offset: 1, ..Diary::default() };
            diary.read_until(&mut second, 2);
            assert_eq!(diary.gap_end, 0);
        });
        append(&mut writer, 1);
        late.join().unwrap();
        early.join().unwrap();
    });
}
