//! What a host tells itself through its hub.

use std::sync::{Arc, Weak};

use super::core::Core;
use crate::ring::Wakes;

/// Makes a hub's descriptor readable for reasons of the host's own: [`Hub::poster`](super::Hub::poster). Cheap to clone, and usable from any thread; it does not
/// keep the hub open, and once that is gone it does nothing.
///
/// # Examples
/// ```
/// # use orchflow_core::hub::Hub;
/// let hub = Hub::builder().events().hosted()?;
/// let poster = hub.poster();
/// std::thread::spawn(move || poster.post(7)).join().unwrap();
/// assert!(hub.wait(None)?);
/// assert_eq!(hub.next_post(), Some(7));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Poster {
    core: Weak<Core>,
}

impl Poster {
    pub(super) fn new(core: &Arc<Core>) -> Poster {
        Poster { core: Arc::downgrade(core) }
    }

    /// Posts a number: it waits beside the events until it is [taken](super::Hub::next_post), and the descriptor shows it. One that
    /// waits already waits once.
    pub fn post(&self, number: u64) {
        if let Some(core) = self.core.upgrade() {
            core.events.post(number, &mut Wakes::new()); // Dropped, and so woken, at once.
        }
    }

    /// Makes the descriptor readable until the next turn: for a host that has tasks of its own to run beside the hub.
    pub fn wake(&self) {
        if let Some(core) = self.core.upgrade() {
            core.poller.ring_bell();
        }
    }
}
