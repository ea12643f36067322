//! A host that forks: the child is told that the terminals are its parent's, and leaves no trace on them. As a daemon it
//! may have terminals of its own.
//!
//! A program of its own, without the harness: a fork copies one thread only, so there must be no other.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use futures::future::{Either, select};
use orchflow_core::hub::{Hub, Output, Reader, Session};
use orchflow_core::pty::{Command, Signal, SpawnError, Target};
use orchflow_core::session::{SessionOptions, WriteError};
use rustix::process::{Pid, WaitOptions, waitpid};

fn main() {
    hub_its_host_drives(Hub::builder().events().hosted().unwrap());
    hub_with_a_thread(Hub::builder().events().threaded().unwrap());
    daemon_that_closed_its_standard_descriptors();
    println!("\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

fn hub_its_host_drives(hub: Hub) {
    let (session, reader) = echo(&hub);
    let unread = hub.spawn(&Command::new("yes"), SessionOptions::default()).unwrap().reader();
    until(&hub, || hub.metrics().paused == 1);
    session.resize(session.size()).unwrap(); // An event that waits.
    let mut all = Some((hub, session, reader, unread));
    let child = fork(|| {
        let (hub, session, reader, mut unread) = all.take().unwrap();
        assert!(hub.dispatch(1 << 20).is_err(), "a fork drove the hub");
        // Its copy of the memory may be read, and says that the terminal may be read on; the set of descriptors is shared.
        while let Some(Output::Chunk { .. }) = unread.try_read() {}
        let mut sleep = Box::pin(hub.sleep(Duration::ZERO));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        refused(&hub, &session);
        drop((reader, unread, session, hub));
    });
    child_is_fine(child);
    let (hub, session, reader, mut unread) = all.unwrap();
    still_tells(&hub);
    // The parent's own view of the flood: still held up, still whole, and no reason to turn.
    let turns = hub.metrics().dispatch_turns;
    while hub.wait(Some(Duration::from_millis(20))).unwrap() {}
    let turns = hub.metrics().dispatch_turns - turns;
    assert!(turns < 10, "{turns} turns: the fork made the parent's descriptor ready");
    assert!(matches!(unread.try_read(), Some(Output::Chunk { at: 0, .. })));
    still_echoes(&hub, &session, reader);
}

fn hub_with_a_thread(hub: Hub) {
    let (session, reader) = echo(&hub);
    session.resize(session.size()).unwrap(); // An event that waits.
    let mut all = Some((hub, session, reader));
    let child = fork(|| {
        let (hub, session, reader) = all.take().unwrap();
        refused(&hub, &session);
        drop((reader, session, hub));
    });
    child_is_fine(child);
    let (hub, session, reader) = all.unwrap();
    still_tells(&hub);
    still_echoes(&hub, &session, reader);
}

/// Then the descriptors opened next are 0, 1 and 2, where the terminal's child puts its own.
fn daemon_that_closed_its_standard_descriptors() {
    let child = fork(|| {
        let hub = Hub::new().unwrap();
        for fd in 0..3 {
            // SAFETY: nobody in this copy owns the standard descriptors, and what it might print is nobody's concern.
            unsafe { libc::close(fd) };
        }
        let echoes = [(); 3].map(|()| echo(&hub));
        for (session, reader) in echoes {
            still_echoes(&hub, &session, reader);
        }
    });
    child_is_fine(child);
}

/// A session that returns what is typed.
fn echo(hub: &Hub) -> (Session, Reader) {
    let command = Command::new("/bin/sh").args(["-c", "stty raw -echo; printf ready; exec cat"]);
    let session = hub.spawn(&command, SessionOptions::default()).unwrap();
    let mut reader = session.reader();
    hear(hub, &mut reader, b"ready");
    (session, reader)
}

/// Everything that would touch the terminal, the process or the hub's descriptors.
fn refused(hub: &Hub, session: &Session) {
    assert!(matches!(session.write(b"x"), Err(WriteError::Forked)));
    assert!(matches!(session.write_urgent(b"\x03"), Err(WriteError::Forked)));
    assert!(matches!(session.resize(session.size()), Err(WriteError::Forked)));
    assert!(matches!(session.signal(Signal::Kill, Target::Session), Err(WriteError::Forked)));
    assert!(matches!(hub.spawn(&Command::new("true"), SessionOptions::default()), Err(SpawnError::Forked)));
    assert!(hub.wait(None).is_err(), "a fork waited for its parent's hub");
    assert!(hub.block_on(async {}).is_err(), "a fork drove its parent's hub");
    assert_eq!(hub.next_event(), None);
    session.close(Duration::ZERO);
    hub.close();
}

/// What the parent has not taken yet is there.
fn still_tells(hub: &Hub) {
    assert!(hub.next_event().is_some(), "the fork took an event");
    while hub.next_event().is_some() {}
}

/// Afterwards the parent's session works, and ends, as if nothing had happened.
fn still_echoes(hub: &Hub, session: &Session, mut reader: Reader) {
    let before = session.range().end;
    session.write(b"after the fork").unwrap();
    hear(hub, &mut reader, b"after the fork");
    assert_eq!(session.range().end, before + 14, "somebody else typed");
    session.close(Duration::from_secs(1));
    let exit = within(hub, session.exited());
    assert!(!exit.orphaned);
    while hub.next_event().is_some() {}
}

#[track_caller]
fn hear(hub: &Hub, reader: &mut Reader, expected: &[u8]) {
    let mut heard = Vec::new();
    while heard.len() < expected.len() {
        match within(hub, reader.read()) {
            Output::Chunk { bytes, .. } => heard.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, expected);
}

/// Completes `future`, or fails after far more than it needs.
#[track_caller]
fn within<T>(hub: &Hub, future: impl Future<Output = T> + Unpin) -> T {
    match hub.block_on(select(future, hub.sleep(PATIENCE))).unwrap() {
        Either::Left((result, _)) => result,
        Either::Right(_) => panic!("nothing for {PATIENCE:?}"),
    }
}

#[track_caller]
fn until(hub: &Hub, holds: impl Fn() -> bool) {
    let deadline = hub.now() + PATIENCE;
    while !holds() {
        assert!(hub.now() < deadline);
        hub.wait(Some(Duration::from_millis(10))).unwrap();
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `child` in a copy of this process, which ends with it and within [`PATIENCE`].
fn fork(child: impl FnOnce()) -> Pid {
    // SAFETY: this thread is the only one that holds a lock or may hold one: there is no harness, and a hub's thread
    // sleeps in the kernel, since nothing happens to its session. So the copy finds every lock free.
    let pid = unsafe { libc::fork() };
    let Some(pid) = Pid::from_raw(pid) else {
        // SAFETY: takes a number, and no handler is installed.
        unsafe { libc::alarm(PATIENCE.as_secs() as u32) };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        // SAFETY: takes a number and does not return. Nothing of the parent's is unwound or flushed here.
        unsafe { libc::_exit(i32::from(result.is_err())) }
    };
    pid
}

#[track_caller]
fn child_is_fine(child: Pid) {
    let (_, status) = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(status.exit_status(), Some(0), "the child failed, or hung and met its alarm: {status:?}");
}
