//! What a peer may do until it has proved who it is: send 16 KiB, in messages of 4 KiB, for ten seconds.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::gate::Place;
use crate::limits::UNPROVED_BYTES;
use crate::refusal::Refusal;

/// Whether a peer has proved who it is. Shared by all that hold it to something until then.
#[derive(Clone, Debug)]
pub(crate) struct Standing(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    proved: AtomicBool,
    place: Mutex<Option<Place>>,
}

impl Standing {
    /// Of a newcomer, who keeps `place` in the door until it has proved itself or left.
    pub(crate) fn new(place: Place) -> Standing {
        Standing(Arc::new(Shared { proved: AtomicBool::new(false), place: Mutex::new(Some(place)) }))
    }

    pub(crate) fn is_proved(&self) -> bool {
        self.0.proved.load(Relaxed)
    }

    /// It has: from now on it may take its time and send messages of 1 MiB, and its place in the door is free.
    pub(crate) fn prove(&self) {
        self.0.proved.store(true, Relaxed);
        if let Ok(mut place) = self.0.place.lock() {
            *place = None;
        }
    }
}

/// What an unproved peer may still send.
#[derive(Debug)]
pub(crate) struct Allowance {
    standing: Standing,
    left: usize,
}

impl Allowance {
    pub(crate) fn of(standing: Standing) -> Allowance {
        Allowance { standing, left: UNPROVED_BYTES }
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// How many of `wanted` bytes may be read now.
    ///
    /// # Errors
    /// [`Refusal::ProofLong`] when it is none.
    pub(crate) fn grant(&self, wanted: usize) -> Result<usize, Refusal> {
        match wanted.min(self.left) {
            _ if self.standing.is_proved() => Ok(wanted),
            0 if wanted > 0 => Err(Refusal::ProofLong),
            granted => Ok(granted),
        }
    }

    /// So many were read.
    pub(crate) fn spend(&mut self, read: usize) {
        self.left = self.left.saturating_sub(read);
    }
}

/// When an unproved peer has to be gone.
#[derive(Debug)]
pub(crate) struct Deadline {
    standing: Standing,
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Of a connection that was accepted at `accepted`.
    pub(crate) fn new(standing: Standing, accepted: Instant, limit: Duration) -> Deadline {
        Deadline { standing, limit, sleep: Some(Box::pin(sleep_until(accepted + limit))) }
    }

    /// Completes once it is too late, which for a proved peer it never is.
    pub(crate) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        if self.standing.is_proved() {
            self.sleep = None;
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Refusal::ProofSlow { limit: self.limit })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::gate::{EarlyDrop, Gate};

    #[test]
    fn stranger_may_send_so_much_and_a_friend_anything() {
        let gate = Gate::new(EarlyDrop::default());
        let standing = Standing::new(gate.enter(|| 0).unwrap());
        let mut allowance = Allowance::of(standing.clone());
        allowance.spend(UNPROVED_BYTES - 10);
        assert_eq!((allowance.grant(4_096), allowance.grant(7), allowance.grant(0)), (Ok(10), Ok(7), Ok(0)));
        allowance.spend(10);
        assert_eq!(allowance.grant(1), Err(Refusal::ProofLong));
        assert_eq!(gate.unproved(), 1);
        standing.prove();
        assert_eq!((gate.unproved(), allowance.grant(4_096)), (0, Ok(4_096)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn clock_runs_for_strangers_only() {
        let gate = Gate::new(EarlyDrop::default());
        let clock = |standing: &Standing| Deadline::new(standing.clone(), Instant::now(), Duration::ZERO);
        let stranger = Standing::new(gate.enter(|| 0).unwrap());
        let mut deadline = clock(&stranger);
        let late = std::future::poll_fn(|cx| deadline.poll_late(cx)).await;
        assert_eq!(late, Refusal::ProofSlow { limit: Duration::ZERO });
        let friend = Standing::new(gate.enter(|| 0).unwrap());
        let mut deadline = clock(&friend);
        friend.prove();
        assert!(deadline.poll_late(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}
