//! Batches that can be asked for again: by the number that a client gave its request, or by a key that anybody may know.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use super::{Asker, Owner};
use crate::limits::{BATCHES_MAX, KEYS_REMEMBERED};
use crate::protocol::frame::StreamId;
use crate::protocol::message::{Batch, ClientId, ErrorCode, Fault, Message};

/// What is asked for by a key, so that nothing else is.
pub(super) type Print = [u8; 32];

/// What a batch does; how long it may take is no part of that.
pub(super) fn fingerprint(batch: &Batch) -> Print {
    let batch = Batch { number: 0, within_ms: None, ..batch.clone() };
    Sha256::digest(Message::Batch(Box::new(batch)).into_frame(StreamId::CONNECTION).body).into()
}

/// Numbers and keys, and the batches they stand for.
#[derive(Debug, Default)]
pub(super) struct Known {
    owners: BTreeMap<Owner, Numbers>,
    keys: BTreeMap<String, (Print, u64)>,
    /// Keys of batches that are done, those first that were first.
    keys_done: VecDeque<String>,
    /// What each batch is known by.
    names: BTreeMap<u64, Names>,
}

/// The requests of one client.
#[derive(Debug, Default)]
struct Numbers {
    batches: BTreeMap<u64, u64>,
    /// Of those, which are done, in the order in which they were: that in which their results are sent.
    done: VecDeque<u64>,
    /// The highest number that is forgotten.
    forgotten: u64,
}

#[derive(Debug, Default)]
struct Names {
    key: Option<String>,
    askers: Vec<(Owner, u64)>,
}

impl Known {
    /// The batch that `owner` asked for under this number.
    ///
    /// # Errors
    /// Where that was so long ago that it is forgotten.
    pub(super) fn numbered(&self, owner: Owner, number: u64) -> Result<Option<u64>, Fault> {
        let Some(numbers) = self.owners.get(&owner) else { return Ok(None) };
        match numbers.batches.get(&number) {
            None if number <= numbers.forgotten => {
                let message = format!("it may have been carried out: the results of more than {BATCHES_MAX} batches are not kept");
                Err(Fault::new(ErrorCode::Forgotten, message))
            }
            found => Ok(found.copied()),
        }
    }

    /// The batch with this key, and whether it does the same.
    pub(super) fn keyed(&self, key: &str, print: Option<&Print>) -> Option<(u64, bool)> {
        self.keys.get(key).map(|(known, id)| (*id, print == Some(known)))
    }

    /// Batch `id` has this number for this one who asked.
    pub(super) fn number(&mut self, asker: Asker, id: u64) {
        self.owners.entry(asker.owner).or_default().batches.insert(asker.number, id);
        self.names.entry(id).or_default().askers.push((asker.owner, asker.number));
    }

    /// And this key.
    pub(super) fn key(&mut self, key: String, print: Print, id: u64) {
        self.names.entry(id).or_default().key = Some(key.clone());
        self.keys.insert(key, (print, id));
    }

    /// Batch `id` is done. Answers which can be asked for no longer, so that not more than so many are kept.
    pub(super) fn done(&mut self, id: u64) -> Vec<u64> {
        let Some(names) = self.names.get(&id) else { return vec![id] };
        let mut gone = Vec::new();
        for (owner, number) in names.askers.clone() {
            gone.extend(self.number_done(owner, number));
        }
        if let Some(key) = self.names.get(&id).and_then(|names| names.key.clone()) {
            self.keys_done.push_back(key);
            if self.keys_done.len() > KEYS_REMEMBERED
                && let Some((_, oldest)) = self.keys_done.pop_front().and_then(|oldest| self.keys.remove(&oldest))
            {
                self.names.entry(oldest).or_default().key = None;
                gone.push(oldest);
            }
        }
        gone.retain(|id| self.is_unknown(*id));
        gone
    }

    /// A client's batch is done. Answers one of its that it cannot ask for any more.
    fn number_done(&mut self, owner: Owner, number: u64) -> Option<u64> {
        let numbers = self.owners.get_mut(&owner)?;
        numbers.done.push_back(number);
        // Within a process nothing is lost, so nothing is asked for again.
        let kept = if owner == Owner::Local { 0 } else { BATCHES_MAX };
        let oldest = if numbers.done.len() > kept { numbers.done.pop_front() } else { None }?;
        if owner != Owner::Local {
            numbers.forgotten = numbers.forgotten.max(oldest);
        }
        let id = numbers.batches.remove(&oldest)?;
        self.unname(id, owner, oldest);
        Some(id)
    }

    /// Nothing of `client` can be asked for by number any more. Answers the batches that nobody can ask for.
    pub(super) fn forget(&mut self, client: ClientId) -> Vec<u64> {
        let owner = Owner::Client(client);
        let Some(numbers) = self.owners.remove(&owner) else { return Vec::new() };
        for (number, id) in &numbers.batches {
            self.unname(*id, owner, *number);
        }
        numbers.batches.into_values().filter(|id| self.is_unknown(*id)).collect()
    }

    fn unname(&mut self, id: u64, owner: Owner, number: u64) {
        if let Some(names) = self.names.get_mut(&id) {
            names.askers.retain(|asker| *asker != (owner, number));
        }
    }

    /// Whether a batch has no name; what is kept of it goes.
    fn is_unknown(&mut self, id: u64) -> bool {
        let unknown = self.names.get(&id).is_none_or(|names| names.key.is_none() && names.askers.is_empty());
        if unknown {
            self.names.remove(&id);
        }
        unknown
    }
}
