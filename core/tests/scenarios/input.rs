//! Input: in order, whole, bounded, and never in anybody's way.

use orchflow_core::limits::{HISTORY_BYTES, INPUT_QUEUE_BYTES, LINE_MAX, READ_MAX};
use orchflow_core::pty::{Signal, Target};
use orchflow_core::session::{EventKind, SessionOptions, WriteError};

use crate::act::Act;
use crate::listener::{Listener, assert_same};
use crate::stage::{Provider, Setting, Stage, until, within};

scenarios! {
    both: paste_into_an_echo_completes, paste_waits_for_no_clock, lines_pasted_into_a_cooked_echo_complete, line_too_long_is_refused_whole,
        raw_input_that_would_be_cut_in_canonical_mode_is_dropped_and_told, stalled_program_stalls_nobody_else,
        interrupt_discards_the_paste_before_it, interrupt_keeps_its_place_in_raw_mode, many_small_writes_stay_in_order;
    unix: interrupt_keeps_its_place_where_the_terminal_does_not_flush;
}

/// Types `input` and listens, as one task does: what does not fit waits until something was heard.
async fn converse(session: &orchflow_core::hub::Session, listener: &mut Listener, input: &[u8], expected: usize, queue: usize) {
    let mut typed = 0;
    within("the echo of all that was typed", async {
        while listener.heard.len() < expected {
            match session.write(&input[typed..]) {
                Ok(accepted) => typed += accepted,
                Err(WriteError::Full { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(session.queued_input() <= queue);
            listener.next().await;
        }
    })
    .await;
    assert_eq!(typed, input.len());
}

fn paste_into_an_echo_completes(setting: Setting) {
    const QUEUE: usize = 256 << 10;
    let count = if setting.provider == Provider::Unix { 4 << 20 } else { 1 << 20 };
    setting.play(async |stage| {
        let options = SessionOptions { input_queue_bytes: QUEUE, ..SessionOptions::default() };
        let session = stage.spawn_with(Act::raw_cat(), options);
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        listener.forget();
        let paste: Vec<u8> = (0..count).map(|at| (at % 251) as u8).collect();
        converse(&session, &mut listener, &paste, count, QUEUE).await;
        assert_same(&listener.heard, &paste);
        let memory = stage.hub.metrics().pool_bytes;
        assert!(memory <= (HISTORY_BYTES + 2 * READ_MAX) as u64, "{memory} bytes are held");
    });
}

fn paste_waits_for_no_clock(setting: Setting) {
    const COUNT: usize = 512 << 10;
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        listener.forget();
        let before = stage.hub.now();
        converse(&session, &mut listener, &[b'p'; COUNT], COUNT, INPUT_QUEUE_BYTES).await;
        assert_eq!(stage.hub.now(), before, "nobody moved it, so nothing was throttled");
    });
}

fn lines_pasted_into_a_cooked_echo_complete(setting: Setting) {
    const LINES: usize = 4_000;
    setting.play(async |stage| {
        let session = stage.spawn(Act::quiet_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        listener.forget();
        let lines = |end: &str| (0..LINES).map(|line| format!("{line:>60}{end}")).collect::<String>();
        let (typed, expected) = (lines("\n"), lines("\r\n"));
        converse(&session, &mut listener, typed.as_bytes(), expected.len(), INPUT_QUEUE_BYTES).await;
        assert_same(&listener.heard, expected.as_bytes());
    });
}

fn line_too_long_is_refused_whole(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn(Act::quiet_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        listener.forget();
        let refused = session.write(&[b'y'; 5_000]);
        assert!(matches!(refused, Err(WriteError::LineTooLong { length: 5_000, limit: LINE_MAX })), "{refused:?}");
        let mut line = "x".repeat(LINE_MAX) + "\n";
        assert_eq!(session.write(line.as_bytes()).unwrap(), LINE_MAX + 1);
        line.insert(LINE_MAX, '\r');
        listener.hear_bytes(line.len()).await;
        assert_eq!(listener.text(), line, "the refused line left something behind");
        // Key by key it is refused at the same place.
        for _ in 0..LINE_MAX {
            session.write(b"x").unwrap();
        }
        assert!(matches!(session.write(b"x"), Err(WriteError::LineTooLong { length: 4_096, .. })));
        session.write(b"\n").unwrap();
        listener.forget();
        listener.hear_bytes(line.len()).await;
        assert_eq!(listener.text(), line);
    });
}

fn raw_input_that_would_be_cut_in_canonical_mode_is_dropped_and_told(setting: Setting) {
    const COUNT: usize = 100_000;
    setting.play(async |stage| {
        let act = Act::new().raw().print("raw").gate("cook").cooked().echo(false).print("cooked").gate("read").cat();
        let session = stage.spawn(act);
        let mut listener = Listener::new(session.reader());
        listener.hear("raw").await;
        assert_eq!(session.write(&[b'x'; COUNT]).unwrap(), COUNT);
        stage.release("cook");
        listener.hear("cooked").await;
        stage.release("read");
        let (from, to) = stage.event("report of dropped input", dropped).await;
        assert_eq!((to, session.queued_input()), (COUNT as u64, 0));
        assert_eq!(stage.hub.metrics().input_dropped_bytes, to - from);
        // The program is as usable as it was. Ctrl-U forgets what the kernel took of the line.
        session.write(b"\x15the end\n").unwrap();
        listener.hear("the end\r\n").await;
        let arrived = listener.heard.iter().filter(|&&byte| byte == b'x').count();
        assert!(arrived as u64 <= from, "{arrived} bytes arrived, though all from {from} on were said to be dropped");
    });
}

fn dropped(event: &orchflow_core::session::Event) -> Option<(u64, u64)> {
    match event.kind {
        EventKind::InputDropped { from, to } => Some((from, to)),
        _ => None,
    }
}

fn stalled_program_stalls_nobody_else(setting: Setting) {
    const COUNT: usize = 1 << 20;
    setting.play(async |stage| {
        let stalled = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(stalled.reader());
        listener.hear("ready").await;
        listener.forget();
        let other = stage.spawn(Act::quiet_cat());
        let mut heard = Listener::new(other.reader());
        heard.hear("ready").await;

        stalled.signal(Signal::Stop, Target::Session).unwrap();
        let paste: Vec<u8> = (0..COUNT).map(|at| (at % 251) as u8).collect();
        assert_eq!(stalled.write(&paste).unwrap(), COUNT);
        for key in 0..20 {
            other.write(format!("{key}\n").as_bytes()).unwrap();
            heard.hear(&format!("{key}\r\n")).await;
        }
        assert!(stalled.queued_input() > COUNT / 2);
        let turns = stage.turns_in(50).await;
        assert!(turns < 10, "{turns} turns for a program that does not read");

        stalled.signal(Signal::Continue, Target::Session).unwrap();
        listener.hear_bytes(COUNT).await;
        assert_same(&listener.heard, &paste);
    });
}

/// Lines that nobody reads: more than the kernel takes.
const LINES: usize = 2_000;

fn lines() -> String {
    (0..LINES).map(|line| format!("{line:>60}\n")).collect()
}

fn interrupt_discards_the_paste_before_it(setting: Setting) {
    setting.play(async |stage| {
        let act = Act::new().echo(false).on_signal(Signal::Interrupt, "<interrupted>").print("ready").gate("read").cat();
        let session = stage.spawn(act);
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        let paste = lines();
        assert_eq!(session.write(paste.as_bytes()).unwrap(), paste.len());
        settled_queue(&stage, &session).await;
        let queued = session.queued_input() as u64;
        assert!(queued > 10_000);
        assert_eq!(session.write_urgent(b"\x03").unwrap(), 1);
        let (from, to) = stage.event("report of dropped input", dropped).await;
        assert_eq!((from, to), (paste.len() as u64 - queued, paste.len() as u64));
        stage.release("read");
        listener.hear("<interrupted>").await;
        let last = format!("{:>60}", LINES - 1);
        assert!(!listener.text().contains(&last), "a line behind the interrupt reached the program");
    });
}

/// Waits until the kernel has taken all it takes while nobody reads.
async fn settled_queue(stage: &Stage, session: &orchflow_core::hub::Session) {
    let mut before = usize::MAX;
    until("input queue that stands still", || std::mem::replace(&mut before, session.queued_input()) == before).await;
    while stage.turns_in(5).await > 2 {}
}

fn interrupt_keeps_its_place_in_raw_mode(setting: Setting) {
    const COUNT: usize = 200_000;
    setting.play(async |stage| {
        let session = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        listener.forget();
        session.signal(Signal::Stop, Target::Session).unwrap();
        session.write(&[b'x'; COUNT]).unwrap();
        session.write_urgent(b"\x03").unwrap();
        session.write(b"after").unwrap();
        session.signal(Signal::Continue, Target::Session).unwrap();
        listener.hear("after").await;
        let expected = [&[b'x'; COUNT][..], b"\x03after"].concat();
        assert_same(&listener.heard, &expected);
        assert_eq!(stage.hub.metrics().input_dropped_bytes, 0);
    });
}

fn interrupt_keeps_its_place_where_the_terminal_does_not_flush(setting: Setting) {
    setting.play(async |stage| {
        let act = Act::new().echo(false).in_shell("stty noflsh").in_shell("trap '' INT").print("ready").gate("read").cat();
        let session = stage.spawn(act);
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        let paste = lines();
        session.write(paste.as_bytes()).unwrap();
        session.write_urgent(b"\x03").unwrap();
        session.write(b"after\n").unwrap();
        stage.release("read");
        listener.hear("after\r\n").await;
        let expected = format!("ready{paste}after\n").replace('\n', "\r\n");
        assert_same(&listener.heard, expected.as_bytes());
    });
}

fn many_small_writes_stay_in_order(setting: Setting) {
    const COUNT: usize = 5_000;
    setting.play(async |stage| {
        let session = stage.spawn(Act::raw_cat());
        let mut listener = Listener::new(session.reader());
        listener.hear("ready").await;
        listener.forget();
        let words: Vec<String> = (0..COUNT).map(|word| format!("{word},")).collect();
        for word in &words {
            assert_eq!(session.write(word.as_bytes()).unwrap(), word.len());
        }
        let expected = words.concat();
        listener.hear_bytes(expected.len()).await;
        assert_same(&listener.heard, expected.as_bytes());
    });
}
