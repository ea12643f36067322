//! Whatever a host asks for is done or refused with a reason, is counted, disturbs nobody, and leaves nothing behind.

mod hazards;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hazards::{
    Bystander, Children, Host, alone, children, descriptors, event_of, expect, raw_cat, read_to_exit, settled, sh, until, within,
};
use orchflow_core::flow::FlowLimits;
use orchflow_core::hub::{Hub, HubOptions, Session};
use orchflow_core::limits::POOL_MIN;
use orchflow_core::metrics::{ErrorKind, Hop};
use orchflow_core::pty::{Command, Signal, SpawnError, Target};
use orchflow_core::session::{EndingLimits, EventKind, OptionsError, SessionOptions, WriteError};
use orchflow_core::size::Size;
use rustix::io::Errno;

/// A folder of things that look like programs, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let root = std::env::temp_dir().join(format!("orchflow-bad-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("sub")).unwrap();
        let files: [(&str, &[u8], u32); 4] = [
            ("text", b"#!/bin/sh\necho hi\n", 0o644),
            ("noise", b"\x7fNOTELF\0\x01\x02", 0o755),
            ("empty", b"", 0o755),
            ("orphan", b"#!/no/such/interpreter\n", 0o755),
        ];
        for (file, content, mode) in files {
            fs::write(root.join(file), content).unwrap();
            fs::set_permissions(root.join(file), fs::Permissions::from_mode(mode)).unwrap();
        }
        Folder(root)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Commands that cannot be started, with the error's name, the system's number for it, and how it is counted.
fn refused(folder: &Folder) -> Vec<(Command, &'static str, Option<Errno>, ErrorKind)> {
    use ErrorKind::{SpawnNotFound, SpawnOther, SpawnPermission};
    let program = |name: &str| Command::new(folder.at(name));
    let echo = || Command::new("echo");
    vec![
        (Command::new("no-such-program"), "NotFound", Some(Errno::NOENT), SpawnNotFound),
        (Command::new("/no/such/program"), "NotFound", Some(Errno::NOENT), SpawnNotFound),
        (Command::new("x".repeat(5_000)), "NotFound", Some(Errno::NOENT), SpawnNotFound),
        (Command::new(""), "NotFound", Some(Errno::NOENT), SpawnNotFound),
        (echo().env("PATH", ""), "NotFound", Some(Errno::NOENT), SpawnNotFound),
        (Command::new("/"), "IsDirectory", Some(Errno::ISDIR), SpawnOther),
        (program("sub"), "IsDirectory", Some(Errno::ISDIR), SpawnOther),
        (program("text"), "PermissionDenied", Some(Errno::ACCESS), SpawnPermission),
        (Command::new("/dev/null"), "PermissionDenied", Some(Errno::ACCESS), SpawnPermission),
        (program("noise"), "NotExecutable", Some(Errno::NOEXEC), SpawnOther),
        (program("empty"), "NotExecutable", Some(Errno::NOEXEC), SpawnOther),
        (program("orphan"), "NotExecutable", Some(Errno::NOEXEC), SpawnOther),
        (echo().current_dir(folder.at("none")), "BadDirectory", Some(Errno::NOENT), SpawnNotFound),
        (echo().current_dir(folder.at("text")), "BadDirectory", Some(Errno::NOTDIR), SpawnNotFound),
        (echo().current_dir(""), "BadDirectory", Some(Errno::NOENT), SpawnNotFound),
        (Command::new("ec\0ho"), "Malformed", None, SpawnOther),
        (echo().arg("a\0b"), "Malformed", None, SpawnOther),
        (echo().env("A", "a\0b"), "Malformed", None, SpawnOther),
        (echo().env("A\0B", ""), "Malformed", None, SpawnOther),
        (echo().env("A=B", ""), "Malformed", None, SpawnOther),
        (echo().env("", "a"), "Malformed", None, SpawnOther),
        (echo().current_dir("/\0"), "Malformed", None, SpawnOther),
        (echo().arg("x".repeat(200_000)), "Io", Some(Errno::TOOBIG), SpawnOther),
    ]
}

#[test]
fn each_command_that_cannot_run_is_told_why_at_once_and_leaves_nothing() {
    alone("each_command_that_cannot_run_is_told_why_at_once_and_leaves_nothing", Host::Plain, || {
        let hub = Hub::builder().events().threaded().unwrap();
        let mut bystander = Bystander::new(&hub);
        let folder = Folder::new("programs");
        let before = descriptors();
        for (command, name, errno, kind) in refused(&folder) {
            let (counted, began) = (hub.metrics().errors(kind), Instant::now());
            let error = hub.spawn(&command, SessionOptions::default()).unwrap_err();
            assert!(began.elapsed() < Duration::from_secs(1), "{command:?} took {:?}", began.elapsed());
            assert!(format!("{error:?}").starts_with(name), "{command:?} is {name}, not {error:?}");
            assert_eq!(error.raw_os_error(), errno.map(Errno::raw_os_error), "{command:?}: {error:?}");
            assert_eq!(hub.metrics().errors(kind), counted + 1, "{command:?}");
            bystander.echoes(&hub);
        }
        assert_eq!(descriptors(), before);
        assert_eq!(children(), Children { alive: 1, zombies: 0 }, "the bystander");
        assert_eq!((hub.sessions(), hub.metrics().sessions), (1, 1));
        assert_eq!(hub.next_event(), None);
    });
}

#[test]
fn sizes_nobody_can_show_are_refused_and_the_narrowest_is_not() {
    for (cols, rows) in [(0, 0), (0, 24), (80, 0), (65_535, 65_535), (65_535, 65)] {
        let error = Size::new(cols, rows).unwrap_err();
        assert_eq!((error.cols, error.rows), (cols, rows));
    }
    let hub = Hub::threaded().unwrap();
    for (cols, rows) in [(1, 65_535), (65_535, 1), (1, 1)] {
        let options = SessionOptions::default().size(Size::new(cols, rows).unwrap());
        let session = hub.spawn(&sh("stty size"), options).unwrap();
        let (text, _) = read_to_exit(&hub, &mut session.reader());
        assert_eq!(String::from_utf8(text).unwrap(), format!("{rows} {cols}\r\n"));
    }
}

#[test]
fn options_that_do_not_fit_are_refused_with_the_two_that_do_not() {
    let hub = Hub::threaded().unwrap();
    let defaults = SessionOptions::default;
    let flow = |low_bytes, high_bytes| FlowLimits { low_bytes, high_bytes, ..FlowLimits::default() };
    let cases = [
        (SessionOptions { flow: flow(10, 10), ..defaults() }, "Watermarks"),
        (SessionOptions { flow: flow(0, 0), ..defaults() }, "Watermarks"),
        (SessionOptions { history_bytes: 0, ..defaults() }, "History {"),
        (SessionOptions { history_bytes: 600 << 10, ..defaults() }, "History {"),
        (SessionOptions { flow: flow(0, usize::MAX), ..defaults() }, "History {"),
        (SessionOptions { history_bytes: usize::MAX, ..defaults() }, "HistoryTooLong"),
        (SessionOptions { history_bytes: 1 << 40, ..defaults() }, "HistoryTooLong"),
        (SessionOptions { input_queue_bytes: 0, ..defaults() }, "NoInput"),
    ];
    for (number, (options, name)) in cases.into_iter().enumerate() {
        match hub.spawn(&Command::new("true"), options) {
            Err(SpawnError::Options { source }) => {
                let source = source.downcast::<OptionsError>().unwrap();
                assert!(format!("{source:?}").starts_with(name), "{source:?} is not {name}");
            }
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(hub.metrics().errors(ErrorKind::SpawnOther), number as u64 + 1);
    }
    assert_eq!(hub.metrics().sessions, 0);
}

#[test]
fn the_largest_of_everything_that_may_be_asked_for_is_no_overflow() {
    let options = HubOptions { pool_bytes: usize::MAX, sessions_max: usize::MAX };
    let hub = Hub::builder().options(options).hosted().unwrap();
    let options = SessionOptions {
        input_queue_bytes: usize::MAX,
        resume_hold: Duration::MAX,
        close_grace: Duration::MAX,
        flow: FlowLimits { stall_max: Duration::MAX, ..FlowLimits::default() },
        ending: EndingLimits { quiet: Duration::MAX, max: Duration::MAX },
        ..SessionOptions::default()
    };
    let session = hub.spawn(&raw_cat(), options).unwrap();
    let mut reader = session.reader();
    expect(&hub, &mut reader, b"ready");
    let suspension = reader.suspend();
    let mut reader = session.resume(suspension).unwrap();
    reader.seek(u64::MAX);
    reader.ack(u64::MAX);
    reader.seek(5);
    session.write(b"hello").unwrap();
    expect(&hub, &mut reader, b"hello");
    session.close(Duration::MAX);
    drop(hub.sleep(Duration::MAX));
    assert!(hub.wait(Some(Duration::MAX)).unwrap(), "the program's end");
    hub.dispatch(0).unwrap();
    hub.dispatch(usize::MAX).unwrap();
    within(&hub, session.exited());
}

#[test]
fn a_hub_that_allows_no_more_sessions_says_so_until_one_is_gone() {
    let hub = Hub::builder().options(HubOptions { sessions_max: 1, ..HubOptions::default() }).threaded().unwrap();
    let mut bystander = Bystander::new(&hub);
    for refused in 1..=3 {
        let error = hub.spawn(&Command::new("true"), SessionOptions::default()).unwrap_err();
        assert!(matches!(error, SpawnError::TooManySessions { limit: 1 }), "{error:?}");
        assert_eq!(hub.metrics().errors(ErrorKind::SpawnExhausted), refused);
        bystander.echoes(&hub);
    }
    bystander.session.close(Duration::ZERO);
    within(&hub, bystander.session.exited());
    settled(&hub);
    let session = hub.spawn(&Command::new("true"), SessionOptions::default()).unwrap();
    assert!(within(&hub, session.exited()).status.success());
}

#[test]
fn a_refused_program_does_not_use_up_a_place() {
    let hub = Hub::builder().options(HubOptions { sessions_max: 1, ..HubOptions::default() }).threaded().unwrap();
    for _ in 0..3 {
        assert!(matches!(hub.spawn(&Command::new("/no/such"), SessionOptions::default()), Err(SpawnError::NotFound { .. })));
    }
    hub.spawn(&Command::new("true"), SessionOptions::default()).unwrap();
}

#[test]
fn limits_that_nothing_could_run_in_are_refused() {
    for (options, what) in [
        (HubOptions { pool_bytes: POOL_MIN - 1, ..HubOptions::default() }, "a pool of 131071 bytes"),
        (HubOptions { sessions_max: 0, ..HubOptions::default() }, "a hub of no sessions"),
    ] {
        for error in [Hub::builder().options(options).hosted().err(), Hub::builder().options(options).threaded().err()] {
            let error = error.unwrap();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with(what), "{error}");
        }
    }
}

#[test]
fn a_hub_that_is_closed_says_so() {
    let hub = Hub::threaded().unwrap();
    let session = hub.spawn(&Command::new("cat"), SessionOptions::default()).unwrap();
    hub.close();
    assert!(matches!(hub.spawn(&Command::new("true"), SessionOptions::default()), Err(SpawnError::Closed)));
    assert_eq!(hub.metrics().errors(ErrorKind::SpawnOther), 1);
    check_over(&hub, &session);
}

#[test]
fn a_session_that_has_ended_refuses_all_and_counts_it() {
    let hub = Hub::threaded().unwrap();
    let session = hub.spawn(&Command::new("true"), SessionOptions::default()).unwrap();
    within(&hub, session.exited());
    check_over(&hub, &session);
}

#[track_caller]
fn check_over(hub: &Hub, session: &Session) {
    let counted = hub.metrics().errors(ErrorKind::InputClosed);
    assert!(matches!(session.write(b"x"), Err(WriteError::Closed)));
    assert!(matches!(session.write(b""), Err(WriteError::Closed)));
    assert!(matches!(session.write_urgent(b"\x03"), Err(WriteError::Closed)));
    assert!(matches!(session.resize(Size::DEFAULT), Err(WriteError::Closed)));
    assert!(matches!(session.signal(Signal::Kill, Target::Session), Err(WriteError::Closed)));
    assert_eq!(hub.metrics().errors(ErrorKind::InputClosed), counted + 5);
    session.close(Duration::ZERO); // Once more does no harm.
    assert!(session.exit().is_some());
}

/// A program that reads nothing until [`Signal::Continue`], with bytes as they are.
fn stopped(hub: &Hub, options: SessionOptions) -> Session {
    let session = hub.spawn(&sh("stty raw -echo; printf ready; exec cat > /dev/null"), options).unwrap();
    expect(hub, &mut session.reader(), b"ready");
    session.signal(Signal::Stop, Target::Leader).unwrap();
    until(hub, || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", session.pid().unwrap())).unwrap();
        stat.contains(") T ")
    });
    session
}

#[test]
fn input_beyond_the_queue_is_refused_and_its_writer_told_when_there_is_room() {
    const QUEUE: usize = 256 << 10;
    /// What the kernel takes besides: two buffers, and some.
    const KERNEL: usize = 64 << 10;
    let hub = Hub::builder().events().threaded().unwrap();
    let mut bystander = Bystander::new(&hub);
    let session = stopped(&hub, SessionOptions { input_queue_bytes: QUEUE, ..SessionOptions::default() });
    assert_eq!(session.write(b"").unwrap(), 0);
    let mut accepted = 0;
    let refused = loop {
        match session.write(&[b'x'; 10_000]) {
            Ok(bytes) => accepted += bytes,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, WriteError::Full { limit: QUEUE }), "{refused:?}");
    assert!((QUEUE..=QUEUE + KERNEL).contains(&accepted), "{accepted}");
    assert_eq!(session.queued_input(), QUEUE);
    assert_eq!(session.write(b"").unwrap(), 0, "nothing always fits");
    assert_eq!(hub.metrics().errors(ErrorKind::InputFull), 1);
    bystander.echoes(&hub);

    session.signal(Signal::Continue, Target::Leader).unwrap();
    event_of(&hub, &session, |kind| *kind == EventKind::InputReady);
    assert_eq!(session.write(&[b'x'; 10_000]).unwrap(), 10_000);
    until(&hub, || session.queued_input() == 0);
}

#[test]
fn one_write_of_64_mib_is_accepted_as_far_as_the_queue_goes() {
    let hub = Hub::threaded().unwrap();
    let session = stopped(&hub, SessionOptions::default());
    let limit = SessionOptions::default().input_queue_bytes;
    let before = hazards::resident_bytes();
    let paste = vec![b'x'; 64 << 20];
    let accepted = session.write(&paste).unwrap();
    assert!(accepted <= limit, "{accepted}");
    assert!(accepted >= limit - (1 << 20), "{accepted}");
    drop(paste);
    // What it took and the allocator's own; not the 64 MiB.
    assert!(hazards::resident_bytes() < before + 2 * limit);
    session.signal(Signal::Continue, Target::Leader).unwrap();
    until(&hub, || session.queued_input() == 0);
}

#[test]
fn an_empty_write_is_no_keystroke() {
    let hub = Hub::threaded().unwrap();
    let session = hub.spawn(&sh("read line; echo $line"), SessionOptions::default()).unwrap();
    assert_eq!(session.write(b"").unwrap(), 0);
    let (input, echo) = (hub.metrics().input_bytes, hub.metrics().hop(Hop::Program).count());
    assert_eq!((input, echo), (0, 0));
    session.signal(Signal::Hangup, Target::Session).unwrap();
    read_to_exit(&hub, &mut session.reader());
    assert_eq!(hub.metrics().hop(Hop::Program).count(), 0);
}

#[test]
fn events_never_taken_stay_within_bounds_and_input_that_would_drop_more_is_refused() {
    /// Ranges of dropped input that may wait, and the other kinds of event.
    const WAITING_MAX: usize = 1024 + 8;
    let hub = Hub::builder().events().hosted().unwrap();
    // Signal keys discard what waits, and mean nothing to the program itself.
    let program = sh("stty -icanon -echo isig; trap '' INT; printf ready; exec cat > /dev/null");
    let session = hub.spawn(&program, SessionOptions::default()).unwrap();
    expect(&hub, &mut session.reader(), b"ready");
    let until = Instant::now() + hazards::PATIENCE;
    let chunk = [b'x'; 32 << 10];
    // The hub is not driven, so what the kernel does not take at once stays in the queue until it is discarded.
    let refused = loop {
        assert!(Instant::now() < until, "never refused");
        session.write(&chunk).unwrap();
        if let Err(error) = session.write_urgent(b"x") {
            break error;
        }
    };
    let WriteError::EventsUntaken { waiting } = refused else { panic!("{refused:?}") };
    assert!((1024..=WAITING_MAX).contains(&waiting), "{waiting}");
    assert_eq!(hub.metrics().errors(ErrorKind::InputFull), 1);
    let mut taken = 0;
    let mut dropped = 0;
    while let Some(event) = hub.next_event() {
        taken += 1;
        if let EventKind::InputDropped { from, to } = event.kind {
            dropped += to - from;
        }
    }
    assert!(taken <= WAITING_MAX, "{taken}");
    assert_eq!(dropped, hub.metrics().input_dropped_bytes, "each byte was told");
    session.write_urgent(b"x").unwrap();
}

#[test]
fn lines_the_terminal_cannot_hold_are_refused_and_counted() {
    let hub = Hub::threaded().unwrap();
    let session = hub.spawn(&sh("stty -echo; printf ready; exec cat"), SessionOptions::default()).unwrap();
    let mut reader = session.reader();
    expect(&hub, &mut reader, b"ready");
    let refused = session.write(&[b'x'; 5_000]).unwrap_err();
    assert!(matches!(refused, WriteError::LineTooLong { length: 5_000, limit: 4_095 }), "{refused:?}");
    assert_eq!(hub.metrics().errors(ErrorKind::InputLineTooLong), 1);
    session.write(b"short\n").unwrap();
    expect(&hub, &mut reader, b"short\r\n");
}
