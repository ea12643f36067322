//! One stream: a client's place in a session's output, and how much may be under way to it.

use std::collections::VecDeque;

use crate::id::SessionId;
use crate::protocol::message::{Credit, GapReason};
use crate::protocol::token::Role;

/// The books of one stream.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) session: SessionId,
    /// As what the client watches.
    pub(super) role: Role,
    /// Whether it would rather miss output than hold the session up.
    lossy: bool,
    /// Output before this was first sent to others: nobody answers queries in it.
    pub(super) replay_until: u64,
    /// The next byte to send.
    sent: u64,
    /// Everything before was rendered.
    rendered: u64,
    /// Gaps among what was sent and not rendered: nothing of them is under way.
    gaps: VecDeque<(u64, u64)>,
    /// Where output began on this stream.
    begun: u64,
    /// As much is under way as may be.
    is_full: bool,
    /// An interrupt key skipped what was not sent.
    interrupted: bool,
    /// The client's resizes that have not taken effect: the terminal's number, and the request's.
    resizes: VecDeque<(u64, u64)>,
}

impl Lane {
    /// A stream on which output begins at `start`.
    pub(super) fn new(session: SessionId, role: Role, lossy: bool, start: u64, replay_until: u64) -> Lane {
        Lane {
            session,
            role,
            lossy,
            replay_until,
            sent: start,
            rendered: start,
            gaps: VecDeque::new(),
            begun: start,
            is_full: false,
            interrupted: false,
            resizes: VecDeque::new(),
        }
    }

    /// The next byte to send.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether it would rather miss output than hold the session up.
    pub(super) fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// Whether more may be sent.
    pub(super) fn is_open(&self) -> bool {
        !self.is_full
    }

    /// A gap from `from` to `to` was sent. There is nothing to render in it, but what was sent before it is still to be.
    pub(super) fn handle_gap(&mut self, from: u64, to: u64) {
        match self.gaps.back_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => self.gaps.push_back((from, to)),
        }
        self.sent = to;
    }

    /// Output up to `end` was sent.
    pub(super) fn handle_sent(&mut self, end: u64, credit: Credit) {
        self.sent = end;
        self.is_full |= self.under_way() >= u64::from(credit.high_bytes());
    }

    /// Everything before `rendered` was rendered. What was not sent cannot have been.
    pub(super) fn handle_rendered(&mut self, rendered: u64, credit: Credit) -> u64 {
        self.rendered = self.rendered.max(rendered.min(self.sent));
        let rendered = self.rendered;
        while self.gaps.pop_front_if(|(_, to)| *to <= rendered).is_some() {}
        if let Some((from, _)) = self.gaps.front_mut() {
            *from = rendered.max(*from);
        }
        self.is_full &= self.under_way() > u64::from(credit.low_bytes());
        self.rendered
    }

    fn under_way(&self) -> u64 {
        let missing: u64 = self.gaps.iter().map(|(from, to)| to - from).sum();
        self.sent - self.rendered - missing
    }

    /// An interrupt key was pressed: whether what was not sent up to `end` is to be skipped. A stream that asked to miss nothing
    /// misses nothing.
    pub(super) fn handle_interrupt(&mut self, end: u64, stale: u64) -> bool {
        let skips = self.lossy && end.saturating_sub(self.sent) > stale;
        self.interrupted |= skips;
        skips
    }

    /// Why the output that a gap names is missing.
    pub(super) fn gap_reason(&mut self) -> GapReason {
        match () {
            () if std::mem::take(&mut self.interrupted) => GapReason::Interrupt,
            () if self.sent == self.begun => GapReason::History,
            () if self.lossy => GapReason::Lossy,
            () => GapReason::Demoted,
        }
    }

    /// The client's request `request` is the terminal's number `number`.
    pub(super) fn handle_resize(&mut self, number: u64, request: u64) {
        self.resizes.push_back((number, request));
    }

    /// Every resize up to the terminal's `number` has taken effect: the last of the client's among them, or 0.
    pub(super) fn settle_resizes(&mut self, number: u64) -> u64 {
        let mut request = 0;
        while let Some((_, last)) = self.resizes.pop_front_if(|(known, _)| *known <= number) {
            request = last;
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(lossy: bool) -> Lane {
        Lane::new(SessionId::from_raw(1), Role::Owner, lossy, 100, 0)
    }

    const CREDIT: Credit = Credit::new(16 << 10);

    #[test]
    fn as_much_is_under_way_as_may_be_and_it_goes_on_when_little_is_left() {
        let mut lane = lane(false);
        lane.handle_sent(100 + (16 << 10) - 1, CREDIT);
        assert!(lane.is_open());
        lane.handle_sent(100 + (16 << 10), CREDIT);
        assert!(!lane.is_open());
        lane.handle_rendered(100 + (14 << 10) - 1, CREDIT);
        assert!(!lane.is_open(), "the marks are apart, so that it does not flutter");
        assert_eq!(lane.handle_rendered(100 + (14 << 10), CREDIT), 100 + (14 << 10));
        assert!(lane.is_open());
    }

    #[test]
    fn a_gap_is_not_under_way_and_what_was_sent_before_it_still_is() {
        let mut lane = lane(true);
        lane.handle_sent(100 + (15 << 10), CREDIT);
        lane.handle_gap(100 + (15 << 10), 1 << 20);
        lane.handle_gap(1 << 20, 2 << 20);
        assert!(lane.is_open());
        lane.handle_sent((2 << 20) + 1024, CREDIT);
        assert!(!lane.is_open(), "nothing was rendered");
        assert_eq!((lane.handle_rendered(1 << 20, CREDIT), lane.is_open()), (1 << 20, true));
        assert_eq!(lane.under_way(), 1024);
        lane.handle_rendered(u64::MAX, CREDIT);
        assert_eq!((lane.under_way(), lane.gaps.len()), (0, 0));
    }

    #[test]
    fn what_was_not_sent_cannot_have_been_rendered_and_nothing_is_unrendered() {
        let mut lane = lane(false);
        lane.handle_sent(200, CREDIT);
        assert_eq!(lane.handle_rendered(u64::MAX, CREDIT), 200);
        assert_eq!(lane.handle_rendered(150, CREDIT), 200);
    }

    #[test]
    fn only_who_may_miss_output_misses_what_an_interrupt_made_stale() {
        assert!(!lane(false).handle_interrupt(1 << 20, 1000));
        let mut lane = lane(true);
        assert!(!lane.handle_interrupt(1100, 1000));
        assert!(lane.handle_interrupt(1101, 1000));
        assert_eq!((lane.gap_reason(), lane.gap_reason()), (GapReason::Interrupt, GapReason::History));
    }

    #[test]
    fn a_resize_is_settled_by_the_one_that_took_its_place() {
        let mut lane = lane(false);
        lane.handle_resize(3, 70);
        lane.handle_resize(5, 71);
        assert_eq!([2, 4, 4, 9].map(|number| lane.settle_resizes(number)), [0, 70, 0, 71]);
    }
}
