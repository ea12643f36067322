//! The size: there before the program, changed in its place among the input, and always told.

use orchflow_core::pty::{Signal, Target};
use orchflow_core::session::{EventKind, SessionOptions};
use orchflow_core::size::{Pixels, Size};

use crate::act::Act;
use crate::listener::{Listener, assert_same};
use crate::stage::Setting;

scenarios! {
    both: size_is_there_before_the_program, resizes_wait_behind_the_input_and_are_told_as_one, resize_reaches_the_program;
}

fn size(cols: u16, rows: u16) -> Size {
    Size::new(cols, rows).unwrap()
}

fn size_is_there_before_the_program(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn_with(Act::new().print_size(), SessionOptions::default().size(size(132, 43)));
        let mut listener = Listener::new(session.reader());
        assert!(listener.end().await.status.success());
        assert_eq!((listener.text().as_str(), session.size()), ("43 132\r\n", size(132, 43)));
    });
}

fn resize_reaches_the_program(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn(Act::new().print("ready").gate("resized").print_size().hang());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        assert_eq!(session.resize(size(101, 31)).unwrap(), 1);
        assert_eq!(stage.event("acknowledged resize", resized).await, (1, size(101, 31)));
        stage.release("resized");
        listener.hear("31 101\r\n").await;

        // What resulted is asked of the terminal, so the pixels are there too.
        let with_pixels = size(101, 31).with_pixels(Some(Pixels { width: 1_010, height: 620 }));
        assert_eq!(session.resize(with_pixels).unwrap(), 2);
        assert_eq!(stage.event("acknowledged resize", resized).await, (2, with_pixels));
    });
}

fn resizes_wait_behind_the_input_and_are_told_as_one(setting: Setting) {
    const COUNT: usize = 200_000;
    setting.play(async |stage| {
        let session = stage.spawn_with(Act::raw_cat(), SessionOptions::default().size(size(80, 24)));
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        listener.forget();
        session.signal(Signal::Stop, Target::Session).unwrap();
        session.write(&[b'x'; COUNT]).unwrap();
        let numbers: Vec<u64> = (1..=5).map(|step| session.resize(size(100 + step, 30)).unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        session.write(&[b'y'; COUNT]).unwrap();
        stage.turns_in(5).await; // A hub that would hurry.
        assert_eq!((session.size(), stage.hub.next_event()), (size(80, 24), None), "the resize overtook the input before it");

        session.signal(Signal::Continue, Target::Session).unwrap();
        let (number, resulted) = stage.event("acknowledged resize", resized).await;
        assert_eq!((number, resulted, session.size()), (5, size(105, 30), size(105, 30)));
        assert!(session.queued_input() <= COUNT, "the resize came before its turn");
        listener.hear_bytes(2 * COUNT).await;
        assert_same(&listener.heard, &[[b'x'; COUNT], [b'y'; COUNT]].concat());
        assert_eq!(stage.hub.next_event(), None);
        assert_eq!(session.resize(size(90, 20)).unwrap(), 6);
        assert_eq!(stage.event("acknowledged resize", resized).await, (6, size(90, 20)));
    });
}

fn resized(event: &orchflow_core::session::Event) -> Option<(u64, Size)> {
    match event.kind {
        EventKind::Resized { number, size } => Some((number, size)),
        _ => None,
    }
}
