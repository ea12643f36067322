//! The hub's clock: the system's monotonic one, or one that a test moves by hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::time::Time;

/// Where a hub reads the time.
pub(super) enum Clock {
    /// The system's, which stands still while the machine sleeps and never steps.
    Monotonic,
    /// Moved by [`Hub::advance`](super::Hub::advance) only.
    Manual(AtomicU64),
}

impl Clock {
    pub(super) fn manual() -> Self {
        Clock::Manual(AtomicU64::new(0))
    }

    pub(super) fn now(&self) -> Time {
        match self {
            Clock::Monotonic => {
                let now = clock_gettime(ClockId::Monotonic);
                Time::from_nanos(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
            }
            Clock::Manual(nanos) => Time::from_nanos(nanos.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the system's moves by itself.
    pub(super) fn advance(&self, by: Duration) {
        if let Clock::Manual(nanos) = self {
            let later = (Time::from_nanos(nanos.load(Ordering::SeqCst)) + by).as_nanos();
            nanos.store(later, Ordering::SeqCst);
        }
    }

    pub(super) fn is_manual(&self) -> bool {
        matches!(self, Clock::Manual(_))
    }
}
