//! Running a hub as a task of somebody's runtime.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use super::poller::Poller;
use super::{Hub, Turn, WeakHub};
use crate::limits::TURN_BYTES;
use crate::metrics::ErrorKind;
use crate::runtime::{Readiness, Runtime};

impl Hub {
    /// Runs the hub inside `runtime`, until the hub is closed or its last handle dropped. From now on the descriptor does not
    /// show that events wait; tasks wait for them by [`Hub::event`].
    ///
    /// A waker that panics is its owner's bug and ends nothing here.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated or registered.
    pub fn drive(&self, runtime: &dyn Runtime) -> io::Result<()> {
        let poller = Arc::clone(&self.inner.core.poller);
        let fd = Arc::new(poller.fd().try_clone_to_owned()?);
        let mut readiness = runtime.register(fd)?;
        self.inner.core.hide_events()?;
        let hub = self.weak();
        runtime.spawn("orchflow-hub", Box::pin(async move { run(&hub, &poller, &mut *readiness).await }));
        Ok(())
    }
}

/// Drives until the hub is gone. That is told by the bell, so `_bell` must stay until it has been heard.
async fn run(hub: &WeakHub, _bell: &Poller, readiness: &mut dyn Readiness) {
    poll_fn(|cx| {
        let mut over = false;
        let polled = readiness.poll_turns(cx, &mut || {
            let turn = turn(hub);
            over = turn.is_none();
            turn.unwrap_or(Turn::Idle)
        });
        if over || polled.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// One turn, if there is still anything to drive.
fn turn(hub: &WeakHub) -> Option<Turn> {
    let hub = hub.upgrade().filter(|hub| !hub.is_closed())?;
    match catch_unwind(AssertUnwindSafe(|| hub.dispatch(TURN_BYTES))) {
        Ok(turn) => turn.ok(),
        Err(_) => {
            hub.inner.core.metrics.error(ErrorKind::Io);
            Some(Turn::More)
        }
    }
}
