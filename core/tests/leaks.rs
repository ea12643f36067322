//! Whatever sessions go through, nothing of them is left: no memory, descriptor or process. Also run under valgrind, by
//! `cargo xtask test valgrind`.

mod hazards;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use hazards::{Children, children, descriptors, expect, read_to_exit, resident_bytes, settled, sh, until, within};
use orchflow_core::flow::FlowLimits;
use orchflow_core::hub::{Hub, HubBuilder, Output};
use orchflow_core::pty::scripted::{Script, ScriptedPtys};
use orchflow_core::pty::{Command, ExitStatus};
use orchflow_core::ring::Mode;
use orchflow_core::session::SessionOptions;
use rustix::process::{PidfdFlags, getpid, pidfd_open};

/// Tests of this file count what the whole process has, so they run one after the other.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the kernel's terminals can be had. valgrind 3.19 knows no pidfd; there the same stories are told of scripted
/// terminals, which put the same weight on the hub, its sessions and their logs.
fn is_real() -> bool {
    pidfd_open(getpid(), PidfdFlags::empty()).is_ok()
}

/// Rounds of each story, and the output of one flood: enough that what stays behind each time shows, and under valgrind, where
/// everything takes fifty times as long, little enough to wait for.
fn weight() -> (usize, usize) {
    if is_real() { (20, 1 << 20) } else { (4, 256 << 10) }
}

fn builder() -> HubBuilder {
    let builder = Hub::builder().events();
    if is_real() {
        return builder;
    }
    let ptys = ScriptedPtys::new()
        .with("flood", Script::new().raw().flood(weight().1 as u64).exit(7))
        .with("cat", Script::new().raw().print("ready").cat());
    builder.backend(Arc::new(ptys))
}

/// `flood` prints and returns 7; `cat` says `ready` and returns every byte.
fn program(name: &str) -> Command {
    match (is_real(), name) {
        (false, _) => Command::new(name),
        (true, "flood") => sh(&format!("stty raw; head -c {} /dev/zero; exit 7", weight().1)),
        (true, _) => hazards::raw_cat(),
    }
}

/// Tells `story` to each kind of hub, and looks for what is left of it.
fn leaves_nothing(story: impl Fn(&Hub)) {
    let _turn = turn();
    let before = descriptors();
    for threaded in [false, true] {
        let hub = if threaded { builder().threaded().unwrap() } else { builder().hosted().unwrap() };
        let opened = descriptors();
        for _ in 0..weight().0 {
            story(&hub);
        }
        settled(&hub);
        until(&hub, || hub.metrics().pool_bytes == 0); // A turn that deals with the last of them holds it to its end.
        let metrics = hub.metrics();
        assert_eq!((metrics.sessions_active, metrics.paused), (0, 0));
        assert_eq!((descriptors(), children()), (opened, Children::default()));
        while hub.next_event().is_some() {}
        drop(hub);
        assert_eq!(descriptors(), before);
    }
}

#[test]
fn a_flood_read_to_its_end_leaves_nothing() {
    leaves_nothing(|hub| {
        let session = hub.spawn(&program("flood"), SessionOptions::default()).unwrap();
        let (text, exit) = read_to_exit(hub, &mut session.reader());
        assert_eq!((text.len(), exit.status), (weight().1, ExitStatus::Code(7)));
    });
}

#[test]
fn chunks_held_beyond_their_session_leave_nothing_once_they_are_let_go() {
    leaves_nothing(|hub| {
        let session = hub.spawn(&program("flood"), SessionOptions::default()).unwrap();
        let mut held: Vec<Bytes> = Vec::new();
        let mut outputs = session.output();
        while let Some(output) = within(hub, outputs.next()) {
            if let Output::Chunk { bytes, .. } = output {
                held.push(bytes.slice(..1));
            }
        }
        drop((outputs, session));
        settled(hub);
        assert!(hub.metrics().pool_bytes > 0, "the chunks are held");
        drop(held);
    });
}

#[test]
fn a_flood_that_nobody_reads_leaves_nothing() {
    leaves_nothing(|hub| {
        let session = hub.spawn(&program("flood"), SessionOptions::default()).unwrap();
        session.close(Duration::ZERO);
        within(hub, session.exited());
    });
}

#[test]
fn readers_of_every_kind_leave_nothing_wherever_they_stop() {
    leaves_nothing(|hub| {
        let session = hub.spawn(&program("flood"), SessionOptions::default()).unwrap();
        let mut owner = session.reader();
        let mut viewer = session.read_as(Mode::Viewer, None);
        let mut lossy = session.read_as(Mode::Lossy, Some(1_000));
        lossy.notify();
        for reader in [&mut owner, &mut viewer, &mut lossy] {
            assert!(matches!(within(hub, reader.read()), Output::Chunk { .. }));
        }
        let claim = viewer.suspend();
        drop(session.resume(claim).unwrap());
        let _never_resumed = session.read_as(Mode::Viewer, None).suspend();
        session.close(Duration::ZERO);
    });
}

#[test]
fn tasks_dropped_where_they_wait_leave_nothing() {
    leaves_nothing(|hub| {
        let session = hub.spawn(&program("cat"), SessionOptions::default()).unwrap();
        let mut reader = session.reader();
        expect(hub, &mut reader, b"ready");
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(pin!(session.exited()).poll(&mut cx), Poll::Pending);
        assert!(pin!(reader.read()).poll(&mut cx).is_pending());
        session.close(Duration::ZERO);
    });
}

#[test]
fn input_that_nobody_reads_leaves_nothing() {
    leaves_nothing(|hub| {
        let flow = FlowLimits { high_bytes: 64 << 10, low_bytes: 16 << 10, ..FlowLimits::default() };
        let session = hub.spawn(&program("cat"), SessionOptions { flow, ..SessionOptions::default() }).unwrap();
        let mut reader = session.reader();
        expect(hub, &mut reader, b"ready");
        // What it returns is not read, so at some point neither is its input.
        session.write(&[b'x'; 256 << 10]).unwrap();
        until(hub, || hub.metrics().paused == 1);
        assert!(session.queued_input() > 0);
        session.close(Duration::ZERO);
    });
}

#[test]
fn a_hub_dropped_with_all_its_sessions_at_work_leaves_nothing() {
    let _turn = turn();
    let before = descriptors();
    for round in 0..weight().0 {
        let hub = if round % 2 == 0 { builder().threaded().unwrap() } else { builder().hosted().unwrap() };
        let sessions = ["flood", "cat", "flood", "cat"].map(|name| hub.spawn(&program(name), SessionOptions::default()).unwrap());
        let mut readers: Vec<_> = sessions.iter().map(|session| session.reader()).collect();
        let first = within(&hub, readers[0].read());
        drop(hub);
        assert!(sessions.iter().all(|session| session.exit().is_some()));
        drop((first, readers, sessions));
        assert_eq!((descriptors(), children()), (before, Children::default()));
    }
}

#[test]
fn five_hundred_sessions_leave_no_descriptor_no_zombie_and_no_growth() {
    if !is_real() {
        return; // The shorter stories do for valgrind.
    }
    /// After that many the allocator and the kernel have what they keep.
    const WARM_UP: usize = 50;
    /// Pages the allocator may scatter. A leak of 2 KiB a session is more.
    const GROWTH_MAX: usize = 1 << 20;
    let _turn = turn();
    let hub = builder().threaded().unwrap();
    let mut after_warm_up = None;
    for number in 0..WARM_UP + 500 {
        let session = hub.spawn(&sh("echo hello; exec cat"), SessionOptions::default()).unwrap();
        expect(&hub, &mut session.reader(), b"hello\r\n");
        // Each way to go: told to, and forgotten about.
        if number % 2 == 0 {
            session.close(Duration::ZERO);
            within(&hub, session.exited());
        }
        drop(session);
        settled(&hub);
        if number + 1 == WARM_UP {
            after_warm_up = Some((descriptors(), resident_bytes()));
        }
    }
    let (open, resident) = after_warm_up.unwrap();
    assert_eq!((descriptors(), children()), (open, Children::default()));
    let metrics = hub.metrics();
    assert_eq!((hub.sessions(), metrics.sessions_active, metrics.pool_bytes), (0, 0, 0));
    let growth = resident_bytes().saturating_sub(resident);
    println!("500 sessions later: {} KiB more", growth >> 10);
    assert!(growth < GROWTH_MAX, "{growth} bytes");
}
