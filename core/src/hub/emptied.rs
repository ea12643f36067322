//! Waiting for the last session to go.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::core::Core;

/// Completes while no session is driven: [`Hub::emptied`](super::Hub::emptied).
#[must_use = "futures do nothing unless polled"]
pub struct Emptied {
    core: Arc<Core>,
    place: Option<u64>,
}

impl Emptied {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Emptied { core, place: None }
    }
}

impl Future for Emptied {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // First a place, then a look: who goes after the look finds us.
        this.core.emptied.lock().put(&mut this.place, cx.waker());
        if this.core.sessions() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Emptied {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.core.emptied.lock().leave(place);
        }
    }
}
