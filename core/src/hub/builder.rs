//! Making a hub.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::thread;

use super::clock::Clock;
use super::core::Core;
use super::events::Events;
use super::{Hub, Inner};
use crate::limits::{POOL_BYTES, POOL_MIN, SESSIONS_MAX};
use crate::metrics::ErrorKind;
use crate::pty::PtyBackend;
use crate::pty::unix::UnixPtys;

/// Limits of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubOptions {
    /// Output buffers of all sessions together, in bytes. At least [`POOL_MIN`].
    pub pool_bytes: usize,
    /// Sessions at one time.
    pub sessions_max: usize,
}

impl Default for HubOptions {
    fn default() -> Self {
        HubOptions { pool_bytes: POOL_BYTES, sessions_max: SESSIONS_MAX }
    }
}

impl HubOptions {
    fn check(&self) -> io::Result<()> {
        let refused = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        match self {
            HubOptions { pool_bytes, .. } if *pool_bytes < POOL_MIN => {
                refused(format!("a pool of {pool_bytes} bytes cannot carry a flood: at least {POOL_MIN}"))
            }
            HubOptions { sessions_max: 0, .. } => refused("a hub of no sessions could open none: at least 1".into()),
            _ => Ok(()),
        }
    }
}

/// A hub in the making: [`Hub::builder`].
#[derive(Default)]
pub struct HubBuilder {
    options: HubOptions,
    backend: Option<Arc<dyn PtyBackend>>,
    manual_clock: bool,
    events: bool,
    waker: Option<Waker>,
}

impl HubBuilder {
    /// Other limits.
    pub fn options(self, options: HubOptions) -> Self {
        HubBuilder { options, ..self }
    }

    /// Another provider of terminals than the kernel.
    pub fn backend(self, backend: Arc<dyn PtyBackend>) -> Self {
        HubBuilder { backend: Some(backend), ..self }
    }

    /// A clock that begins at zero and moves only by [`Hub::advance`], for tests without waiting.
    pub fn manual_clock(self) -> Self {
        HubBuilder { manual_clock: true, ..self }
    }

    /// Tells [events](Hub::next_event). The host takes them all, or finds the descriptor readable for ever.
    pub fn events(self) -> Self {
        HubBuilder { events: true, ..self }
    }

    /// Tells events, and wakes `waker` whenever some begin to wait: for a host that cannot watch a descriptor. It is woken on any thread, with no
    /// lock held.
    pub fn events_waker(self, waker: Waker) -> Self {
        HubBuilder { events: true, waker: Some(waker), ..self }
    }

    /// A hub that its host drives.
    ///
    /// # Errors
    /// As [`Hub::new`], and [`InvalidInput`](io::ErrorKind::InvalidInput) for limits that nothing could run in.
    pub fn hosted(self) -> io::Result<Hub> {
        let core = self.core()?;
        core.show_events()?; // Silent for ever if events are not told.
        Ok(Hub { inner: Arc::new(Inner { core: Arc::new(core), thread: None }) })
    }

    /// A hub that drives itself on one thread.
    ///
    /// # Errors
    /// As [`Hub::threaded`], and [`InvalidInput`](io::ErrorKind::InvalidInput) for limits that nothing could run in.
    pub fn threaded(self) -> io::Result<Hub> {
        let core = Arc::new(self.core()?);
        let driven = Arc::clone(&core);
        let thread = thread::Builder::new().name("orchflow-hub".into()).spawn(move || driven.run())?;
        Ok(Hub { inner: Arc::new(Inner { core, thread: Some(thread) }) })
    }

    fn core(self) -> io::Result<Core> {
        self.options.check()?;
        let clock = if self.manual_clock { Clock::manual() } else { Clock::Monotonic };
        let events = Events::new(self.events, self.waker)?;
        Core::new(self.options, self.backend.unwrap_or_else(|| Arc::new(UnixPtys)), clock, events)
    }
}

impl Core {
    /// The thread of a threaded hub.
    fn run(&self) {
        while !self.stopping.load(Ordering::SeqCst) {
            // A waker that panics is its owner's bug; the other sessions go on. It was called with no lock held, and
            // everything else in its turn was done.
            match catch_unwind(AssertUnwindSafe(|| self.turn(None))) {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => self.metrics.error(ErrorKind::Io),
            }
        }
    }

    /// Has the thread end after its turn.
    pub(super) fn stop_thread(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.poller.ring_bell();
    }
}
