//! What every handle of a hub shares, and the one way to touch a session.
//!
//! Lock order: a session's terminal before any of the hub's own locks (table, timers, events), never two sessions, never
//! two of the hub's. Wakers run with no lock held.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;

use super::HubOptions;
use super::cell::Cell;
use super::clock::Clock;
use super::dispatch::Attention;
use super::events::Events;
use super::poller::Poller;
use super::timers::{Due, TimerKey, Timers};
use super::waiters::Waiters;
use crate::id::SessionId;
use crate::metrics::Metrics;
use crate::pty::{Doorbell, Pty, PtyBackend, SpawnError};
use crate::ring::{Pool, Wakes, writer};
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
    table: Mutex<Table>,
    timers: Mutex<Timers>,
    /// When the alarm goes off, in nanoseconds; `u64::MAX` is never.
    alarm: AtomicU64,
    ids: AtomicU64,
    /// Sessions with input in the last moments, whose output goes first.
    pub(super) interactive: Mutex<Vec<Weak<Cell>>>,
    /// What the last turn left to the next one.
    pub(super) carried: Mutex<Vec<Attention>>,
    /// Sessions that wait for memory.
    pub(super) starving: Mutex<Vec<Weak<Cell>>>,
    pub(super) starving_count: AtomicUsize,
    /// Who waits for the last session to go.
    pub(super) emptied: Mutex<Waiters>,
}

/// The sessions that are driven.
#[derive(Default)]
struct Table {
    cells: BTreeMap<SessionId, Arc<Cell>>,
    /// Places taken for sessions that are being opened.
    opening: usize,
    /// Sessions that are over, for as long as somebody holds on to them: their histories take memory.
    over: Vec<Weak<Cell>>,
}

/// A place among the sessions, taken before anything is opened for it and given back if that fails.
pub(super) struct Place<'a> {
    core: &'a Core,
}

impl Core {
    pub(super) fn new(options: HubOptions, backend: Arc<dyn PtyBackend>, clock: Clock, events: Events) -> io::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        metrics.pool_limit(options.pool_bytes);
        Ok(Core {
            poller: Arc::new(Poller::new()?),
            clock,
            events,
            quiet: Mutex::new(1),
            metrics,
            backend,
            options,
            pool: Pool::new(options.pool_bytes),
            closed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            table: Mutex::default(),
            timers: Mutex::default(),
            alarm: AtomicU64::new(u64::MAX),
            ids: AtomicU64::new(0),
            interactive: Mutex::default(),
            carried: Mutex::default(),
            starving: Mutex::default(),
            starving_count: AtomicUsize::new(0),
            emptied: Mutex::default(),
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
        self.table.lock().cells.len()
    }

    pub(super) fn cell(&self, id: SessionId) -> Option<Arc<Cell>> {
        self.table.lock().cells.get(&id).cloned()
    }

    pub(super) fn all_cells(&self) -> Vec<Arc<Cell>> {
        self.table.lock().cells.values().cloned().collect()
    }

    /// Takes a place for one more session, if the limit leaves one.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        let mut table = self.table.lock();
        if table.cells.len() + table.opening >= self.options.sessions_max {
            return None;
        }
        table.opening += 1;
        Some(Place { core: self })
    }

    /// Takes charge of a new terminal.
    ///
    /// # Errors
    /// [`SpawnError`] when it cannot be watched or the hub was closed meanwhile; its processes are gone then.
    pub(super) fn adopt(&self, place: Place<'_>, pty: Box<dyn Pty>, options: SessionOptions) -> Result<Arc<Cell>, SpawnError> {
        let id = SessionId::from_raw(self.ids.fetch_add(1, Ordering::Relaxed) + 1);
        let terminal = Terminal::new(pty, writer(&self.pool, options.history_bytes), options, Arc::clone(&self.metrics));
        let cell = Arc::new(Cell::new(id, terminal, options));
        if let Err(source) = self.introduce(place, &cell) {
            self.withdraw(&cell);
            return Err(SpawnError::Io { doing: "watch the terminal", source });
        }
        // Whoever closed the hub since it was last looked at may not have seen this session.
        if self.is_closed() {
            self.withdraw(&cell);
            return Err(SpawnError::Closed);
        }
        Ok(cell)
    }

    /// Puts a session into the table before it can announce anything, for what is announced of a stranger is lost.
    fn introduce(&self, place: Place<'_>, cell: &Arc<Cell>) -> io::Result<()> {
        place.fill(cell);
        self.metrics.session_opened();
        cell.state.lock().terminal.start(Doorbell::new(self.poller.clone(), cell.id))
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
        if !effects.events.is_empty() && cell.is_held() {
            self.events.push(cell.id, effects.events.drain(..), &mut effects.wakes);
        }
        if let Some(exit) = exit {
            cell.end(exit, &mut effects.wakes);
        }
        if over {
            self.forget(cell, &mut effects.wakes);
        }
        if effects.starved {
            self.make_room(cell);
        }
        if effects.eased {
            self.ease();
        }
        effects.wakes.wake();
        result
    }

    /// Removes a session that is over from the table; handles to it stay valid.
    pub(super) fn forget(&self, cell: &Arc<Cell>, wakes: &mut Wakes) {
        let mut table = self.table.lock();
        if table.cells.remove(&cell.id).is_some() {
            table.over.retain(|cell| cell.strong_count() > 0);
            table.over.push(Arc::downgrade(cell));
            let is_empty = table.cells.is_empty();
            drop(table);
            self.metrics.session_closed();
            if is_empty {
                self.emptied.lock().take(wakes);
            }
        }
    }

    /// All sessions that have a history.
    pub(super) fn all_histories(&self) -> Vec<Arc<Cell>> {
        let table = self.table.lock();
        table.cells.values().cloned().chain(table.over.iter().filter_map(Weak::upgrade)).collect()
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

    /// The next deadline.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.timers.lock().next()
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

impl Place<'_> {
    /// Gives the place to `cell`.
    fn fill(self, cell: &Arc<Cell>) {
        let mut table = self.core.table.lock();
        table.cells.insert(cell.id, Arc::clone(cell));
        table.opening -= 1;
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.core.table.lock().opening -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Hub;
    use crate::pty::Command;
    use crate::pty::scripted::{Script, ScriptedPtys};

    #[test]
    fn deadline_of_a_session_that_is_touched_often_is_one_deadline() {
        let ptys = ScriptedPtys::new().with("cat", Script::new().cat());
        let hub = Hub::builder().backend(Arc::new(ptys)).manual_clock().hosted().unwrap();
        let session = hub.spawn(&Command::new("cat"), SessionOptions::default()).unwrap();
        let claim = session.reader().suspend();
        for _ in 0..100 {
            session.write(b"x").unwrap();
        }
        let mut timers = session.core().timers.lock();
        let deadlines = std::iter::from_fn(|| timers.take_due(Time::MAX)).count();
        drop(timers);
        assert_eq!(deadlines, 1);
        drop(session.resume(claim));
    }
}
