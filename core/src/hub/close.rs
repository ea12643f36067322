//! The end of a hub, and of a session that nobody has seen.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::cell::Cell;
use super::clock::Clock;
use super::core::Core;
use super::panics::Panics;
use crate::pty::{Pty, Signal};
use crate::session::Effects;
use crate::time::Time;

impl Core {
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
        let mut effects = Effects::default();
        let pty = cell.state.lock().terminal.abandon(&mut effects);
        self.forget(cell, &mut effects.wakes);
        self.collect(pty.into_iter().collect());
    }

    /// Waits until killed processes are gone, so that they leave no zombies. A process that even a kill does not end at
    /// once (it sleeps in the kernel) is left to the system after a second.
    fn collect(&self, mut ptys: Vec<Box<dyn Pty>>) {
        let Ok(_quiet) = self.quietly() else { return };
        let clock = Clock::Monotonic;
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
