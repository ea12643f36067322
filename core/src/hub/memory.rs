//! Memory that all sessions share: who gives some up when it is spent, and who waits for it.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use super::cell::Cell;
use super::core::Core;
use super::panics::Panics;
use super::poller::Poller;
use crate::limits::READ_MAX;

impl Core {
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
        if self.pool.used() + READ_MAX <= self.pool.limit() || self.shrink_largest() > 0 {
            self.poller.ring_for_relief(); // Somebody let go between the two looks.
        }
    }

    fn shrink_largest(&self) -> usize {
        let held = |cell: &Arc<Cell>| cell.state.lock().terminal.held_bytes();
        let mut by_size: Vec<_> = self.all_histories().into_iter().map(|cell| (held(&cell), cell)).collect();
        by_size.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        by_size.iter().map(|(_, cell)| cell.state.lock().terminal.shrink()).find(|&freed| freed > 0).unwrap_or(0)
    }

    /// There may be memory again: everybody who waits for it tries.
    pub(super) fn feed_starving(&self, panics: &mut Panics) {
        let starving = std::mem::take(&mut *self.starving.lock());
        self.starving_count.fetch_sub(starving.len(), Ordering::SeqCst);
        for cell in starving.iter().filter_map(Weak::upgrade) {
            panics.keep(|| self.with(&cell, |terminal, now, effects| terminal.handle_relief(now, effects)));
        }
    }

    /// Some history is claimed by fewer than before: whoever waits for memory tries again.
    pub(super) fn ease(&self) {
        if self.starving_count.load(Ordering::SeqCst) > 0 && !self.poller.is_forked() {
            self.poller.ring_for_relief();
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
