//! What was refused because the server has too much to do is asked again by the client itself, a few times and within its budget.
//!
//! Only what may be carried out late, and in any order: Spawn, Attach, List. A refusal says that nothing was done, so each goes under a
//! new number, as any other request; the host knows it by its first one.

use std::collections::BTreeSet;
use std::time::Duration;

use super::requests::Request;
use super::{ClientPeer, Phase};
use crate::limits::{AGAIN_FIRST, AGAIN_LEAST, RETRY_MAX};
use crate::protocol::message::{ErrorCode, Message, Refusal};
use crate::resilience::{Backoff, BudgetOptions, RetryBudget, Schedule};
use crate::time::Time;

/// What may be asked again, and when.
pub(super) struct Patience {
    budget: RetryBudget,
    waits: Backoff,
    /// Requests that wait, by number, and until when.
    due: BTreeSet<(Time, u64)>,
}

impl Patience {
    pub(super) fn new(seed: u64) -> Patience {
        let schedule = Schedule { first: AGAIN_FIRST, max: RETRY_MAX, stable: Duration::ZERO };
        Patience { budget: RetryBudget::new(BudgetOptions::default()), waits: Backoff::new(schedule, seed), due: BTreeSet::new() }
    }

    pub(super) fn handle_first_try(&mut self) {
        self.budget.handle_first_try();
    }

    /// The server did something that it may refuse: the next waits are short again.
    pub(super) fn handle_success(&mut self) {
        self.waits.reset();
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The link is gone: the next one carries whatever has no answer.
    pub(super) fn handle_break(&mut self) {
        self.due.clear();
    }
}

impl ClientPeer {
    /// Whether a refused request will be asked again, and its host need not know.
    pub(super) fn keeps(&mut self, refusal: &Refusal, now: Time) -> bool {
        let is_asked_again = refusal.code == ErrorCode::Overloaded && refusal.retryable;
        let Some(request) = self.requests.get(&refusal.number).filter(|_| is_asked_again) else { return false };
        let repeats = matches!(request.message, Message::Spawn(_) | Message::Attach(_) | Message::List { .. });
        if !repeats || !self.patience.budget.take(request.tries, now) {
            return false;
        }
        let Some(request) = self.requests.remove(&refusal.number) else { return false };
        self.last_number += 1;
        let number = self.last_number;
        let Request { stream, mut message, tries, told, .. } = request;
        match &mut message {
            Message::Spawn(spawn) => spawn.number = number,
            Message::Attach(attach) => attach.number = number,
            Message::List { number: listed } => *listed = number,
            _ => {}
        }
        if let Some(lane) = self.lanes.get_mut(&stream).filter(|lane| lane.phase == Phase::Opening(refusal.number)) {
            lane.phase = Phase::Opening(number);
        }
        self.requests.insert(number, Request { stream, message, sent: false, tries: tries + 1, told });
        let at = self.patience.waits.handle_down(now, AGAIN_LEAST);
        self.patience.due.insert((at, number));
        true
    }

    /// Asks again for what has waited long enough.
    pub(super) fn ask_due(&mut self, now: Time) {
        while let Some((_, number)) = self.patience.due.first().copied().filter(|(at, _)| *at <= now) {
            self.patience.due.pop_first();
            self.send_request(number);
        }
    }
}
