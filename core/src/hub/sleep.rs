//! Sleeping by the hub's clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::core::Core;
use super::timers::{Due, TimerKey};
use crate::time::Time;

/// Completes at its deadline: [`Hub::sleep_until`](super::Hub::sleep_until).
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    core: Arc<Core>,
    deadline: Time,
    timer: Option<TimerKey>,
}

impl Sleep {
    pub(super) fn new(core: Arc<Core>, deadline: Time) -> Self {
        Sleep { core, deadline, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.core.now() >= self.deadline {
            return Poll::Ready(());
        }
        let waits = self.timer.is_some_and(|timer| self.core.reschedule(timer, cx.waker()));
        if !waits {
            self.timer = Some(self.core.schedule(self.deadline, Due::Task(cx.waker().clone())));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.core.cancel(timer);
        }
    }
}
