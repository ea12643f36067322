//! The client's end of a connection: a machine. Bytes and the time go in; frames and events come out.

use std::ffi::c_char;

use bytes::{Buf, Bytes};
use orchflow_core::hub::serve::Framing;
use orchflow_core::limits::FRAME_BEFORE_PROOF_MAX;
use orchflow_core::peer::client::{ClientOptions, ClientPeer, Event};
use orchflow_core::protocol::frame::FrameDecoder;
use orchflow_core::protocol::message::Credit;
use orchflow_core::protocol::token::Pass;
use orchflow_core::time::Time;
use parking_lot::Mutex;

use crate::boundary::boundary;
use crate::client_event::{Lent, OrchClientEvent};
use crate::failure::{Answer, Failure};
use crate::handle::{self, Handle, make, on};
use crate::link::framing_of;
use crate::outcome::{OrchOutcome, Outcomes};
use crate::sized::{self, Growing};
use crate::status::*;
use crate::token::fill_random;
use crate::values::{OrchBytes, bytes, c_text, check_flags, store};

/// The client's end of a connection.
pub struct OrchClient {
    _private: [u8; 0],
}

impl Handle for ClientHandle {
    type Opaque = OrchClient;
    const NAME: &'static str = "client";
}

/// What a call on a client needs.
pub(crate) struct ClientHandle {
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) peer: ClientPeer,
    /// Of a byte stream.
    decoder: Option<FrameDecoder>,
    /// On loan to the host, or about to be.
    outgoing: Bytes,
    lent: Lent,
    outcomes: Outcomes,
}

impl ClientHandle {
    pub(crate) fn with(&self, touch: impl FnOnce(&mut State) -> Answer) -> Answer {
        touch(&mut self.state.lock())
    }
}

/// Sends no output packed: for links that are near.
pub const ORCH_CLIENT_NO_COMPRESSION: u32 = 1;

/// What a client is like.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchClientOptions {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// What lets it in: a text that orch_token_pass made. Not NULL.
    pub pass: *const c_char,
    /// Where it dials, as the server knows itself: "host:port" in lower case, or "unix". Not NULL.
    pub authority: *const c_char,
    /// What other viewers call it: UTF-8; NULL: nothing.
    pub name: *const c_char,
    /// ORCH_FRAMING_STREAM or ORCH_FRAMING_MESSAGES: how its transport carries bytes.
    pub framing: u32,
    /// ORCH_CLIENT_ flags.
    pub flags: u32,
    /// Decides how long it waits between tries: give each client another. 0: chosen at random.
    pub seed: u64,
    /// Output it takes per stream without having rendered it, in bytes; 0: 512 KiB.
    pub credit_bytes: u32,
    /// Keep 0.
    pub reserved: u32,
    /// Input kept per session until it is settled, in bytes; 0: 8 MiB.
    pub input_bytes: u64,
}

// SAFETY: numbers and pointers.
unsafe impl Growing for OrchClientOptions {
    const NAME: &'static str = "OrchClientOptions";
}

/// Makes a client. Its first event is to dial.
///
/// @param options  What it is like. Not NULL, for a client has a pass.
/// @param out      Where to store it. Yours: orch_client_free.
/// @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_IO without randomness; ORCH_NULL; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_new(options: *const OrchClientOptions, out: *mut *mut OrchClient) -> OrchStatus {
    boundary(|| {
        // SAFETY: by the conventions.
        unsafe {
            make(out, || {
                if options.is_null() {
                    return Err(Failure::null("options"));
                }
                ClientHandle::new(sized::read(options)?)
            })
        }
    })
}

impl ClientHandle {
    /// # Safety
    /// The texts end with NUL.
    unsafe fn new(options: OrchClientOptions) -> Result<ClientHandle, Failure> {
        check_flags(options.flags, ORCH_CLIENT_NO_COMPRESSION, "flags")?;
        if options.reserved != 0 {
            return Err(Failure::invalid("`reserved` must be 0"));
        }
        // SAFETY: by the contract.
        let (pass, authority, name) =
            unsafe { (c_text(options.pass, "pass")?, c_text(options.authority, "authority")?, c_text(options.name, "name")?) };
        let pass = Pass::from_text(pass.ok_or_else(|| Failure::null("pass"))?).map_err(|error| Failure::of(ORCH_INVALID, &error))?;
        let mut ours = ClientOptions::new(pass, authority.ok_or_else(|| Failure::null("authority"))?);
        ours.name = name.unwrap_or_default().to_owned();
        if options.flags & ORCH_CLIENT_NO_COMPRESSION != 0 {
            ours.features = ours.features.without_codecs();
        }
        if options.credit_bytes != 0 {
            ours.limits.credit = Credit::new(options.credit_bytes);
        }
        if options.input_bytes != 0 {
            ours.input_bytes_max = usize::try_from(options.input_bytes).unwrap_or(usize::MAX);
        }
        let mut seed = options.seed.to_le_bytes();
        if options.seed == 0 {
            fill_random(&mut seed)?;
        }
        let decoder = (framing_of(options.framing)? == Framing::Stream).then(|| FrameDecoder::new(FRAME_BEFORE_PROOF_MAX));
        let peer = ClientPeer::new(ours, u64::from_le_bytes(seed));
        let state = State { peer, decoder, outgoing: Bytes::new(), lent: Lent::default(), outcomes: Outcomes::default() };
        Ok(ClientHandle { state: Mutex::new(state) })
    }
}

/// Frees a client. A server keeps its places for a while: orch_client_leave gives them up.
///
/// @param client  The client, or NULL.
/// @threads The last call on this client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_free(client: *mut OrchClient) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<ClientHandle>(client) }
}

// ---- The link ----

/// The transport is open, as ORCH_CLIENT_DIAL asked.
///
/// @param client  The client.
/// @param now_ns  The time by a clock that never goes back, in nanoseconds: the same for all calls on this client.
/// @return ORCH_OK; ORCH_IO without randomness; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_connected(client: *mut OrchClient, now_ns: u64) -> OrchStatus {
    let connected = |state: &mut State| {
        // As much as a Hello takes, so that the machine need not be told that there is none.
        let mut pool = [0; 64];
        fill_random(&mut pool)?;
        let mut pool = pool.into_iter();
        let mut random = |bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte = pool.next().unwrap_or_default());
        state.outgoing = Bytes::new();
        if let Some(decoder) = &mut state.decoder {
            *decoder = FrameDecoder::new(FRAME_BEFORE_PROOF_MAX);
        }
        state.peer.handle_connected(&mut random, Time::from_nanos(now_ns));
        Ok(ORCH_OK)
    };
    // SAFETY: by the conventions.
    unsafe { on(client, |client: &ClientHandle| client.with(connected)) }
}

/// The transport broke or was closed, or could not be opened. It dials again by itself, where that makes sense.
///
/// @param client  The client.
/// @param now_ns  The time, in nanoseconds.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_broken(client: *mut OrchClient, now_ns: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { told(client, |state| state.peer.handle_broken(Time::from_nanos(now_ns))) }
}

/// Dials now: the network is back, or somebody asked for it.
///
/// @param client  The client.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_dial(client: *mut OrchClient) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { told(client, |state| state.peer.dial()) }
}

/// Says goodbye, for good: the server gives its places up.
///
/// @param client  The client.
/// @param now_ns  The time, in nanoseconds.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_leave(client: *mut OrchClient, now_ns: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { told(client, |state| state.peer.leave(Time::from_nanos(now_ns))) }
}

/// Bytes have come over the transport that was dialled last.
///
/// @param client  The client.
/// @param data    The bytes, or one whole message; they are copied.
/// @param len     How many.
/// @param now_ns  The time, in nanoseconds.
/// @return ORCH_OK, whatever they mean: events tell; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_receive(client: *mut OrchClient, data: *const u8, len: usize, now_ns: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(client, |client: &ClientHandle| {
            let data = bytes(data, len, "data")?;
            client.with(|state| {
                state.receive(data, Time::from_nanos(now_ns));
                Ok(ORCH_OK)
            })
        })
    }
}

impl State {
    fn receive(&mut self, data: &[u8], now: Time) {
        let Some(decoder) = &mut self.decoder else {
            return self.peer.handle_message(Bytes::copy_from_slice(data), now);
        };
        decoder.handle_bytes(data);
        loop {
            decoder.set_frame_max(self.peer.frame_max());
            match decoder.poll_frame() {
                Ok(Some(frame)) => self.peer.handle_frame(frame, now),
                Ok(None) => return,
                Err(error) => return self.peer.handle_garbage(error, now),
            }
        }
    }
}

/// Shows what is to be sent next: bytes of a stream, or one message.
///
/// @param client  The client.
/// @param out     Where to store it. Valid until the next call on this client, but for a peek.
/// @return ORCH_OK; ORCH_AGAIN when there is nothing; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_peek(client: *mut OrchClient, out: *mut OrchBytes) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(client, |client: &ClientHandle| {
            client.with(|state| {
                if state.outgoing.is_empty()
                    && let Some(frame) = state.peer.poll_frame()
                {
                    state.outgoing = frame.to_bytes();
                }
                store(out, "out", state.outgoing[..].into())?;
                Ok(if state.outgoing.is_empty() { ORCH_AGAIN } else { ORCH_OK })
            })
        })
    }
}

/// What the last peek showed was sent.
///
/// @param client  The client.
/// @param len     Bytes that were sent: of a stream perhaps not all, of messages the whole one.
/// @return ORCH_OK; ORCH_INVALID for another length; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_consume(client: *mut OrchClient, len: usize) -> OrchStatus {
    let consumed = |state: &mut State| {
        let shown = state.outgoing.len();
        if len > shown || (state.decoder.is_none() && len != shown) {
            return Err(Failure::invalid(format!("{len} bytes cannot be consumed: {shown} are shown, and a message is sent as a whole")));
        }
        state.outgoing.advance(len);
        Ok(ORCH_OK)
    };
    // SAFETY: by the conventions.
    unsafe { on(client, |client: &ClientHandle| client.with(consumed)) }
}

/// Tells when to call orch_client_timeout, if nothing happens before.
///
/// @param client  The client.
/// @param out     Where to store the time, in nanoseconds.
/// @return ORCH_OK; ORCH_AGAIN when there is no such time; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_next_timeout(client: *const OrchClient, out: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(client, |client: &ClientHandle| {
            client.with(|state| match state.peer.poll_timeout() {
                Some(at) => store(out, "out", at.as_nanos()),
                None => Ok(ORCH_AGAIN),
            })
        })
    }
}

/// Time has passed. Harmless when early.
///
/// @param client  The client.
/// @param now_ns  The time, in nanoseconds.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_timeout(client: *mut OrchClient, now_ns: u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { told(client, |state| state.peer.handle_timeout(Time::from_nanos(now_ns))) }
}

/// Tells a client's machine something that it cannot refuse.
///
/// # Safety
/// `client` is NULL or a client.
pub(crate) unsafe fn told(client: *mut OrchClient, tell: impl FnOnce(&mut State)) -> OrchStatus {
    let tell = |client: &ClientHandle| {
        client.with(|state| {
            tell(state);
            Ok(ORCH_OK)
        })
    };
    // SAFETY: by the contract.
    unsafe { on(client, tell) }
}

/// Takes the next event. Take them all after every call, and send what orch_client_peek shows.
///
/// @param client  The client.
/// @param out     Where to store it; made by ORCH_INIT. What it points to is valid until the next event is taken, or free.
/// @return ORCH_OK; ORCH_AGAIN when none waits; ORCH_INVALID if `out->size` is none; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_next_event(client: *mut OrchClient, out: *mut OrchClientEvent) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(client, |client: &ClientHandle| {
            sized::check(out, "out")?;
            client.with(|state| {
                loop {
                    let Some(event) = state.peer.poll_event() else { return Ok(ORCH_AGAIN) };
                    if let Event::Results(results) = &event {
                        state.outcomes = Outcomes::default();
                        state.outcomes.add(results);
                    }
                    if let Some(event) = state.lent.lend(event) {
                        return sized::write(out, "out", event);
                    }
                }
            })
        })
    }
}

/// Takes what came of one operation, after ORCH_CLIENT_RESULTS.
///
/// @param client  The client.
/// @param out     Where to store it; made by ORCH_INIT. What it points to is valid until the next outcome or event is taken, or free.
/// @return ORCH_OK; ORCH_EOF when all that the last event told of were taken; ORCH_INVALID if `out->size` is none; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads One at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_client_next_outcome(client: *mut OrchClient, out: *mut OrchOutcome) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(client, |client: &ClientHandle| {
            sized::check(out, "out")?;
            client.with(|state| match state.outcomes.next() {
                Some(outcome) => sized::write(out, "out", outcome),
                None => Ok(ORCH_EOF),
            })
        })
    }
}
