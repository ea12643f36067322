//! How a call ended.

use std::ffi::c_char;

/// How a call ended. 0 is success; above 0 nothing is wrong, but nothing was done; below 0 is an error. So `if (rc < 0)` is the whole
/// test. Numbers never change their meaning.
pub type OrchStatus = i32;

/// It was done.
pub const ORCH_OK: OrchStatus = 0;
/// Nothing is there now, or there is no room now: an event tells when to try again.
pub const ORCH_AGAIN: OrchStatus = 1;
/// Nothing will come any more.
pub const ORCH_EOF: OrchStatus = 2;
/// The time was over before anything happened.
pub const ORCH_TIMED_OUT: OrchStatus = 3;
/// The budget was spent, and more is ready.
pub const ORCH_MORE: OrchStatus = 4;
/// Bytes are missing here, which are no longer held: orch_reader_skip tells which, and goes on after them.
pub const ORCH_GAP: OrchStatus = 5;

/// An argument is NULL that must not be.
pub const ORCH_NULL: OrchStatus = -1;
/// An argument has a value that makes no sense; the message says which and why.
pub const ORCH_INVALID: OrchStatus = -2;
/// A struct has a field set that this library does not know: it is older than the header it was compiled with.
pub const ORCH_TOO_NEW: OrchStatus = -3;
/// The buffer is too small; the length it needs was stored.
pub const ORCH_TOO_SMALL: OrchStatus = -4;
/// The hub, session or link was closed.
pub const ORCH_CLOSED: OrchStatus = -5;
/// The process is a fork of the one that made the handle; only freeing it is allowed.
pub const ORCH_FORKED: OrchStatus = -6;
/// A bug of the library's own: a panic. The handle is broken; any later call on it answers this too. Free it.
pub const ORCH_PANIC: OrchStatus = -7;
/// The system refused something; the OS error says what.
pub const ORCH_IO: OrchStatus = -8;
/// There is no such program, folder, session or name.
pub const ORCH_NOT_FOUND: OrchStatus = -9;
/// There is no permission to do this.
pub const ORCH_PERMISSION: OrchStatus = -10;
/// A limit is reached: of the system, or one that the message names.
pub const ORCH_EXHAUSTED: OrchStatus = -11;
/// The terminal would silently cut this line: send shorter ones, or use raw mode.
pub const ORCH_LINE_TOO_LONG: OrchStatus = -12;
/// Not now: the stream or the link is not open.
pub const ORCH_NOT_OPEN: OrchStatus = -13;

/// The name of a status, for logs.
///
/// @param status  Any.
/// @return Its constant's name, or "ORCH_UNKNOWN". Valid forever.
/// @threads Any.
#[unsafe(no_mangle)]
pub extern "C" fn orch_status_name(status: OrchStatus) -> *const c_char {
    let name = match status {
        ORCH_OK => c"ORCH_OK",
        ORCH_AGAIN => c"ORCH_AGAIN",
        ORCH_EOF => c"ORCH_EOF",
        ORCH_TIMED_OUT => c"ORCH_TIMED_OUT",
        ORCH_MORE => c"ORCH_MORE",
        ORCH_GAP => c"ORCH_GAP",
        ORCH_NULL => c"ORCH_NULL",
        ORCH_INVALID => c"ORCH_INVALID",
        ORCH_TOO_NEW => c"ORCH_TOO_NEW",
        ORCH_TOO_SMALL => c"ORCH_TOO_SMALL",
        ORCH_CLOSED => c"ORCH_CLOSED",
        ORCH_FORKED => c"ORCH_FORKED",
        ORCH_PANIC => c"ORCH_PANIC",
        ORCH_IO => c"ORCH_IO",
        ORCH_NOT_FOUND => c"ORCH_NOT_FOUND",
        ORCH_PERMISSION => c"ORCH_PERMISSION",
        ORCH_EXHAUSTED => c"ORCH_EXHAUSTED",
        ORCH_LINE_TOO_LONG => c"ORCH_LINE_TOO_LONG",
        ORCH_NOT_OPEN => c"ORCH_NOT_OPEN",
        _ => c"ORCH_UNKNOWN",
    };
    name.as_ptr()
}
