//! Waiting for an event.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::core::Core;
use crate::session::Event;

/// Completes with the next event: [`Hub::event`](super::Hub::event).
#[must_use = "futures do nothing unless polled"]
pub struct NextEvent {
    core: Arc<Core>,
    place: Option<u64>,
}

impl NextEvent {
    pub(super) fn new(core: Arc<Core>) -> Self {
        NextEvent { core, place: None }
    }
}

impl Future for NextEvent {
    type Output = Event;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        let this = self.get_mut();
        this.core.events.pop_or_wake(&mut this.place, cx.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for NextEvent {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.core.events.leave(place);
        }
    }
}
