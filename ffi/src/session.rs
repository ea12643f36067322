//! One terminal and its process.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use orchflow_core::hub::Session;
use orchflow_core::pty::{Signal, Target};
use orchflow_core::session::WriteError;

use crate::event::code_and_signal;
use crate::failure::{Answer, Failure};
use crate::handle::{self, Handle, give, make_of, on};
use crate::hub::{HubHandle, OrchHub};
use crate::lens::{self, Lens};
use crate::objects::{Objects, Pointer};
use crate::sized::{self, Growing};
use crate::spawn::OrchSpawnOptions;
use crate::status::*;
use crate::values::{OrchBytes, OrchSize, bytes, bytes_mut, store};

/// One terminal and its process.
pub struct OrchSession {
    _private: [u8; 0],
}

impl Handle for SessionHandle {
    type Opaque = OrchSession;
    const NAME: &'static str = "session";
}

/// What a call on a session needs.
pub(crate) struct SessionHandle {
    pub(crate) session: Session,
    lens: Arc<Lens>,
    pub(crate) objects: Arc<Objects>,
}

impl SessionHandle {
    /// Gives C a handle to `session`, whose events carry `user_data`.
    pub(crate) fn give(
        objects: &Arc<Objects>,
        user_data: *mut c_void,
        open: impl FnOnce() -> Result<Session, Failure>,
    ) -> Result<*mut OrchSession, Failure> {
        let mut table = objects.lock();
        let session = open()?;
        let id = session.id();
        let lens = Lens::new(objects, &mut table, session.reader());
        let handle = give(SessionHandle { session, lens: Arc::clone(&lens), objects: Arc::clone(objects) });
        lens.set_target(lens::Target::Session(Pointer(handle)), user_data);
        table.introduce(id, handle, user_data);
        Ok(handle)
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.lens.retire();
        self.objects.forget_session(self.session.id());
    }
}

/// Opens a terminal and runs a program in it. Its output waits to be peeked at from the first byte on.
///
/// @param hub      The hub.
/// @param options  What to run and how; NULL for the user's shell.
/// @param out      Where to store the session. Yours: orch_session_free.
/// @return ORCH_OK; ORCH_NULL; ORCH_INVALID; ORCH_TOO_NEW; ORCH_NOT_FOUND without such a program or folder; ORCH_PERMISSION when it cannot be
///         executed; ORCH_EXHAUSTED; ORCH_CLOSED; ORCH_IO; ORCH_FORKED; ORCH_PANIC. Nothing is left behind by a spawn that failed.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_spawn(hub: *mut OrchHub, options: *const OrchSpawnOptions, out: *mut *mut OrchSession) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        make_of(hub, out, |hub: &HubHandle| {
            let options = sized::read(options)?;
            let (command, session_options) = options.understood()?;
            SessionHandle::give(&hub.objects, options.user_data, || Ok(hub.hub.spawn(&command, session_options)?))
        })
    }
}

/// Lets go of a session. Unless a reader holds it too, its processes are asked to go, and made to: hang-up, terminate, kill, with the grace
/// that its options name after each. Nothing is told of it any more.
///
/// @param session  The session, or NULL.
/// @threads Any; the last call on this session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_free(session: *mut OrchSession) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<SessionHandle>(session) }
}

// ---- Output ----

/// Shows output that was not consumed yet, without a copy: bytes of `first`, and behind them those of `second`. Calling it again may show
/// more.
///
/// @param session  The session.
/// @param first    Where to store the first stretch. Valid until consume, read or free on this session.
/// @param second   Where to store what lies behind an edge of the log; it may be empty. Valid as long. May be NULL.
/// @return ORCH_OK; ORCH_AGAIN when there is nothing now, and ORCH_EVENT_OUTPUT tells when there is; ORCH_EOF after the last byte of a session
///         that has ended; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; but the loan is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_peek(session: *mut OrchSession, first: *mut OrchBytes, second: *mut OrchBytes) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(session, |session: &SessionHandle| lend(session.lens.peek()?, first, second)) }
}

/// Stores what was peeked at.
///
/// # Safety
/// Both are NULL or can be written.
pub(crate) unsafe fn lend((status, spans): (OrchStatus, [OrchBytes; 2]), first: *mut OrchBytes, second: *mut OrchBytes) -> Answer {
    // SAFETY: by the contract.
    unsafe {
        store(first, "first", spans[0])?;
        if !second.is_null() {
            second.write(spans[1]);
        }
    }
    Ok(status)
}

/// Ends the loan: the first `len` bytes that the last peek showed have been dealt with. A program that was stopped because too much waited
/// goes on.
///
/// @param session  The session.
/// @param len      Bytes; 0 is fine.
/// @return ORCH_OK; ORCH_INVALID for more than the last peek showed; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; but the loan is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_consume(session: *mut OrchSession, len: usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(session, |session: &SessionHandle| session.lens.consume(len)) }
}

/// Copies output into a buffer, and consumes it: peek and consume in one, for hosts that keep a buffer of their own.
///
/// @param session  The session.
/// @param buf      Where to copy it.
/// @param cap      Room there, in bytes; at least 1.
/// @param len      Where to store how many bytes were copied.
/// @return As orch_session_peek; ORCH_INVALID if `cap` is 0.
/// @threads Any; it ends a loan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_read(session: *mut OrchSession, buf: *mut u8, cap: usize, len: *mut usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(session, |session: &SessionHandle| read_into(&session.lens, buf, cap, len)) }
}

/// # Safety
/// `buf` can be written for `cap` bytes or is NULL, and `len` is NULL or can be written.
pub(crate) unsafe fn read_into(lens: &Lens, buf: *mut u8, cap: usize, len: *mut usize) -> Answer {
    if cap == 0 {
        return Err(Failure::invalid("a buffer of no bytes would never be filled"));
    }
    // SAFETY: by the contract; the length is checked first, so that no output is lost.
    unsafe {
        store(len, "len", 0)?;
        let (status, copied) = lens.read(bytes_mut(buf, cap, "buf")?)?;
        len.write(copied);
        Ok(status)
    }
}

// ---- Input ----

/// Types bytes. When nothing waits before them this is one write(2) on the calling thread; else they join the queue. Never blocks.
///
/// @param session  The session.
/// @param data     The bytes; they are copied.
/// @param len      How many.
/// @param taken    Where to store how many were accepted: all, unless the queue had no room for all.
/// @return ORCH_OK; ORCH_AGAIN when the queue is full, and ORCH_EVENT_INPUT_READY tells when it is not; ORCH_LINE_TOO_LONG; ORCH_CLOSED; ORCH_IO;
///         ORCH_NULL; ORCH_FORKED; ORCH_PANIC. But for ORCH_OK nothing was accepted.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_write(session: *mut OrchSession, data: *const u8, len: usize, taken: *mut usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { type_in(session, data, len, taken, |session, bytes| session.write(bytes)) }
}

/// Types an interrupt key (Ctrl-C, Ctrl-\, Ctrl-Z) ahead of what waits: where the terminal itself discards input at such a key, the input that still waits
/// is discarded, and ORCH_EVENT_INPUT_DROPPED says which; elsewhere it keeps its place.
///
/// @param session  The session.
/// @param data     The bytes; they are copied.
/// @param len      How many.
/// @param taken    Where to store how many were accepted.
/// @return As orch_session_write; ORCH_EXHAUSTED when a thousand reports of dropped input wait to be taken.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_write_urgent(
    session: *mut OrchSession,
    data: *const u8,
    len: usize,
    taken: *mut usize,
) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { type_in(session, data, len, taken, |session, bytes| session.write_urgent(bytes)) }
}

/// # Safety
/// As [`orch_session_write`].
unsafe fn type_in(
    session: *mut OrchSession,
    data: *const u8,
    len: usize,
    taken: *mut usize,
    write: impl FnOnce(&Session, &[u8]) -> Result<usize, WriteError>,
) -> OrchStatus {
    // SAFETY: by the contract.
    unsafe {
        on(session, |session: &SessionHandle| {
            let data = bytes(data, len, "data")?;
            if taken.is_null() {
                return Err(Failure::null("taken")); // Before anything is typed.
            }
            match write(&session.session, data) {
                Ok(accepted) => store(taken, "taken", accepted),
                Err(WriteError::Full { .. }) => Ok(ORCH_AGAIN),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Changes the terminal's size, in its place among the input accepted before. ORCH_EVENT_RESIZED tells the size that resulted; requests that wait
/// behind each other become one.
///
/// @param session  The session.
/// @param cols     Columns, in cells; 1 or more.
/// @param rows     Rows, in cells; 1 or more.
/// @return ORCH_OK; ORCH_INVALID; ORCH_CLOSED; ORCH_IO; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_resize(session: *mut OrchSession, cols: u16, rows: u16) -> OrchStatus {
    let window = OrchSize { cols, rows, ..OrchSize::default() };
    // SAFETY: by the conventions.
    unsafe { orch_session_resize_to(session, &window, std::ptr::null_mut()) }
}

/// The same for a window that knows its pixels, or a caller that wants to know when it was done.
///
/// @param session  The session.
/// @param window   The size.
/// @param number   Where to store the request's number, which ORCH_EVENT_RESIZED reaches. May be NULL.
/// @return As orch_session_resize.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_resize_to(session: *mut OrchSession, window: *const OrchSize, number: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(session, |session: &SessionHandle| {
            let window = window.as_ref().ok_or_else(|| Failure::null("window"))?;
            let asked = session.session.resize(window.checked()?)?;
            if !number.is_null() {
                number.write(asked);
            }
            Ok(ORCH_OK)
        })
    }
}

/// Hang up (SIGHUP).
pub const ORCH_SIGNAL_HANGUP: u32 = 1;
/// Interrupt (SIGINT).
pub const ORCH_SIGNAL_INTERRUPT: u32 = 2;
/// Quit (SIGQUIT).
pub const ORCH_SIGNAL_QUIT: u32 = 3;
/// Terminate (SIGTERM).
pub const ORCH_SIGNAL_TERMINATE: u32 = 4;
/// Kill (SIGKILL).
pub const ORCH_SIGNAL_KILL: u32 = 5;
/// Go on (SIGCONT).
pub const ORCH_SIGNAL_CONTINUE: u32 = 6;
/// Stop (SIGSTOP).
pub const ORCH_SIGNAL_STOP: u32 = 7;
/// For the program's own use (SIGUSR1).
pub const ORCH_SIGNAL_USER1: u32 = 8;
/// For the program's own use (SIGUSR2).
pub const ORCH_SIGNAL_USER2: u32 = 9;

/// For the process that was started.
pub const ORCH_TARGET_LEADER: u32 = 0;
/// For whatever is in the foreground of the terminal.
pub const ORCH_TARGET_FOREGROUND: u32 = 1;
/// For every process of the session.
pub const ORCH_TARGET_SESSION: u32 = 2;

/// The signal of an ORCH_SIGNAL_ number.
pub(crate) fn signal_of(number: u32) -> Result<Signal, Failure> {
    Ok(match number {
        ORCH_SIGNAL_HANGUP => Signal::Hangup,
        ORCH_SIGNAL_INTERRUPT => Signal::Interrupt,
        ORCH_SIGNAL_QUIT => Signal::Quit,
        ORCH_SIGNAL_TERMINATE => Signal::Terminate,
        ORCH_SIGNAL_KILL => Signal::Kill,
        ORCH_SIGNAL_CONTINUE => Signal::Continue,
        ORCH_SIGNAL_STOP => Signal::Stop,
        ORCH_SIGNAL_USER1 => Signal::User1,
        ORCH_SIGNAL_USER2 => Signal::User2,
        _ => return Err(Failure::invalid(format!("`signal` {number} is no ORCH_SIGNAL_ constant"))),
    })
}

/// The target of an ORCH_TARGET_ number.
pub(crate) fn target_of(number: u32) -> Result<Target, Failure> {
    Ok(match number {
        ORCH_TARGET_LEADER => Target::Leader,
        ORCH_TARGET_FOREGROUND => Target::Foreground,
        ORCH_TARGET_SESSION => Target::Session,
        _ => return Err(Failure::invalid(format!("`target` {number} is no ORCH_TARGET_ constant"))),
    })
}

/// Sends a signal. That nobody is left to receive it is no error.
///
/// @param session  The session.
/// @param signal   An ORCH_SIGNAL_ constant: not the system's number.
/// @param target   An ORCH_TARGET_ constant.
/// @return ORCH_OK; ORCH_INVALID; ORCH_CLOSED; ORCH_IO; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_signal(session: *mut OrchSession, signal: u32, target: u32) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(session, |session: &SessionHandle| {
            session.session.signal(signal_of(signal)?, target_of(target)?)?;
            Ok(ORCH_OK)
        })
    }
}

/// Asks all processes of the session to go, and makes them: hang-up, terminate, kill, each after the grace before it. Returns at once;
/// ORCH_EVENT_EXIT tells the end.
///
/// @param session   The session.
/// @param grace_ns  Patience after each step, in nanoseconds; 0 kills at once.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_close(session: *mut OrchSession, grace_ns: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(session, |session: &SessionHandle| {
            session.session.close(Duration::from_nanos(grace_ns));
            Ok(ORCH_OK)
        })
    }
}

// ---- What is known of it ----

/// The session has ended: exit_code or exit_signal tell how.
pub const ORCH_SESSION_ENDED: u32 = 1;
/// It has ended, and something the process left behind held its terminal open.
pub const ORCH_SESSION_ORPHANED: u32 = 2;

/// What is known of a session at one moment.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchSessionStatus {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// ORCH_SESSION_ flags.
    pub flags: u32,
    /// The process's number while it runs, else 0.
    pub pid: u32,
    /// The session's number: never used twice by one hub, and what clients and operations call it by.
    pub id: u64,
    /// Offset of the oldest byte of output that is held; offsets count from the first byte ever.
    pub output_start: u64,
    /// Offset of the next byte to come.
    pub output_end: u64,
    /// Offset of the next byte to be consumed.
    pub output_consumed: u64,
    /// Bytes of input that were accepted and that the terminal has not taken yet.
    pub input_queued: u64,
    /// What the process returned; -1 where it was ended by a signal, nobody knows, or it runs.
    pub exit_code: i32,
    /// The system's number of the signal that ended it; 0 where none did.
    pub exit_signal: i32,
    /// The terminal's size, as last set.
    pub window: OrchSize,
}

// SAFETY: numbers.
unsafe impl Growing for OrchSessionStatus {
    const NAME: &'static str = "OrchSessionStatus";
}

/// Tells what is known of a session.
///
/// @param session  The session.
/// @param out      Where to store it; made by ORCH_INIT.
/// @return ORCH_OK; ORCH_NULL; ORCH_INVALID if `out->size` is none; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_session_status(session: *const OrchSession, out: *mut OrchSessionStatus) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(session, |session: &SessionHandle| sized::write(out, "out", session.status())) }
}

impl SessionHandle {
    fn status(&self) -> OrchSessionStatus {
        let (session, exit) = (&self.session, self.session.exit());
        let (exit_code, exit_signal) = exit.map_or((-1, 0), |exit| code_and_signal(exit.status));
        let orphaned = if exit.is_some_and(|exit| exit.orphaned) { ORCH_SESSION_ORPHANED } else { 0 };
        let range = session.range();
        OrchSessionStatus {
            size: 0,
            flags: exit.map_or(0, |_| ORCH_SESSION_ENDED) | orphaned,
            pid: session.pid().unwrap_or(0),
            id: session.id().as_raw(),
            output_start: range.start,
            output_end: range.end,
            output_consumed: self.lens.offset(),
            input_queued: session.queued_input() as u64,
            exit_code,
            exit_signal,
            window: session.size().into(),
        }
    }
}
