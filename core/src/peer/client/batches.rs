//! Batches of operations, asked for until each has ended, and told once however often the server tells.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Breach, ClientPeer, Event};
use crate::limits::BATCHES_MAX;
use crate::peer::client::AskError;
use crate::protocol::frame::StreamId;
use crate::protocol::kind::Kind;
use crate::protocol::message::{Answered, Batch, ErrorCode, Fault, Message, Results};
use crate::time::Time;

/// A batch without its last results.
pub(super) struct Asked {
    /// Which of its operations have ended.
    ended: Vec<bool>,
    left: usize,
    /// When its time is over.
    due: Option<Time>,
    is_cancelled: bool,
}

/// Batches by the numbers of their requests.
pub(super) type Batches = BTreeMap<u64, Asked>;

impl ClientPeer {
    /// Asks for operations; returns the request's number, which [`Event::Results`] and [`Event::Refused`] repeat. However often the link
    /// breaks meanwhile, each is carried out once, and told once.
    ///
    /// # Errors
    /// [`AskError::Requests`].
    pub fn batch(&mut self, batch: Batch, now: Time) -> Result<u64, AskError> {
        if self.batches.len() >= BATCHES_MAX {
            return Err(AskError::Requests { limit: BATCHES_MAX }); // The server tells no more of them apart.
        }
        let number = self.number()?;
        let (count, due) = (batch.operations.len(), batch.within_ms.map(|within| now + Duration::from_millis(within.into())));
        self.batches.insert(number, Asked { ended: vec![false; count], left: count, due, is_cancelled: false });
        self.ask(StreamId::CONNECTION, number, Message::Batch(Box::new(Batch { number, ..batch })));
        Ok(number)
    }

    /// Calls off what has not begun of a batch: that is told as [`Cancelled`](ErrorCode::Cancelled), and the rest as it ends.
    pub fn cancel(&mut self, number: u64) {
        let Some(asked) = self.batches.get_mut(&number) else { return };
        asked.is_cancelled = true;
        if self.requests.get(&number).is_none_or(|request| !request.sent) {
            return self.refuse_batch(number, &Fault::new(ErrorCode::Cancelled, "it was called off before it was sent"));
        }
        if self.is_open() {
            self.send(StreamId::CONNECTION, Message::Cancel { number });
        }
    }

    /// Sends a batch whose link broke again, with the time that is left.
    pub(super) fn send_batch_again(&mut self, number: u64, now: Time) {
        let Some(asked) = self.batches.get(&number) else { return };
        let (due, is_cancelled) = (asked.due, asked.is_cancelled);
        let Some(request) = self.requests.get_mut(&number) else { return };
        if let (Some(due), Message::Batch(batch)) = (due, &mut request.message) {
            batch.within_ms = Some(u32::try_from((due - now).as_millis()).unwrap_or(u32::MAX));
            if due <= now && !request.sent {
                return self.refuse_batch(number, &Fault::new(ErrorCode::Expired, "its time was over before there was a link"));
            }
        }
        self.send_request(number);
        if is_cancelled {
            self.send(StreamId::CONNECTION, Message::Cancel { number });
        }
    }

    /// What has not ended of a batch never will.
    fn refuse_batch(&mut self, number: u64, why: &Fault) {
        self.requests.remove(&number);
        let Some(asked) = self.batches.remove(&number) else { return };
        let mut results = Results { number, ..Results::default() };
        for (at, _) in asked.ended.iter().enumerate().filter(|(_, ended)| !**ended) {
            results.add(at as u32, Err(why.clone()));
        }
        self.events.push_back(Event::Results(Box::new(results)));
    }

    /// The server says what came of operations.
    pub(super) fn take_results(&mut self, results: Results) -> Result<(), Breach> {
        let number = results.number;
        let Some(asked) = self.batches.get_mut(&number) else { return Ok(()) }; // Asked for in a life before.
        let unexpected = Breach::Unexpected { kind: Kind::Results, stream: StreamId::CONNECTION };
        if results.count_within(asked.ended.len()).is_none() {
            return Err(unexpected);
        }
        let is_last = !results.more;
        let news = asked.news(results);
        if is_last {
            if asked.left > 0 {
                return Err(unexpected);
            }
            self.batches.remove(&number);
            self.requests.remove(&number);
        }
        if is_last || !news.is_empty() {
            self.events.push_back(Event::Results(Box::new(news)));
        }
        Ok(())
    }
}

impl Asked {
    /// What of `results` was not told yet.
    fn news(&mut self, results: Results) -> Results {
        let mut news = Results { number: results.number, more: results.more, ..Results::default() };
        for at in results.done.into_iter().flat_map(|(from, to)| from..=to) {
            if self.end(at) {
                news.add(at, Ok(None));
            }
        }
        for Answered { at, answer } in results.answers {
            if self.end(at) {
                news.add(at, Ok(Some(answer)));
            }
        }
        for refused in results.refused {
            let why = Fault::new(refused.code, refused.message);
            for at in refused.from..=refused.to {
                if self.end(at) {
                    news.add(at, Err(why.clone()));
                }
            }
        }
        news
    }

    /// One has ended. Answers whether it had not before.
    fn end(&mut self, at: u32) -> bool {
        let is_new = !std::mem::replace(&mut self.ended[at as usize], true);
        self.left -= usize::from(is_new);
        is_new
    }
}
