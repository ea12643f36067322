//! Operations to be asked for together.

use std::ffi::c_char;

use bytes::Bytes;
use orchflow_core::batch::Class;
use orchflow_core::limits::OPERATIONS_MAX;
use orchflow_core::protocol::message::{Act, Batch, Mode, Operation, Spawn};
use parking_lot::Mutex;

use crate::boundary::boundary;
use crate::failure::{Answer, Failure};
use crate::handle::{self, Handle, make, on};
use crate::session::{signal_of, target_of};
use crate::sized::{self, Growing};
use crate::spawn::{OrchSpawnOptions, spawn_message};
use crate::status::*;
use crate::values::{OrchSize, bytes, c_text};

/// Operations to be asked for together: of a server in this process, or by a client elsewhere.
pub struct OrchBatch {
    _private: [u8; 0],
}

impl Handle for BatchHandle {
    type Opaque = OrchBatch;
    const NAME: &'static str = "batch";
}

/// What a call on a batch needs.
pub(crate) struct BatchHandle {
    batch: Mutex<Batch>,
}

impl BatchHandle {
    /// The batch as it is now; the handle can be used for another like it.
    pub(crate) fn copy(&self) -> Batch {
        self.batch.lock().clone()
    }
}

/// Operations wait only for those before them on the same session.
pub const ORCH_BATCH_PARALLEL: u32 = 0;
/// Each waits for the one before it, however that ended.
pub const ORCH_BATCH_ORDERED: u32 = 1;
/// Each waits for the one before it; after one that was refused none is carried out.
pub const ORCH_BATCH_STOP_ON_ERROR: u32 = 2;

/// A program waits for it.
pub const ORCH_CLASS_CONTROL: u32 = 0;
/// A person waits for it.
pub const ORCH_CLASS_INTERACTIVE: u32 = 1;
/// Somebody waits for all of many.
pub const ORCH_CLASS_BULK: u32 = 2;
/// Nobody waits for it.
pub const ORCH_CLASS_BACKGROUND: u32 = 3;

/// How a batch is to be carried out. All zeros: in parallel, for a program that waits.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchBatchOptions {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// ORCH_BATCH_PARALLEL, ORCH_BATCH_ORDERED or ORCH_BATCH_STOP_ON_ERROR.
    pub mode: u32,
    /// An ORCH_CLASS_ constant: how urgent it is.
    pub class_: u32,
    /// What has not begun by then is not begun any more, in milliseconds from when it is asked for; 0: no such limit.
    pub within_ms: u32,
    /// Keep 0.
    pub reserved: u32,
    /// What tells it from others, whoever asks for it and however often: it is carried out once, and everybody who asks is told what came of it. UTF-8, up to 64
    /// bytes; NULL: nothing.
    pub key: *const c_char,
}

// SAFETY: numbers and a pointer.
unsafe impl Growing for OrchBatchOptions {
    const NAME: &'static str = "OrchBatchOptions";
}

/// Makes a batch without operations.
///
/// @param options  How it is to be carried out; NULL for the defaults.
/// @param out      Where to store it. Yours: orch_batch_free.
/// @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_NULL; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_new(options: *const OrchBatchOptions, out: *mut *mut OrchBatch) -> OrchStatus {
    // SAFETY: by the conventions.
    boundary(|| unsafe { make(out, || sized::read::<OrchBatchOptions>(options)?.understood()) })
}

impl OrchBatchOptions {
    /// # Safety
    /// The key ends with NUL.
    unsafe fn understood(&self) -> Result<BatchHandle, Failure> {
        let mode = match self.mode {
            ORCH_BATCH_PARALLEL => Mode::Parallel,
            ORCH_BATCH_ORDERED => Mode::Ordered,
            ORCH_BATCH_STOP_ON_ERROR => Mode::StopOnError,
            mode => return Err(Failure::invalid(format!("`mode` {mode} is no ORCH_BATCH_ constant"))),
        };
        let class = match self.class_ {
            ORCH_CLASS_CONTROL => Class::Control,
            ORCH_CLASS_INTERACTIVE => Class::Interactive,
            ORCH_CLASS_BULK => Class::Bulk,
            ORCH_CLASS_BACKGROUND => Class::Background,
            class => return Err(Failure::invalid(format!("`class_` {class} is no ORCH_CLASS_ constant"))),
        };
        if self.reserved != 0 {
            return Err(Failure::invalid("`reserved` must be 0"));
        }
        // SAFETY: by the contract.
        let key = unsafe { c_text(self.key, "key")? }.map(str::to_owned);
        let within_ms = (self.within_ms != 0).then_some(self.within_ms);
        Ok(BatchHandle { batch: Mutex::new(Batch { mode, class, within_ms, key, ..Batch::default() }) })
    }
}

/// Frees a batch. What was asked for with it goes on.
///
/// @param batch  The batch, or NULL.
/// @threads Any; the last call on this batch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_free(batch: *mut OrchBatch) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<BatchHandle>(batch) }
}

/// # Safety
/// `batch` is NULL or a batch.
unsafe fn add(batch: *mut OrchBatch, operation: impl FnOnce() -> Result<Operation, Failure>) -> OrchStatus {
    let add = |batch: &BatchHandle| -> Answer {
        let mut batch = batch.batch.lock();
        if batch.operations.len() >= OPERATIONS_MAX {
            return Err(Failure::new(ORCH_EXHAUSTED, format!("a batch has at most {OPERATIONS_MAX} operations: begin another")));
        }
        batch.operations.push(operation()?);
        Ok(ORCH_OK)
    };
    // SAFETY: by the contract.
    unsafe { on(batch, add) }
}

/// Adds: start a program that nobody watches yet. Its outcome is ORCH_OUTCOME_SPAWNED.
///
/// @param batch    The batch.
/// @param options  What to run: argv, env, cwd and window, all UTF-8; the rest is for the server to choose, and must be 0. NULL: its shell.
/// @param title    What to call the session: UTF-8; NULL: nothing.
/// @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_spawn(batch: *mut OrchBatch, options: *const OrchSpawnOptions, title: *const c_char) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        add(batch, || {
            let title = c_text(title, "title")?.unwrap_or_default().to_owned();
            let spawn = Spawn { title, ..spawn_message(&sized::read(options)?)? };
            Ok(Operation::Spawn(Box::new(spawn)))
        })
    }
}

/// The bytes are an interrupt key: see orch_session_write_urgent.
pub const ORCH_INPUT_URGENT: u32 = 1;

/// Adds: type. It is done when the terminal has accepted all of it.
///
/// @param batch    The batch.
/// @param session  The session's number.
/// @param data     The bytes; they are copied.
/// @param len      How many.
/// @param flags    ORCH_INPUT_URGENT or 0.
/// @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_input(batch: *mut OrchBatch, session: u64, data: *const u8, len: usize, flags: u32) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        add(batch, || {
            crate::values::check_flags(flags, ORCH_INPUT_URGENT, "flags")?;
            let bytes = Bytes::copy_from_slice(bytes(data, len, "data")?);
            Ok(Operation::Input { session, bytes, urgent: flags & ORCH_INPUT_URGENT != 0 })
        })
    }
}

/// Adds: make a terminal this size.
///
/// @param batch    The batch.
/// @param session  The session's number.
/// @param cols     Columns, in cells; 1 or more.
/// @param rows     Rows, in cells; 1 or more.
/// @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_resize(batch: *mut OrchBatch, session: u64, cols: u16, rows: u16) -> OrchStatus {
    let window = OrchSize { cols, rows, ..OrchSize::default() };
    // SAFETY: by the conventions.
    unsafe { add(batch, || Ok(Operation::Resize { session, size: window.checked()? })) }
}

/// Adds: send a signal.
///
/// @param batch    The batch.
/// @param session  The session's number.
/// @param signal   An ORCH_SIGNAL_ constant.
/// @param target   An ORCH_TARGET_ constant.
/// @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_signal(batch: *mut OrchBatch, session: u64, signal: u32, target: u32) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        add(batch, || {
            let act = Act::Signal { name: signal_of(signal)?, to: target_of(target)? };
            Ok(Operation::Control { session, act })
        })
    }
}

/// Forget the output so far.
pub const ORCH_ACT_CLEAR: u32 = 0;
/// Viewers put their terminals back into the first state.
pub const ORCH_ACT_RESET: u32 = 1;
/// Call it by a name.
pub const ORCH_ACT_TITLE: u32 = 2;

/// The act of an ORCH_ACT_ number.
///
/// # Safety
/// `title` is NULL or ends with NUL.
pub(crate) unsafe fn act_of(act: u32, title: *const c_char) -> Result<Act, Failure> {
    // SAFETY: by the contract.
    let title = unsafe { c_text(title, "title")? };
    match (act, title) {
        (ORCH_ACT_CLEAR, None) => Ok(Act::Clear),
        (ORCH_ACT_RESET, None) => Ok(Act::Reset),
        (ORCH_ACT_TITLE, Some(title)) => Ok(Act::Title(title.to_owned())),
        (ORCH_ACT_TITLE, None) => Err(Failure::null("title")),
        (ORCH_ACT_CLEAR | ORCH_ACT_RESET, Some(_)) => Err(Failure::invalid("only ORCH_ACT_TITLE takes a title")),
        (act, _) => Err(Failure::invalid(format!("`act` {act} is no ORCH_ACT_ constant"))),
    }
}

/// Adds: clear, reset or name a session.
///
/// @param batch    The batch.
/// @param session  The session's number.
/// @param act      An ORCH_ACT_ constant.
/// @param title    The name, UTF-8, with ORCH_ACT_TITLE; else NULL.
/// @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_control(batch: *mut OrchBatch, session: u64, act: u32, title: *const c_char) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { add(batch, || Ok(Operation::Control { session, act: act_of(act, title)? })) }
}

/// Adds: end a session. It is done when that has begun.
///
/// @param batch     The batch.
/// @param session   The session's number.
/// @param grace_ms  Patience after each step, in milliseconds; 0 kills at once.
/// @return ORCH_OK; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_close(batch: *mut OrchBatch, session: u64, grace_ms: u32) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { add(batch, || Ok(Operation::Close { session, grace_ms })) }
}

/// Adds: tell what is known of a session. Its outcome is ORCH_OUTCOME_SESSION.
///
/// @param batch    The batch.
/// @param session  The session's number.
/// @return ORCH_OK; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_query(batch: *mut OrchBatch, session: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { add(batch, || Ok(Operation::Query { session })) }
}

/// Adds: one that the server's own program offers. Its outcome is ORCH_OUTCOME_HOST, or ORCH_OUTCOME_DONE without an answer.
///
/// @param batch  The batch.
/// @param name   What it is called: UTF-8.
/// @param data   What it needs to know, as the two agree on; copied.
/// @param len    Its length in bytes.
/// @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_batch_host(batch: *mut OrchBatch, name: *const c_char, data: *const u8, len: usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        add(batch, || {
            let name = c_text(name, "name")?.ok_or_else(|| Failure::null("name"))?.to_owned();
            Ok(Operation::Host { name, body: Bytes::copy_from_slice(bytes(data, len, "data")?) })
        })
    }
}
