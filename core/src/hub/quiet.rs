//! Driving a hub for somebody who does not watch its descriptor.
//!
//! While events wait the descriptor is readable, which is how a host hears of them. Whoever runs the hub for a future
//! ([`Hub::block_on`](super::Hub::block_on), [`Hub::drive`](super::Hub::drive)) would meet a readable descriptor again and
//! again, with nothing to be done about it. So for that time events are not shown; futures hear of
//! them by [`Hub::event`](super::Hub::event).

use std::io;

use super::core::Core;
use crate::metrics::ErrorKind;

impl Core {
    /// Shows in the descriptor that events wait.
    pub(super) fn show_events(&self) -> io::Result<()> {
        let mut quiet = self.quiet.lock();
        *quiet -= 1;
        if *quiet == 0 { self.poller.add_flag(self.events.flag()) } else { Ok(()) }
    }

    /// Shows it no longer, until [`show_events`](Core::show_events) was called as often.
    pub(super) fn hide_events(&self) -> io::Result<()> {
        let mut quiet = self.quiet.lock();
        *quiet += 1;
        if *quiet == 1 { self.poller.remove_flag(self.events.flag()) } else { Ok(()) }
    }

    /// Hides events for as long as the value lives.
    pub(super) fn quietly(&self) -> io::Result<Quiet<'_>> {
        self.hide_events()?;
        Ok(Quiet { core: self })
    }
}

/// Events are not shown in the descriptor.
pub(super) struct Quiet<'a> {
    core: &'a Core,
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        if self.core.show_events().is_err() {
            self.core.metrics.error(ErrorKind::Io);
        }
    }
}
