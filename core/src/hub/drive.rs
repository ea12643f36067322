//! Running a hub as a task of somebody's runtime.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::Poll;

use super::{Hub, Turn, WeakHub};
use crate::limits::TURN_BYTES;
use crate::runtime::{Readiness, Runtime};

impl Hub {
    /// Runs the hub inside `runtime`, until the hub is closed or its last handle dropped. From now on the descriptor does not
    /// show that events wait; tasks wait for them by [`Hub::event`].
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated or registered.
    pub fn drive(&self, runtime: &dyn Runtime) -> io::Result<()> {
        let fd = Arc::new(self.as_fd().try_clone_to_owned()?);
        let mut readiness = runtime.register(fd)?;
        self.hide_events()?;
        let hub = self.weak();
        runtime.spawn("orchflow-hub", Box::pin(async move { run(&hub, &mut *readiness).await }));
        Ok(())
    }
}

async fn run(hub: &WeakHub, readiness: &mut dyn Readiness) {
    poll_fn(|cx| {
        let mut over = false;
        let polled =
            readiness.poll_turns(cx, &mut || match hub.upgrade().filter(|hub| !hub.is_closed()).map(|hub| hub.dispatch(TURN_BYTES)) {
                Some(Ok(turn)) => turn,
                Some(Err(_)) | None => {
                    over = true;
                    Turn::Idle
                }
            });
        if over || polled.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
