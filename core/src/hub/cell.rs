//! One session's place in its hub: the terminal behind its lock, and what others may see without it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use super::waiters::Waiters;
use crate::id::SessionId;
use crate::limits::INTERACTIVE;
use crate::pty::Exit;
use crate::ring::Wakes;
use crate::session::{SessionOptions, Terminal};
use crate::time::Time;

/// One session of a hub.
pub(super) struct Cell {
    pub(super) id: SessionId,
    pub(super) options: SessionOptions,
    pub(super) state: Mutex<State>,
    end: Mutex<End>,
    last_input: AtomicU64,
    /// Whether this is in the hub's list of interactive sessions.
    pub(super) listed: AtomicBool,
    /// Whether anybody has a handle.
    held: AtomicBool,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) terminal: Terminal,
    /// The deadline that was scheduled last and has not passed.
    pub(super) armed: Option<Time>,
}

#[derive(Default)]
struct End {
    exit: Option<Exit>,
    waiting: Waiters,
}

impl Cell {
    pub(super) fn new(id: SessionId, terminal: Terminal, options: SessionOptions) -> Self {
        Cell {
            id,
            options,
            state: Mutex::new(State { terminal, armed: None }),
            end: Mutex::default(),
            last_input: AtomicU64::new(0),
            listed: AtomicBool::new(false),
            held: AtomicBool::new(true),
        }
    }

    /// Whether anybody has a handle, and so may want to hear of it.
    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// The last handle is gone.
    pub(super) fn let_go(&self) {
        self.held.store(false, Ordering::Relaxed);
    }

    /// Input came.
    pub(super) fn touch(&self, now: Time) {
        self.last_input.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Whether somebody is typing.
    pub(super) fn is_interactive(&self, now: Time) -> bool {
        self.listed.load(Ordering::Relaxed) && now - Time::from_nanos(self.last_input.load(Ordering::Relaxed)) <= INTERACTIVE
    }

    /// The session has ended: once.
    pub(super) fn end(&self, exit: Exit, wakes: &mut Wakes) {
        let mut end = self.end.lock();
        end.exit = Some(exit);
        end.waiting.take(wakes);
    }

    pub(super) fn exit(&self) -> Option<Exit> {
        self.end.lock().exit
    }

    /// The end, or a wake-up when it comes.
    pub(super) fn exit_or_wake(&self, place: &mut Option<u64>, waker: &Waker) -> Option<Exit> {
        let mut end = self.end.lock();
        if end.exit.is_none() {
            end.waiting.put(place, waker);
        }
        end.exit
    }

    /// Somebody does not wait for the end any more.
    pub(super) fn leave(&self, place: u64) {
        self.end.lock().waiting.leave(place);
    }
}
