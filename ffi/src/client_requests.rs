//! What a client asks of its server.

use std::ffi::c_char;
use std::time::Duration;

use bytes::Bytes;
use orchflow_core::peer::client::{AskError, ClientPeer, InputError};
use orchflow_core::protocol::frame::StreamId;
use orchflow_core::protocol::message::{Act, Attach, Policy, Start};
use orchflow_core::time::Time;

use crate::batch::{BatchHandle, ORCH_INPUT_URGENT, OrchBatch, act_of};
use crate::client::{ClientHandle, OrchClient, State, told};
use crate::failure::Failure;
use crate::handle::{get, on};
use crate::session::{signal_of, target_of};
use crate::sized::{self, Growing};
use crate::spawn::{OrchSpawnOptions, spawn_message};
use crate::status::*;
use crate::token::role_of;
use crate::values::{OrchSize, bytes, check_flags, store};

impl From<AskError> for Failure {
    fn from(error: AskError) -> Failure {
        let status = match error {
            AskError::NotOpen => ORCH_NOT_OPEN,
            AskError::Watched { .. } => ORCH_INVALID,
            _ => ORCH_EXHAUSTED,
        };
        Failure::of(status, &error)
    }
}

/// Starts a program; ORCH_CLIENT_SPAWNED or ORCH_CLIENT_REFUSED follows on the stream. However often the link breaks meanwhile, it is started once.
///
/// @param client   The client.
/// @param options  What to run: argv, env, cwd and window, all UTF-8; the rest must be 0. NULL: the server's shell.
/// @param stream   Where to store the stream.
/// @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_spawn(client: *mut OrchClient, options: *const OrchSpawnOptions, stream: *mut u16) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(client, |client: &ClientHandle| {
            let spawn = spawn_message(&sized::read(options)?)?;
            store(stream, "stream", 0)?;
            client.with(|state| store(stream, "stream", state.peer.spawn(spawn)?.as_raw()))
        })
    }
}

/// The program waits for this viewer, until others have waited for long.
pub const ORCH_POLICY_BACKPRESSURE: u32 = 1;
/// This viewer goes on with the newest output when it falls behind, and is told what it missed.
pub const ORCH_POLICY_RESYNC: u32 = 2;

/// How to watch a session. All zeros but the session: all its output, in the client's own role.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchAttachOptions {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// The session's number.
    pub session: u64,
    /// Where to begin: the offset of a byte. What is no longer held is told as a gap.
    pub offset: u64,
    /// Unless 0: begin so that at most this many of the newest bytes come, whatever `offset` says.
    pub tail_bytes: u64,
    /// The client's window; all zeros: it has none.
    pub window: OrchSize,
    /// An ORCH_ROLE_ constant plus 1, to be less than the pass allows; 0: what the pass allows.
    pub role_plus_1: u32,
    /// ORCH_POLICY_BACKPRESSURE or ORCH_POLICY_RESYNC; 0: the second where others watch already, else the first.
    pub policy: u32,
}

// SAFETY: numbers.
unsafe impl Growing for OrchAttachOptions {
    const NAME: &'static str = "OrchAttachOptions";
}

/// Watches a session; ORCH_CLIENT_ATTACHED or ORCH_CLIENT_REFUSED follows on the stream.
///
/// @param client   The client.
/// @param options  Which, and how. Not NULL.
/// @param stream   Where to store the stream.
/// @return ORCH_OK; ORCH_INVALID, also when it is watched already; ORCH_TOO_NEW; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_attach(client: *mut OrchClient, options: *const OrchAttachOptions, stream: *mut u16) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(client, |client: &ClientHandle| {
            if options.is_null() {
                return Err(Failure::null("options"));
            }
            let attach = sized::read::<OrchAttachOptions>(options)?.understood()?;
            store(stream, "stream", 0)?;
            client.with(|state| store(stream, "stream", state.peer.attach(attach)?.as_raw()))
        })
    }
}

impl OrchAttachOptions {
    fn understood(&self) -> Result<Attach, Failure> {
        let policy = match self.policy {
            0 => None,
            ORCH_POLICY_BACKPRESSURE => Some(Policy::Backpressure),
            ORCH_POLICY_RESYNC => Some(Policy::Resync),
            policy => return Err(Failure::invalid(format!("`policy` {policy} is no ORCH_POLICY_ constant"))),
        };
        Ok(Attach {
            number: 0,
            session: self.session,
            start: if self.tail_bytes == 0 { Start::Offset(self.offset) } else { Start::Tail(self.tail_bytes) },
            role: self.role_plus_1.checked_sub(1).map(role_of).transpose()?,
            size: (self.window != OrchSize::default()).then(|| self.window.checked()).transpose()?,
            policy,
        })
    }
}

/// Watches no longer; ORCH_CLIENT_DETACHED says when the stream is free.
///
/// @param client  The client.
/// @param stream  The stream.
/// @return ORCH_OK; ORCH_NOT_OPEN; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_detach(client: *mut OrchClient, stream: u16) -> OrchStatus {
    let detach = |state: &mut State| {
        state.peer.detach(StreamId::new(stream))?;
        Ok(ORCH_OK)
    };
    // SAFETY: by the conventions.
    unsafe { on(client, |client: &ClientHandle| client.with(detach)) }
}

/// Asks which sessions there are: ORCH_CLIENT_SESSIONS tells.
///
/// @param client  The client.
/// @param number  Where to store the request's number.
/// @return ORCH_OK; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_list(client: *mut OrchClient, number: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { ask(client, number, |peer| Ok(peer.list()?)) }
}

/// Asks how far away the server is: ORCH_CLIENT_PONG tells, unless the link breaks before. One at a time.
///
/// @param client  The client.
/// @param now_ns  The time, in nanoseconds.
/// @return ORCH_OK; ORCH_NOT_OPEN; ORCH_EXHAUSTED while another waits; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_ping(client: *mut OrchClient, now_ns: u64) -> OrchStatus {
    let ping = |state: &mut State| {
        state.peer.ping(Time::from_nanos(now_ns))?;
        Ok(ORCH_OK)
    };
    // SAFETY: by the conventions.
    unsafe { on(client, |client: &ClientHandle| client.with(ping)) }
}

/// Ends a session: ORCH_CLIENT_DONE or ORCH_CLIENT_REFUSED repeats the number.
///
/// @param client    The client.
/// @param session   The session's number.
/// @param grace_ns  Patience after each step, in nanoseconds, which the server counts in milliseconds; 0 kills at once.
/// @param number    Where to store the request's number.
/// @return ORCH_OK; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_close(client: *mut OrchClient, session: u64, grace_ns: u64, number: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { ask(client, number, |peer| Ok(peer.close(session, Duration::from_nanos(grace_ns))?)) }
}

/// Clears, resets or names the session on a stream.
///
/// @param client  The client.
/// @param stream  The stream.
/// @param act     An ORCH_ACT_ constant.
/// @param title   The name, UTF-8, with ORCH_ACT_TITLE; else NULL.
/// @param number  Where to store the request's number, which ORCH_CLIENT_DONE repeats.
/// @return ORCH_OK; ORCH_INVALID; ORCH_NOT_OPEN; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_control(
    client: *mut OrchClient,
    stream: u16,
    act: u32,
    title: *const c_char,
    number: *mut u64,
) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { ask(client, number, |peer| Ok(peer.control(StreamId::new(stream), act_of(act, title)?)?)) }
}

/// Sends a signal to the session on a stream.
///
/// @param client  The client.
/// @param stream  The stream.
/// @param signal  An ORCH_SIGNAL_ constant.
/// @param target  An ORCH_TARGET_ constant.
/// @param number  Where to store the request's number, which ORCH_CLIENT_DONE repeats.
/// @return ORCH_OK; ORCH_INVALID; ORCH_NOT_OPEN; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_signal(
    client: *mut OrchClient,
    stream: u16,
    signal: u32,
    target: u32,
    number: *mut u64,
) -> OrchStatus {
    let act = || -> Result<Act, Failure> { Ok(Act::Signal { name: signal_of(signal)?, to: target_of(target)? }) };
    // SAFETY: by the conventions.
    unsafe { ask(client, number, |peer| Ok(peer.control(StreamId::new(stream), act()?)?)) }
}

/// The client's window on a stream has this size now; ORCH_CLIENT_RESIZED tells the terminal's.
///
/// @param client  The client.
/// @param stream  The stream.
/// @param window  The size.
/// @param number  Where to store the request's number.
/// @return ORCH_OK; ORCH_INVALID; ORCH_NOT_OPEN; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_resize(client: *mut OrchClient, stream: u16, window: *const OrchSize, number: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        ask(client, number, |peer| {
            let window = window.as_ref().ok_or_else(|| Failure::null("window"))?;
            Ok(peer.resize(StreamId::new(stream), window.checked()?)?)
        })
    }
}

/// Asks for operations: ORCH_CLIENT_RESULTS repeats the number. However often the link breaks meanwhile, each is carried out once, and told
/// once.
///
/// @param client  The client.
/// @param batch   The operations; the batch stays yours.
/// @param now_ns  The time, in nanoseconds.
/// @param number  Where to store the request's number.
/// @return ORCH_OK; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_submit(client: *mut OrchClient, batch: *const OrchBatch, now_ns: u64, number: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        ask(client, number, |peer| {
            let batch = get(batch, |batch: &BatchHandle| Ok(batch.copy()))?;
            Ok(peer.batch(batch, Time::from_nanos(now_ns))?)
        })
    }
}

/// Calls off what has not begun of a batch.
///
/// @param client  The client.
/// @param number  The batch's number.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_cancel(client: *mut OrchClient, number: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { told(client, |state| state.peer.cancel(number)) }
}

/// # Safety
/// `client` is NULL or a client, `number` NULL or writable.
unsafe fn ask(client: *mut OrchClient, number: *mut u64, ask: impl FnOnce(&mut ClientPeer) -> Result<u64, Failure>) -> OrchStatus {
    // SAFETY: by the contract.
    unsafe {
        on(client, |client: &ClientHandle| {
            store(number, "number", 0)?; // Before anything is asked.
            client.with(|state| store(number, "number", ask(&mut state.peer)?))
        })
    }
}

// ---- Output and input ----

/// Output, and gaps, before `offset` were rendered: shown, and not just received. The server sends more for it.
///
/// @param client  The client.
/// @param stream  The stream.
/// @param offset  What follows the last byte that was rendered.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_rendered(client: *mut OrchClient, stream: u16, offset: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { told(client, |state| state.peer.rendered(StreamId::new(stream), offset)) }
}

/// What the host's own terminal answers to a program's query. Only one that was told ORCH_CLIENT_EVENT_REPLIES shall.
pub const ORCH_INPUT_REPLY: u32 = 2;

/// Types, also while the link is broken: input is kept until it is settled, and reaches the program once.
///
/// @param client    The client.
/// @param stream    The stream.
/// @param data      The bytes; they are copied.
/// @param len       How many.
/// @param flags     ORCH_INPUT_URGENT, ORCH_INPUT_REPLY or 0.
/// @param sequence  Where to store the number of the last piece, which ORCH_CLIENT_SETTLED reaches.
/// @return ORCH_OK; ORCH_AGAIN when as much waits for the server as is kept, and ORCH_CLIENT_SETTLED tells when to try again; ORCH_NOT_OPEN;
///         ORCH_INVALID; ORCH_NULL; ORCH_FORKED; ORCH_PANIC. But for ORCH_OK nothing was taken.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_write(
    client: *mut OrchClient,
    stream: u16,
    data: *const u8,
    len: usize,
    flags: u32,
    sequence: *mut u64,
) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(client, |client: &ClientHandle| {
            let data = Bytes::copy_from_slice(bytes(data, len, "data")?);
            check_flags(flags, ORCH_INPUT_URGENT | ORCH_INPUT_REPLY, "flags")?;
            store(sequence, "sequence", 0)?;
            client.with(|state| {
                let (peer, stream) = (&mut state.peer, StreamId::new(stream));
                let written = match flags {
                    0 => peer.write(stream, data),
                    ORCH_INPUT_URGENT => peer.interrupt(stream, data),
                    ORCH_INPUT_REPLY => peer.reply(stream, data),
                    _ => return Err(Failure::invalid("`flags` has both: what a terminal answers is not urgent")),
                };
                match written {
                    Ok(number) => store(sequence, "sequence", number),
                    Err(InputError::Full { .. }) => Ok(ORCH_AGAIN),
                    Err(error) => Err(Failure::of(ORCH_NOT_OPEN, &error)),
                }
            })
        })
    }
}
