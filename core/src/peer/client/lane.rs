//! One stream as its client keeps it: which bytes came, which were rendered, and what it takes to come back.

use crate::protocol::message::{Attach, Credit, Policy, Start};
use crate::protocol::token::Role;
use crate::size::Size;

/// The books of one stream.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) phase: Phase,
    /// The session, once it is known.
    pub(super) session: Option<u64>,
    /// As what it is to be watched.
    role: Option<Role>,
    /// What happens when it falls behind; the server's choice, where it was left to it.
    pub(super) policy: Option<Policy>,
    /// The size of the client's window, as last asked for.
    pub(super) size: Option<Size>,
    /// The offset after the last byte that came.
    received: u64,
    /// The offset after the last one rendered.
    rendered: u64,
    /// As far as the server was told so.
    acked: u64,
}

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Spawn or Attach, with this number, has no answer.
    Opening(u64),
    /// Output comes.
    Open,
    /// The link broke; it will be asked for again, or was.
    Returning,
    /// Detach, with this number, has no answer.
    Closing(u64),
}

impl Lane {
    /// A stream that request `number` asks for.
    pub(super) fn spawning(number: u64, size: Option<Size>) -> Lane {
        let (phase, policy) = (Phase::Opening(number), Some(Policy::Backpressure));
        Lane { phase, session: None, role: None, policy, size, received: 0, rendered: 0, acked: 0 }
    }

    /// A stream that `attach` asks for.
    pub(super) fn attaching(attach: &Attach) -> Lane {
        let Attach { number, session, role, size, policy, .. } = *attach;
        Lane { session: Some(session), role, policy, ..Lane::spawning(number, size) }
    }

    /// The request that asks for it again.
    pub(super) fn attach_again(&self, number: u64) -> Option<Attach> {
        let start = Start::Offset(self.received);
        Some(Attach { number, session: self.session?, start, role: self.role, size: self.size, policy: self.policy })
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the host regards it as open: it is, or will be again.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Returning)
    }

    /// The offset after the last byte that came.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Output begins at `start`.
    pub(super) fn open(&mut self, session: u64, start: u64) {
        (self.phase, self.session) = (Phase::Open, Some(session));
        (self.received, self.rendered, self.acked) = (start, start, start);
    }

    /// Output goes on where it was. What came before counts as rendered to the server, which was told that the client has it.
    pub(super) fn reopen(&mut self) {
        (self.phase, self.acked) = (Phase::Open, self.received);
    }

    /// Output or a gap from `from` to `to` came.
    ///
    /// # Errors
    /// Where it had to begin.
    pub(super) fn handle_output(&mut self, from: u64, to: u64) -> Result<(), u64> {
        if from != self.received {
            return Err(self.received);
        }
        self.received = to;
        Ok(())
    }

    /// Everything before `offset` was rendered. Answers what the server is to be told, if it is time to.
    pub(super) fn handle_rendered(&mut self, offset: u64, credit: Credit) -> Option<u64> {
        self.rendered = self.rendered.max(offset.min(self.received));
        let news = self.rendered.saturating_sub(self.acked);
        let is_due = self.is_open() && news > 0 && (news >= u64::from(credit.ack_bytes()) || self.rendered == self.received);
        is_due.then(|| {
            self.acked = self.rendered;
            self.acked
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDIT: Credit = Credit::new(16 << 10);

    fn lane() -> Lane {
        let mut lane = Lane::spawning(1, None);
        lane.open(7, 0);
        lane
    }

    #[test]
    fn bytes_that_are_missing_or_doubled_are_noticed() {
        let mut lane = lane();
        assert_eq!(lane.handle_output(0, 10), Ok(()));
        assert_eq!(lane.handle_output(11, 12), Err(10));
        assert_eq!(lane.handle_output(0, 10), Err(10));
        assert_eq!(lane.handle_output(10, 12), Ok(()));
    }

    #[test]
    fn the_server_is_told_now_and_then_and_when_all_is_rendered() {
        let mut lane = lane();
        assert_eq!(lane.handle_output(0, 3000), Ok(()));
        assert_eq!(lane.handle_rendered(1023, CREDIT), None);
        assert_eq!(lane.handle_rendered(1024, CREDIT), Some(1024));
        assert_eq!(lane.handle_rendered(1024, CREDIT), None);
        assert_eq!(lane.handle_rendered(2000, CREDIT), None);
        assert_eq!(lane.handle_rendered(u64::MAX, CREDIT), Some(3000), "no more than came");
    }
}
