//! The turn: what happens when the descriptor is readable.
//!
//! **One `read(2)` per ready terminal, then look again** (a few when a lone terminal floods). A session somebody types into goes
//! first, and is tried after every other read: looping over a flood to fill a buffer costs a keystroke beside eight floods a factor of about
//! a hundred, this a factor of about two (`echo.loaded.p99` in the benches).

use std::io;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::Turn;
use super::cell::Cell;
use super::core::Core;
use super::panics::Panics;
use super::poller::{Happened, Poller};
use super::timers::Due;
use crate::pty::{Ready, Signal};
use crate::session::{Effects, ReadTurn};
use crate::time::Time;

/// Interactive sessions tried after every other read. More people than this do not type within the same 2 ms, and
/// trying costs each flood's read a system call per session.
const TRIED_MAX: usize = 4;

/// A terminal that floods while nobody else is ready is read on without asking the kernel again, at the most this often (a
/// read takes some 20 µs), and not once somebody types elsewhere. `flood.inprocess` rises from 0.90 to 0.96 of the
/// raw loop by it; more reads gain nothing.
const FOLLOWED_MAX: usize = 7;

/// What makes a read part of a flood: half of what Linux hands out at a time. An echo is never followed by a read in vain.
const FOLLOWED_BYTES: usize = 2 << 10;

/// What a turn came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    /// Things that were ready, not counting events that wait for the host.
    pub(super) things: usize,
    /// Events wait for the host.
    pub(super) events: bool,
    /// Bytes of output read.
    pub(super) bytes: usize,
}

impl Core {
    /// Turns until nothing is ready or `budget` bytes were read.
    pub(super) fn dispatch(&self, budget: usize) -> io::Result<Turn> {
        let mut left = budget.max(1);
        loop {
            let done = self.turn(Some(Duration::ZERO))?;
            if done.things == 0 {
                return Ok(Turn::Idle);
            }
            left = left.saturating_sub(done.bytes.max(1));
            if left == 0 {
                return Ok(Turn::More);
            }
        }
    }

    /// Waits until something is ready, at the most for `timeout`, and deals with it once. A waker's panic goes on after
    /// everything else.
    pub(super) fn turn(&self, timeout: Option<Duration>) -> io::Result<Done> {
        self.poller.check_process()?;
        let (mut done, mut panics) = (Done::default(), Panics::default());
        let mut ready: Vec<(Arc<Cell>, Ready)> = Vec::new();
        self.poller.wait(timeout, |happened| {
            done.things += usize::from(happened != Happened::Flag);
            match happened {
                Happened::Bell => self.answer_bell(&mut ready, &mut panics),
                Happened::Alarm => self.poller.silence_alarm(),
                Happened::Flag => done.events = true,
                Happened::Session(id, what) => ready.extend(self.cell(id).map(|cell| (cell, what))),
            }
        })?;
        self.metrics.dispatch_turn();
        done.bytes = self.attend(&mut ready, &mut panics);
        done.things += self.run_timers(&mut panics);
        panics.resume();
        Ok(done)
    }

    /// Deals with the sessions that are ready; returns the bytes read.
    fn attend(&self, ready: &mut [(Arc<Cell>, Ready)], panics: &mut Panics) -> usize {
        let mut attend_one = |cell: &Arc<Cell>, what| panics.keep(|| self.attend_one(cell, what)).unwrap_or(0);
        if let [(cell, what)] = ready {
            let mut last = attend_one(cell, *what);
            let mut bytes = last;
            for _ in 0..FOLLOWED_MAX {
                if last < FOLLOWED_BYTES || self.interactive_now().iter().any(|typed| !Arc::ptr_eq(typed, cell)) {
                    break;
                }
                last = attend_one(cell, Ready { read: true, ..Ready::default() });
                bytes += last;
            }
            return bytes;
        }
        let typed_into = self.interactive_now();
        if !typed_into.is_empty() {
            let now = self.now();
            ready.sort_by_key(|(cell, _)| !cell.is_interactive(now));
        }
        let mut bytes = 0;
        for (cell, what) in ready.iter() {
            bytes += attend_one(cell, *what);
            for typed in typed_into.iter().filter(|typed| what.read && !Arc::ptr_eq(typed, cell)) {
                bytes += attend_one(typed, Ready { read: true, ..Ready::default() });
            }
        }
        bytes
    }

    fn attend_one(&self, cell: &Arc<Cell>, what: Ready) -> usize {
        let turn = self.with(cell, |terminal, now, effects| {
            let turn = if what.read { terminal.handle_readable(now, effects) } else { ReadTurn::Nothing };
            if what.write {
                terminal.handle_writable(now, effects);
            }
            if what.exit {
                terminal.handle_exit(now, effects);
            }
            turn
        });
        match turn {
            ReadTurn::Read(bytes) => bytes,
            ReadTurn::Nothing | ReadTurn::Starved => 0,
        }
    }

    /// Sessions with input in the last moments. Forgets those whose moment has passed.
    fn interactive_now(&self) -> Vec<Arc<Cell>> {
        let mut interactive = self.interactive.lock();
        if interactive.is_empty() {
            return Vec::new();
        }
        let now = self.now();
        interactive.retain(|cell| {
            let Some(cell) = cell.upgrade() else { return false };
            let still = cell.is_interactive(now);
            if !still {
                cell.listed.store(false, Ordering::Relaxed);
            }
            still
        });
        interactive.iter().take(TRIED_MAX).filter_map(Weak::upgrade).collect()
    }

    /// Somebody types into `cell`.
    pub(super) fn note_input(&self, cell: &Arc<Cell>) {
        cell.touch(self.now());
        if !cell.listed.load(Ordering::Relaxed) && !cell.listed.swap(true, Ordering::Relaxed) {
            self.interactive.lock().push(Arc::downgrade(cell));
        }
    }

    fn answer_bell(&self, ready: &mut Vec<(Arc<Cell>, Ready)>, panics: &mut Panics) {
        self.poller.silence_bell();
        let rung = self.poller.take_rings();
        ready.extend(rung.into_iter().filter_map(|(id, what)| Some((self.cell(id)?, what))));
        if self.poller.take_relief() {
            let starving = std::mem::take(&mut *self.starving.lock());
            self.starving_count.fetch_sub(starving.len(), Ordering::SeqCst);
            for cell in starving.iter().filter_map(Weak::upgrade) {
                panics.keep(|| self.with(&cell, |terminal, now, effects| terminal.handle_relief(now, effects)));
            }
        }
    }

    fn run_timers(&self, panics: &mut Panics) -> usize {
        let now = self.now();
        if !self.is_alarm_due(now) {
            return 0;
        }
        let mut ran = 0;
        while let Some(due) = self.take_due(now) {
            ran += 1;
            match due {
                Due::Task(waker) => drop(panics.keep(|| waker.wake())),
                Due::Session(id) => {
                    if let Some(cell) = self.cell(id) {
                        cell.state.lock().armed = None;
                        panics.keep(|| self.with(&cell, |terminal, now, effects| terminal.handle_timeout(now, effects)));
                    }
                }
            }
        }
        ran
    }

    /// The pool is spent: the largest history gives up its oldest stretch. When none can, the terminal waits until somebody
    /// lets go of memory, or of a claim on it.
    pub(super) fn make_room(&self, cell: &Arc<Cell>) {
        if self.shrink_largest() > 0 {
            self.with(cell, |terminal, now, effects| terminal.handle_relief(now, effects));
            return; // It is level-triggered: the next turn reads.
        }
        self.starving.lock().push(Arc::downgrade(cell));
        self.starving_count.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst); // With the one in an acknowledgement: either we see it, or it sees us.
        self.pool.want_relief(&Waker::from(Arc::new(Relief(Arc::clone(&self.poller)))));
        if self.pool.used() + crate::limits::READ_MAX <= self.pool.limit() || self.shrink_largest() > 0 {
            self.poller.ring_for_relief(); // Somebody let go between the two looks.
        }
    }

    fn shrink_largest(&self) -> usize {
        let held = |cell: &Arc<Cell>| cell.state.lock().terminal.held_bytes();
        let mut by_size: Vec<_> = self.all_histories().into_iter().map(|cell| (held(&cell), cell)).collect();
        by_size.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        by_size.iter().map(|(_, cell)| cell.state.lock().terminal.shrink()).find(|&freed| freed > 0).unwrap_or(0)
    }

    /// Gives every session up at once and collects what is left of their processes.
    pub(super) fn close(&self) {
        if self.closed.swap(true, Ordering::SeqCst) || self.poller.is_forked() {
            return;
        }
        let (mut left, mut panics) = (Vec::new(), Panics::default());
        for cell in self.all_cells() {
            panics.keep(|| self.with(&cell, |terminal, _, effects| left.extend(terminal.abandon(effects))));
        }
        self.collect(left);
        self.starving.lock().clear();
        self.interactive.lock().clear();
        self.poller.ring_bell(); // A task that drives this hub ends now.
        if !std::thread::panicking() {
            panics.resume();
        }
    }

    /// Takes back a session that nobody has seen: ends its processes and says nothing of it.
    pub(super) fn withdraw(&self, cell: &Arc<Cell>) {
        let pty = cell.state.lock().terminal.abandon(&mut Effects::default());
        self.forget(cell);
        self.collect(pty.into_iter().collect());
    }

    /// Waits until killed processes are gone, so that they leave no zombies. A process that even a kill does not end at
    /// once (it sleeps in the kernel) is left to the system after a second.
    fn collect(&self, mut ptys: Vec<Box<dyn crate::pty::Pty>>) {
        let Ok(_quiet) = self.quietly() else { return };
        let clock = super::clock::Clock::Monotonic;
        let deadline: Time = clock.now() + Duration::from_secs(1);
        loop {
            ptys.retain_mut(|pty| {
                if matches!(pty.try_exit(), Ok(None)) {
                    return true;
                }
                let left = pty.has_processes();
                if left {
                    drop(pty.dismiss(&[Signal::Kill])); // Who was started while we killed is killed now.
                }
                left
            });
            let left = deadline - clock.now();
            if ptys.is_empty() || left.is_zero() {
                return;
            }
            // Their processes are still in the set; what else is in it must not keep us spinning.
            if self.poller.wait(Some(left.min(Duration::from_millis(5))), |_| {}).is_err() {
                return;
            }
        }
    }
}

/// Rings when memory comes back.
struct Relief(Arc<Poller>);

impl Wake for Relief {
    fn wake(self: Arc<Self>) {
        self.0.ring_for_relief();
    }
}
