//! A host that takes our children's statuses: it ignores `SIGCHLD`, or waits for any child. Ends are told all the same,
//! perhaps as unknown, and never waited for in vain.

mod hazards;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hazards::{Children, Host, alone, children, expect, read_to_exit, settled, sh, signal_mask, until, within};
use orchflow_core::hub::Hub;
use orchflow_core::metrics::ExitKind;
use orchflow_core::pty::{Command, ExitStatus};
use orchflow_core::session::SessionOptions;
use rustix::process::{WaitOptions, wait};

const SIGCHLD: u32 = 17;

/// Signals 32 and 33, which glibc keeps to itself and has the programs it starts ignore.
const C_LIBRARYS_OWN: u64 = 0b11 << 31;

/// Each way to drive a hub.
fn hubs() -> [Hub; 2] {
    [Hub::threaded().unwrap(), Hub::new().unwrap()]
}

#[test]
fn a_host_that_ignores_sigchld_hears_of_every_end() {
    alone("a_host_that_ignores_sigchld_hears_of_every_end", Host::Ignoring("CHLD"), || {
        assert!(signal_mask("SigIgn:", SIGCHLD), "it was not");
        for hub in hubs() {
            ends_are_told(&hub);
            // The kernel collects them by itself, always.
            let metrics = hub.metrics();
            assert_eq!((metrics.exits(ExitKind::Unknown), metrics.exits(ExitKind::Code)), (metrics.sessions, 0));
            session_closes_although_it_will_not(&hub);
            nobody_is_left(&hub);
        }
    });
}

#[test]
fn a_host_that_ignores_sigchld_does_not_have_its_programs_ignore_it() {
    alone("a_host_that_ignores_sigchld_does_not_have_its_programs_ignore_it", Host::Ignoring("CHLD,USR1"), || {
        let hub = Hub::threaded().unwrap();
        let session = hub.spawn(&Command::new("grep").args(["Sig[BI]", "/proc/self/status"]), SessionOptions::default()).unwrap();
        let (text, _) = read_to_exit(&hub, &mut session.reader());
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        for line in text.lines() {
            let mask = u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
            assert_eq!(mask & !C_LIBRARYS_OWN, 0, "{line}");
        }
    });
}

#[test]
fn a_host_that_waits_for_any_child_does_not_keep_an_end_from_us() {
    alone("a_host_that_waits_for_any_child_does_not_keep_an_end_from_us", Host::Plain, || {
        for hub in hubs() {
            let stop = AtomicBool::new(false);
            let stolen = thread::scope(|scope| {
                let thief = scope.spawn(|| collect_until(&stop));
                ends_are_told(&hub);
                session_closes_although_it_will_not(&hub);
                nobody_is_left(&hub);
                stop.store(true, Ordering::Relaxed);
                thief.join().unwrap()
            });
            let metrics = hub.metrics();
            println!("{stolen} of {} statuses were taken from us", metrics.sessions);
            assert_eq!(metrics.exits(ExitKind::Unknown), stolen);
            assert!(stolen > 0, "a thief who takes nothing proves nothing");
        }
    });
}

/// Takes the status of whatever child of this process ends; returns how many.
fn collect_until(stop: &AtomicBool) -> u64 {
    let mut taken = 0;
    while !stop.load(Ordering::Relaxed) {
        match wait(WaitOptions::empty()) {
            Ok(_) => taken += 1,
            Err(_) => thread::yield_now(), // No child at the moment.
        }
    }
    taken
}

/// Programs that print and end, and programs that are gone before anybody looks.
fn ends_are_told(hub: &Hub) {
    for number in 0..100 {
        let session = hub.spawn(&sh("printf 'the tail'; exit 7"), SessionOptions::default()).unwrap();
        let (text, exit) = read_to_exit(hub, &mut session.reader());
        assert_eq!(text, b"the tail", "in session {number}");
        assert!(matches!(exit.status, ExitStatus::Code(7) | ExitStatus::Unknown), "{exit:?}");
        assert!(!exit.orphaned, "{exit:?}");
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let session = hub.spawn(&Command::new("true"), SessionOptions::default()).unwrap();
                    let exit = within(hub, session.exited());
                    assert!(matches!(exit.status, ExitStatus::Code(0) | ExitStatus::Unknown), "{exit:?}");
                }
            });
        }
    });
}

/// A program that heeds nothing but a kill, with a job in the background that does the same.
fn session_closes_although_it_will_not(hub: &Hub) {
    let script = "trap '' HUP TERM; (while :; do sleep 1; done) & printf ready; while :; do sleep 1; done";
    let session = hub.spawn(&sh(script), SessionOptions::default()).unwrap();
    expect(hub, &mut session.reader(), b"ready");
    session.close(Duration::from_millis(20));
    let exit = within(hub, session.exited());
    assert!(matches!(exit.status, ExitStatus::Signal(9) | ExitStatus::Unknown), "{exit:?}");
}

fn nobody_is_left(hub: &Hub) {
    settled(hub);
    assert_eq!(hub.metrics().sessions_active, 0);
    until(hub, || children() == Children::default());
}
