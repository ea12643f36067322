//! The turn: what happens when the descriptor is readable.
//!
//! **One `read(2)` per ready terminal, then look again** (a few when a lone terminal floods). A session somebody types into goes
//! first, and is tried after every other read: looping over a flood to fill a buffer costs a keystroke beside eight floods a factor of about
//! a hundred, this a factor of about three, as a raw loop does (`echo.loaded.slowdown` in the benches).
//!
//! What a session said to somebody who types ends the turn at once, so that whoever waits for it on this thread hears it before
//! the floods are read on. So does the budget of the host, whose other tasks wait, be it for a key that came over a network. Who was not
//! read yet is not asked for again, but carried over: the next turn begins with them.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Turn;
use super::cell::Cell;
use super::core::Core;
use super::panics::Panics;
use super::poller::Happened;
use super::timers::Due;
use crate::id::SessionId;
use crate::pty::Ready;
use crate::session::ReadTurn;

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
    /// Somebody who types has been answered: let them hear it before anything else.
    pub(super) answered: bool,
}

const READABLE: Ready = Ready { read: true, write: false, exit: false };

/// A session and what it is ready for.
pub(super) type Attention = (SessionId, Ready);

impl Core {
    /// Turns until nothing is ready or `budget` bytes were read: with the read that reaches it that is over.
    pub(super) fn dispatch(&self, budget: usize) -> io::Result<Turn> {
        let mut left = budget.max(1);
        loop {
            let done = self.turn_within(Some(Duration::ZERO), left)?;
            if done.things == 0 {
                return Ok(Turn::Idle);
            }
            left = left.saturating_sub(done.bytes.max(1));
            if left == 0 || done.answered {
                return Ok(Turn::More);
            }
        }
    }

    /// Waits until something is ready, at the most for `timeout`, and deals with it once. A waker's panic goes on after
    /// everything else.
    pub(super) fn turn(&self, timeout: Option<Duration>) -> io::Result<Done> {
        self.turn_within(timeout, usize::MAX)
    }

    /// The same, of which `budget` bytes are read, and the rest of the read that reaches them.
    fn turn_within(&self, timeout: Option<Duration>, budget: usize) -> io::Result<Done> {
        self.poller.check_process()?;
        let (mut done, mut panics) = (Done::default(), Panics::default());
        let mut ready = std::mem::take(&mut *self.carried.lock());
        let looks = ready.is_empty();
        let typed_into = if looks {
            self.poller.wait(timeout, |happened| {
                done.things += usize::from(happened != Happened::Flag);
                match happened {
                    Happened::Bell => self.answer_bell(&mut ready, &mut panics),
                    Happened::Alarm => self.poller.silence_alarm(),
                    Happened::Flag => done.events = true,
                    Happened::Session(id, what) => ready.push((id, what)),
                }
            })?;
            let typed_into = self.typed_into();
            if !typed_into.is_empty() {
                ready.sort_by_key(|(id, _)| !typed_into.iter().any(|cell| cell.id == *id));
            }
            typed_into
        } else {
            done.things += ready.len();
            self.typed_into()
        };
        self.metrics.dispatch_turn();
        let alone = ready.first().filter(|_| looks && ready.len() == 1).map(|(id, _)| *id);
        self.attend(ready, &typed_into, budget, &mut done, &mut panics);
        if let Some(cell) = alone.filter(|_| !done.answered).and_then(|id| self.cell(id)) {
            self.follow(&cell, budget, &mut done, &mut panics);
        }
        done.things += self.run_timers(&mut panics);
        panics.resume();
        Ok(done)
    }

    /// Deals with the sessions that are `ready`, in this order, until somebody who types has been answered or the budget is spent.
    fn attend(&self, ready: Vec<Attention>, typed_into: &[Arc<Cell>], budget: usize, done: &mut Done, panics: &mut Panics) {
        let mut ready = ready.into_iter();
        while let Some((id, what)) = ready.next() {
            let Some(cell) = self.cell(id) else { continue };
            let is_typed_into = typed_into.iter().any(|typed| typed.id == id);
            let read = self.attend_one(&cell, what, panics);
            done.bytes += read;
            done.answered |= read > 0 && is_typed_into;
            for typed in typed_into.iter().filter(|typed| what.read && typed.id != id) {
                let answer = self.attend_one(typed, READABLE, panics);
                done.bytes += answer;
                done.answered |= answer > 0;
            }
            if done.answered || done.bytes >= budget {
                return self.carry_over(ready.collect());
            }
        }
    }

    /// Reads on where a lone terminal floods.
    fn follow(&self, cell: &Arc<Cell>, budget: usize, done: &mut Done, panics: &mut Panics) {
        let mut last = done.bytes;
        for _ in 0..FOLLOWED_MAX {
            let is_over = last < FOLLOWED_BYTES || done.bytes >= budget;
            if is_over || self.typed_into().iter().any(|typed| typed.id != cell.id) {
                return;
            }
            last = self.attend_one(cell, READABLE, panics);
            done.bytes += last;
        }
    }

    /// Leaves the rest to the next turn. Whoever was rung for is not shown by the descriptor any more, so the bell is.
    fn carry_over(&self, rest: Vec<Attention>) {
        if !rest.is_empty() {
            self.carried.lock().extend(rest);
            self.poller.ring_bell();
        }
    }

    /// Deals with one session; returns the bytes read.
    fn attend_one(&self, cell: &Arc<Cell>, what: Ready, panics: &mut Panics) -> usize {
        let turn = panics.keep(|| {
            self.with(cell, |terminal, now, effects| {
                let turn = if what.read { terminal.handle_readable(now, effects) } else { ReadTurn::Nothing };
                if what.write {
                    terminal.handle_writable(now, effects);
                }
                if what.exit {
                    terminal.handle_exit(now, effects);
                }
                turn
            })
        });
        if let Some(ReadTurn::Read(bytes)) = turn { bytes } else { 0 }
    }

    /// Sessions with input in the last moments. Forgets those whose moment has passed.
    fn typed_into(&self) -> Vec<Arc<Cell>> {
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

    fn answer_bell(&self, ready: &mut Vec<Attention>, panics: &mut Panics) {
        self.poller.silence_bell();
        ready.extend(self.poller.take_rings());
        if self.poller.take_relief() {
            self.feed_starving(panics);
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
}
