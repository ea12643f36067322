//! One stream: a client's place in a session's output, and how much may be under way to it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::batch::{Backlog, Batcher};
use crate::id::SessionId;
use crate::limits::{PACE_WAIT, RESYNC_LAG, STALE_BYTES};
use crate::pack::Gain;
use crate::protocol::message::{Credit, GapReason, Policy};
use crate::protocol::token::Role;
use crate::time::Time;

/// The books of one stream.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) session: SessionId,
    /// As what the client watches.
    pub(super) role: Role,
    /// What happens when it falls behind.
    policy: Policy,
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
    credit: Credit,
    /// Since as much was under way as may be while more waited.
    stretch: Option<Stretch>,
    /// How fast it rendered over the last such stretch.
    pace: Option<Pace>,
    /// Whether packing its output pays; nothing of it may be, where there is none.
    pub(super) gain: Option<Gain>,
    /// When output that has come is sent, and how much of it.
    batcher: Batcher,
    /// What waits to be sent.
    backlog: Backlog,
    /// Up to where its terminal may be read, as it was last told.
    allowed: u64,
    /// The client's resizes that have not taken effect: the terminal's number, and the request's.
    resizes: VecDeque<(u64, u64)>,
}

/// A time over which its pace is measured.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    since: Time,
    /// Bytes rendered since, and as many as end it: all but an eighth of what was under way.
    rendered: u64,
    enough: u64,
}

/// So many bytes were rendered in so much time.
#[derive(Clone, Copy, Debug)]
struct Pace {
    bytes: u64,
    took: Duration,
}

impl Lane {
    /// A stream on which output begins at `start`.
    pub(super) fn new(session: SessionId, role: Role, policy: Policy, credit: Credit, start: u64, replay_until: u64) -> Lane {
        Lane {
            session,
            role,
            policy,
            replay_until,
            sent: start,
            rendered: start,
            gaps: VecDeque::new(),
            begun: start,
            credit,
            stretch: None,
            pace: None,
            gain: None,
            batcher: Batcher::new(credit.high_bytes().into()),
            backlog: Backlog::default(),
            allowed: u64::MAX,
            resizes: VecDeque::new(),
        }
    }

    /// The next byte to send.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// What happens when it falls behind.
    pub(super) fn policy(&self) -> Policy {
        self.policy
    }

    /// How much more may be sent now, where the session has said as much as `end`.
    pub(super) fn may_send(&mut self, end: u64, now: Time) -> u64 {
        let (waiting, under_way) = (self.sent..end, self.under_way());
        if waiting.is_empty() {
            self.stretch = None; // It has caught up.
        } else if !self.batcher.has_room(&waiting, under_way) {
            self.stretch.get_or_insert(Stretch { since: now, rendered: 0, enough: under_way - under_way / 8 });
        }
        self.batcher.may_send(waiting, under_way, now)
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        self.batcher.handle_timeout(now);
    }

    /// When output that waits for more is sent at the latest.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.batcher.poll_timeout()
    }

    /// The client typed: it waits for an answer.
    pub(super) fn handle_input(&mut self, now: Time) {
        self.batcher.handle_input(now);
    }

    /// A gap from `from` to `to` was sent. There is nothing to render in it, but what was sent before it is still to be.
    pub(super) fn handle_gap(&mut self, from: u64, to: u64) {
        match self.gaps.back_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => self.gaps.push_back((from, to)),
        }
        if self.sent == self.begun {
            self.begun = to; // Nothing was sent yet.
        }
        self.sent = to;
    }

    /// What was just sent from `from` on has waited for so long, while the session has said as much as `end`.
    pub(super) fn note_wait(&mut self, from: u64, end: u64, waited: Duration, now: Time) {
        if from >= self.replay_until {
            self.backlog.handle_sent(from..self.sent, end, waited, now);
        }
    }

    /// Up to where its terminal may be read for this viewer, if that has changed: nobody is held back for who may miss output, nor
    /// for what was there before it came.
    pub(super) fn take_allowed(&mut self) -> Option<u64> {
        let ahead = match self.policy {
            Policy::Backpressure => self.backlog.ahead(self.batcher.window()),
            Policy::Resync => u64::MAX,
        };
        let allowed = self.sent.max(self.replay_until).saturating_add(ahead);
        (std::mem::replace(&mut self.allowed, allowed) != allowed).then_some(allowed)
    }

    /// Output up to `end` was sent.
    pub(super) fn handle_sent(&mut self, end: u64, now: Time) {
        let bytes = std::mem::replace(&mut self.sent, end)..end;
        self.batcher.handle_sent(bytes, self.under_way(), now);
    }

    /// Everything before `rendered` was rendered. What was not sent cannot have been.
    pub(super) fn handle_rendered(&mut self, rendered: u64, now: Time) -> u64 {
        let before = self.under_way();
        self.rendered = self.rendered.max(rendered.min(self.sent));
        let rendered = self.rendered;
        while self.gaps.pop_front_if(|(_, to)| *to <= rendered).is_some() {}
        if let Some((from, _)) = self.gaps.front_mut() {
            *from = rendered.max(*from);
        }
        self.measure(before - self.under_way(), now);
        self.rendered
    }

    /// So many bytes more were rendered.
    fn measure(&mut self, bytes: u64, now: Time) {
        let Some(stretch) = &mut self.stretch else { return };
        stretch.rendered += bytes;
        let Stretch { since, rendered, enough } = *stretch;
        let is_long = now >= since + PACE_WAIT || rendered >= u64::from(self.credit.high_bytes() - self.credit.low_bytes());
        if rendered >= enough && is_long {
            (self.stretch, self.pace) = (None, Some(Pace { bytes: rendered, took: now - since }));
        }
    }

    /// How long something took to be rendered, if it just was. One thing at a time is timed.
    pub(super) fn take_round_trip(&mut self, now: Time) -> Option<Duration> {
        self.batcher.handle_rendered(self.rendered, now)
    }

    fn under_way(&self) -> u64 {
        let missing: u64 = self.gaps.iter().map(|(from, to)| to - from).sum();
        self.sent - self.rendered - missing
    }

    /// Whether much of what was said up to `end` was not sent, to one who may miss it: an interrupt key makes that stale.
    pub(super) fn is_stale(&self, end: u64) -> bool {
        self.policy == Policy::Resync && end.saturating_sub(self.sent) > STALE_BYTES
    }

    /// Whether at the pace at which it just rendered it would be too late with what was said up to `end`, and may miss it.
    pub(super) fn lags(&mut self, end: u64) -> bool {
        let Some(Pace { bytes, took }) = self.pace.take().filter(|_| self.is_stale(end)) else { return false };
        u128::from(end - self.sent) * took.as_nanos() > u128::from(bytes) * RESYNC_LAG.as_nanos()
    }

    /// Why output is missing that is no longer held. Who held others up until it was not waited for any longer may miss some from
    /// now on.
    pub(super) fn gap_reason(&mut self) -> GapReason {
        match std::mem::replace(&mut self.policy, Policy::Resync) {
            policy if self.sent == self.begun => {
                self.policy = policy;
                GapReason::History
            }
            Policy::Resync => GapReason::Resync,
            Policy::Backpressure => GapReason::Demoted,
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

    fn lane(policy: Policy) -> Lane {
        Lane::new(SessionId::from_raw(1), Role::Owner, policy, CREDIT, 100, 0)
    }

    const CREDIT: Credit = Credit::new(16 << 10);
    const NOW: Time = Time::ZERO;

    fn may_send(lane: &mut Lane) -> bool {
        lane.may_send(u64::MAX, NOW) > 0
    }

    #[test]
    fn as_much_is_under_way_as_may_be_and_it_goes_on_when_a_batch_of_it_is_rendered() {
        let mut lane = lane(Policy::Backpressure);
        lane.handle_sent(100 + (14 << 10), NOW);
        assert!(may_send(&mut lane));
        lane.handle_sent(100 + (16 << 10), NOW);
        assert!(!may_send(&mut lane));
        lane.handle_rendered(100 + (2 << 10) - 1, NOW);
        assert!(!may_send(&mut lane));
        assert_eq!(lane.handle_rendered(100 + (2 << 10), NOW), 100 + (2 << 10));
        assert!(may_send(&mut lane));
    }

    #[test]
    fn a_gap_is_not_under_way_and_what_was_sent_before_it_still_is() {
        let mut lane = lane(Policy::Resync);
        lane.handle_sent(100 + (14 << 10), NOW);
        lane.handle_gap(100 + (14 << 10), 1 << 20);
        lane.handle_gap(1 << 20, 2 << 20);
        assert!(may_send(&mut lane));
        lane.handle_sent((2 << 20) + 1024, NOW);
        assert!(!may_send(&mut lane), "nothing was rendered");
        assert_eq!((lane.handle_rendered(1 << 20, NOW), may_send(&mut lane)), (1 << 20, true));
        assert_eq!(lane.under_way(), 1024);
        lane.handle_rendered(u64::MAX, NOW);
        assert_eq!((lane.under_way(), lane.gaps.len()), (0, 0));
    }

    #[test]
    fn what_was_not_sent_cannot_have_been_rendered_and_nothing_is_unrendered() {
        let mut lane = lane(Policy::Backpressure);
        lane.handle_sent(200, NOW);
        assert_eq!(lane.handle_rendered(u64::MAX, NOW), 200);
        assert_eq!(lane.handle_rendered(150, NOW), 200);
    }

    #[test]
    fn only_who_may_miss_output_misses_what_is_stale() {
        assert!(!lane(Policy::Backpressure).is_stale(1 << 20));
        assert!(!lane(Policy::Resync).is_stale(100 + STALE_BYTES));
        assert!(lane(Policy::Resync).is_stale(101 + STALE_BYTES));
    }

    #[test]
    fn who_renders_fast_enough_misses_nothing_and_who_would_be_a_second_late_does() {
        let drained = |took| {
            let mut lane = lane(Policy::Resync);
            lane.handle_sent(100 + (16 << 10), NOW);
            assert_eq!(lane.may_send(u64::MAX, NOW), 0);
            lane.handle_rendered(100 + (14 << 10), NOW + took);
            lane
        };
        let (end, sent) = (100 + (16 << 10) + (140 << 10), 100 + (16 << 10));
        // 14 KiB in a tenth of a second: 140 KiB in one.
        assert!(!drained(Duration::from_millis(100)).lags(end));
        assert!(drained(Duration::from_millis(101)).lags(end));
        assert!(!drained(Duration::from_secs(60)).lags(sent + STALE_BYTES), "a little is sent in any case");
        let mut lane = drained(Duration::from_secs(60));
        assert!(lane.lags(end) && !lane.lags(end), "it is asked once for each time");
    }

    #[test]
    fn who_held_others_up_for_too_long_is_told_so_once() {
        let mut lane = lane(Policy::Backpressure);
        lane.handle_gap(100, 150);
        assert_eq!((lane.gap_reason(), lane.policy()), (GapReason::History, Policy::Backpressure));
        lane.handle_sent(200, NOW);
        assert_eq!((lane.gap_reason(), lane.gap_reason()), (GapReason::Demoted, GapReason::Resync));
    }

    #[test]
    fn a_resize_is_settled_by_the_one_that_took_its_place() {
        let mut lane = lane(Policy::Backpressure);
        lane.handle_resize(3, 70);
        lane.handle_resize(5, 71);
        assert_eq!([2, 4, 4, 9].map(|number| lane.settle_resizes(number)), [0, 70, 0, 71]);
    }
}
