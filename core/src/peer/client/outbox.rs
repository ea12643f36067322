//! What was typed into one session: numbered, sent as far as the window allows, kept until it is settled.
//!
//! A break only forgets what was sent; so everything that is not settled goes out again, under its number, and the server
//! knows what it has had.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{INPUT_AGAIN, INPUT_ENTRY_BYTES};
use crate::protocol::frame::StreamId;
use crate::protocol::message::Input;
use crate::time::Time;

/// One client's input to one session.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Where the session is watched, if it is.
    pub(super) stream: Option<StreamId>,
    /// The last piece that is settled.
    settled: u64,
    /// The last piece sent over this link.
    sent: u64,
    /// The last piece ever sent.
    reached: u64,
    /// Those not settled, oldest first.
    kept: VecDeque<Input>,
    /// What they cost.
    cost: usize,
    /// Bytes sent over this link and not settled.
    under_way: usize,
    /// Nothing is sent before: the server had no room.
    again: Option<Time>,
}

/// What became of input that the server refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An old story: it was given up already.
    Stale,
    /// It will be sent again.
    Later,
    /// Pieces up to this one are given up.
    GivenUp(u64),
    /// The server has forgotten the count: what was not settled may have been applied, from one piece to another.
    Uncertain(Option<(u64, u64)>),
}

impl Outbox {
    /// For a session of which the client's first `settled` pieces are settled.
    pub(super) fn new(settled: u64) -> Outbox {
        Outbox { stream: None, settled, sent: settled, reached: settled, kept: VecDeque::new(), cost: 0, under_way: 0, again: None }
    }

    /// What is kept costs this much, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The first and the last piece that are not settled.
    pub(super) fn unsettled(&self) -> Option<(u64, u64)> {
        let last = self.settled + self.kept.len() as u64;
        (last > self.settled).then_some((self.settled + 1, last))
    }

    /// The last piece ever sent.
    pub(super) fn reached(&self) -> u64 {
        self.reached
    }

    /// Takes a piece, and numbers it.
    pub(super) fn push(&mut self, bytes: Bytes, urgent: bool, reply: bool) -> u64 {
        self.cost += bytes.len() + INPUT_ENTRY_BYTES;
        let sequence = self.settled + self.kept.len() as u64 + 1;
        self.kept.push_back(Input { sequence, bytes, urgent, reply });
        sequence
    }

    /// The next piece to send, with at most `window` bytes under way.
    pub(super) fn send_next(&mut self, window: usize) -> Option<Input> {
        let index = usize::try_from(self.sent - self.settled).ok()?;
        let next = self.kept.get(index).filter(|_| self.again.is_none())?;
        if self.under_way > 0 && self.under_way + next.bytes.len() > window {
            return None;
        }
        self.under_way += next.bytes.len();
        self.sent = next.sequence;
        self.reached = self.reached.max(self.sent);
        Some(next.clone())
    }

    /// Pieces up to `sequence` are settled. Answers whether that is news; `None` where they were not even sent.
    pub(super) fn settle(&mut self, sequence: u64) -> Option<bool> {
        if sequence > self.reached {
            return None;
        }
        let before = self.settled;
        while self.settled < sequence
            && let Some(first) = self.kept.pop_front()
        {
            self.settled = first.sequence;
            self.cost -= first.bytes.len() + INPUT_ENTRY_BYTES;
            if first.sequence <= self.sent {
                self.under_way -= first.bytes.len();
            }
        }
        self.sent = self.sent.max(self.settled);
        if self.settled > before {
            self.again = None; // There is room again.
        }
        Some(self.settled > before)
    }

    /// The server waits for piece `sequence`; what it was sent from there on, it does not have.
    pub(super) fn refuse(&mut self, sequence: u64, may_succeed: bool, now: Time) -> Refusal {
        if sequence <= self.settled {
            let lost = self.unsettled();
            *self = Outbox { stream: self.stream, ..Outbox::new(sequence.saturating_sub(1)) };
            return Refusal::Uncertain(lost);
        }
        if sequence > self.sent {
            return Refusal::Stale;
        }
        let first = usize::try_from(sequence - self.settled - 1).unwrap_or(usize::MAX).min(self.kept.len());
        self.sent = sequence - 1;
        self.under_way = self.kept.iter().take(first).map(|input| input.bytes.len()).sum();
        if may_succeed {
            self.again = Some(now + INPUT_AGAIN);
            return Refusal::Later;
        }
        self.reached = self.sent;
        let given_up = self.kept.split_off(first);
        self.cost -= given_up.iter().map(|input| input.bytes.len() + INPUT_ENTRY_BYTES).sum::<usize>();
        Refusal::GivenUp(given_up.back().map_or(sequence, |last| last.sequence))
    }

    /// When to try again.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.again
    }

    /// Time has passed. Answers whether it is time to try again.
    pub(super) fn handle_timeout(&mut self, now: Time) -> bool {
        self.again.take_if(|again| *again <= now).is_some()
    }

    /// The link is gone, and what was under way with it.
    pub(super) fn handle_break(&mut self) {
        (self.sent, self.under_way, self.again) = (self.settled, 0, None);
    }

    /// Whether each count is what it must be, for tests.
    #[cfg(test)]
    fn verify(&self) {
        assert!(self.settled <= self.sent && self.sent <= self.reached);
        assert!(self.kept.iter().zip(self.settled + 1..).all(|(input, sequence)| input.sequence == sequence));
        assert_eq!(self.cost, self.kept.iter().map(|input| input.bytes.len() + INPUT_ENTRY_BYTES).sum::<usize>());
        let sent = self.kept.iter().filter(|input| input.sequence <= self.sent);
        assert_eq!(self.under_way, sent.map(|input| input.bytes.len()).sum::<usize>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An outbox with three pieces of four bytes.
    fn three() -> Outbox {
        let mut outbox = Outbox::new(0);
        for text in ["abcd", "efgh", "ijkl"] {
            outbox.push(text.into(), false, false);
        }
        outbox
    }

    fn sent(outbox: &mut Outbox, window: usize) -> Vec<u64> {
        let sent = std::iter::from_fn(|| outbox.send_next(window)).map(|input| input.sequence).collect();
        outbox.verify();
        sent
    }

    #[test]
    fn no_more_is_under_way_than_the_window_allows() {
        let mut outbox = three();
        assert_eq!(sent(&mut outbox, 8), [1, 2]);
        assert_eq!(outbox.settle(1), Some(true));
        assert_eq!(sent(&mut outbox, 8), [3]);
        assert_eq!(outbox.settle(3), Some(true));
        assert_eq!((outbox.settle(2), outbox.cost()), (Some(false), 0));
    }

    #[test]
    fn a_piece_longer_than_the_window_goes_alone() {
        assert_eq!(sent(&mut three(), 1), [1]);
    }

    #[test]
    fn what_was_not_settled_is_sent_again_after_a_break_under_its_number() {
        let mut outbox = three();
        sent(&mut outbox, 100);
        outbox.settle(1);
        outbox.handle_break();
        outbox.verify();
        assert_eq!(outbox.settle(2), Some(true), "settled before the break, and told after it");
        assert_eq!(sent(&mut outbox, 100), [3]);
    }

    #[test]
    fn nothing_is_settled_that_was_not_sent() {
        let mut outbox = three();
        sent(&mut outbox, 8);
        assert_eq!(outbox.settle(3), None);
    }

    #[test]
    fn what_may_succeed_is_sent_again_and_what_may_not_is_given_up() {
        let mut outbox = three();
        sent(&mut outbox, 100);
        assert_eq!(outbox.refuse(2, true, Time::ZERO), Refusal::Later);
        assert_eq!((sent(&mut outbox, 100).len(), outbox.poll_timeout()), (0, Some(Time::ZERO + INPUT_AGAIN)));
        assert!(!outbox.handle_timeout(Time::ZERO) && outbox.handle_timeout(Time::ZERO + INPUT_AGAIN));
        assert_eq!(sent(&mut outbox, 100), [2, 3]);
        assert_eq!(outbox.refuse(3, false, Time::ZERO), Refusal::GivenUp(3));
        assert_eq!(outbox.refuse(3, false, Time::ZERO), Refusal::Stale);
        outbox.verify();
        assert_eq!(outbox.push("mnop".into(), false, false), 3);
        assert_eq!(sent(&mut outbox, 100), [3]);
    }

    #[test]
    fn a_count_that_the_server_forgot_leaves_the_rest_uncertain() {
        let mut outbox = three();
        sent(&mut outbox, 100);
        outbox.settle(1);
        assert_eq!(outbox.refuse(1, false, Time::ZERO), Refusal::Uncertain(Some((2, 3))));
        assert_eq!((outbox.push("new".into(), false, false), outbox.cost()), (1, 3 + INPUT_ENTRY_BYTES));
    }
}
