//! What every handle of a hub shares, and the one way to touch a session.
//!
//! Lock order: a session's terminal before any of the hub's own locks (table, timers, events), never two sessions, never
//! two of the hub's. Wakers run, and terminals are dropped, with no lock held.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;

use super::HubOptions;
use super::cell::Cell;
use super::clock::Clock;
use super::events::Events;
use super::poller::Poller;
use super::timers::{Due, TimerKey, Timers};
use crate::id::SessionId;
use crate::metrics::Metrics;
use crate::pty::{Doorbell, Pty, PtyBackend};
use crate::ring::{Pool, writer};
use crate::session::{Effects, SessionOptions, Terminal};
use crate::time::Time;

/// The shared part of a hub.
pub(super) struct Core {
    pub(super) poller: Arc<Poller>,
    pub(super) clock: Clock,
    pub(super) events: Events,
    /// For how many reasons the descriptor does not show that events wait.
    pub(super) quiet: Mutex<usize>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) backend: Arc<dyn PtyBackend>,
    pub(super) options: HubOptions,
    pub(super) pool: Arc<Pool>,
    pub(super) closed: AtomicBool,
    /// The thread of a threaded hub is to end.
    pub(super) stopping: AtomicBool,
    cells: Mutex<HashMap<SessionId, Arc<Cell>>>,
    timers: Mutex<Timers>,
    /// When the alarm goes off, in nanoseconds; `u64::MAX` is never.
    alarm: AtomicU64,
    ids: AtomicU64,
    /// Sessions with input in the last moments, whose output goes first.
    pub(super) interactive: Mutex<Vec<Arc<Cell>>>,
    /// Sessions that wait for memory.
    pub(super) starving: Mutex<Vec<Arc<Cell>>>,
    pub(super) starving_count: AtomicUsize,
}

impl Core {
    pub(super) fn new(options: HubOptions, backend: Arc<dyn PtyBackend>, clock: Clock) -> io::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        metrics.pool_limit(options.pool_bytes);
        Ok(Core {
            poller: Arc::new(Poller::new()?),
            clock,
            events: Events::new()?,
            quiet: Mutex::new(1),
            metrics,
            backend,
            options,
            pool: Pool::new(options.pool_bytes),
            closed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            cells: Mutex::default(),
            timers: Mutex::default(),
            alarm: AtomicU64::new(u64::MAX),
            ids: AtomicU64::new(0),
            interactive: Mutex::default(),
            starving: Mutex::default(),
            starving_count: AtomicUsize::new(0),
        })
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// How many sessions are driven.
    pub(super) fn sessions(&self) -> usize {
        self.cells.lock().len()
    }

    pub(super) fn cell(&self, id: SessionId) -> Option<Arc<Cell>> {
        self.cells.lock().get(&id).cloned()
    }

    pub(super) fn all_cells(&self) -> Vec<Arc<Cell>> {
        self.cells.lock().values().cloned().collect()
    }

    /// Takes charge of a new terminal.
    pub(super) fn adopt(&self, pty: Box<dyn Pty>, options: SessionOptions) -> io::Result<Arc<Cell>> {
        let id = SessionId::from_raw(self.ids.fetch_add(1, Ordering::Relaxed) + 1);
        let terminal = Terminal::new(pty, writer(&self.pool, options.history_bytes), options, Arc::clone(&self.metrics));
        let cell = Arc::new(Cell::new(id, terminal, options));
        self.cells.lock().insert(id, Arc::clone(&cell));
        self.metrics.session_opened();
        // It may ring at once, and whoever answers must find it in the table.
        let started = cell.state.lock().terminal.start(Doorbell::new(self.poller.clone(), id));
        if let Err(error) = started {
            self.forget(&cell);
            // Nobody knows of this session yet, so nobody is told of its end.
            self.collect(cell.state.lock().terminal.abandon(&mut Effects::default()).into_iter().collect());
            return Err(error);
        }
        Ok(cell)
    }

    /// The one way to touch a session: under its lock, then carrying out what that led to without it.
    pub(super) fn with<R>(&self, cell: &Arc<Cell>, touch: impl FnOnce(&mut Terminal, Time, &mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let now = self.now();
        let mut state = cell.state.lock();
        let result = touch(&mut state.terminal, now, &mut effects);
        let deadline = state.terminal.poll_timeout();
        let sooner = deadline.filter(|&at| state.armed.is_none_or(|armed| at < armed));
        if sooner.is_some() {
            state.armed = sooner;
        }
        let (exit, over) = (state.terminal.exit(), state.terminal.is_over());
        drop(state);
        if let Some(at) = sooner {
            self.schedule(at, Due::Session(cell.id));
        }
        if !effects.events.is_empty() {
            self.events.push(cell.id, effects.events.drain(..), &mut effects.wakes);
        }
        if let Some(exit) = exit {
            cell.end(exit, &mut effects.wakes);
        }
        if over {
            self.forget(cell);
        }
        if effects.starved {
            self.make_room(cell);
        }
        if effects.let_go {
            self.feed_starving();
        }
        effects.wakes.wake();
        result
    }

    /// Removes a session that is over from the table; handles to it stay valid.
    pub(super) fn forget(&self, cell: &Cell) {
        let known = self.cells.lock().remove(&cell.id);
        if known.is_some() {
            self.metrics.session_closed();
        }
        self.unlist(cell);
    }

    /// Nobody types into `cell` any more. Its history's memory must not stay for that.
    pub(super) fn unlist(&self, cell: &Cell) {
        if cell.listed.swap(false, Ordering::Relaxed) {
            self.interactive.lock().retain(|other| other.id != cell.id);
        }
    }

    // ---- Deadlines ----

    pub(super) fn schedule(&self, at: Time, due: Due) -> TimerKey {
        let key = self.timers.lock().insert(at, due);
        self.arm();
        key
    }

    pub(super) fn cancel(&self, key: TimerKey) {
        self.timers.lock().cancel(key);
    }

    /// Whether the deadline is still to come; then it wakes `waker`.
    pub(super) fn reschedule(&self, key: TimerKey, waker: &Waker) -> bool {
        self.timers.lock().replace(key, waker)
    }

    /// Whether a deadline may have passed.
    pub(super) fn is_alarm_due(&self, now: Time) -> bool {
        self.alarm.load(Ordering::Relaxed) <= now.as_nanos()
    }

    /// Takes a deadline that has passed, and sets the alarm for the next when there is none.
    pub(super) fn take_due(&self, now: Time) -> Option<Due> {
        let due = self.timers.lock().take_due(now);
        if due.is_none() {
            self.alarm.store(u64::MAX, Ordering::Relaxed);
            self.arm();
        }
        due
    }

    /// Sets the alarm, if the next deadline is before it. Under the lock, so that two threads cannot set it in the wrong order.
    fn arm(&self) {
        let timers = self.timers.lock();
        let next = timers.next().unwrap_or(Time::MAX).as_nanos();
        if next >= self.alarm.load(Ordering::Relaxed) {
            return;
        }
        self.alarm.store(next, Ordering::Relaxed);
        if !self.clock.is_manual() && self.poller.set_alarm(Some(Time::from_nanos(next))).is_err() {
            self.metrics.error(crate::metrics::ErrorKind::Io);
        }
    }

    /// Moves a manual clock and has what became due carried out by the next turn.
    pub(super) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.poller.ring_bell();
    }
}
