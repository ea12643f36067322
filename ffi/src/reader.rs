//! Further readers of a session's output.

use std::ffi::c_void;
use std::sync::Arc;

use orchflow_core::ring::Mode;

use crate::failure::Failure;
use crate::handle::{self, Handle, give, make_of, on};
use crate::lens::{Lens, Target};
use crate::objects::Pointer;
use crate::session::{OrchSession, SessionHandle, lend, read_into};
use crate::sized::{self, Growing};
use crate::status::*;
use crate::values::{OrchBytes, check_flags, store};

/// A place in a session's output, beside the session's own.
pub struct OrchReader {
    _private: [u8; 0],
}

impl Handle for ReaderHandle {
    type Opaque = OrchReader;
    const NAME: &'static str = "reader";
}

/// What a call on a reader needs.
pub(crate) struct ReaderHandle {
    lens: Arc<Lens>,
}

impl Drop for ReaderHandle {
    fn drop(&mut self) {
        self.lens.retire();
    }
}

/// The program waits for this reader for as long as it takes.
pub const ORCH_READER_OWNER: u32 = 0;
/// The program waits for this reader, but not for long while another waits too: then it becomes lossy, which ORCH_EVENT_VIEWER_DEMOTED tells.
pub const ORCH_READER_VIEWER: u32 = 1;
/// The program never waits for this reader: it is told what it missed.
pub const ORCH_READER_LOSSY: u32 = 2;

/// Begin at the oldest byte that is held, whatever `offset` says.
pub const ORCH_READER_FROM_START: u32 = 1;
/// Begin with what comes next, whatever `offset` says.
pub const ORCH_READER_FROM_END: u32 = 2;

/// What a reader is like. All zeros: an owner, from the first byte ever.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchReaderOptions {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// ORCH_READER_OWNER, ORCH_READER_VIEWER or ORCH_READER_LOSSY.
    pub mode: u32,
    /// ORCH_READER_FROM_ flags; at most one.
    pub flags: u32,
    /// Where to begin: the offset of a byte, counted from the first ever. If it is gone the reader begins with a gap; if it is to come, at the end.
    pub offset: u64,
    /// What the reader's events carry.
    pub user_data: *mut c_void,
}

// SAFETY: numbers and a pointer.
unsafe impl Growing for OrchReaderOptions {
    const NAME: &'static str = "OrchReaderOptions";
}

/// Makes a further reader. It keeps the session open, also when the session's own handle is freed.
///
/// @param session  The session.
/// @param options  What it is like; NULL for an owner from the first byte ever.
/// @param out      Where to store it. Yours: orch_reader_free.
/// @return ORCH_OK; ORCH_NULL; ORCH_INVALID; ORCH_TOO_NEW; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_reader_new(
    session: *mut OrchSession,
    options: *const OrchReaderOptions,
    out: *mut *mut OrchReader,
) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { make_of(session, out, |session: &SessionHandle| session.new_reader(&sized::read(options)?)) }
}

impl SessionHandle {
    fn new_reader(&self, options: &OrchReaderOptions) -> Result<*mut OrchReader, Failure> {
        check_flags(options.flags, ORCH_READER_FROM_START | ORCH_READER_FROM_END, "flags")?;
        let mode = match options.mode {
            ORCH_READER_OWNER => Mode::Owner,
            ORCH_READER_VIEWER => Mode::Viewer,
            ORCH_READER_LOSSY => Mode::Lossy,
            mode => return Err(Failure::invalid(format!("`mode` {mode} is no ORCH_READER_ mode"))),
        };
        let offset = match options.flags {
            0 => Some(options.offset),
            ORCH_READER_FROM_START => None,
            ORCH_READER_FROM_END => Some(self.session.range().end),
            _ => return Err(Failure::invalid("a reader cannot begin at the start and at the end")),
        };
        let mut table = self.objects.lock();
        let lens = Lens::new(&self.objects, &mut table, self.session.read_as(mode, offset));
        let handle = give(ReaderHandle { lens: Arc::clone(&lens) });
        lens.set_target(Target::Reader(Pointer(handle)), options.user_data);
        Ok(handle)
    }
}

/// Frees a reader; nobody waits for it any more.
///
/// @param reader  The reader, or NULL.
/// @threads Any; the last call on this reader.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_reader_free(reader: *mut OrchReader) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<ReaderHandle>(reader) }
}

/// Shows output that was not consumed yet, as orch_session_peek does for the session's own.
///
/// @param reader  The reader.
/// @param first   Where to store the first stretch. Valid until consume, read, seek or free on this reader.
/// @param second  Where to store what lies behind an edge of the log; it may be empty. Valid as long. May be NULL.
/// @return ORCH_OK; ORCH_AGAIN; ORCH_EOF; ORCH_GAP when bytes are missing here: orch_reader_skip; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; but the loan is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_reader_peek(reader: *mut OrchReader, first: *mut OrchBytes, second: *mut OrchBytes) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(reader, |reader: &ReaderHandle| lend(reader.lens.peek()?, first, second)) }
}

/// Ends the loan: the first `len` bytes that the last peek showed have been dealt with.
///
/// @param reader  The reader.
/// @param len     Bytes; 0 is fine.
/// @return ORCH_OK; ORCH_INVALID for more than the last peek showed; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; but the loan is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_reader_consume(reader: *mut OrchReader, len: usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(reader, |reader: &ReaderHandle| reader.lens.consume(len)) }
}

/// Copies output into a buffer, and consumes it.
///
/// @param reader  The reader.
/// @param buf     Where to copy it.
/// @param cap     Room there, in bytes; at least 1.
/// @param len     Where to store how many bytes were copied.
/// @return As orch_reader_peek; ORCH_INVALID if `cap` is 0.
/// @threads Any; it ends a loan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_reader_read(reader: *mut OrchReader, buf: *mut u8, cap: usize, len: *mut usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(reader, |reader: &ReaderHandle| read_into(&reader.lens, buf, cap, len)) }
}

/// Goes on after the gap that a peek has found, and tells which bytes are missing.
///
/// @param reader  The reader.
/// @param from    Where to store the offset of the first byte missed.
/// @param to      Where to store the offset after the last.
/// @return ORCH_OK; ORCH_AGAIN when the last peek found no gap; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_reader_skip(reader: *mut OrchReader, from: *mut u64, to: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(reader, |reader: &ReaderHandle| {
            if from.is_null() || to.is_null() {
                return Err(Failure::null(if from.is_null() { "from" } else { "to" })); // Before the gap is gone.
            }
            let Some(gap) = reader.lens.skip() else { return Ok(ORCH_AGAIN) };
            store(from, "from", gap.0)?;
            store(to, "to", gap.1)
        })
    }
}

/// Goes on at another place, backwards or forwards; bytes that are gone are told as a gap.
///
/// @param reader  The reader.
/// @param offset  The offset of a byte, counted from the first ever; at most the end.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any; it ends a loan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_reader_seek(reader: *mut OrchReader, offset: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(reader, |reader: &ReaderHandle| {
            reader.lens.seek(offset);
            Ok(ORCH_OK)
        })
    }
}

/// Tells the offset of the next byte to be consumed.
///
/// @param reader  The reader.
/// @param out     Where to store it.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_reader_offset(reader: *const OrchReader, out: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(reader, |reader: &ReaderHandle| store(out, "out", reader.lens.offset())) }
}
