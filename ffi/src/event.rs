//! What happened, taken one by one.

use std::ffi::c_void;
use std::ptr;

use orchflow_core::pty::ExitStatus;
use orchflow_core::session::EventKind;

use crate::handle::on;
use crate::hub::{HubHandle, OrchHub};
use crate::link::OrchLink;
use crate::objects::Pointer;
use crate::reader::OrchReader;
use crate::session::OrchSession;
use crate::sized::{self, Growing};
use crate::status::*;
use crate::submission::OrchSubmission;
use crate::timer::OrchTimer;
use crate::values::{OrchBytes, OrchSize};

/// There is output to peek at: of `reader` where that is set, else of `session` by orch_session_peek. Told once; and again after a peek that found
/// nothing, or a consume that left something.
pub const ORCH_EVENT_OUTPUT: u32 = 1;
/// The input queue of `session` has room again, after a write was answered ORCH_AGAIN.
pub const ORCH_EVENT_INPUT_READY: u32 = 2;
/// Accepted input of `session` will never reach the program: bytes `from` up to `to`, counted over all input accepted.
pub const ORCH_EVENT_INPUT_DROPPED: u32 = 3;
/// Every resize of `session` up to number `to` has taken effect; `window` is the size that resulted.
pub const ORCH_EVENT_RESIZED: u32 = 4;
/// A viewer of `session` kept it waiting for too long and is lossy now.
pub const ORCH_EVENT_VIEWER_DEMOTED: u32 = 5;
/// The process of `session` has ended, by `exit_code` or `exit_signal`. Output may still come.
pub const ORCH_EVENT_PROCESS_EXITED: u32 = 6;
/// `session` has ended: all its output can be peeked at, and nothing follows. `exit_code` or `exit_signal` tell how.
pub const ORCH_EVENT_EXIT: u32 = 7;
/// The deadline of `timer` has come.
pub const ORCH_EVENT_TIMER: u32 = 8;
/// `link` has bytes to send: orch_link_peek.
pub const ORCH_EVENT_LINK_OUTPUT: u32 = 9;
/// `link` takes bytes again, after orch_link_receive was answered ORCH_AGAIN.
pub const ORCH_EVENT_LINK_READY: u32 = 10;
/// `link` is over: send what is left, then close its transport.
pub const ORCH_EVENT_LINK_OVER: u32 = 11;
/// Something came of the operations of `submission`: orch_submission_next.
pub const ORCH_EVENT_RESULTS: u32 = 12;

/// With ORCH_EVENT_EXIT: something that the process left behind held the terminal open, so the output was cut after a bounded wait.
pub const ORCH_EVENT_FLAG_ORPHANED: u32 = 1;

/// Something that happened. Fields that do not belong to the kind are 0 and NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchEvent {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// An ORCH_EVENT_ kind. Ignore those you do not know.
    pub kind: u32,
    /// ORCH_EVENT_FLAG_ bits.
    pub flags: u32,
    /// The session it happened to. Valid until free.
    pub session: *mut OrchSession,
    /// The reader. Valid until free.
    pub reader: *mut OrchReader,
    /// The timer. Valid until free.
    pub timer: *mut OrchTimer,
    /// The link. Valid until free.
    pub link: *mut OrchLink,
    /// The submission. Valid until free.
    pub submission: *mut OrchSubmission,
    /// What you gave when you made the object.
    pub user_data: *mut c_void,
    /// The first of a range.
    pub from: u64,
    /// What follows the range, or a number.
    pub to: u64,
    /// What the process returned; -1 where it was ended by a signal, or nobody knows.
    pub exit_code: i32,
    /// The system's number of the signal that ended the process; 0 where none did.
    pub exit_signal: i32,
    /// A terminal's size.
    pub window: OrchSize,
    /// With ORCH_EVENT_LINK_OVER, why: the name of an error of the protocol, or "closed", or "broke". Valid forever.
    pub code: OrchBytes,
}

// SAFETY: numbers and pointers, for which zero is a value.
unsafe impl Growing for OrchEvent {
    const NAME: &'static str = "OrchEvent";
}

impl OrchEvent {
    pub(crate) fn new(kind: u32, user_data: Pointer<c_void>) -> OrchEvent {
        OrchEvent {
            size: 0,
            kind,
            flags: 0,
            session: ptr::null_mut(),
            reader: ptr::null_mut(),
            timer: ptr::null_mut(),
            link: ptr::null_mut(),
            submission: ptr::null_mut(),
            user_data: user_data.0,
            from: 0,
            to: 0,
            exit_code: 0,
            exit_signal: 0,
            window: OrchSize::default(),
            code: OrchBytes::NONE,
        }
    }

    /// What C is told; nothing of what a newer core may tell.
    pub(crate) fn of_session(kind: EventKind, handle: Pointer<OrchSession>, user_data: Pointer<c_void>) -> Option<OrchEvent> {
        let event = |kind| OrchEvent { session: handle.0, ..OrchEvent::new(kind, user_data) };
        Some(match kind {
            EventKind::InputReady => event(ORCH_EVENT_INPUT_READY),
            EventKind::InputDropped { from, to } => OrchEvent { from, to, ..event(ORCH_EVENT_INPUT_DROPPED) },
            EventKind::Resized { number, size } => OrchEvent { to: number, window: size.into(), ..event(ORCH_EVENT_RESIZED) },
            EventKind::ViewerDemoted => event(ORCH_EVENT_VIEWER_DEMOTED),
            EventKind::ProcessExited(status) => event(ORCH_EVENT_PROCESS_EXITED).with_exit(status),
            EventKind::Exit(exit) => {
                let flags = if exit.orphaned { ORCH_EVENT_FLAG_ORPHANED } else { 0 };
                OrchEvent { flags, ..event(ORCH_EVENT_EXIT).with_exit(exit.status) }
            }
            _ => return None,
        })
    }

    fn with_exit(self, status: ExitStatus) -> OrchEvent {
        let (exit_code, exit_signal) = code_and_signal(status);
        OrchEvent { exit_code, exit_signal, ..self }
    }
}

/// How a process ended, as C is told.
pub(crate) fn code_and_signal(status: ExitStatus) -> (i32, i32) {
    match status {
        ExitStatus::Code(code) => (code, 0),
        ExitStatus::Signal(signal) => (-1, signal),
        _ => (-1, 0),
    }
}

/// Takes the next event. As long as events wait, the descriptor stays readable: take them until ORCH_AGAIN.
///
/// @param hub  The hub.
/// @param out  Where to store it; made by ORCH_INIT.
/// @return ORCH_OK; ORCH_AGAIN when none waits; ORCH_NULL; ORCH_INVALID if `out->size` is none; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; of several threads each gets other events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_next_event(hub: *mut OrchHub, out: *mut OrchEvent) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(hub, |hub: &HubHandle| {
            sized::check(out, "out")?; // Before anything is taken.
            match hub.next_event() {
                Some(event) => sized::write(out, "out", event),
                None => Ok(ORCH_AGAIN),
            }
        })
    }
}

impl HubHandle {
    fn next_event(&self) -> Option<OrchEvent> {
        while let Some(number) = self.hub.next_post() {
            let Some(object) = self.objects.posted(number) else { continue };
            if let Some((event, more)) = object.event() {
                if more {
                    self.objects.poster.post(number);
                }
                return Some(event);
            }
        }
        loop {
            let event = self.hub.next_event()?;
            self.objects.pass_on(&event);
            if let Some(event) = self.objects.translate(event) {
                return Some(event);
            }
        }
    }
}
