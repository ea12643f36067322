//! A host whose threads are interrupted many thousand times a second, by a handler that has no system call restarted: no
//! error surfaces, and every byte arrives.

mod hazards;

use std::path::PathBuf;
use std::process;
use std::time::{Duration, Instant};

use hazards::{Bystander, Host, PATIENCE, alone, expect, raw_cat, read_to_exit, settled, sh, signal_mask, within};
use orchflow_core::hub::{Hub, Output};
use orchflow_core::metrics::ErrorKind;
use orchflow_core::pty::{ExitStatus, Signal, Target};
use orchflow_core::session::SessionOptions;
use orchflow_core::size::Size;
use rustix::event::{Timespec, poll};
use rustix::io::Errno;

const SIGALRM: u32 = 14;

#[test]
fn a_hub_with_its_own_thread_works_in_a_storm_of_signals() {
    in_a_storm("a_hub_with_its_own_thread_works_in_a_storm_of_signals", || Hub::threaded().unwrap());
}

#[test]
fn a_hub_driven_by_its_host_works_in_a_storm_of_signals() {
    in_a_storm("a_hub_driven_by_its_host_works_in_a_storm_of_signals", || Hub::new().unwrap());
}

fn in_a_storm(name: &str, hub: impl FnOnce() -> Hub) {
    alone(name, Host::Preloaded(storm()), || {
        assert!(signal_mask("SigCgt:", SIGALRM), "nobody catches it: the library was not loaded");
        for _ in 0..10 {
            let long = Timespec::try_from(PATIENCE).unwrap();
            assert_eq!(poll(&mut [], Some(&long)).unwrap_err(), Errno::INTR, "no storm");
        }
        let hub = hub();
        programs_start_and_end(&hub);
        keys_are_echoed(&hub);
        a_flood_is_complete(&hub);
        a_paste_is_complete(&hub);
        sizes_and_signals_arrive(&hub);
        waits_end_in_time(&hub);
        let metrics = hub.metrics();
        assert_eq!(ErrorKind::ALL.iter().map(|&kind| metrics.errors(kind)).sum::<u64>(), 0);
        assert_eq!(metrics.gaps, 0);
        settled(&hub);
    });
}

/// The library that makes the storm, built anew for each run.
fn storm() -> PathBuf {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/signals/storm.c");
    let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("storm-{}.so", process::id()));
    if !library.exists() {
        let half = library.with_extension("half"); // Another test may look for it at this moment.
        let half = half.with_extension(format!("{:?}", std::thread::current().id()));
        let status = process::Command::new("cc").args(["-shared", "-fPIC", "-pthread", "-o"]).arg(&half).arg(source).status().unwrap();
        assert!(status.success());
        std::fs::rename(half, &library).unwrap();
    }
    library
}

fn programs_start_and_end(hub: &Hub) {
    for code in 0..100 {
        let session = hub.spawn(&sh(&format!("printf text; exit {code}")), SessionOptions::default()).unwrap();
        let (text, exit) = read_to_exit(hub, &mut session.reader());
        assert_eq!((&text[..], exit.status, exit.orphaned), (&b"text"[..], ExitStatus::Code(code), false));
    }
}

fn keys_are_echoed(hub: &Hub) {
    let mut program = Bystander::new(hub);
    (0..1_000).for_each(|_| program.echoes(hub));
}

fn a_flood_is_complete(hub: &Hub) {
    const BYTES: usize = 4 << 20;
    let script = format!("stty raw; seq -f '%015.0f;' -s '' 0 9999999 | head -c {BYTES}");
    let session = hub.spawn(&sh(&script), SessionOptions::default()).unwrap();
    let (text, _) = read_to_exit(hub, &mut session.reader());
    assert_eq!(text.len(), BYTES);
    for (number, cell) in text.chunks(16).enumerate() {
        assert_eq!(cell, format!("{number:015};").as_bytes());
    }
}

fn a_paste_is_complete(hub: &Hub) {
    const BYTES: usize = 2 << 20;
    let session = hub.spawn(&raw_cat(), SessionOptions::default()).unwrap();
    let mut reader = session.reader();
    expect(hub, &mut reader, b"ready");
    let paste: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
    assert_eq!(session.write(&paste).unwrap(), BYTES);
    let mut echoed = Vec::with_capacity(BYTES);
    while echoed.len() < BYTES {
        match within(hub, reader.read()) {
            Output::Chunk { bytes, .. } => echoed.extend_from_slice(&bytes),
            other => panic!("{other:?} after {} bytes", echoed.len()),
        }
    }
    assert!(echoed == paste);
}

fn sizes_and_signals_arrive(hub: &Hub) {
    let session = hub.spawn(&sh("trap 'stty size' USR1; printf ready; while :; do read line; done"), SessionOptions::default()).unwrap();
    let mut reader = session.reader();
    expect(hub, &mut reader, b"ready");
    for cols in 100..130 {
        session.resize(Size::new(cols, 40).unwrap()).unwrap();
        session.signal(Signal::User1, Target::Leader).unwrap();
        expect(hub, &mut reader, format!("40 {cols}\r\n").as_bytes());
    }
    session.close(Duration::ZERO);
    within(hub, session.exited());
}

fn waits_end_in_time(hub: &Hub) {
    let began = Instant::now();
    within(hub, hub.sleep(Duration::from_millis(100)));
    assert!(began.elapsed() >= Duration::from_millis(100));
    // An interrupted wait brings nothing, and is no error.
    for _ in 0..100 {
        hub.wait(Some(Duration::from_millis(2))).unwrap();
    }
}
