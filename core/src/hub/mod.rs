//! The driver: terminals, processes and timers behind one readable descriptor.
//!
//! The whole contract with a host is: *when [`Hub`]'s descriptor is readable, call [`Hub::dispatch`]*. It is level-triggered, so a
//! host may do as little per turn as it likes.
//!
//! | host | how it drives the hub |
//! |---|---|
//! | an event loop (epoll, GLib, Qt, libuv) | adds the descriptor, calls [`Hub::dispatch`] |
//! | an async runtime | [`Hub::drive`], with a [`Runtime`](crate::runtime::Runtime) of 15 lines |
//! | nobody | [`Hub::wait`], [`Hub::block_on`], or [`Hub::threaded`] which runs one thread |
//!
//! What a session says can be taken as plain values ([`Reader::try_read`], [`Hub::next_event`]) or through futures
//! ([`Session::output`], [`Session::io`], [`Session::exited`]), which any executor can poll.
//!
//! Every handle may be used from any thread. Idle costs nothing: no thread, no timer, no wake-up.
//!
//! # Examples
//! ```
//! use orchflow_core::{hub::{Hub, Output}, pty::Command, session::SessionOptions};
//!
//! let hub = Hub::new()?;
//! let session = hub.spawn(&Command::new("echo").arg("hello"), SessionOptions::default())?;
//! let mut reader = session.reader();
//! let mut text = Vec::new();
//! let exit = loop {
//!     match reader.try_read() {
//!         Some(Output::Chunk { bytes, .. }) => text.extend_from_slice(&bytes),
//!         Some(Output::Gap { .. }) => unreachable!("an owner's reader misses nothing"),
//!         Some(Output::Exit(exit)) => break exit,
//!         None => { hub.wait(None)?; }
//!     }
//! };
//! assert_eq!(text, b"hello\r\n");
//! assert!(exit.status.success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block_on;
mod builder;
mod cell;
mod clock;
mod close;
mod core;
mod dispatch;
mod drive;
mod emptied;
mod events;
mod faces;
mod memory;
mod next_event;
mod opener;
mod panics;
mod poller;
mod poster;
mod quiet;
mod reader;
pub mod serve;
mod session;
mod sleep;
mod timers;
mod waiters;

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::core::Core;
pub use crate::runtime::Turn;
pub use builder::{HubBuilder, HubOptions};
pub use emptied::Emptied;
pub use faces::{Outputs, SessionIo};
pub use next_event::NextEvent;
pub use poster::Poster;
pub use reader::{Output, Reader};
pub use session::{Exited, Session};
pub use sleep::Sleep;

use crate::metrics::{ErrorKind, Metrics, MetricsSnapshot, Operation};
use crate::pty::{Command, SpawnError};
use crate::session::{Event, SessionOptions};
use crate::time::Time;

/// Terminals and all that drives them. Cheap to clone; the last clone that is dropped closes every session.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    /// A hub that its host drives: nothing happens outside the host's calls.
    ///
    /// # Errors
    /// What the system says when it has no descriptors left.
    pub fn new() -> io::Result<Hub> {
        Hub::builder().hosted()
    }

    /// A hub that drives itself on one thread of its own, which ends with it.
    ///
    /// # Errors
    /// What the system says when it has no descriptors or threads left.
    pub fn threaded() -> io::Result<Hub> {
        Hub::builder().threaded()
    }

    /// A hub with other limits, another provider of terminals, or a clock moved by hand.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    /// Opens a terminal and runs `command` in it.
    ///
    /// # Errors
    /// [`SpawnError`] at once, also when the program cannot be executed; nothing is left behind.
    pub fn spawn(&self, command: &Command, options: SessionOptions) -> Result<Session, SpawnError> {
        let core = &self.inner.core;
        let began = core.now();
        let spawned = self.try_spawn(command, options);
        core.metrics.operation(Operation::Spawn, core.now() - began);
        spawned.inspect_err(|error| {
            core.metrics.error(match error {
                SpawnError::NotFound { .. } | SpawnError::BadDirectory { .. } => ErrorKind::SpawnNotFound,
                SpawnError::PermissionDenied { .. } => ErrorKind::SpawnPermission,
                SpawnError::Exhausted { .. } | SpawnError::TooManySessions { .. } => ErrorKind::SpawnExhausted,
                _ => ErrorKind::SpawnOther,
            });
        })
    }

    fn try_spawn(&self, command: &Command, options: SessionOptions) -> Result<Session, SpawnError> {
        let core = &self.inner.core;
        options.check().map_err(|error| SpawnError::Options { source: error.into() })?;
        if core.poller.is_forked() {
            return Err(SpawnError::Forked);
        }
        if core.is_closed() {
            return Err(SpawnError::Closed);
        }
        let place = core.place().ok_or(SpawnError::TooManySessions { limit: core.options.sessions_max })?;
        let pty = core.backend.spawn(command, options.size)?;
        let cell = core.adopt(place, pty, options)?;
        Ok(Session::new(Arc::clone(core), cell))
    }

    /// Deals with everything that is ready, one read per terminal at a time, until nothing is or `budget` bytes were
    /// read. Never blocks. On a [`threaded`](Hub::threaded) hub it has nothing to do.
    ///
    /// # Errors
    /// When the descriptor itself fails, or in a fork of the process that opened the hub.
    pub fn dispatch(&self, budget: usize) -> io::Result<Turn> {
        let core = &self.inner.core;
        core.poller.check_process()?;
        if self.inner.thread.is_some() { Ok(Turn::Idle) } else { core.dispatch(budget) }
    }

    /// Waits until something is ready or events wait, at the most for `timeout` (`None`: without end), and deals with it
    /// once. Returns whether there was anything.
    ///
    /// # Errors
    /// As [`dispatch`](Hub::dispatch).
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let core = &self.inner.core;
        core.poller.check_process()?;
        if self.inner.thread.is_some() {
            return block_on::wait_readable(self.as_fd(), timeout);
        }
        let done = core.turn(timeout)?;
        Ok(done.things > 0 || done.events)
    }

    /// Takes the next event, if one waits. Only a hub [made to](HubBuilder::events) tells any; while events wait, its
    /// descriptor stays readable, so take them all.
    pub fn next_event(&self) -> Option<Event> {
        self.inner.core.events.pop()
    }

    /// By which the host tells itself something, from any thread. Only a hub [made to tell events](HubBuilder::events) shows it.
    pub fn poster(&self) -> Poster {
        Poster::new(&self.inner.core)
    }

    /// Takes the next number that was [posted](Poster::post), if one waits.
    pub fn next_post(&self) -> Option<u64> {
        self.inner.core.events.next_post()
    }

    /// Completes with the next event. Of several tasks that wait, one gets it. Events of a session whose last
    /// handle is dropped are dropped with it.
    pub fn event(&self) -> NextEvent {
        NextEvent::new(Arc::clone(&self.inner.core))
    }

    /// Runs `future` to its end on this thread, driving the hub whenever it waits. Meanwhile the descriptor does not show that
    /// events wait; the future can wait for them by [`event`](Hub::event).
    ///
    /// # Errors
    /// As [`dispatch`](Hub::dispatch).
    pub fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        let core = &self.inner.core;
        core.poller.check_process()?;
        let _quiet = core.quietly()?;
        block_on::block_on(core, self.inner.thread.is_some(), future)
    }

    /// The hub's clock. Its origin is the system's start, or that of a manual clock.
    pub fn now(&self) -> Time {
        self.inner.core.now()
    }

    /// Completes at `deadline` of the hub's clock.
    pub fn sleep_until(&self, deadline: Time) -> Sleep {
        Sleep::new(Arc::clone(&self.inner.core), deadline)
    }

    /// Completes after `duration`.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Moves a [manual](HubBuilder::manual_clock) clock on; what becomes due is done by the next turn. The system's clock
    /// is not moved.
    pub fn advance(&self, by: Duration) {
        self.inner.core.advance(by);
    }

    /// When something is due next, if nothing happens before. Who moves a manual clock need not guess how far; a system's clock is
    /// watched by the descriptor.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.inner.core.next_due()
    }

    /// How many sessions are driven: those that run, and those that still have processes to be rid of.
    pub fn sessions(&self) -> usize {
        self.inner.core.sessions()
    }

    /// Completes once no session is driven. One that was opened meanwhile counts.
    pub fn emptied(&self) -> Emptied {
        Emptied::new(Arc::clone(&self.inner.core))
    }

    /// What the hub counts about itself.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.registry().snapshot()
    }

    /// The counters themselves, brought up to date.
    fn registry(&self) -> &Metrics {
        let core = &self.inner.core;
        core.metrics.pool(core.pool.used());
        &core.metrics
    }

    /// Closes at once: kills every session's processes and waits for them, at the most a second. Every handle stays valid and
    /// answers that it is closed. Dropping the last clone does the same.
    pub fn close(&self) {
        self.inner.core.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.inner.core.is_closed()
    }

    /// A handle that does not keep the hub open.
    pub(crate) fn weak(&self) -> WeakHub {
        WeakHub { inner: Arc::downgrade(&self.inner) }
    }
}

/// A handle that does not keep its hub open.
pub(crate) struct WeakHub {
    inner: Weak<Inner>,
}

impl WeakHub {
    pub(crate) fn upgrade(&self) -> Option<Hub> {
        self.inner.upgrade().map(|inner| Hub { inner })
    }
}

impl AsFd for Hub {
    /// Readable while there is anything to dispatch or events wait (not the events while the hub is run by
    /// [`drive`](Hub::drive) or [`block_on`](Hub::block_on)); on a threaded hub, while events wait. Never read, write or close it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.inner.thread {
            Some(_) => self.inner.core.events.flag(),
            None => self.inner.core.poller.fd(),
        }
    }
}

impl AsRawFd for Hub {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return self.core.close() };
        self.core.stop_thread();
        // A waker may drop the last handle on the hub's own thread, which cannot wait for itself: it closes on its way out.
        // In a fork there is no such thread.
        if thread.thread().id() != thread::current().id() && !self.core.poller.is_forked() {
            drop(thread.join());
        }
        self.core.close();
    }
}
