//! Models of one who sleeps and another who brings what it waits for: no wake-up is lost. Loom reports a sleeper that
//! nobody wakes as a deadlock.

use loom::thread;

use super::super::pool::{Pool, SIZES};
use super::*;

#[test]
fn a_reader_that_sleeps_is_woken_by_each_append() {
    explore(3, || {
        let mut writer = log(4, 4);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        let reader = thread::spawn(move || Diary::default().read_until(&mut cursor, 2));
        append(&mut writer, 1);
        append(&mut writer, 1);
        reader.join().unwrap();
    });
}

#[test]
fn two_readers_that_sleep_are_both_woken() {
    explore(2, || {
        let mut writer = log(4, 4);
        let readers = [(); 2].map(|()| {
            let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
            thread::spawn(move || Diary::default().read_until(&mut cursor, 1))
        });
        append(&mut writer, 1);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn closing_wakes() {
    explore(3, || {
        let mut writer = log(4, 4);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        let reader = thread::spawn(move || assert_eq!(wait(&mut cursor, look), Told::End));
        writer.close(&mut Wakes::new());
        reader.join().unwrap();
    });
}

#[test]
fn a_reader_that_leaves_does_not_disturb_one_who_wakes_it() {
    explore(3, || {
        let mut writer = log(4, 4);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        let reader = thread::spawn(move || {
            let asleep = cursor.look_or_park(&sleeper(), look).is_pending();
            drop(cursor);
            asleep
        });
        append(&mut writer, 1);
        reader.join().unwrap();
        append(&mut writer, 1);
        assert_eq!(writer.floor(), writer.end(), "nobody is left to be waited for");
    });
}

#[test]
fn a_reader_at_its_limit_is_woken_when_it_lets_go_and_not_before() {
    explore(3, || {
        let mut writer = log(4, 4);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        cursor.seat.charge(1);
        let seat = Arc::clone(&cursor.seat);
        let holder = thread::spawn(move || seat.discharge(1));
        let reader = thread::spawn(move || {
            let told = wait(&mut cursor, |cursor| {
                let full = cursor.seat.pinned() > 0;
                match cursor.step() {
                    Step::Pending => Err(Want::Bytes),
                    _ if full => Err(Want::Room),
                    _ => look(cursor),
                }
            });
            assert_eq!(told, Told::Bytes(0..1));
        });
        append(&mut writer, 1);
        reader.join().unwrap();
        holder.join().unwrap();
    });
}

#[test]
fn an_acknowledgement_is_seen_or_told() {
    explore(3, || {
        let mut writer = log(4, 4);
        append(&mut writer, 1);
        let mut cursor = Cursor::new(&writer, Mode::Owner, 0);
        Diary::default().read(&mut cursor);
        let reader = thread::spawn(move || {
            let told = cursor.acknowledge(1);
            std::mem::forget(cursor);
            told
        });
        writer.set_waiting(true);
        let seen = writer.floor() == 1;
        let told = reader.join().unwrap();
        assert!(seen || told, "the writer waits for what has come already");
    });
}

#[test]
fn leave_to_go_further_is_seen_or_told() {
    explore(3, || {
        let mut writer = log(4, 4);
        append(&mut writer, 1);
        let cursor = Cursor::new(&writer, Mode::Owner, 0);
        cursor.shared.seats.allow(&cursor.seat, 1);
        assert_eq!(writer.allowed(), 1);
        let reader = thread::spawn(move || {
            let told = cursor.shared.seats.allow(&cursor.seat, 2);
            std::mem::forget(cursor);
            told
        });
        writer.set_waiting(true);
        let seen = writer.allowed() == 2;
        let told = reader.join().unwrap();
        assert!(seen || told, "the writer waits for leave that it has");
    });
}

#[test]
fn a_departure_is_seen_or_told() {
    explore(3, || {
        let mut writer = log(4, 4);
        append(&mut writer, 1);
        let cursor = Cursor::new(&writer, Mode::Owner, 0);
        assert_eq!(writer.floor(), 0);
        let reader = thread::spawn(move || cursor.leave());
        writer.set_waiting(true);
        let seen = writer.floor() == 1;
        let told = reader.join().unwrap();
        assert!(seen || told, "the writer waits for one who is gone");
    });
}

#[test]
fn memory_that_comes_back_is_found_or_told() {
    explore(3, || {
        let pool = Pool::new(SIZES[0]);
        let lent = Pool::take(&pool, SIZES[0]).unwrap();
        let holder = thread::spawn(move || drop(lent));
        let waker = sleeper();
        pool.want_relief(&waker);
        if Pool::take(&pool, SIZES[0]).is_none() {
            thread::park();
            assert!(Pool::take(&pool, SIZES[0]).is_some(), "the waker promises that something came back");
        }
        holder.join().unwrap();
    });
}
