//! The end of output: every byte, then the exit, to everybody who reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use futures::future::{join, join_all};
use orchflow_core::flow::FlowLimits;
use orchflow_core::hub::{Hub, Output};
use orchflow_core::limits::{DRAIN_MAX, HIGH_WATER_BYTES};
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::pty::{Command, Exit, ExitStatus};
use orchflow_core::ring::Mode;
use orchflow_core::session::{EventKind, SessionOptions, WriteError};

use crate::act::{Act, flood_bytes, flood_file};
use crate::listener::{Listener, assert_same};
use crate::stage::{Setting, provoke, until, watched, within};

scenarios! {
    both: every_byte_comes_before_the_exit, what_the_kernel_hides_is_read_too, output_waits_for_its_first_reader,
        late_reader_gets_the_history_and_the_exit, all_readers_are_told_the_same, nothing_can_be_typed_after_the_end;
}

const OK: Exit = Exit { status: ExitStatus::Code(0), orphaned: false };

/// A processor that is never free.
struct Hog(Arc<AtomicBool>);

impl Hog {
    fn new() -> Hog {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        thread::spawn(move || while !seen.load(Ordering::Relaxed) {});
        Hog(over)
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn every_byte_comes_before_the_exit(setting: Setting) {
    const COUNT: usize = 120_000;
    const RUNS: u64 = 25; // Under each driver, so a hundred in all.
    setting.play(async |stage| {
        let _busy = Hog::new();
        // The reader falls behind and holds the terminal up again and again, so the child's last bytes wait in the kernel.
        let flow = FlowLimits { high_bytes: 16 << 10, low_bytes: 4 << 10, ..FlowLimits::default() };
        for run in 0..RUNS {
            let session = stage.spawn_with(Act::new().flood(COUNT), SessionOptions { flow, ..SessionOptions::default() });
            let mut listener = Listener::new(session.reader());
            while listener.heard.len() < COUNT {
                within("the flood", listener.next()).await;
                if listener.heard.len().is_multiple_of(7) {
                    provoke(run % 3).await; // A late reader.
                }
            }
            assert_eq!(listener.end().await, OK);
            assert_same(&listener.heard, flood_bytes(0..COUNT));
        }
    });
}

fn what_the_kernel_hides_is_read_too(setting: Setting) {
    // Linux shows at most 4,095 bytes to those who ask how many wait (FIONREAD), and holds more than twice as many.
    const COUNT: usize = 9_000;
    setting.play(async |stage| {
        let flow = FlowLimits { high_bytes: 2, low_bytes: 1, ..FlowLimits::default() };
        let session = stage.spawn_with(Act::new().flood(COUNT).gate("go"), SessionOptions { flow, ..SessionOptions::default() });
        let mut listener = Listener::new(session.reader());
        until("stopped terminal", || stage.hub.metrics().paused == 1).await;
        let unread = COUNT as u64 - session.range().end;
        assert!(unread > 4_095, "{unread} bytes were left in the terminal: too few to show anything");
        stage.release("go");
        assert_eq!(listener.end().await, OK);
        assert_same(&listener.heard, flood_bytes(0..COUNT));
    });
}

fn output_waits_for_its_first_reader(setting: Setting) {
    const COUNT: usize = 2 << 20;
    setting.play(async |stage| {
        let session = stage.spawn(Act::new().flood(COUNT));
        until("terminal that is not read further", || session.range().end >= HIGH_WATER_BYTES as u64).await;
        provoke(5).await; // A child that would print on.
        assert_eq!(session.range().start, 0, "output was lost before anybody looked");
        let mut listener = Listener::new(session.reader());
        assert_eq!(listener.end().await, OK);
        assert_same(&listener.heard, flood_bytes(0..COUNT));
    });
}

fn late_reader_gets_the_history_and_the_exit(setting: Setting) {
    const COUNT: usize = 100_000;
    setting.play(async |stage| {
        let session = stage.spawn(Act::new().flood(COUNT).exit(3));
        let exit = within("the exit", session.exited()).await;
        assert_eq!(exit, Exit { status: ExitStatus::Code(3), orphaned: false });
        for mode in [Mode::Owner, Mode::Viewer, Mode::Lossy] {
            let mut listener = Listener::new(session.read_as(mode, None));
            assert_eq!(listener.end().await, exit);
            assert_same(&listener.heard, flood_bytes(0..COUNT));
        }
        let mut rest = session.read_as(Mode::Owner, Some(COUNT as u64 - 5));
        assert!(matches!(rest.try_read(), Some(Output::Chunk { at, bytes }) if at == COUNT as u64 - 5 && bytes.len() == 5));
        assert_eq!(rest.try_read(), Some(Output::Exit(exit)));
    });
}

fn all_readers_are_told_the_same(setting: Setting) {
    const COUNT: usize = 300_000;
    setting.play(async |stage| {
        let session = stage.spawn(Act::new().gate("go").flood(COUNT).exit(1));
        let expected = Exit { status: ExitStatus::Code(1), orphaned: false };
        let mut listeners: Vec<_> =
            [Mode::Owner, Mode::Owner, Mode::Viewer].map(|mode| session.read_as(mode, None)).map(Listener::new).into();
        stage.release("go");
        let read = join_all(listeners.iter_mut().map(|listener| async {
            let exit = loop {
                if let Output::Exit(exit) = listener.next().await {
                    break exit;
                }
                listener.reader.ack(listener.reader.offset());
            };
            (exit, listener)
        }));
        let waited = join_all((0..3).map(|_| session.exited()));
        let (read, waited) = within("the end, for all", join(read, waited)).await;
        assert_eq!(waited, [expected; 3]);
        for (exit, listener) in read {
            assert_eq!(exit, expected);
            assert_same(&listener.heard, flood_bytes(0..COUNT));
        }
        let mut told = Vec::new();
        while let Some(event) = stage.hub.next_event() {
            told.push(event.kind);
        }
        assert_eq!(told, [EventKind::ProcessExited(expected.status), EventKind::Exit(expected)]);
    });
}

fn nothing_can_be_typed_after_the_end(setting: Setting) {
    setting.play(async |stage| {
        let session = stage.spawn(Act::new().print("bye"));
        within("the exit", session.exited()).await;
        assert!(matches!(session.write(b"x"), Err(WriteError::Closed)));
        assert!(matches!(session.write_urgent(b"\x03"), Err(WriteError::Closed)));
        assert!(matches!(session.resize(session.size()), Err(WriteError::Closed)));
        let mut listener = Listener::new(session.reader());
        listener.end().await;
        assert_eq!(listener.text(), "bye");
    });
}

/// A host that comes back long after the program went, and finds its output where it was.
#[test]
fn what_waits_is_read_by_a_host_that_was_away() {
    const COUNT: usize = 9_000; // Three reads, and no more than a terminal holds.
    watched(|| {
        let hub = Hub::builder().manual_clock().events().hosted().unwrap();
        let spawn = |script: &str| {
            let command = Command::new("/bin/sh").args(["-c", script]).env("FLOOD", flood_file());
            hub.spawn(&command, SessionOptions::default()).unwrap()
        };
        let _beside = spawn("yes"); // A flood that is alone is read on.
        // Ignored from its first moment: its leader may be gone in the next.
        let session = spawn(&format!("trap '' HUP; sleep 20 & head -c {COUNT} \"$FLOOD\""));
        let stat = format!("/proc/{}/stat", session.pid().unwrap());
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
            thread::yield_now();
        }
        while !std::iter::from_fn(|| hub.next_event()).any(|event| matches!(event.kind, EventKind::ProcessExited(_))) {
            hub.wait(Some(Duration::ZERO)).unwrap();
        }
        assert!(session.range().end < COUNT as u64 / 2, "too little was left to be read");
        hub.advance(10 * DRAIN_MAX);
        while session.exit().is_none() {
            hub.wait(Some(Duration::ZERO)).unwrap();
        }
        assert!(session.exit().is_some_and(|exit| exit.orphaned));
        assert_eq!(session.range(), 0..COUNT as u64);
    });
}

/// Programs that say all they have to say while the hub's thread hears of them for the first time.
#[test]
fn what_is_announced_at_the_start_is_heard() {
    const SESSIONS: usize = 2_000;
    watched(|| {
        let ptys = ScriptedPtys::new().with("child", Script::new().print("hello"));
        let hub = Hub::builder().backend(Arc::new(ptys)).threaded().unwrap();
        for _ in 0..SESSIONS {
            let session = hub.spawn(&Command::new("child"), SessionOptions::default()).unwrap();
            assert_eq!(hub.block_on(within("the exit", session.exited())).unwrap(), OK);
            assert_eq!(session.range(), 0..5);
        }
    });
}
