//! Processes that outlive their session's leader and hold its terminal open.

use std::time::Duration;

use futures::future::join;
use orchflow_core::flow::FlowLimits;
use orchflow_core::limits::{DRAIN_MAX, DRAIN_QUIET, READ_MAX};
use orchflow_core::pty::{Exit, ExitStatus, Signal};
use orchflow_core::session::SessionOptions;
use rustix::fs::{Mode, OFlags};

use crate::act::{Act, flood_bytes};
use crate::listener::{Listener, assert_same};
use crate::stage::{Provider, Setting, until, within};

scenarios! {
    both: silent_orphan_is_left_after_the_quiet_time, talking_orphan_is_left_after_the_longest_time,
        end_is_told_although_the_reader_does_not_read, patience_with_an_orphan_does_not_run_while_nobody_reads;
    unix: who_only_passes_by_is_no_orphan;
}

const ORPHANED: Exit = Exit { status: ExitStatus::Code(7), orphaned: true };
const MOMENT: Duration = Duration::from_millis(1);

fn silent_orphan_is_left_after_the_quiet_time(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let act = Act::new().in_shell("tty").silent_orphan().print("bye").exit(7);
        let session = stage.spawn(act);
        let mut listener = Listener::new(session.reader());
        let pid = session.pid();
        listener.hear("bye").await;
        stage.process_exited(&session).await;

        stage.advance(DRAIN_QUIET - MOMENT).await;
        assert_eq!(session.exit(), None, "the orphan was given less time than promised");
        stage.advance(MOMENT).await;
        assert_eq!(within("the exit", session.exited()).await, ORPHANED);
        assert_eq!(listener.end().await, ORPHANED);
        assert!(listener.text().ends_with("bye"));

        stage.emptied().await;
        if stage.provider == Provider::Unix {
            let terminal: u32 = listener.text().split(['/', '\r']).nth(3).unwrap().parse().unwrap();
            // So the number is still its terminal's. While a process is about to `exec` it shows no environment.
            until("the orphan, which lives", || stage.processes() == 1).await;
            assert_eq!(descriptors(terminal, pid), [""; 0]);
        }
        session.close(Duration::ZERO);
        stage.advance(Duration::from_secs(60)).await;
        assert_eq!((session.exit(), stage.hub.metrics().orphans), (Some(ORPHANED), 1));
    });
}

/// Descriptors of ours that belong to the terminal or to the process, as the system describes them.
fn descriptors(terminal: u32, pid: Option<u32>) -> Vec<String> {
    let marks = [format!("tty-index:\t{terminal}\n"), format!("Pid:\t{}\n", pid.unwrap())];
    let all = std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let infos = all.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    infos.filter(|info| marks.iter().any(|mark| info.contains(mark))).collect()
}

fn talking_orphan_is_left_after_the_longest_time(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let pause = DRAIN_QUIET / 2;
        let words = (DRAIN_MAX.as_millis() / pause.as_millis()) as usize;
        let orphan = Act::new().ignore(Signal::Hangup).wait_orphaned();
        let orphan = (0..words).fold(orphan, |orphan, word| orphan.gate(&format!("word {word}")).print(&format!("<{word}>")));
        let session = stage.spawn(Act::new().background(orphan.hang()).exit(7));
        let mut listener = Listener::new(session.reader());
        stage.process_exited(&session).await;
        for word in 0..words {
            assert_eq!(session.exit(), None, "cut off while it talked, at word {word}");
            stage.release(&format!("word {word}"));
            listener.hear(&format!("<{word}>")).await;
            stage.advance(pause).await;
        }
        assert_eq!(listener.end().await, ORPHANED);
    });
}

fn end_is_told_although_the_reader_does_not_read(setting: Setting) {
    const COUNT: usize = 9_000; // Less than any terminal holds back, and after one read more than Linux shows (FIONREAD).
    setting.manual_clock().play(async |stage| {
        let flow = FlowLimits { high_bytes: 2, low_bytes: 1, ..FlowLimits::default() };
        let act = Act::new().silent_orphan().flood(COUNT).exit(7);
        let session = stage.spawn_with(act, SessionOptions { flow, ..SessionOptions::default() });
        let mut listener = Listener::new(session.reader());
        stage.process_exited(&session).await;
        until("everything in the log", || session.range().end == COUNT as u64).await;
        assert_eq!(session.exit(), None, "the orphan was not listened to");
        stage.advance(DRAIN_QUIET).await;
        assert_eq!(within("the exit", session.exited()).await, ORPHANED);
        assert_eq!(listener.end().await, ORPHANED);
        assert_same(&listener.heard, flood_bytes(0..COUNT));
    });
}

fn patience_with_an_orphan_does_not_run_while_nobody_reads(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let flow = FlowLimits { high_bytes: 2, low_bytes: 1, ..FlowLimits::default() };
        let orphan = Act::new().ignore(Signal::Hangup).wait_orphaned().gate("talk").flood_without_end();
        let session = stage.spawn_with(Act::new().background(orphan).exit(7), SessionOptions { flow, ..SessionOptions::default() });
        let mut listener = Listener::new(session.reader());
        stage.process_exited(&session).await;
        stage.release("talk");
        // It says more than any process can have left behind, so it is held up like any other.
        until("an orphan that is held up", || session.range().end >= READ_MAX as u64 && stage.hub.metrics().paused == 1).await;
        stage.advance(100 * DRAIN_MAX).await;
        assert_eq!(session.exit(), None, "what was not read was taken for drained");
        listener.hear_bytes(session.range().end as usize + 1).await;
        // While it is heard the clock runs, whenever it is not held up.
        let time = async {
            while session.exit().is_none() {
                stage.advance(DRAIN_MAX).await;
            }
        };
        let (exit, ()) = join(listener.end(), time).await;
        assert_eq!(exit, ORPHANED);
        assert_same(&listener.heard, flood_bytes(0..listener.heard.len()));
    });
}

/// As a process does that another thread is just starting, somebody outside the session holds the terminal for a moment.
fn who_only_passes_by_is_no_orphan(setting: Setting) {
    setting.manual_clock().play(async |stage| {
        let session = stage.spawn(Act::new().in_shell("tty").gate("leave").print("bye").exit(7));
        let mut listener = Listener::new(session.reader());
        listener.hear("\r\n").await;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let passer_by = rustix::fs::open(listener.text().trim_end(), flags, Mode::empty()).unwrap();
        stage.release("leave");
        listener.hear("bye").await;
        stage.process_exited(&session).await;
        stage.advance(DRAIN_QUIET).await;
        assert_eq!(session.exit(), None, "a passer-by was taken for an orphan");
        drop(passer_by);
        assert_eq!(listener.end().await, Exit { orphaned: false, ..ORPHANED });

        // Who has left the session and stays is one, after the longest time.
        let act = Act::new().in_shell("setsid -f sh -c 'echo up; exec sleep 1000'").gate("leave at last").exit(7);
        let session = stage.spawn(act);
        Listener::new(session.reader()).hear("up").await;
        stage.release("leave at last");
        stage.process_exited(&session).await;
        stage.advance(DRAIN_MAX).await;
        assert_eq!(within("the exit", session.exited()).await, ORPHANED);
    });
}
