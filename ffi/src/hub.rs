//! The hub: what a host drives.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use orchflow_core::hub::{Hub, HubOptions, Turn};

use crate::callback::Data;
use crate::failure::{Answer, Failure};
use crate::handle::{self, Handle, make, on, on_or};
use crate::log::{self, Log};
use crate::objects::Objects;
use crate::sized::{self, Growing};
use crate::status::*;
use crate::tasks::Tasks;
use crate::values::{bytes_or, check_flags, store};

/// Terminals, processes and timers behind one readable descriptor.
pub struct OrchHub {
    _private: [u8; 0],
}

impl Handle for HubHandle {
    type Opaque = OrchHub;
    const NAME: &'static str = "hub";
}

/// What a call on a hub needs.
pub(crate) struct HubHandle {
    pub(crate) hub: Hub,
    pub(crate) objects: Arc<Objects>,
    pub(crate) tasks: Arc<Tasks>,
    log: Option<Arc<Log>>,
}

/// The hub does everything within the host's calls, and starts no thread. The default.
pub const ORCH_HUB_HOSTED: u32 = 0;
/// The hub does everything on one thread of its own.
pub const ORCH_HUB_THREADED: u32 = 1;
/// The hub's clock begins at 0 and moves by orch_hub_advance only: for tests without waiting.
pub const ORCH_HUB_MANUAL_CLOCK: u32 = 2;

/// What a hub is like. All zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchHubOptions {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// ORCH_HUB_ flags.
    pub flags: u32,
    /// Sessions at one time; 0: 10,000.
    pub sessions_max: u32,
    /// Output buffers of all sessions together, in bytes; 0: 256 MiB. At least 128 KiB.
    pub pool_bytes: u64,
    /// Threaded hubs only: called when the descriptor becomes readable, on any thread, with no lock held. It may wake the host's loop, and nothing
    /// else: it must not call this library, throw, or jump.
    pub wake: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// What wake is called with.
    pub wake_data: *mut c_void,
    /// Called once when wake will not be called any more; not, if orch_hub_new fails.
    pub wake_drop: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Called with one line of text for each panic in this library, on the thread where it happened. It must not call this library,
    /// throw, or jump.
    pub log: Option<unsafe extern "C" fn(user_data: *mut c_void, text: *const c_char)>,
    /// What log is called with.
    pub log_data: *mut c_void,
    /// Called once when log will not be called any more; not, if orch_hub_new fails.
    pub log_drop: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
}

// SAFETY: numbers, pointers and optional functions, for which zero is a value.
unsafe impl Growing for OrchHubOptions {
    const NAME: &'static str = "OrchHubOptions";
}

/// Bytes that a call of dispatch reads where the host does not say.
const BUDGET_BYTES: usize = 256 << 10;

/// Makes a hub.
///
/// @param options  What it is like; NULL for the defaults.
/// @param out      Where to store it. Yours: orch_hub_free.
/// @return ORCH_OK; ORCH_NULL; ORCH_INVALID for options that make no sense; ORCH_TOO_NEW; ORCH_IO without descriptors or threads.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_new(options: *const OrchHubOptions, out: *mut *mut OrchHub) -> OrchStatus {
    crate::boundary::boundary(|| {
        // SAFETY: by the conventions.
        unsafe { make(out, || HubHandle::new(sized::read(options)?)) }
    })
}

impl HubHandle {
    fn new(options: OrchHubOptions) -> Result<HubHandle, Failure> {
        check_flags(options.flags, ORCH_HUB_THREADED | ORCH_HUB_MANUAL_CLOCK, "flags")?;
        let is_threaded = options.flags & ORCH_HUB_THREADED != 0;
        if options.wake.is_some() && !is_threaded {
            return Err(Failure::invalid("only a threaded hub calls `wake`: watch the descriptor, or add ORCH_HUB_THREADED"));
        }
        let usual = HubOptions::default();
        let sessions_max = if options.sessions_max == 0 { usual.sessions_max } else { options.sessions_max as usize };
        let builder = Hub::builder().options(HubOptions { pool_bytes: bytes_or(options.pool_bytes, usual.pool_bytes), sessions_max });
        let host = options.wake.map(|call| Arc::new(Host { call, data: Data::new(options.wake_data, options.wake_drop) }));
        let builder = match &host {
            Some(host) => builder.events_waker(Waker::from(Arc::clone(host))),
            None => builder.events(),
        };
        let builder = if options.flags & ORCH_HUB_MANUAL_CLOCK != 0 { builder.manual_clock() } else { builder };
        let log = options.log.map(|call| Log::new(call, Data::new(options.log_data, options.log_drop)));
        let hub = if is_threaded { builder.threaded() } else { builder.hosted() }?;
        let tasks = Tasks::new(&hub, is_threaded);
        host.iter().for_each(|host| host.data.keep());
        log.iter().for_each(|log| {
            log.keep();
            log::add(log);
        });
        Ok(HubHandle { objects: Objects::new(hub.poster()), hub, tasks, log })
    }
}

/// The host, to be woken.
struct Host {
    call: unsafe extern "C" fn(*mut c_void),
    data: Data,
}

impl Wake for Host {
    fn wake(self: Arc<Self>) {
        // SAFETY: the host promised a function that can be called with its data from any thread.
        unsafe { (self.call)(self.data.pointer()) };
    }
}

impl Drop for HubHandle {
    fn drop(&mut self) {
        if self.objects.is_forked() {
            return; // The threads are not here, and locks may be held for ever.
        }
        self.tasks.stop();
        self.objects.close();
        self.hub.close();
        self.log.iter().for_each(log::remove);
    }
}

/// Frees a hub: kills the processes of its sessions and waits for them, at the most a second. What it made stays valid, answers
/// ORCH_CLOSED, and is freed by its own function, now or later.
///
/// @param hub  The hub, or NULL.
/// @threads Any; the last call on this hub.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_free(hub: *mut OrchHub) {
    // SAFETY: by the conventions.
    unsafe { handle::free::<HubHandle>(hub) }
}

/// The descriptor to watch for reading. It is level-triggered: readable as long as there is anything to dispatch, deadlines included, or an
/// event to take. Never read, write or close it.
///
/// @param hub  The hub.
/// @return The descriptor, valid until free; -1 on NULL, in a fork, or on a broken hub.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_fd(hub: *const OrchHub) -> c_int {
    // SAFETY: by the conventions.
    unsafe { on_or(-1, hub, |hub: &HubHandle| Ok(hub.hub.as_raw_fd())) }
}

/// Deals with everything that is ready. Never blocks. Call it when the descriptor is readable, and take the events then. On a threaded hub there is
/// nothing to do, and nothing is done.
///
/// @param hub           The hub.
/// @param budget_bytes  Output to read before returning, in bytes, and the rest of the read that reaches it; 0: 256 KiB.
/// @return ORCH_OK once nothing is ready; ORCH_MORE when the budget was spent, or when somebody who types was answered: take the events, then
///         call again; ORCH_NULL; ORCH_IO; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_dispatch(hub: *mut OrchHub, budget_bytes: usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(hub, |hub: &HubHandle| {
            let budget = if budget_bytes == 0 { BUDGET_BYTES } else { budget_bytes };
            let turn = hub.hub.dispatch(budget)?;
            let has_tasks = hub.tasks.run();
            Ok(if turn == Turn::More || has_tasks { ORCH_MORE } else { ORCH_OK })
        })
    }
}

/// Waits until something is ready or an event waits, and deals with it once: for programs that have no loop.
///
/// @param hub         The hub.
/// @param timeout_ns  How long at the most, in nanoseconds; below 0: without end; 0: not at all.
/// @return ORCH_OK; ORCH_TIMED_OUT when nothing happened; ORCH_AGAIN when a signal ended the wait; ORCH_NULL; ORCH_IO; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_wait(hub: *mut OrchHub, timeout_ns: i64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(hub, |hub: &HubHandle| {
            let timeout = u64::try_from(timeout_ns).ok().map(Duration::from_nanos);
            let since = timeout.map(|timeout| (Instant::now(), timeout));
            let is_done = hub.hub.wait(timeout)?;
            hub.tasks.run();
            Ok(match since {
                _ if is_done => ORCH_OK,
                Some((began, timeout)) if began.elapsed() >= timeout => ORCH_TIMED_OUT,
                _ => ORCH_AGAIN,
            })
        })
    }
}

/// The hub's clock: nanoseconds since the system's start by its monotonic clock, or since 0 by a manual one.
///
/// @param hub  The hub.
/// @param out  Where to store it, in nanoseconds.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_now(hub: *const OrchHub, out: *mut u64) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(hub, |hub: &HubHandle| store(out, "out", hub.hub.now().as_nanos())) }
}

/// Moves a manual clock on; what becomes due is done by the next dispatch. Another clock is left alone.
///
/// @param hub  The hub.
/// @param ns   By how much, in nanoseconds.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_advance(hub: *mut OrchHub, ns: u64) -> OrchStatus {
    let advance = |hub: &HubHandle| -> Answer {
        hub.hub.advance(Duration::from_nanos(ns));
        Ok(ORCH_OK)
    };
    // SAFETY: by the conventions.
    unsafe { on(hub, advance) }
}

/// How many sessions are driven: those that run, and those that still have processes to be rid of.
///
/// @param hub  The hub.
/// @param out  Where to store it.
/// @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_sessions(hub: *const OrchHub, out: *mut usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(hub, |hub: &HubHandle| store(out, "out", hub.hub.sessions())) }
}

/// Panics, so that a test sees what comes of it.
#[cfg(feature = "panics")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_panic(hub: *mut OrchHub) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(hub, |_: &HubHandle| panic!("as asked")) }
}
