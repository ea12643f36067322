//! What the hazard tests share: waiting with an end, a look at our own process, and a process of their own.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of this")]

mod alone;
mod process;

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use orchflow_core::hub::{Hub, Output, Reader, Session};
use orchflow_core::pty::{Command, Exit};
use orchflow_core::session::{EventKind, SessionOptions};

pub(crate) use alone::{Host, alone};
pub(crate) use process::{Children, children, descriptors, resident_bytes, signal_mask};

/// No single thing takes this long, even on a loaded machine. Longer is a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Completes `future`, driving the hub, or fails the test.
#[track_caller]
pub(crate) fn within<F: Future>(hub: &Hub, future: F) -> F::Output {
    match hub.block_on(select(pin!(future), pin!(hub.sleep(PATIENCE)))).unwrap() {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("nothing came for {PATIENCE:?}"),
    }
}

/// Runs `sh -c script`.
pub(crate) fn sh(script: &str) -> Command {
    Command::new("/bin/sh").args(["-c", script])
}

/// A program that returns every byte as it is, once it has said `ready`.
pub(crate) fn raw_cat() -> Command {
    sh("stty raw -echo; printf ready; exec cat")
}

/// Reads to the end; nothing may be missing.
#[track_caller]
pub(crate) fn read_to_exit(hub: &Hub, reader: &mut Reader) -> (Vec<u8>, Exit) {
    let mut text = Vec::new();
    loop {
        match within(hub, reader.read()) {
            Output::Chunk { at, bytes } => {
                assert_eq!(at + bytes.len() as u64, reader.offset());
                text.extend_from_slice(&bytes);
            }
            Output::Gap { from, to } => panic!("bytes {from} to {to} are missing"),
            Output::Exit(exit) => return (text, exit),
        }
    }
}

/// Reads exactly what is expected next.
#[track_caller]
pub(crate) fn expect(hub: &Hub, reader: &mut Reader, expected: &[u8]) {
    let mut text = Vec::new();
    while text.len() < expected.len() {
        match within(hub, reader.read()) {
            Output::Chunk { bytes, .. } => text.extend_from_slice(&bytes),
            other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&text)),
        }
    }
    assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(expected));
}

/// A session that echoes, to see whether others disturb it.
pub(crate) struct Bystander {
    pub(crate) session: Session,
    reader: Reader,
    typed: u32,
}

impl Bystander {
    pub(crate) fn new(hub: &Hub) -> Bystander {
        let session = hub.spawn(&raw_cat(), SessionOptions::default()).unwrap();
        let mut reader = session.reader();
        expect(hub, &mut reader, b"ready");
        Bystander { session, reader, typed: 0 }
    }

    /// Types something new and expects it back.
    #[track_caller]
    pub(crate) fn echoes(&mut self, hub: &Hub) {
        self.typed += 1;
        let line = format!("line {}", self.typed);
        assert_eq!(self.session.write(line.as_bytes()).unwrap(), line.len());
        expect(hub, &mut self.reader, line.as_bytes());
    }
}

/// Takes events until one of `session` is `wanted`.
#[track_caller]
pub(crate) fn event_of(hub: &Hub, session: &Session, wanted: impl Fn(&EventKind) -> bool) -> EventKind {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match hub.next_event() {
            Some(event) if event.session == session.id() && wanted(&event.kind) => return event.kind,
            Some(_) => {}
            None => drop(hub.wait(Some(PATIENCE)).unwrap()),
        }
    }
    panic!("no such event for {PATIENCE:?}")
}

/// Drives `hub` until `done`, or fails the test: for what no future tells.
#[track_caller]
pub(crate) fn until(hub: &Hub, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "it did not come to pass for {PATIENCE:?}");
        within(hub, hub.sleep(Duration::from_millis(1)));
    }
}

/// Waits until every session of `hub` is over.
#[track_caller]
pub(crate) fn settled(hub: &Hub) {
    until(hub, || hub.sessions() == 0);
}

/// The value below which a share of `times` lies.
pub(crate) fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share).round() as usize]
}
