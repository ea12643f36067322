//! Why a call failed, and the last failure of each thread.

use std::borrow::Cow;
use std::cell::RefCell;
use std::error::Error;
use std::ffi::{CString, c_char};
use std::io;

use orchflow_core::protocol::message::{ErrorCode, Fault};
use orchflow_core::pty::SpawnError;
use orchflow_core::session::WriteError;

use crate::boundary::boundary;
use crate::sized::{self, Growing};
use crate::status::*;

/// What a call says of its end: a status of 0 or above, or a failure.
pub(crate) type Answer = Result<OrchStatus, Failure>;

/// An error to be. In a box, so that calls which do not fail pass nothing but a status on.
#[derive(Debug)]
pub(crate) struct Failure(Box<Why>);

#[derive(Debug)]
struct Why {
    status: OrchStatus,
    os_error: i32,
    message: Cow<'static, str>,
}

impl Failure {
    pub(crate) fn new(status: OrchStatus, message: impl Into<Cow<'static, str>>) -> Failure {
        Failure(Box::new(Why { status, os_error: 0, message: message.into() }))
    }

    /// `what` is NULL.
    pub(crate) fn null(what: &'static str) -> Failure {
        Failure::new(ORCH_NULL, format!("`{what}` is NULL"))
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(ORCH_INVALID, message)
    }

    /// `error` with all that caused it, in one line.
    pub(crate) fn of(status: OrchStatus, error: &dyn Error) -> Failure {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Failure::new(status, message)
    }

    fn with_os_error(mut self, os_error: Option<i32>) -> Failure {
        self.0.os_error = os_error.unwrap_or(0);
        self
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> OrchStatus {
        self.0.status
    }

    /// Becomes the thread's last failure.
    #[cold]
    pub(crate) fn tell(self) -> OrchStatus {
        let Why { status, os_error, message } = *self.0;
        let text = CString::new(message.replace('\0', "\u{fffd}")).unwrap_or_default();
        let last = Last { status, os_error, text };
        // Nothing to tell it to on a thread that is about to end.
        let _ending = LAST.try_with(|known| *known.borrow_mut() = last);
        status
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let status = match error.kind() {
            io::ErrorKind::InvalidInput => ORCH_INVALID,
            _ => ORCH_IO,
        };
        Failure::of(status, &error).with_os_error(error.raw_os_error())
    }
}

impl From<SpawnError> for Failure {
    fn from(error: SpawnError) -> Failure {
        let status = match &error {
            SpawnError::NotFound { .. } | SpawnError::BadDirectory { .. } => ORCH_NOT_FOUND,
            SpawnError::PermissionDenied { .. } | SpawnError::NotExecutable { .. } | SpawnError::IsDirectory { .. } => ORCH_PERMISSION,
            SpawnError::Malformed { .. } | SpawnError::Options { .. } => ORCH_INVALID,
            SpawnError::Exhausted { .. } | SpawnError::TooManySessions { .. } => ORCH_EXHAUSTED,
            SpawnError::Closed => ORCH_CLOSED,
            SpawnError::Forked => ORCH_FORKED,
            _ => ORCH_IO,
        };
        Failure::of(status, &error).with_os_error(error.raw_os_error())
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Failure {
        let status = match &error {
            WriteError::LineTooLong { .. } => ORCH_LINE_TOO_LONG,
            WriteError::Full { .. } | WriteError::EventsUntaken { .. } => ORCH_EXHAUSTED,
            WriteError::Closed => ORCH_CLOSED,
            WriteError::Forked => ORCH_FORKED,
            _ => ORCH_IO,
        };
        let os_error = if let WriteError::Io(source) = &error { source.raw_os_error() } else { None };
        Failure::of(status, &error).with_os_error(os_error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        let status = match fault.code {
            ErrorCode::ShuttingDown => ORCH_CLOSED,
            ErrorCode::TooMany | ErrorCode::Overloaded => ORCH_EXHAUSTED,
            _ => ORCH_INVALID,
        };
        Failure::of(status, &fault)
    }
}

// ---- The last failure of each thread ----

struct Last {
    status: OrchStatus,
    os_error: i32,
    text: CString,
}

thread_local! {
    static LAST: RefCell<Last> = RefCell::new(Last { status: ORCH_OK, os_error: 0, text: CString::default() });
}

/// Why the last call that failed on this thread did.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchError {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// The status that was returned; ORCH_OK while none has failed.
    pub status: OrchStatus,
    /// The system's error number, or 0.
    pub os_error: i32,
    /// What went wrong and how to mend it: UTF-8, one line. Valid until the next call on this thread that fails.
    pub message: *const c_char,
}

// SAFETY: numbers and a pointer, for which zero is a value.
unsafe impl Growing for OrchError {
    const NAME: &'static str = "OrchError";
}

/// Tells the calling thread's last failure. Control flow never needs it: the status says all that a program can act on.
///
/// @param out  Where to store it.
/// @return ORCH_OK; ORCH_NULL; ORCH_INVALID if `out->size` is none.
/// @threads Any; each has its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_last_error(out: *mut OrchError) -> OrchStatus {
    boundary(|| {
        // A call that fails replaces what it was asked for, so this one looks first.
        let (status, os_error, message) = LAST.with_borrow(|last| (last.status, last.os_error, last.text.as_ptr()));
        // SAFETY: by the conventions `out` is NULL or an OrchError.
        unsafe { sized::write(out, "out", OrchError { size: 0, status, os_error, message }) }
    })
}
