//! A link from a person to the server: what is on its way, and what becomes of it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use orchflow_core::host::ConnectionId;
use orchflow_core::time::Time;

/// Bytes that fit on the way down before the server must wait.
const PIPE_BYTES: usize = 128 << 10;

/// Bytes that a slow link carries in a millisecond.
const SLOW_BYTES: usize = 20;

pub(crate) struct Wire {
    pub(crate) person: usize,
    pub(crate) id: ConnectionId,
    pub(crate) up: Way,
    pub(crate) down: Way,
    /// The person does not use it any longer; the server notices at that time, if ever.
    pub(crate) cut: Option<Time>,
    /// Nothing arrives any longer.
    pub(crate) is_mute: bool,
}

/// One direction, in which things arrive in the order in which they were sent.
#[derive(Default)]
pub(crate) struct Way {
    things: VecDeque<(Time, Bytes)>,
    bytes: usize,
    last: Time,
    pub(crate) is_slow: bool,
}

impl Wire {
    pub(crate) fn new(person: usize, id: ConnectionId) -> Wire {
        Wire { person, id, up: Way::default(), down: Way::default(), cut: None, is_mute: false }
    }

    pub(crate) fn is_used(&self) -> bool {
        self.cut.is_none()
    }
}

impl Way {
    pub(crate) fn push(&mut self, bytes: Bytes, now: Time, latency: Duration) {
        let takes = if self.is_slow { Duration::from_millis((bytes.len() / SLOW_BYTES) as u64) } else { Duration::ZERO };
        self.last = self.last.max(now + latency) + takes;
        self.bytes += bytes.len();
        self.things.push_back((self.last, bytes));
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes < PIPE_BYTES
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.things.front().map(|(due, _)| *due)
    }

    pub(crate) fn take_due(&mut self, now: Time) -> Option<Bytes> {
        let (_, bytes) = self.things.pop_front_if(|(due, _)| *due <= now)?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    /// All that is on its way, which arrives nowhere now.
    pub(crate) fn drain(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        self.things.drain(..).map(|(_, bytes)| bytes).collect()
    }

    /// From now on it is as fast as it ever was.
    pub(crate) fn hurry(&mut self, now: Time, latency: Duration) {
        self.is_slow = false;
        self.last = now + latency;
        for (due, _) in &mut self.things {
            *due = self.last.min(*due);
        }
    }
}
