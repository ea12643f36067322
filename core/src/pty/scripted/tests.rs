//! The doorbell: when it rings and when it must not. What the terminals do besides is in the conformance tests.

use std::io::ErrorKind;
use std::sync::Mutex as StdMutex;

use super::super::{Reactor, Source};
use super::*;
use crate::id::SessionId;

/// Counts rings and keeps their union.
#[derive(Default)]
struct Bell(StdMutex<(u32, Ready)>);

impl Bell {
    /// What was rung since the last call, `None` when nothing was.
    fn heard(&self) -> Option<Ready> {
        let (count, ready) = std::mem::take(&mut *self.0.lock().unwrap());
        (count > 0).then_some(ready)
    }
}

impl Reactor for Bell {
    #[cfg(unix)]
    fn watch(&self, _: SessionId, _: Source, _: std::os::fd::BorrowedFd<'_>, _: Interest) -> io::Result<()> {
        unreachable!("no descriptors here")
    }

    #[cfg(unix)]
    fn rewatch(&self, _: SessionId, _: Source, _: std::os::fd::BorrowedFd<'_>, _: Interest) -> io::Result<()> {
        unreachable!("no descriptors here")
    }

    #[cfg(unix)]
    fn forget(&self, _: std::os::fd::BorrowedFd<'_>) -> io::Result<()> {
        unreachable!("no descriptors here")
    }

    fn ring(&self, _: SessionId, ready: Ready) {
        let mut heard = self.0.lock().unwrap();
        heard.0 += 1;
        heard.1.read |= ready.read;
        heard.1.write |= ready.write;
        heard.1.exit |= ready.exit;
    }
}

const READ: Interest = Interest { read: true, write: false };
const WRITE: Interest = Interest { read: false, write: true };
const NOTHING: Interest = Interest { read: false, write: false };
const READABLE: Option<Ready> = Some(Ready { read: true, write: false, exit: false });
const WRITABLE: Option<Ready> = Some(Ready { read: false, write: true, exit: false });
const EXITED: Option<Ready> = Some(Ready { read: false, write: false, exit: true });

fn open(script: Script) -> (ScriptedPtys, Box<dyn Pty>, Arc<Bell>) {
    let ptys = ScriptedPtys::new().with("program", script);
    let mut pty = ptys.spawn(&Command::new("program"), Size::DEFAULT).unwrap();
    let bell = Arc::new(Bell::default());
    pty.register(Doorbell::new(bell.clone(), SessionId::from_raw(1))).unwrap();
    (ptys, pty, bell)
}

#[test]
fn unknown_program_is_not_found() {
    let refused = |program: &str| ScriptedPtys::new().spawn(&Command::new(program), Size::DEFAULT).err().unwrap();
    assert!(matches!(refused("program"), SpawnError::NotFound { .. }));
    assert!(matches!(refused("a\0b"), SpawnError::Malformed { .. }));
}

#[test]
fn nothing_rings_that_was_not_asked_for() {
    let (ptys, mut pty, bell) = open(Script::new().print("a").wait_gate("more").print("b").hang());
    assert_eq!(bell.heard(), None);
    pty.set_interest(READ).unwrap();
    assert_eq!(bell.heard(), READABLE);
    pty.set_interest(NOTHING).unwrap();
    ptys.release("more");
    pty.write(b"x").unwrap();
    assert_eq!(bell.heard(), None);
    pty.set_interest(READ).unwrap();
    assert_eq!(bell.heard(), READABLE);
}

#[test]
fn read_that_leaves_bytes_rings_again_and_one_that_does_not_is_silent() {
    let (_, mut pty, bell) = open(Script::new().print("abc").hang());
    pty.set_interest(READ).unwrap();
    bell.heard();
    pty.read(&mut [0; 2]).unwrap();
    assert_eq!(bell.heard(), READABLE);
    pty.read(&mut [0; 2]).unwrap();
    assert_eq!(bell.heard(), None);
    assert_eq!(pty.read(&mut [0; 2]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(bell.heard(), None);
}

#[test]
fn exit_rings_without_interest_and_once() {
    let (ptys, mut pty, bell) = open(Script::new().wait_gate("end"));
    assert_eq!(pty.try_exit().unwrap(), None);
    ptys.release("end");
    assert_eq!(bell.heard(), EXITED);
    pty.set_interest(READ).unwrap();
    assert_eq!(bell.heard(), None);
    assert_eq!(pty.read(&mut [0; 2]).unwrap_err().kind(), ErrorKind::WouldBlock, "the end before the exit was told");
    assert_eq!(pty.try_exit().unwrap(), Some(ExitStatus::Code(0)));
    assert_eq!(bell.heard(), READABLE);
}

#[test]
fn end_keeps_ringing_until_nobody_wants_it() {
    let (_, mut pty, bell) = open(Script::new());
    assert_eq!(bell.heard(), EXITED);
    pty.set_interest(READ).unwrap();
    pty.try_exit().unwrap();
    for _ in 0..3 {
        assert_eq!(bell.heard(), READABLE);
        assert_eq!(pty.read(&mut [0; 2]).unwrap(), 0);
    }
    pty.set_interest(NOTHING).unwrap();
    bell.heard();
    assert_eq!(pty.read(&mut [0; 2]).unwrap(), 0);
    assert_eq!(bell.heard(), None);
    assert!(pty.write(b"x").is_err());
}

#[test]
fn full_input_is_refused_until_the_process_reads() {
    let (ptys, mut pty, bell) = open(Script::new().raw().wait_gate("read").cat());
    pty.set_interest(WRITE).unwrap();
    assert_eq!(bell.heard(), WRITABLE);
    let mut taken = 0;
    while let Ok(count) = pty.write(&[b'x'; 1_000]) {
        taken += count;
    }
    assert!((12_000..20_000).contains(&taken), "{taken}");
    bell.heard();
    assert_eq!(pty.write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(bell.heard(), None);
    ptys.release("read");
    assert_eq!(bell.heard(), WRITABLE);
}

#[test]
fn test_sees_who_waits_at_a_gate() {
    let (ptys, pty, _) = open(Script::new().wait_gate("here").wait_gate("there"));
    assert_eq!((ptys.waiting_at("here"), ptys.waiting_at("there")), (1, 0));
    ptys.release("here");
    assert_eq!((ptys.waiting_at("here"), ptys.waiting_at("there")), (0, 1));
    drop(pty);
    assert_eq!(ptys.waiting_at("there"), 0);
}
